/** Facts in bundles are judged, parked, explained and rebuilt one by one, and a bundle that a stranger writes harms nobody. */
import { connect } from '@nats-io/transport-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { BUNDLE_LANES, FACT_STREAM_NAMES } from '../../../config/topology.ts';
import { ask } from '../../../harness/callers/http-caller.ts';
import { NodeProcess, type Servers } from '../../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { JSON_TYPE } from '../../../streams/codec.ts';
import { encodeBundle } from '../../../streams/fact/bundle.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';
import { bundleSubject, encodeToken, hashOfToken, partitionOf } from '../../../streams/subjects.ts';

const PARTITIONS = 32;
const DAY_MS = 86_400_000;
let servers: Servers;
let node: NodeProcess;
let broker: NatsBroker;
beforeAll(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  servers = { nats, redis };
  node = await NodeProcess.at(servers);
  await node.up();
  broker = await NatsBroker.connect(nats.url, 'stranger');
});

const fact = (id: string, sku: string, more: object = {}) => ({
  id,
  type: 'receipt',
  sku,
  location: 'x',
  occurredAt: new Date().toISOString(),
  qty: 1,
  ...more,
});
const sellable = async (sku: string) => (await ask(node.url, 'GET', `/v1/stock/${sku}/x`)).body?.sellable;
const parked = async () =>
  (await ask(node.url, 'GET', '/v1/parked?limit=200')).body.parked as {
    source: string;
    reason: string;
    seq: number;
    bytes: string;
  }[];
const laneOf = (sku: string) => partitionOf(sku, PARTITIONS) % BUNDLE_LANES;
const bundled = (sku: string, value: object, hash = hashOfToken(encodeToken(sku))) => ({
  hash,
  acceptedAt: Date.now() * 1000,
  bytes: Buffer.from(JSON.stringify(value)),
  type: JSON_TYPE as typeof JSON_TYPE,
});

it('stores the facts of a request in as many messages as it has lanes, and gives a verdict on each', async () => {
  const facts = Array.from({ length: 100 }, (_, number) => fact(`many-${number}`, `M${number}`));
  const wrong = [
    fact('many-0', 'M0', { qty: 2 }),
    fact('old', 'M1', { occurredAt: new Date(Date.now() - 8 * DAY_MS).toISOString() }),
  ];
  const before = (await broker.stream('RECEIPTS'))?.lastSeq ?? 0;
  const { body } = await ask(node.url, 'POST', '/v1/facts', [...facts, ...wrong, facts[5]]);
  expect(body).toEqual({
    accepted: 100,
    duplicates: 1,
    rejected: [
      { index: 100, code: 'id-conflict', message: expect.any(String) },
      { index: 101, code: 'too-old', message: expect.any(String) },
    ],
  });
  // The two copies wait for the verdicts on what they copy, and go into bundles of their own.
  expect((await broker.stream('RECEIPTS'))?.lastSeq).toBeLessThanOrEqual(before + BUNDLE_LANES + 2);
  const conflict = (await parked()).find(({ reason }) => reason === 'id-conflict');
  expect(conflict?.source).toMatch(/^RECEIPTS\.\d+\.\d+$/);
  expect(JSON.parse(Buffer.from(conflict?.bytes ?? '', 'base64').toString())).toMatchObject({ id: 'many-0', qty: 2 });
});

it('answers fact.submit over NATS as POST /v1/facts', async () => {
  const nc = await connect({ servers: servers.nats.url });
  const submit = async (value: unknown) =>
    (await nc.request('fact.submit', JSON.stringify(value), { timeout: 10_000 })).json();
  const one = fact('submitted', 'N');
  expect(await submit(one)).toEqual({ accepted: 1, duplicates: 0, rejected: [] });
  expect(await submit([one, fact('wrong', 'N', { qty: 'x' })])).toEqual({
    accepted: 0,
    duplicates: 1,
    rejected: [{ index: 1, code: 'invalid', message: expect.stringContaining('qty') }],
  });
  await nc.close();
});

describe('a bundle of a stranger', () => {
  const [sku, other] = ['P', 'Q'];
  const lane = laneOf(sku);
  it.each([
    ['noise', Buffer.from('noise'), lane, 'unreadable', ''],
    ['of another lane', encodeBundle([bundled(sku, fact('p1', sku))]), (lane + 1) % BUNDLE_LANES, 'unreadable', ''],
    ['for no lane', encodeBundle([bundled(sku, fact('p2', sku))]), 9, 'unreadable', ''],
    ['with a fact of another SKU', encodeBundle([bundled(sku, fact('p3', other))]), lane, 'subject-mismatch', '.0'],
    [
      'with a fact of another type',
      encodeBundle([bundled(sku, { ...fact('p4', sku), type: 'sale' })]),
      lane,
      'subject-mismatch',
      '.0',
    ],
    ['with a fact that cannot be read', encodeBundle([bundled(sku, { id: 'p5' })]), lane, 'invalid', '.0'],
    [
      'with a fact that is too large',
      encodeBundle([bundled(sku, fact('p6', sku, { note: 'x'.repeat(70_000) }))]),
      lane,
      'invalid',
      '.0',
    ],
  ])('%s is parked', async (_, data, at, reason, place) => {
    const seq = await broker.publish(bundleSubject('receipt', at), data);
    const source = `RECEIPTS.${seq}${place}`;
    await expect.poll(async () => (await parked()).find((each) => each.source === source)?.reason).toBe(reason);
  });

  it('counts as far as its facts are right', async () => {
    const facts = [
      bundled('R', fact('r1', 'R', { qty: 3 })),
      bundled('R', { id: 'x' }),
      bundled('R', fact('r2', 'R', { qty: 4 })),
    ];
    await broker.publish(bundleSubject('receipt', laneOf('R')), encodeBundle(facts));
    await expect.poll(() => sellable('R')).toBe(7);
  });
});

it('explains, restarts, and rebuilds from the log alone to the same stock', async () => {
  for (const qty of [5, 7])
    await ask(node.url, 'POST', '/v1/facts', [fact(`e${qty}`, 'E', { qty }), fact(`s${qty}`, 'E', { type: 'sale' })]);
  await broker.publish('receipt.x.E', Buffer.from(JSON.stringify(fact('alone', 'E', { qty: 20 }))));
  await expect.poll(() => sellable('E')).toBe(30);
  const explained = async () => (await ask(node.url, 'GET', '/v1/explain/E/x')).body;
  const { steps, adds } = await explained();
  expect(adds).toBe(true);
  expect(steps.map(({ id }: { id: string }) => id).sort()).toEqual(['alone', 'e5', 'e7', 's5', 's7']);
  const before = await parked();
  await node.kill();
  await servers.redis.kill();
  await servers.redis.restart();
  await node.up();
  expect(await sellable('E')).toBe(30);
  expect((await explained()).adds).toBe(true);
  expect(await parked()).toEqual(before);
}, 40_000);

it('of every type has a stream', async () => {
  for (const type of ['sale', 'receipt', 'transfer', 'return', 'count', 'adjustment', 'purchase', 'item'] as const) {
    const seq = await broker.publish(bundleSubject(type, 0), Buffer.from('noise'));
    expect(seq).toBeGreaterThan(0);
  }
  await expect
    .poll(async () => new Set((await parked()).map(({ source }) => source.split('.')[0])))
    .toEqual(new Set([...FACT_STREAM_NAMES, 'http']));
});
