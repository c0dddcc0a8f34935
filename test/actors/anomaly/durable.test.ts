/**
 * Anomalies of a running system. One that a fact causes appears, is acknowledged, stays so through a kill and a take-over, and resolves by
 * itself. One that a person resolved stays resolved until its cause comes again.
 */
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Answer, ask, askUntilDecided } from '../../../harness/callers/http-caller.ts';
import { NodeProcess } from '../../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { until } from '../../../harness/until.ts';
import type { Anomaly } from '../../../streams/contract/anomaly.ts';

let one: NodeProcess;
let two: NodeProcess;
let nats: NatsConnection;
const published: { subject: string; anomaly: Anomaly }[] = [];
let facts = 0;

beforeAll(async () => {
  const [server, redis] = await Promise.all([freshNats(), freshRedis()]);
  const env = {
    HOLDFAST_PARTITIONS: '4',
    HOLDFAST_ANOMALIES: 'transferSettleMs=0',
    HOLDFAST_SNAPSHOT_INTERVAL: '1s',
  };
  one = await NodeProcess.at({ nats: server, redis }, { name: 'one', env });
  two = await NodeProcess.at({ nats: server, redis }, { name: 'two', env });
  nats = await connect({ servers: server.url });
  nats.subscribe('anomaly.>', {
    callback: (_, message) => void published.push({ subject: message.subject, anomaly: message.json() }),
  });
  await one.up();
});
afterAll(() => nats?.close());

const fact = (fields: object, url = one.url) => {
  facts += 1;
  const whole = { id: `f${facts}`, occurredAt: new Date().toISOString(), location: 'shop', ...fields };
  return askUntilDecided(() => url, 'POST', '/v1/facts', whole);
};

async function anomalies(url: string, query: string): Promise<Anomaly[]> {
  const answer = await ask(url, 'GET', `/v1/anomalies?${query}`);
  return answer.status === 200 ? answer.body.anomalies : [];
}

/** Waits for the one anomaly that fits and for which `holds` is true. */
async function waitFor(
  url: string,
  query: string,
  holds: (anomaly: Anomaly) => boolean = () => true,
): Promise<Anomaly> {
  let found: Anomaly[] = [];
  const fits = async () => {
    found = await anomalies(url, query);
    return found.length === 1 && holds(found[0] as Anomaly);
  };
  await until(fits, 30_000, () => `${query}: ${JSON.stringify(found)}\n${one.tail()}`);
  return found[0] as Anomaly;
}

const step = (url: string, id: string, which: string, body: unknown): Promise<Answer> =>
  askUntilDecided(() => url, 'POST', `/v1/anomalies/${id}/${which}`, body);

it('keeps what it knows of devices over a restart, wherever their facts are judged', async () => {
  // A first snapshot is always taken, so only a later one shows that what was heard of the devices makes it due.
  const figure = async (name: string) => {
    const { body } = await ask(one.url, 'GET', '/metrics');
    return Number(new RegExp(`^holdfast_snapshot_${name} (\\S+)$`, 'm').exec(String(body))?.[1] ?? 0);
  };
  await until(
    async () => (await figure('seconds_count')) >= 4,
    15_000,
    () => one.tail(),
  );
  const devices = Array.from({ length: 8 }, (_, i) => `till-${i}`);
  const occurredAt = new Date(Date.now() + 3 * 3_600_000).toISOString();
  for (const device of devices)
    await fact({ type: 'receipt', sku: 'clock', location: `shop of ${device}`, device, qty: 1, occurredAt });
  const open = async () => (await anomalies(one.url, 'kind=clock_ahead&state=open')).map(({ data }) => data.device);
  await until(
    async () => (await open()).length === devices.length,
    30_000,
    () => one.tail(),
  );
  // The partition of the facts has passed on what it heard, and keeps none of it in its next snapshot.
  await fact({ type: 'receipt', sku: 'clock', qty: 1 });
  await until(
    async () => (await figure('age_seconds')) === 0,
    15_000,
    () => one.tail(),
  );
  await one.stop();
  await one.up();
  const known = async () => ((await ask(one.url, 'GET', '/v1/clocks')).body.ahead ?? []).length;
  await until(
    async () => (await known()) === devices.length,
    15_000,
    () => one.tail(),
  );
  expect(new Set(await open())).toEqual(new Set(devices));
  expect(await anomalies(one.url, 'kind=clock_ahead&state=resolved')).toEqual([]);
});

const NEGATIVE = 'kind=negative_stock&sku=mug';

