/**
 * The cost that small requests may cause, on a real node process. While each is processed, a reservation is decided and /healthz answers
 * within a second, and the answers are bounded in size.
 */
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '../../config/limits.ts';
import { ask, askUntilDecided } from '../../harness/callers/http-caller.ts';
import { LiveReader } from '../../harness/callers/live-reader.ts';
import { NodeProcess } from '../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../harness/servers/servers.ts';
import { until } from '../../harness/until.ts';
import { encodeBody, JSON_TYPE } from '../../streams/codec.ts';

const ANOMALIES = 1_000;
const LOCATIONS = 1_000;
const EXPLAINED = 3_000;
let node: NodeProcess;
let caller: NatsConnection;
const now = () => new Date().toISOString();

async function report(facts: readonly object[]): Promise<void> {
  for (let i = 0; i < facts.length; i += LIMITS.factsPerRequest) {
    const some = facts.slice(i, i + LIMITS.factsPerRequest);
    const { body } = await askUntilDecided(() => node.url, 'POST', '/v1/facts', some);
    expect(body).toEqual({ accepted: some.length, duplicates: 0, rejected: [] });
  }
}
const each = (count: number, make: (i: number) => object) => Array.from({ length: count }, (_, i) => make(i));

beforeAll(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  // A long lease, because this measures the node and not the expiry of leases on a busy machine.
  node = await NodeProcess.at({ nats, redis }, { env: { HOLDFAST_LEASE: '30s' } });
  await node.up();
  caller = await connect({ servers: nats.url });
  const fact = { type: 'receipt', occurredAt: now(), qty: 5 };
  await report([
    { ...fact, id: 'paged', sku: 'paged', location: 'x', qty: 100 },
    { ...fact, id: 'honest', sku: 'honest', location: 'x', qty: 1_000_000 },
    ...each(LOCATIONS, (i) => ({ ...fact, id: `wide-${i}`, sku: 'wide', location: `store-${i}` })),
    ...each(ANOMALIES, (i) => ({ ...fact, id: `sold-${i}`, type: 'sale', sku: `sold-${i}`, location: 'x' })),
    // Newest first, with content that an explanation must not repeat in full.
    ...each(EXPLAINED, (i) => ({
      ...fact,
      id: `long-${i}`,
      sku: 'long',
      location: 'x',
      occurredAt: new Date(Date.now() - i * 1_000).toISOString(),
      qty: 1,
      ...(i % 100 === 0 ? { note: 'n'.repeat(10_000) } : {}),
    })),
  ]);
  for (let i = 0; i < 5; i++) within = Math.max(within, 1_000 + 10 * (await waitsDuring(Promise.resolve())));
});

/** One second, plus the delay that this machine adds to every request while other tests run. */
let within = 1_000;

let carts = 0;
/** Asks like honest callers until the work has ended. Returns the longest wait in milliseconds. */
async function waitsDuring(work: Promise<unknown>): Promise<number> {
  let [longest, ended] = [0, false];
  const end = () => {
    ended = true;
  };
  work.then(end, end);
  for (let first = true; first || !ended; first = false) {
    const from = performance.now();
    carts += 1;
    const [alive, placed] = await Promise.all([
      ask(node.url, 'GET', '/healthz'),
      askUntilDecided(() => node.url, 'POST', '/v1/reservations', {
        id: `cart-${carts}`,
        lines: [{ sku: 'honest', qty: 1 }],
      }),
    ]);
    expect([alive.status, placed.status]).toEqual([200, 201]);
    longest = Math.max(longest, performance.now() - from);
  }
  await work;
  return longest;
}

