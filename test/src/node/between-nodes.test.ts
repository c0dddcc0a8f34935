/**
 * Messages between nodes and to their callers over NATS, on a server with a low max_payload. Every operation and endpoint must give answers
 * of twice that limit, and every internal subject gets arbitrary bytes. Afterwards both nodes live, own what they owned, and decide.
 */
import { connect, createInbox, headers, type NatsConnection } from '@nats-io/transport-node';
import { Packr } from 'msgpackr';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packRequest } from '../../../actors/ports/peer-messages.ts';
import { PEER_OPERATIONS, type PeerOperationName } from '../../../actors/ports/peer-operations.ts';
import { Refusal } from '../../../actors/ports/refusal.ts';
import { GATHER_OPERATIONS, type GatherOperation } from '../../../dashboards/query/gather-operations.ts';
import { ask, askUntilDecided } from '../../../harness/callers/http-caller.ts';
import { LiveReader } from '../../../harness/callers/live-reader.ts';
import { chance } from '../../../harness/chance.ts';
import { NodeProcess } from '../../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { until } from '../../../harness/until.ts';
import { NatsPeers } from '../../../src/node/peers.ts';
import { packMessage } from '../../../streams/messages.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';
import { changesSubject, NODE_REPORTS_SUBJECT, ownerSubject } from '../../../streams/subjects.ts';
import {
  BASKET,
  BIG,
  basket,
  OFTEN,
  PARTITIONS,
  PLACES,
  questionsOver,
  read,
  SHELF,
  SMALL,
  WHOLE,
} from './largest-questions.ts';

const LIMIT = 32 * 1024;
const packr = new Packr({ useRecords: false });
let nodes: [NodeProcess, NodeProcess];
let broker: NatsBroker;
let questions: ReturnType<typeof questionsOver>;
let nc: NatsConnection;

/** Each node owns some of these. */
const MANY = Array.from({ length: 700 }, (_, i) => `many-${i}`);

let count = 0;
const ORDERED = { purchaseOrder: 'po'.padEnd(128, '日'), promisedAt: '2199-01-01', vendor: 'v'.padEnd(128, '日') };

function receipt(sku: string, location: string, qty = 1, more: object = {}) {
  count += 1;
  return { id: `w-${count}`, type: 'receipt', sku, location, occurredAt: new Date().toISOString(), qty, ...more };
}

async function send(facts: readonly object[]): Promise<void> {
  for (let from = 0; from < facts.length; from += 1_000) {
    const some = facts.slice(from, from + 1_000);
    const url = nodes[(from / 1_000) % 2]?.url ?? '';
    const { status, body } = await askUntilDecided(() => url, 'POST', '/v1/facts', some);
    expect([status, body.accepted + body.duplicates]).toEqual([200, some.length]);
  }
}

beforeAll(async () => {
  const [nats, redis] = await Promise.all([
    freshNats({ config: { maxPayload: '32KB', syncInterval: '10s' } }),
    freshRedis(),
  ]);
  const env = {
    HOLDFAST_PARTITIONS: String(PARTITIONS),
    HOLDFAST_LEASE: '15s',
    // A low max_payload makes many answers too large for one message.
    HOLDFAST_TEST_LIMITS: JSON.stringify({ leastMaxPayload: 1 }),
  };
  nodes = [
    await NodeProcess.at({ nats, redis }, { name: 'one', env }),
    await NodeProcess.at({ nats, redis }, { name: 'two', env }),
  ];
  await nodes[0].up();
  await nodes[1].up();
  await until(shared, 30_000, () => nodes.map((node) => node.tail(3)).join('\n'));
  broker = await NatsBroker.connect(nats.url, 'asker');
  questions = questionsOver(new NatsPeers(broker));
  nc = await connect({ servers: nats.url });
  const ahead = new Date(Date.now() + 3_600_000).toISOString();
  await send([
    ...PLACES.map((place) => receipt(BIG, place)),
    ...PLACES.map((place, i) =>
      receipt(BIG, place, 1, { type: 'purchase', ...ORDERED, line: `${i}`.padEnd(128, '日') }),
    ),
    ...BASKET.flatMap((sku) => PLACES.slice(0, 50).map((place) => receipt(sku, place))),
    // The clock of each till is ahead.
    ...MANY.map((sku, i) => receipt(sku, SHELF, 1, { device: `till-${i}`.padEnd(128, '-'), occurredAt: ahead })),
    ...MANY.map((sku) => ({ id: `item of ${sku}`, type: 'item', sku, occurredAt: ahead, name: '日'.repeat(200) })),
    ...Array.from({ length: 300 }, () => receipt(OFTEN, 'x', 1, { note: 'n'.repeat(190) })),
  ]);
  // Three reservations of a hundred places each, and one across the partitions of both nodes.
  for (let i = 0; i < 3; i++) {
    const id = `big-${i}`.padEnd(128, '-');
    const big = { id, lines: [{ sku: BIG, qty: 100, split: true }] };
    const { status } = await askUntilDecided(() => nodes[0].url, 'POST', '/v1/reservations', big);
    expect([200, 201]).toContain(status);
  }
}, 180_000);
afterAll(async () => {
  await broker?.close();
  await nc?.close();
});

