/** Messages and streams at their limits. A device's messages stop neither the intake of others nor a reservation. */

import { createClient, RESP_TYPES } from 'redis';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeManifest } from '../../actors/snapshot/format.ts';
import { bundleBytes, LIMITS } from '../../config/limits.ts';
import { loadSettings } from '../../config/load-settings.ts';
import { FACT_STREAM_NAMES } from '../../config/topology.ts';
import { ask, askUntilDecided } from '../../harness/callers/http-caller.ts';
import { NodeProcess, type Servers } from '../../harness/processes/node-process.ts';
import { makeFirstStreams } from '../../harness/servers/first-streams.ts';
import { freshNats, freshRedis } from '../../harness/servers/servers.ts';
import { NatsBroker } from '../../streams/nats/broker.ts';
import { provision } from '../../streams/nats/provision.ts';
import { partitionOf } from '../../streams/subjects.ts';

const now = () => new Date().toISOString();
const fact = (type: string, id: string, sku: string, more: object = {}) => ({
  id,
  type,
  sku,
  location: 'x',
  occurredAt: now(),
  qty: 1,
  ...more,
});
interface Shown {
  readonly seq: number;
  readonly source: string;
  readonly reason: string;
  readonly message: string;
  readonly bytes: string;
  readonly length: number;
  readonly cut: boolean;
}