/** Sends a request. The answer is read as text, so that this process is not blocked by parsing. */
async function post(path: string, body: unknown): Promise<{ status: number; text: string }> {
  const response = await fetch(`${node.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

async function metric(name: string): Promise<number> {
  const { body } = await ask(node.url, 'GET', '/metrics');
  return Number(new RegExp(`^holdfast_${name.replace(/[{}]/g, '\\$&')} (\\d+)`, 'm').exec(body)?.[1]);
}

describe('the live feed', () => {
  it('of 1,000 anomalies bears 2,000 times subscribing and unsubscribing', async () => {
    const open = async () => (await ask(node.url, 'GET', '/v1/anomalies?kind=negative_stock')).body.anomalies?.length;
    await until(
      async () => (await open()) === ANOMALIES,
      60_000,
      () => 'all anomalies are open',
    );
    const seen = new LiveReader(node.url, 'anomaly');
    const ids = () =>
      new Set(
        seen
          .of<{ id: string; kind: string }>('anomaly')
          .filter(({ data }) => data.kind === 'negative_stock')
          .map(({ data }) => data.id),
      );
    await until(
      () => ids().size === ANOMALIES,
      60_000,
      () => `${ids().size} anomalies have come`,
    );
    expect(seen.messages.length).toBeLessThan(2 * ANOMALIES);
    seen.close();
    const [encoded, sent] = [await metric('live_encoded_total'), await metric('live_messages_total')];
    // Within its budget: 150 pairs in one burst, and then it continues to read.
    const polite = await new LiveReader(node.url).opened();
    let bytes = 0;
    polite.socket.on('message', (data: Buffer) => {
      bytes += data.length;
    });
    const whole = async () => {
      for (let i = 0; i < 150; i++) {
        polite.say({ subscribe: ['anomaly'] });
        polite.say({ unsubscribe: ['anomaly'] });
      }
      polite.say({ subscribe: ['anomaly'] });
      const got = () => new Set(polite.messages.map(({ message }) => (message.data as { id: string }).id)).size;
      await until(
        () => got() >= ANOMALIES,
        20_000,
        () => `${got()} anomalies have come`,
      );
    };
    expect(await waitsDuring(whole())).toBeLessThan(within);
    expect(polite.closed).toBeUndefined();
    // Each anomaly was encoded about once, however often it was requested, and sent a few times at most.
    expect((await metric('live_encoded_total')) - encoded).toBeLessThan(1.5 * ANOMALIES);
    expect((await metric('live_messages_total')) - sent).toBeLessThan(3 * ANOMALIES);
    expect(bytes).toBeLessThan(3_000_000);
    // Beyond its budget: 104 kB without a pause.
    const flood = await new LiveReader(node.url).opened();
    const flooded = async () => {
      for (let i = 0; i < 2_000; i++) {
        flood.say('{"subscribe":["anomaly"]}');
        flood.say('{"unsubscribe":["anomaly"]}');
      }
      await until(
        () => flood.closed !== undefined,
        20_000,
        () => 'it is closed',
      );
    };
    expect(await waitsDuring(flooded())).toBeLessThan(within);
    // 1008 with the reason, or 1006 if it was disconnected while it was still sending.
    expect([1008, 1006]).toContain(flood.closed?.code);
    expect(await metric('live_closed_total{reason="misused"}')).toBe(1);
    expect(flood.messages.length).toBeLessThan(2 * ANOMALIES);
    polite.close();
  }, 60_000);
});

describe('ATP', () => {
  it('answers 100,000 locations, and not one more, over HTTP and NATS, and the owner goes on deciding', async () => {
    const lines = each(LIMITS.atpLocations / LOCATIONS, () => ({ sku: 'wide' }));
    const most = post('/v1/atp', { lines });
    expect(await waitsDuring(most)).toBeLessThan(within);
    const { status, text } = await most;
    const answered = JSON.parse(text) as { lines: { atp: number; locations: unknown[] }[] };
    expect([status, answered.lines.length]).toEqual([200, lines.length]);
    for (const line of answered.lines) expect([line.atp, line.locations.length]).toEqual([5 * LOCATIONS, LOCATIONS]);
    const beyond = { lines: [...lines, { sku: 'wide' }] };
    const refused = await ask(node.url, 'POST', '/v1/atp', beyond);
    expect([refused.status, refused.body.type]).toEqual([413, 'too-large']);
    expect(refused.body.detail).toContain('name the locations that are wanted');
    const overNats = await caller.request('atp.query', encodeBody(beyond, JSON_TYPE), { timeout: 8_000 });
    expect(overNats.json()).toMatchObject({ type: 'too-large', status: 413 });
    // As large as the attack: 5,000 lines of one SKU.
    const attack = post('/v1/atp', { lines: each(5_000, () => ({ sku: 'wide' })) });
    expect(await waitsDuring(attack)).toBeLessThan(within);
    expect((await attack).status).toBe(413);
  }, 60_000);

  it('takes 100,000 named locations, and gives way meanwhile', async () => {
    const names = each(LOCATIONS, (i) => ({ name: `store-${i}` })).map((named) => (named as { name: string }).name);
    const lines = each(99, (i) => ({ sku: 'wide', locations: [...names.slice(i), ...names.slice(0, i)] }));
    const answer = post('/v1/atp', { lines });
    expect(await waitsDuring(answer)).toBeLessThan(within);
    expect((await answer).status).toBe(200);
    const beyond = await ask(node.url, 'POST', '/v1/atp', { lines: [...lines, ...lines.slice(0, 2)] });
    expect([beyond.status, beyond.body.type]).toEqual([413, 'too-large']);
  }, 60_000);
});

it('a reservation names 5,000 locations at most', async () => {
  const locations = each(LOCATIONS, (i) => ({ name: `store-${i}` })).map((named) => (named as { name: string }).name);
  const place = (id: string, count: number) =>
    ask(node.url, 'POST', '/v1/reservations', { id, lines: each(count, () => ({ sku: 'wide', qty: 1, locations })) });
  const most = place('most', LIMITS.reservationLocations / LOCATIONS);
  expect(await waitsDuring(most)).toBeLessThan(within);
  expect((await most).status).toBe(201);
  const attack = await place('attack', 500);
  expect([attack.status, attack.body.type]).toEqual([413, 'too-large']);
  const beyond = await place('beyond', 6);
  expect([beyond.status, beyond.body.type, beyond.body.detail]).toEqual([
    413,
    'too-large',
    expect.stringContaining('at most 5000'),
  ]);
});

it('two dozen reservations of 500 lines at once leave others their time', async () => {
  const short = each(499, (i) => ({ sku: `short-${i}-${'🦊'.repeat(50)}`, qty: 1 }));
  const lines = [{ sku: 'honest', qty: 1 }, ...short];
  // Other tests may take the processor for a second, but not three times.
  const waited: number[] = [];
  while (waited.length < 3 && (waited.at(-1) ?? Number.POSITIVE_INFINITY) >= within) {
    const baskets = Promise.all(
      each(24, (i) => ({ id: `basket-${waited.length}-${i}`, ttlSeconds: 5, partial: true, lines })).map((basket) =>
        post('/v1/reservations', basket),
      ),
    );
    waited.push(await waitsDuring(baskets));
    expect((await baskets).map(({ status }) => status)).toEqual(Array(24).fill(201));
  }
  expect(Math.min(...waited)).toBeLessThan(within);
}, 60_000);

describe('an explanation', () => {
  it('comes in pages, newest first, each of which checks the whole; their steps are those of one, and nothing stands still', async () => {
    const path = '/v1/explain/long/x';
    const pages: { at: string; id: string; detail: string; total: { sellable: number } }[][] = [];
    const read = async () => {
      for (let cursor = ''; pages.length === 0 || cursor !== ''; ) {
        const { status, body } = await ask(node.url, 'GET', `${path}?limit=1000${cursor && `&cursor=${cursor}`}`);
        expect([status, body.adds, body.stock.sellable]).toEqual([200, true, EXPLAINED]);
        pages.push(body.steps);
        cursor = body.next ?? '';
      }
    };
    expect(await waitsDuring(read())).toBeLessThan(within);
    expect(pages.map(({ length }) => length)).toEqual(each(EXPLAINED / 1_000, () => ({})).map(() => 1_000));
    const steps = pages.reverse().flat();
    expect(steps.map(({ id }) => id)).toEqual(
      each(EXPLAINED, (i) => ({ id: `long-${EXPLAINED - 1 - i}` })).map((step) => (step as { id: string }).id),
    );
    expect(steps.map(({ total }) => total.sellable)).toEqual(steps.map((_, i) => i + 1));
    expect(Math.max(...steps.map(({ detail }) => detail.length))).toBeLessThan(300);
    const usual = await ask(node.url, 'GET', path);
    expect(usual.body.steps).toEqual(steps.slice(-LIMITS.explainStepsUsual));
  }, 60_000);

  it('refuses a wrong page, and more at once than may wait, with when to ask again', async () => {
    for (const wrong of ['limit=0', 'limit=10001', 'cursor=x', 'cursor=WzEsMl0'])
      expect((await ask(node.url, 'GET', `/v1/explain/long/x?${wrong}`)).body).toMatchObject({
        type: 'invalid-request',
        errors: [{ field: wrong.split('=')[0] }],
      });
    const all = LIMITS.explainsAtOnce + LIMITS.explainsWaiting;
    const explained = () => ask(node.url, 'GET', '/v1/explain/long/x', undefined, 60_000);
    const answers = await Promise.all(each(all + 5, () => ({})).map(explained));
    const refused = answers.filter(({ status }) => status === 503);
    // The place may still be resting after the previous explanation.
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(LIMITS.explainsWaiting);
    expect(refused.length).toBeGreaterThan(0);
    for (const { body, headers } of refused) expect([body.type, headers.get('retry-after')]).toEqual(['busy', '1']);
  }, 60_000);
});

it.each([
  ['anomalies', '/v1/anomalies?kind=negative_stock&limit=300', 'id', ANOMALIES],
  ['locations', '/v1/locations?limit=300', 'location', LOCATIONS + 1],
  ['claims', '/v1/claims?sku=paged&limit=3', 'id', 10],
  ['stock', '/v1/locations/x/stock?state=negative&limit=300', 'sku', ANOMALIES],
])('pages of %s hold each entry once', async (list, path, key, count) => {
  if (list === 'claims')
    for (let i = 0; i < 10; i++) {
      const lines = each(2, () => ({ sku: 'paged', qty: 1 }));
      expect((await ask(node.url, 'POST', '/v1/reservations', { id: `page-${i}`, lines })).status).toBe(201);
    }
  const seen: string[] = [];
  const next = list === 'stock' ? 'after' : 'cursor';
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { status, body } = await ask(node.url, 'GET', `${path}${cursor && `&${next}=${encodeURIComponent(cursor)}`}`);
    expect(status).toBe(200);
    const names = new Set((body[list] as Record<string, string>[]).map((entry) => entry[key] as string));
    seen.push(...names);
    cursor = body.next;
  }
  expect([seen.length, new Set(seen).size]).toEqual([count, count]);
  expect((await ask(node.url, 'GET', `${path}&cursor=wrong`)).status).toBe(422);
});
