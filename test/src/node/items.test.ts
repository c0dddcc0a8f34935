/** Items on two running nodes: over HTTP and NATS, on either node, after restarts, and in streams that had none before. */
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask, askUntilDecided } from '../../../harness/callers/http-caller.ts';
import { KeptNode } from '../../../harness/processes/kept-node.ts';
import { NodeProcess } from '../../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { until } from '../../../harness/until.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';
import { wantedStreams } from '../../../streams/nats/provision.ts';

const env = { HOLDFAST_SNAPSHOT_INTERVAL: '1s' };
let kept: KeptNode;
let other: NodeProcess;
let nc: NatsConnection;
beforeAll(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  // The streams that 0.2 made.
  const broker = await NatsBroker.connect(nats.url, 'before');
  const { maxPayload } = broker.server;
  for (const wanted of wantedStreams({ partitions: 32, replicas: 1, maxPayload }))
    if (wanted.name !== 'ITEMS') await broker.addStream(wanted);
  await broker.close();
  kept = await KeptNode.on({ nats, redis }, { name: 'one', env });
  nc = await connect({ servers: kept.servers.nats.url });
  other = await NodeProcess.at(kept.servers, { name: 'two', env });
  await other.up();
  await until(shared, 30_000, () => `${kept.node.tail(3)}\n${other.tail(3)}`);
}, 120_000);
afterAll(async () => {
  await nc?.close();
  await other?.kill();
  await kept?.close();
});

async function shared(): Promise<boolean> {
  const both = await Promise.all([kept.node, other].map((node) => node.readiness()));
  return both.every((each) => each?.ready === true && each.owned > 0 && each.owned < 32);
}

const on = (node: NodeProcess) => (method: string, path: string, body?: unknown) =>
  askUntilDecided(() => node.url, method, path, body);
const item = (sku: string, name: string, more: object = {}) => ({
  id: `${sku}/${name}`,
  type: 'item',
  sku,
  occurredAt: '2026-01-01T00:00:00Z',
  name,
  ...more,
});
const SKUS = Array.from({ length: 16 }, (_, i) => `kettle-${String(i).padStart(2, '0')}`);
const nameOn = async (node: NodeProcess, sku: string) => (await on(node)('GET', `/v1/items/${sku}`)).body.name;
const foundOn = async (node: NodeProcess, query: string) => {
  const { items } = (await on(node)('GET', `/v1/items?${query}`)).body;
  return items.map(({ sku }: { sku: string }) => sku);
};
async function named(sku: string, name: string): Promise<void> {
  for (const node of [kept.node, other]) await expect.poll(() => nameOn(node, sku), { timeout: 20_000 }).toBe(name);
}

it('takes items of any age over HTTP, of every partition, and finds them on both nodes', async () => {
  const facts = SKUS.map((sku, i) => item(sku, `Käse pot no. ${i}`));
  const { body } = await on(other)('POST', '/v1/facts', [...facts, facts[0]]);
  expect(body).toEqual({ accepted: 16, duplicates: 1, rejected: [] });
  for (const node of [kept.node, other]) {
    expect(await foundOn(node, 'q=KASE')).toEqual(SKUS);
    expect(await foundOn(node, 'q=kettle-1')).toEqual(SKUS.slice(10));
    expect(await foundOn(node, 'q=no%2015')).toEqual([SKUS[15]]);
    expect(await foundOn(node, `sku=${SKUS[3]}&sku=${SKUS[1]}`)).toEqual([SKUS[1], SKUS[3]]);
    expect((await on(node)('GET', '/v1/search?q=kase&limit=2')).body).toEqual({
      skus: SKUS.slice(0, 2),
      locations: [],
      names: { [SKUS[0] as string]: 'Käse pot no. 0', [SKUS[1] as string]: 'Käse pot no. 1' },
    });
  }
});

it('goes through all pages, by SKU, whichever node is asked for each', async () => {
  const seen: string[] = [];
  for (let cursor = '', page = 0; page === 0 || cursor !== ''; page++) {
    const query = `limit=5${cursor === '' ? '' : `&cursor=${cursor}`}`;
    const { items, next } = (await on(page % 2 === 0 ? kept.node : other)('GET', `/v1/items?${query}`)).body;
    seen.push(...items.map(({ sku }: { sku: string }) => sku));
    cursor = next ?? '';
  }
  expect(seen).toEqual(SKUS);
});