async function shared(): Promise<boolean> {
  const [one, two] = await Promise.all(nodes.map((node) => node.readiness()));
  return one?.ready === true && two?.ready === true && one.owned > 0 && one.owned + two.owned === PARTITIONS;
}

/** Expects both nodes to live and to decide for callers of either one within a second, or later on a busy machine. */
async function serves(what: string): Promise<void> {
  for (const node of nodes) {
    expect([node.name, node.alive, what]).toEqual([node.name, true, what]);
    let last = '';
    const soon = async () => {
      count += 1;
      const asked = performance.now();
      const body = { id: `after-${count}`, lines: [{ sku: MANY[count % MANY.length], qty: 1 }] };
      const answer = await ask(node.url, 'POST', '/v1/reservations', body);
      last = `${answer.status} ${JSON.stringify(answer.body)} in ${performance.now() - asked} ms`;
      return answer.status === 201 && performance.now() - asked < 1_000;
    };
    await until(soon, 30_000, () => `${node.name} decides after ${what}: ${last}\n${node.tail(8)}`, 1);
  }
}

/** Repeats an undecided request, as every caller does. */
async function decided<T>(question: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await question();
    } catch (error) {
      if (!(error instanceof Refusal) || error.kind !== 'undecided' || attempt === 20) throw error;
    }
  }
}

describe('an answer of twice the limit', () => {
  it.each(Object.keys(PEER_OPERATIONS) as PeerOperationName[])(
    'of the operation %s reaches the other node',
    async (name) => {
      const answer = await decided(questions.cases[name]);
      if (answer !== SMALL) expect(packMessage(answer).length).toBeGreaterThan(2 * LIMIT);
      await serves(name);
    },
  );

  it.each(Object.keys(GATHER_OPERATIONS) as GatherOperation[])('of what is gathered as %s too', async (name) => {
    // A partition tells of a bounded number of devices, and no line is promised for later here.
    const least = name === 'find-clocks' ? LIMIT : name === 'find-promises' ? 0 : 2 * LIMIT;
    expect(packMessage(await questions.gathered(name)).length).toBeGreaterThan(least);
    await serves(name);
  });

  it('of an endpoint is refused as too large, and what was asked is done', async () => {
    const id = 'over-nats'.padEnd(128, '-');
    const walk: Record<string, object> = {
      'fact.submit': Array.from({ length: 1_000 }, () => ({})),
      'atp.query': { lines: [{ sku: BIG }] },
      'stock.get': { sku: BIG },
      'reservation.place': { ...basket, id },
      'reservation.amend': { ...basket, id },
      'reservation.confirm': { id },
      'reservation.release': { id },
    };
    const { endpoints } = (await nc.request('$SRV.INFO.holdfast', undefined, { timeout: 5_000 })).json<{
      endpoints: { subject: string }[];
    }>();
    expect(endpoints.map(({ subject }) => subject).sort()).toEqual(Object.keys(walk).sort());
    for (const [subject, body] of Object.entries(walk)) {
      const reply = await nc.request(subject, JSON.stringify(body), { timeout: 8_000 });
      expect([subject, reply.headers?.get('Nats-Service-Error-Code'), reply.json<{ type: string }>().type]).toEqual([
        subject,
        '413',
        'too-large',
      ]);
      await serves(subject);
    }
    expect((await ask(nodes[1].url, 'GET', `/v1/reservations/${id}`)).body.status).toBe('released');
  });

  it('is the same whichever node is asked over HTTP', async () => {
    for (const path of [`/v1/atp/${BIG}`, `/v1/stock/${BIG}`, `/v1/explain/${OFTEN}/x`, `/v1/reservations/${WHOLE}`]) {
      const [one, two] = await Promise.all(nodes.map((node) => ask(node.url, 'GET', path)));
      expect([path, one?.status, two?.status]).toEqual([path, 200, 200]);
      expect({ ...one?.body, asOf: '' }).toEqual({ ...two?.body, asOf: '' });
    }
    // This request is too large for one message, so its lines are asked for in halves.
    const lines = Array.from({ length: 9 }, (_, i) => ({ sku: BIG, locations: PLACES.slice(i * 75, i * 75 + 300) }));
    const [one, two] = await Promise.all(nodes.map((node) => ask(node.url, 'POST', '/v1/atp', { lines }, 20_000)));
    expect([one?.status, two?.status], JSON.stringify([one?.body, two?.body]).slice(0, 500)).toEqual([200, 200]);
    expect([one?.status, one?.body.lines.length, one?.body.lines[8].locations.length]).toEqual([200, 9, 300]);
    expect(one?.body.lines).toEqual(two?.body.lines);
    // Here even a single line is too large.
    const line = { sku: BIG, locations: PLACES.slice(0, 1_000) };
    const answers = await Promise.all(nodes.map((node) => ask(node.url, 'POST', '/v1/atp', { lines: [line] })));
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 413]);
  });
});