describe('a till whose messages have as many bytes as the server takes, and headers of 30 kB', () => {
  let servers: Servers;
  let node: NodeProcess;
  let broker: NatsBroker;
  const TOGETHER = 258;
  const bytes = () => Buffer.alloc(broker.server.maxPayload - 30_100, 0xc1);
  const headers = { 'Content-Type': 'x'.repeat(30_000) };
  /** All pages after a sequence. */
  async function list(from: number): Promise<Shown[]> {
    const all: Shown[] = [];
    for (let after: number | null = from; after !== null; ) {
      const { body } = await askUntilDecided(() => node.url, 'GET', `/v1/parked?limit=1000&after=${after}`);
      expect(JSON.stringify(body).length).toBeLessThan(LIMITS.parkedListBytes + 1_000);
      all.push(...body.parked);
      after = body.next;
    }
    return all;
  }

  beforeAll(async () => {
    const [nats, redis] = await Promise.all([freshNats({ config: { maxPayload: '192KB' } }), freshRedis()]);
    servers = { nats, redis };
    broker = await NatsBroker.connect(nats.url, 'till');
    await makeFirstStreams(broker);
    const room = Buffer.alloc(broker.server.maxPayload, 0xc1);
    await broker.publish('sale.x.A', room);
    await Promise.all(Array.from({ length: TOGETHER - 1 }, () => broker.publish('sale.x.A', bytes(), { headers })));
    // A server with a low max_payload, so that few bytes fill it.
    const env = { HOLDFAST_TEST_LIMITS: JSON.stringify({ leastMaxPayload: 1 }) };
    node = await NodeProcess.at(servers, { env });
    await node.up();
  }, 60_000);

  it('does not stop the facts of others, nor a snapshot of its partition', async () => {
    const good = fact('receipt', 'good', 'A', { qty: 5 });
    expect((await askUntilDecided(() => node.url, 'POST', '/v1/facts', good)).body).toMatchObject({ accepted: 1 });
    const sale = await askUntilDecided(() => node.url, 'POST', '/v1/facts', fact('sale', 'behind', 'A'));
    expect(sale.body).toMatchObject({ accepted: 1 });
    const client = createClient({ url: servers.redis.url }).withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
    await client.connect();
    const snapshotAt = async () => {
      const manifest = await client.hGet(`holdfast:{p${partitionOf('A', 32)}}`, 'm0');
      return manifest == null ? 0 : decodeManifest(manifest as unknown as Buffer).positions.SALES;
    };
    await expect.poll(snapshotAt, { timeout: 15_000 }).toBe(TOGETHER + 1);
    client.destroy();
  }, 60_000);

  it('has each of them parked, cut to what can be stored; the whole can be read while it is there', async () => {
    const parked = await list(0);
    expect(parked.map(({ source }) => source).sort()).toEqual(
      Array.from({ length: TOGETHER }, (_, i) => `SALES.${i + 1}`).sort(),
    );
    for (const each of parked) expect(each).toMatchObject({ reason: 'invalid', cut: true });
    const first = parked.find(({ source }) => source === 'SALES.1');
    expect(first?.message).toContain(`all ${broker.server.maxPayload} are at SALES.1`);
    for (const [{ seq } = { seq: 0 }, size] of [
      [first, broker.server.maxPayload],
      [parked.find(({ source }) => source === 'SALES.9'), bytes().length],
    ] as const) {
      const { body } = await ask(node.url, 'GET', `/v1/parked/${seq}`);
      const whole = Buffer.from(body.bytes, 'base64').equals(Buffer.alloc(size, 0xc1));
      expect([whole, body.cut, body.length]).toEqual([true, false, size]);
    }
  }, 60_000);

  it('is refused by the streams from now on, which a start has bounded', async () => {
    await expect(broker.publish('sale.x.A', bytes(), { headers })).rejects.toMatchObject({ kind: 'too-large' });
    for (const name of FACT_STREAM_NAMES)
      expect((await broker.stream(name))?.config).toMatchObject({
        max_msg_size: bundleBytes(broker.server.maxPayload),
        max_bytes: expect.toSatisfy((most: number) => most > 1024 ** 2),
      });
    expect((await broker.stream('JOURNAL'))?.maxBytes).toBeGreaterThan((await broker.stream('SALES'))?.maxBytes ?? 0);
  });

  it('over HTTP has a fact above 64 KiB rejected at its index, neither stored nor parked', async () => {
    const ends = async () => [(await broker.stream('SALES'))?.lastSeq, (await broker.stream('PARKED'))?.lastSeq];
    const before = await ends();
    const large = fact('sale', 'large', 'A', { note: 'n'.repeat(LIMITS.factBytes) });
    const { status, body } = await ask(node.url, 'POST', '/v1/facts', [large, fact('receipt', 'small', 'A')]);
    expect([status, body]).toEqual([
      200,
      {
        accepted: 1,
        duplicates: 0,
        rejected: [{ index: 0, code: 'too-large', message: expect.stringContaining('at most 65536') }],
      },
    ]);
    expect(await ends()).toEqual(before);
    const fits = { ...fact('sale', 'fits', 'A'), note: '' };
    fits.note = 'n'.repeat(LIMITS.factBytes - JSON.stringify(fits).length);
    expect((await ask(node.url, 'POST', '/v1/facts', fits)).body).toMatchObject({ accepted: 1 });
  });

  it('ends the list by nothing that it writes to PARKED itself, and the answer is bounded', async () => {
    const after = (await broker.stream('PARKED'))?.lastSeq ?? 0;
    const written = [
      ['parked.broken', { 'Holdfast-Message': '%E0%A4%A', 'Holdfast-Subject': '%' }],
      ['parked.bare', {}],
      ['parked.long', { 'Holdfast-Reason': 'r'.repeat(20_000), 'Holdfast-Length': '-7' }],
      ['mark.nothing', {}],
      ['mark.conflict.SALES.x', {}],
      ['parked.last', { 'Content-Type': 'application/msgpack', 'Holdfast-Length': 'NaN' }],
    ] as const;
    for (const [subject, more] of written)
      await broker.publish(subject, Buffer.alloc(100_000, 0x20), { headers: more });
    const page = await list(after);
    expect(page.map(({ source, length, cut }) => [source, length, cut])).toEqual(
      ['broken', 'bare', 'long', 'last'].map((source) => [source, 100_000, true]),
    );
    expect(JSON.stringify(page).length).toBeLessThan(40_000);
    expect((await ask(node.url, 'GET', `/v1/parked/${after + 4}`)).status).toBe(404);
    expect((await ask(node.url, 'POST', `/v1/parked/${after + 1}/resubmit`)).status).toBe(422);
  });
});