it('PUT wins on either node, and an earlier fact that comes later does not', async () => {
  for (const [node, sku] of [
    [kept.node, 'a.b'],
    [other, 'Größe 1'],
  ] as const) {
    const path = `/v1/items/${encodeURIComponent(sku)}`;
    expect((await on(node)('PUT', path, { name: 'first' })).body).toMatchObject({ sku, name: 'first' });
    expect((await on(node)('PUT', path, { name: 'second', attributes: { a: 'b' } })).status).toBe(200);
    await on(other)('POST', '/v1/facts', item(sku, 'late'));
    for (const each of [kept.node, other])
      expect((await on(each)('GET', path)).body).toMatchObject({ name: 'second', attributes: { a: 'b' } });
  }
});

it('is in the explanation of a stock', async () => {
  const sku = SKUS[4] as string;
  await kept.facts('explained', [sku]);
  for (const node of [kept.node, other])
    expect((await on(node)('GET', `/v1/explain/${sku}/dc`)).body).toMatchObject({ name: 'Käse pot no. 4', adds: true });
});

it('is at hand on the command line', async () => {
  const set = await kept.holdfast('item', 'set', 'cli', 'Élan pan', '--attribute', 'size=L', '--attribute', 'a=b=c');
  expect(set).toMatchObject({ code: 0, answer: { name: 'Élan pan', attributes: { a: 'b=c', size: 'L' } } });
  expect((await kept.holdfast('item', 'get', 'cli')).answer).toEqual(set.answer);
  expect((await kept.holdfast('item', 'search', 'elan', 'p')).answer).toEqual({ items: [set.answer], next: null });
  expect(await kept.holdfast('item', 'get', 'none')).toMatchObject({ code: 1, answer: { type: 'not-found' } });
  expect(await kept.holdfast('item', 'set', 'cli', 'a\nb')).toMatchObject({
    code: 2,
    err: expect.stringMatching(/name/),
  });
});

it('takes items that devices publish, and parks those that disagree with their subject or cannot be read', async () => {
  const publish = (subject: string, body: object) => nc.publish(subject, JSON.stringify(body));
  publish('item.over-nats', item('over-nats', 'Over NATS', { device: 'PIM', location: 'ignored' }));
  publish('item.another', item('over-nats', 'Lie'));
  publish('item.over-nats', item('over-nats', 'With a count', { counted: 3 }));
  publish('item.*', item('*', 'Untransformed'));
  await named('over-nats', 'Over NATS');
  const parked = async () => {
    const { body } = await on(kept.node)('GET', '/v1/parked?state=waiting');
    return body.parked.map(({ reason, sku, location }: Record<string, string>) => [reason, sku, location]).sort();
  };
  await expect.poll(parked, { timeout: 20_000 }).toEqual([
    ['invalid', 'over-nats', undefined],
    ['subject-mismatch', '*', undefined],
    ['subject-mismatch', 'over-nats', undefined],
  ]);
  const reply = await nc.request('fact.submit', JSON.stringify(item('by-request', 'By request')), { timeout: 10_000 });
  expect(reply.json()).toMatchObject({ accepted: 1 });
  await named('by-request', 'By request');
});

it('takes a parked item when a person submits it again', async () => {
  const wrong = item('again', '', { id: 'again-1' });
  expect((await on(other)('POST', '/v1/facts', wrong)).body.rejected).toMatchObject([{ code: 'invalid' }]);
  const { parked } = (await on(other)('GET', '/v1/parked?sku=again')).body;
  const fact = { ...wrong, name: 'Corrected' };
  const { status } = await ask(other.url, 'POST', `/v1/parked/${parked[0].seq}/resubmit?by=mia&why=typo`, fact);
  expect(status).toBe(200);
  await named('again', 'Corrected');
});

const all = async () => (await on(kept.node)('GET', '/v1/items?limit=200')).body.items;

it('knows all items after a restart from snapshots, from the log alone, and from a baseline after a trim', async () => {
  const before = await all();
  expect(before.length).toBe(22);
  expect([await other.stop(), await kept.node.stop()]).toEqual([0, 0]);
  await kept.node.up();
  expect(await all()).toEqual(before);
  const verified = await kept.holdfast('verify');
  expect([verified.code, verified.answer.faults]).toEqual([0, []]);
  await kept.node.kill();
  await kept.setSnapshots();
  await kept.node.up();
  expect(await all()).toEqual(before);
  expect((await kept.holdfast('baseline')).code).toBe(0);
  expect((await kept.holdfast('trim')).code).toBe(0);
  expect((await kept.broker.stream('ITEMS'))?.messages).toBe(0);
  expect(await kept.node.stop()).toBe(0);
  await kept.setSnapshots();
  await kept.node.up();
  expect(await all()).toEqual(before);
});