it('shows an anomaly that a fact causes, and keeps what people did about it over a kill, a take-over and updates', async () => {
  await fact({ type: 'sale', sku: 'mug', qty: 2 });
  const opened = await waitFor(one.url, NEGATIVE);
  expect(opened).toMatchObject({
    state: 'open',
    severity: 'warning',
    sku: 'mug',
    location: 'shop',
    data: { sellable: -2 },
  });
  expect(published).toContainEqual({ subject: 'anomaly.negative_stock', anomaly: opened });

  const first = { by: 'maria', why: 'counting now' };
  const done = await step(one.url, opened.id, 'acknowledge', first);
  expect(done).toMatchObject({ status: 200, body: { state: 'acknowledged', acknowledged: first } });
  const again = await step(one.url, opened.id, 'acknowledge', { by: 'tom', why: 'me too' });
  expect(again).toMatchObject({ status: 200, body: { acknowledged: first } });

  await one.kill();
  await one.up();
  expect(await waitFor(one.url, `state=acknowledged&${NEGATIVE}`)).toMatchObject({
    id: opened.id,
    acknowledged: first,
  });
  await fact({ type: 'sale', sku: 'mug', qty: 1 });
  const updated = await waitFor(one.url, NEGATIVE, ({ data }) => data.sellable === -3);
  expect(updated).toMatchObject({ state: 'acknowledged', acknowledged: first, at: opened.at });

  await two.up();
  await one.kill();
  await two.serves();
  await until(
    async () => ((await two.readiness())?.owned ?? 0) === 4,
    60_000,
    () => `two owns all\n${two.tail()}`,
  );
  await fact({ type: 'sale', sku: 'mug', qty: 1 }, two.url);
  const moved = await waitFor(two.url, NEGATIVE, ({ data }) => data.sellable === -4);
  expect(moved).toMatchObject({ id: opened.id, state: 'acknowledged', acknowledged: first });
});

it('takes a step at any node, and resolves by itself when the cause is gone', async () => {
  await one.up();
  await until(
    async () => ((await one.readiness())?.owned ?? 0) > 0 && ((await two.readiness())?.owned ?? 0) > 0,
    60_000,
    () => `both own some\n${one.tail()}`,
  );
  const names = Array.from({ length: 12 }, (_, i) => `pan${i}`);
  for (const sku of names) await fact({ type: 'sale', sku, qty: 1 });
  let found: Anomaly[] = [];
  await until(
    async () => {
      found = (await anomalies(one.url, 'kind=negative_stock&state=open')).filter(({ sku }) => sku?.startsWith('pan'));
      return found.length === names.length;
    },
    30_000,
    () => JSON.stringify(found),
  );
  for (const { id } of found) {
    const answer = await step(two.url, id, 'acknowledge', { by: 'ann', why: 'seen' });
    expect(answer).toMatchObject({ status: 200, body: { id, state: 'acknowledged' } });
  }
  await fact({ type: 'receipt', sku: 'mug', qty: 10 });
  const resolved = await waitFor(two.url, `state=resolved&${NEGATIVE}`);
  expect(resolved.resolved).toEqual({ why: 'its cause is gone', at: expect.any(String) });
  expect(await anomalies(two.url, NEGATIVE)).toEqual([]);
  const late = await step(two.url, resolved.id, 'acknowledge', { by: 'ann', why: 'too late' });
  expect(late).toMatchObject({ status: 409, body: { type: 'already-resolved' } });
});

it('leaves what a person resolved until its cause has gone and come again', async () => {
  await fact({ type: 'sale', sku: 'cup', qty: 5 });
  const opened = await waitFor(one.url, 'kind=negative_stock&sku=cup');
  const done = await step(one.url, opened.id, 'resolve', { by: 'maria', why: 'a delivery was not booked' });
  expect(done).toMatchObject({ status: 200, body: { state: 'resolved', resolved: { by: 'maria' } } });
  expect((await step(one.url, opened.id, 'resolve', { by: 'tom', why: 'again' })).body).toEqual(done.body);

  // A later change of another key in the same rounds is visible, so this key was examined too.
  await fact({ type: 'sale', sku: 'cup', qty: 1 });
  await fact({ type: 'sale', sku: 'cup2', qty: 1 });
  await waitFor(one.url, 'kind=negative_stock&sku=cup2');
  expect(await anomalies(one.url, 'sku=cup')).toEqual([]);

  await fact({ type: 'receipt', sku: 'cup', qty: 20 });
  // Only what a round finds gone has gone.
  await fact({ type: 'sale', sku: 'cup3', qty: 1 });
  await waitFor(one.url, 'kind=negative_stock&sku=cup3');
  await fact({ type: 'sale', sku: 'cup', qty: 30 });
  const anew = await waitFor(one.url, 'kind=negative_stock&sku=cup');
  expect(anew).toMatchObject({ id: opened.id, state: 'open' });
  expect(anew.at > opened.at).toBe(true);
});