describe('a stream that has no room left', () => {
  let node: NodeProcess;
  let broker: NatsBroker;
  const reasons = async () => (await node.readiness())?.reasons ?? [];
  const reserve = (id: string) =>
    ask(node.url, 'POST', '/v1/reservations', { id, ttlSeconds: 600, lines: [{ sku: 'R', qty: 1 }] });
  const BOUND = 1024 ** 2;

  beforeAll(async () => {
    const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
    const env = { HOLDFAST_FACTS_MAX_BYTES: '1MiB', HOLDFAST_PARKED_MAX_BYTES: '1MiB' };
    node = await NodeProcess.at({ nats, redis }, { env });
    await node.up();
    broker = await NatsBroker.connect(nats.url, 'till');
    await askUntilDecided(() => node.url, 'POST', '/v1/facts', fact('receipt', 'stock', 'R', { qty: 100 }));
  }, 60_000);

  it('gets facts a 503 that says so, while reservations go on; with room again it takes them', async () => {
    const { body: before } = await ask(node.url, 'GET', '/v1/stock/R/x');
    expect(before.sellable).toBe(100);
    // Sales that count, so that only SALES is full.
    const note = 'n'.repeat(60_000);
    for (let i = 0; ; i++) {
      const { status, body } = await ask(node.url, 'POST', '/v1/facts', fact('sale', `fill-${i}`, 'F', { note }));
      if (status === 200) continue;
      expect([status, body.detail]).toEqual([503, expect.stringContaining('the streams have no room left')]);
      expect(JSON.stringify(body)).not.toMatch(/maximum bytes|nats/i);
      break;
    }
    expect((await reserve('while-full')).status).toBe(201);
    expect((await ask(node.url, 'POST', '/v1/facts', fact('receipt', 'other', 'R'))).body).toMatchObject({
      accepted: 1,
    });
    await expect.poll(reasons, { timeout: 5_000 }).toContainEqual(expect.stringContaining('the stream SALES is full'));
    const metrics = await (await fetch(`${node.url}/metrics`)).text();
    expect(metrics).toContain(`holdfast_stream_max_bytes{stream="SALES"} ${BOUND}`);
    expect(metrics).toMatch(/holdfast_stream_bytes\{stream="SALES"\} \d{6}/);
    await broker.updateStream('SALES', { max_bytes: 4 * BOUND });
    await expect.poll(reasons, { timeout: 5_000 }).toEqual([]);
    expect((await ask(node.url, 'POST', '/v1/facts', fact('sale', 'again', 'R'))).body).toMatchObject({ accepted: 1 });
  }, 60_000);

  it('PARKED: nothing is lost, no fact is taken in, reservations go on; with room again all is set aside', async () => {
    await broker.updateStream('RETURNS', { max_bytes: 4 * BOUND });
    const sent = 40;
    for (let i = 0; i < sent; i++) await broker.publish('return.x.P', Buffer.alloc(60_000, 0xc1));
    await expect
      .poll(reasons, { timeout: 10_000 })
      .toEqual(
        expect.arrayContaining([
          expect.stringContaining('the stream PARKED is full: facts that cannot be counted cannot be set aside'),
        ]),
      );
    const refused = await ask(node.url, 'POST', '/v1/facts', fact('receipt', 'late', 'R'));
    expect([refused.status, refused.body.detail]).toEqual([503, expect.stringContaining('have no room left')]);
    expect((await reserve('while-parked-full')).status).toBe(201);
    await broker.updateStream('PARKED', { max_bytes: 4 * BOUND });
    await expect.poll(reasons, { timeout: 10_000 }).toEqual([]);
    expect((await askUntilDecided(() => node.url, 'POST', '/v1/facts', fact('receipt', 'late', 'R'))).status).toBe(200);
    await expect.poll(() => broker.subjects('PARKED', 'parked.RETURNS.')).toHaveLength(sent);
  }, 60_000);

  it('never stops a start for want of room: bounds are lowered until they fit twice, or left alone', async () => {
    const settings = loadSettings({}, {});
    for (const [store, least] of [
      ['64MB', 1024 ** 2],
      ['16KB', 0],
    ] as const) {
      const nats = await freshNats({ config: { maxFileStore: store } });
      const small = await NatsBroker.connect(nats.url, 'start');
      for (const start of ['first', 'second']) {
        const notes: string[] = [];
        await provision(small, settings, (message) => notes.push(message));
        expect(notes, start).toHaveLength(store === '64MB' && start === 'second' ? 0 : 1);
      }
      expect((await small.stream('JOURNAL'))?.maxBytes ?? 0).toBeGreaterThanOrEqual(least);
      await small.publish('sale.x.P', Buffer.from('{}'));
      await small.close();
    }
  }, 60_000);
});
