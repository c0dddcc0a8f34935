/** The live feed while nodes die, return and hand over. Figures neither vanish nor count twice, windows survive, and readers continue. */
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AtpTopic, KpiTopic, SystemTopic } from '../../../dashboards/topics.ts';
import { ask } from '../../../harness/callers/http-caller.ts';
import { endReaders, LiveReader } from '../../../harness/callers/live-reader.ts';
import { NodeProcess, type Servers } from '../../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { until } from '../../../harness/until.ts';
import { fact, send } from './live-nodes.ts';

let servers: Servers;
let one: NodeProcess;
let two: NodeProcess;
const SKUS = Array.from({ length: 16 }, (_, index) => `sku-${index}`);

beforeAll(async () => {
  servers = { nats: await freshNats(), redis: await freshRedis() };
  const env = { HOLDFAST_PARTITIONS: '8' };
  one = await NodeProcess.at(servers, { name: 'one', env });
  two = await NodeProcess.at(servers, { name: 'two', env });
  await one.up();
});
afterAll(endReaders);

/** The figures that do not change while nothing happens. */
function steady(kpi: KpiTopic) {
  const { facts, unitsSold, unitsReturned, returnReasons, holds, transfers, counts } = kpi.windows.all;
  const { unitsSold: soldInHour, facts: factsInHour } = kpi.windows.hour;
  const { units, stockKeys, stockOuts, oversold, negative, negativeUnits, ageing, locationCount } = kpi;
  const standing = { units, stockKeys, stockOuts, oversold, negative, negativeUnits, ageing, locationCount };
  const happened = { facts, unitsSold, unitsReturned, returnReasons, holds, transfers, counts };
  return { ...standing, ...happened, soldInHour, factsInHour };
}

async function kpiOf(node: NodeProcess): Promise<KpiTopic> {
  const { status, body } = await ask(node.url, 'GET', '/v1/kpi');
  expect(status).toBe(200);
  return body as KpiTopic;
}

it('keeps windows and figures over a stop, a kill, and the loss of all snapshots', async () => {
  await send(
    one.url,
    ...SKUS.map((sku) => fact('receipt', sku, 'store-1', { qty: 10, damaged: 1 })),
    ...SKUS.map((sku) => fact('sale', sku, 'store-1', { qty: 2 })),
    fact('sale', 'sku-1', 'store-2', { qty: 3 }),
    fact('return', 'sku-2', 'store-1', { qty: 1, disposition: 'inspect', reason: 'too small' }),
  );
  await send(one.url, fact('count', 'sku-3', 'store-1', { counted: 7 }));
  const body = { id: 'hold-1', lines: [{ sku: 'sku-4', qty: 2 }] };
  expect((await ask(one.url, 'POST', '/v1/reservations', body)).status).toBe(201);
  expect((await ask(one.url, 'POST', '/v1/reservations/hold-1/confirm')).status).toBe(200);
  const before = steady(await kpiOf(one));
  expect(before).toMatchObject({
    facts: { receipt: 16, sale: 17, return: 1, count: 1 },
    unitsSold: 35,
    soldInHour: 35,
    returnReasons: { 'too small': 1 },
    holds: { granted: 1, confirmed: 1, conversion: 1 },
    counts: { counted: 1, varianceUnits: 1 },
    negative: 1,
    negativeUnits: 3,
  });
  await one.stop();
  await one.up();
  expect(steady(await kpiOf(one))).toEqual(before);
  await one.kill();
  await one.up();
  expect(steady(await kpiOf(one))).toEqual(before);
  await one.kill();
  await flush(servers.redis.url);
  await one.up();
  // From the log alone. A count's variance depends on what was folded before it, and streams have no order among them.
  const { counts: _counts, ...rest } = before;
  expect(steady(await kpiOf(one))).toMatchObject(rest);
});

it('shows the same figures over either node while the other one dies, and its readers go on', async () => {
  await two.up();
  const shares = async () => {
    const owned = await Promise.all([one, two].map(async (node) => (await node.readiness())?.owned ?? 0));
    return owned.reduce((sum, each) => sum + each, 0) === 8 && owned.every((each) => each > 0);
  };
  await until(shares, 60_000, () => `both own some of all\n${one.tail()}\n${two.tail()}`);
  const before = steady(await kpiOf(one));
  expect(steady(await kpiOf(two))).toEqual(before);

  const topics = SKUS.map((sku) => `atp:${sku}`);
  const reader = new LiveReader(one.url, `kpi,system,${topics.join(',')}`);
  for (const topic of topics) await reader.sees<AtpTopic>(topic, (data) => data.atp > 0);
  await reader.sees<KpiTopic>('kpi', (data) => data.units.onHand === before.units.onHand);
  const seenFrom = reader.messages.length;
  await two.kill();
  await until(
    async () => (await one.readiness())?.owned === 8,
    60_000,
    () => `one has taken all over\n${one.tail()}`,
  );
  // After two more values, none received in between has lost a partition or counted one twice.
  const come = reader.of('kpi').length;
  await reader.sees('kpi', () => reader.of('kpi').length >= come + 2);
  const kpis = reader.messages.slice(seenFrom).filter(({ message }) => message.topic === 'kpi');
  for (const { message } of kpis) expect(steady(message.data as KpiTopic)).toEqual(before);
  await reader.sees<SystemTopic>('system', ({ owners }) => owners.every((owner) => owner?.node === 'one'));

  for (const sku of SKUS) {
    const was = reader.latest<AtpTopic>(`atp:${sku}`)?.atp ?? 0;
    await send(one.url, fact('receipt', sku, 'store-1', { qty: 5 }));
    await reader.sees<AtpTopic>(`atp:${sku}`, (data) => data.atp === was + 5);
  }
  await two.up();
  await until(shares, 60_000, () => 'both own some of all again');
  for (const sku of SKUS) {
    const was = reader.latest<AtpTopic>(`atp:${sku}`)?.atp ?? 0;
    await send(two.url, fact('receipt', sku, 'store-1', { qty: 1 }));
    await reader.sees<AtpTopic>(`atp:${sku}`, (data) => data.atp === was + 1);
  }
  expect(steady(await kpiOf(one))).toEqual(steady(await kpiOf(two)));

  // A clean stop notifies its readers, who find the same topics at the other node.
  const moving = new LiveReader(two.url, 'kpi,atp:sku-1');
  await moving.sees('atp:sku-1', () => true);
  await two.stop();
  await until(
    () => moving.closed !== undefined,
    20_000,
    () => 'the reader is told',
  );
  expect(moving.closed).toMatchObject({ code: 1001 });
  const again = new LiveReader(one.url, 'kpi,atp:sku-1');
  await again.sees<AtpTopic>('atp:sku-1', (data) => data.atp === moving.latest<AtpTopic>('atp:sku-1')?.atp);
});

async function flush(url: string): Promise<void> {
  const client = createClient({ url });
  await client.connect();
  await client.flushAll();
  client.destroy();
}