describe('whatever comes on an internal subject', () => {
  it('ends nothing: both nodes own what they owned, and decide', async () => {
    const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
    console.log(`fuzz seed ${seed}; again with FUZZ_SEED=${seed}`);
    const random = chance(seed);
    const below = (n: number) => Math.floor(random() * n);
    const pick = <T>(list: readonly T[]) => list[below(list.length)] as T;
    const owned = await ownership();
    const real = await overheard();
    const writers = [...new Set(await questions.all(questions.ownerOf))];
    const subjects = [
      NODE_REPORTS_SUBJECT,
      ...writers.map(changesSubject),
      ...Array.from({ length: PARTITIONS }, (_, partition) => ownerSubject(partition)),
      'anomaly.shortfall',
      'anomaly.nonsense',
      ...['atp.query', 'stock.get', 'reservation.place', 'reservation.confirm', 'reservation.release'],
      ...['PING', 'INFO', 'STATS'].map((verb) => `$SRV.${verb}.holdfast`),
    ];
    const shape = (depth: number): unknown => {
      const kind = below(depth > 3 ? 8 : 11);
      if (kind === 8) return Array.from({ length: below(6) }, () => shape(depth + 1));
      if (kind > 8) {
        const names = [
          'v',
          'operation',
          'body',
          'ok',
          'refusal',
          'writer',
          'figures',
          'owns',
          'asked',
          'id',
          'lines',
          'qty',
        ];
        return Object.fromEntries(Array.from({ length: below(6) }, () => [pick(names), shape(depth + 1)]));
      }
      return [null, true, below(100), -below(1e9), random(), 'x'.repeat(below(300)), Number.NaN, 2 ** 53][kind];
    };
    const bytes = (): Uint8Array => {
      switch (below(6)) {
        case 0:
          return Uint8Array.from({ length: below(200) }, () => below(256));
        case 1:
          return packr.pack(shape(0));
        case 2: {
          const whole = pick(real);
          return whole.subarray(0, below(whole.length));
        }
        case 3: {
          const changed = Uint8Array.from(pick(real));
          for (let i = 0; i <= below(4); i++) changed[below(changed.length)] = below(256);
          return changed;
        }
        case 4:
          // A length without any bytes after it.
          return Uint8Array.of(pick([0xdd, 0xdf, 0xdb, 0xc6]), 0xff, 0xff, 0xff, 0xff);
        default:
          return packr.pack(Array.from({ length: 10_000 }, () => pick([0, null, [], 'a'])));
      }
    };
    // First send the one byte that once disconnected nodes, to every subject.
    for (const subject of subjects) nc.publish(subject, Uint8Array.of(0xc0));
    const inbox = createInbox();
    const strange = headers();
    strange.set('Content-Type', 'x'.repeat(5_000));
    for (let i = 0; i < 2_000; i++) {
      const subject = pick(subjects);
      const options = {
        ...(below(2) === 0 ? { reply: pick([inbox, inbox, 'journal.forged', NODE_REPORTS_SUBJECT]) } : {}),
      };
      nc.publish(subject, bytes(), below(20) === 0 ? { ...options, headers: strange } : options);
      if (i % 200 === 0) await nc.flush();
    }
    // Reports of strangers, and forged reports of a live node, beside its own.
    for (let i = 0; i < 1_000; i++) {
      const writer = pick(['evil', ...writers]);
      nc.publish(NODE_REPORTS_SUBJECT, packr.pack({ writer, figures: { name: `evil-${i}` }, owns: 7, asked: [] }));
    }
    await nc.flush();
    // Both nodes have received all messages, in the order in which they were sent.
    await until(
      async () =>
        (await questions.all((partition) => questions.ownerOf(partition).catch(() => ''))).every(
          (owner) => owner !== '',
        ),
      20_000,
      () => nodes.map((each) => each.tail(8)).join('\n'),
    );
    await serves(`fuzz seed ${seed}`);
    expect(await ownership()).toEqual(owned);
    expect((await broker.stream('JOURNAL'))?.lastSeq).toBeGreaterThan(0);
    expect(await broker.subjects('JOURNAL', 'journal.forged')).toEqual([]);
    for (const node of nodes) {
      const system = await ask(node.url, 'GET', '/v1/system');
      expect(system.body.nodes.map(({ name }: { name: string }) => name).sort()).toEqual(['one', 'two']);
      expect((await ask(node.url, 'GET', '/v1/search?q=big')).body.skus).toContain(BIG);
      // A node ignores reports in its own name.
      const metrics = String((await ask(node.url, 'GET', '/metrics')).body);
      expect(sum(metrics, /^holdfast_messages_dropped_total\{about="nodes",why="misfit"\} (\d+)/gm)).toBeGreaterThan(
        500,
      );
      expect(sum(metrics, /^holdfast_messages_dropped_total\{about="owner",why="misfit"\} (\d+)/gm)).toBeGreaterThan(0);
      expect(metrics.match(/^holdfast_messages_dropped_total\{.*why="fault"\} [1-9].*$/gm)).toBeNull();
      expect(metrics.match(/^holdfast_unhandled_errors_total.* [1-9].*$/gm)).toBeNull();
      // At most one line per second of each kind.
      const lines = node.logged('has not the form');
      expect(lines.length).toBeGreaterThan(0);
      for (const kind of new Set(lines.map(({ about }) => about))) {
        const times = lines.filter(({ about }) => about === kind).map(({ time }) => Number(time));
        for (let n = 1; n < times.length; n++)
          expect((times[n] as number) - (times[n - 1] as number)).toBeGreaterThan(950);
      }
    }
  }, 60_000);

  it('tells nobody of an anomaly that was forged to come from the future', async () => {
    const id = `0.shortfall.${'f'.repeat(16)}`;
    const reader = await new LiveReader(nodes[0].url, 'anomaly').opened();
    const forged = {
      id,
      kind: 'shortfall',
      severity: 'critical',
      at: '2026-01-01T00:00:00Z',
      state: 'open',
      data: { says: '' },
    };
    nc.publish('anomaly.shortfall', JSON.stringify({ ...forged, updatedAt: '2199-01-01T00:00:00Z' }));
    const now = new Date().toISOString();
    nc.publish('anomaly.shortfall', JSON.stringify({ ...forged, id: `1.shortfall.${'f'.repeat(16)}`, updatedAt: now }));
    await reader.sees('anomaly', (data) => (data as { id: string }).id.startsWith('1.'));
    expect(reader.messages.filter(({ message }) => (message.data as { id: string }).id === id)).toEqual([]);
    reader.socket.terminate();
  });
});