it('judges a count by what the book says now, in whatever order the facts came', async () => {
  const ago = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();
  const at = (sku: string, hours: number, fields: object) => ({ sku, occurredAt: ago(hours), ...fields });
  for (const sku of ['jar', 'lid']) {
    await fact(at(sku, 4, { type: 'count', counted: 40 }));
    await fact(at(sku, 2, { type: 'count', counted: 10 }));
  }
  const opened = await waitFor(one.url, 'kind=count_variance&sku=jar');
  expect(opened).toMatchObject({ location: 'shop', data: { counted: 10, book: 40, variance: -30 } });
  const stillOpen = await waitFor(one.url, 'kind=count_variance&sku=lid');
  expect(published.map(({ anomaly }) => anomaly)).toContainEqual(opened);
  // A late sale explains the count of the jar. One after the count does not explain that of the lid.
  await fact(at('jar', 3, { type: 'sale', qty: 30 }));
  await fact(at('lid', 1, { type: 'sale', qty: 10 }));
  const resolved = await waitFor(one.url, 'kind=count_variance&state=resolved&sku=jar');
  expect(resolved.resolved).toEqual({ why: 'its cause is gone', at: expect.any(String) });
  await until(
    async () => published.some(({ anomaly }) => anomaly.id === opened.id && anomaly.state === 'resolved'),
    30_000,
    () => JSON.stringify(published.slice(-5)),
  );
  // An upload of a sale with the count that agrees with it leaves nothing open, and neither does the sale of the lid.
  const upload = [at('cap', 3, { type: 'count', counted: 40 }), at('cap', 2, { type: 'sale', qty: 30 })];
  upload.push(at('cap', 1, { type: 'count', counted: 10 }), at('flag', 1, { type: 'sale', qty: 1 }));
  const facts = upload.map((each, i) => ({ id: `upload-${i}`, location: 'shop', ...each }));
  expect(await askUntilDecided(() => one.url, 'POST', '/v1/facts', facts)).toMatchObject({ body: { accepted: 4 } });
  await waitFor(one.url, 'kind=negative_stock&sku=flag');
  await until(
    async () => (await anomalies(one.url, 'kind=count_variance')).length === 1,
    30_000,
    () => 'another variance is open',
  );
  expect(await anomalies(one.url, 'kind=count_variance')).toEqual([stillOpen]);
});

it('tells of what time brings about, with no fact', async () => {
  const transfer = { type: 'transfer', sku: 'vase', transfer: 't1', from: 'dc', to: 'shop' };
  const eta = new Date(Date.now() - 86_400_000).toISOString();
  await fact({ ...transfer, phase: 'shipped', location: 'dc', qty: 5, eta });
  await waitFor(one.url, 'kind=transfer_overdue&sku=vase');
  await fact({ ...transfer, phase: 'received', location: 'shop', qty: 3 });
  await waitFor(one.url, 'kind=transfer_short&sku=vase', ({ data }) => data.missing === 2);
  expect(await waitFor(one.url, 'state=resolved&kind=transfer_overdue&sku=vase')).toBeDefined();
  const metrics = (await ask(one.url, 'GET', '/metrics')).body + (await ask(two.url, 'GET', '/metrics')).body;
  expect(metrics).toMatch(/holdfast_anomalies_open\{kind="transfer_short"\} 1/);
  expect(metrics).toMatch(/holdfast_anomalies_total\{kind="transfer_overdue"\} 1/);
  expect(metrics).toMatch(/holdfast_anomalies_open\{kind="pickup_overdue"\} 0/);
});

it.each([
  ['no such anomaly', '0.negative_stock.0000000000000000', { by: 'a', why: 'b' }, 404, 'not-found'],
  ['no id', 'nonsense', { by: 'a', why: 'b' }, 404, 'not-found'],
  ['a partition that is not', '900.negative_stock.0000000000000000', { by: 'a', why: 'b' }, 404, 'not-found'],
  ['nobody', '0.negative_stock.0000000000000000', { why: 'b' }, 422, 'invalid-request'],
  ['a blank reason', '0.negative_stock.0000000000000000', { by: 'a', why: '  ' }, 422, 'invalid-request'],
  ['no object', '0.negative_stock.0000000000000000', [], 422, 'invalid-request'],
  ['no body', '0.negative_stock.0000000000000000', undefined, 400, 'malformed'],
])('refuses %s', async (_, id, body, status, type) => {
  for (const which of ['acknowledge', 'resolve'])
    expect(await step(one.url, id, which, body)).toMatchObject({ status, body: { type } });
});

it.each(['state=shut', 'kind=flood', 'limit=0', 'limit=1&limit=2'])('refuses the query %s', async (query) => {
  expect(await ask(one.url, 'GET', `/v1/anomalies?${query}`)).toMatchObject({
    status: 422,
    body: { type: 'invalid-request' },
  });
});