async function ownership(): Promise<unknown> {
  const said = await Promise.all(nodes.map((node) => ask(node.url, 'GET', '/readyz')));
  return said.map(({ body }) => body.owns);
}

function sum(text: string, line: RegExp): number {
  return [...text.matchAll(line)].reduce((total, [, value]) => total + Number(value), 0);
}

/** Real messages of nodes: reports, and requests of every operation. */
async function overheard(): Promise<Uint8Array[]> {
  const real: Uint8Array[] = [
    packRequest('atp', { lines: [{ sku: BIG, locations: ['x'] }], channel: 'web' }),
    packRequest('place', read),
    packRequest('viewPart', { id: WHOLE }),
    packRequest('undoPart', { id: WHOLE, attempt: [1, 5] }),
    packRequest('gather', { operation: 'kpi', body: [[1, [1, 1]]], partitions: [0, 1, 2] }),
    packRequest('live-want', { reader: 'nobody', topics: [['atp', BIG]] }),
    packRequest('verdict', { stream: 'SALES', seq: 1 }),
    packRequest('anomaly.step', { id: 'x', step: 'resolve', person: { by: 'a', why: 'b' } }),
    Buffer.from(JSON.stringify({ lines: [{ sku: BIG }] })),
  ];
  const reports = nc.subscribe(NODE_REPORTS_SUBJECT, { max: 4 });
  for await (const message of reports) real.push(message.data);
  return real;
}
