/** Sentences of the contract's section "Promises over time", on a running node with real servers. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { askUntilDecided } from '../../../../harness/callers/http-caller.ts';
import { NodeProcess } from '../../../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../../../harness/servers/servers.ts';

let node: NodeProcess;
beforeAll(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  node = await NodeProcess.at({ nats, redis });
  await node.up();
});
afterAll(() => node.kill());

const ask = (method: string, path: string, body?: unknown) => askUntilDecided(() => node.url, method, path, body);
let serial = 0;
const newSku = () => `sku-${++serial}`;
const DAY_MS = 86_400_000;
const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();
const inDays = (days: number) => inMs(days * DAY_MS);
const dayIn = (days: number) => inDays(days).slice(0, 10);
/** The end of a day, as answers show it. */
const endOf = (day: string) => `${day}T23:59:59.999999Z`;

const fact = (type: string, sku: string, more: object) => {
  const id = `${sku}/${++serial}`;
  return { id, type, sku, location: 'shop', occurredAt: inMs(-1_000), ...more };
};
const send = async (...facts: object[]) => {
  expect((await ask('POST', '/v1/facts', facts)).body).toMatchObject({ accepted: facts.length, rejected: [] });
};
const receive = (sku: string, qty: number) => send(fact('receipt', sku, { qty }));
/** Units on their way to the shop, as transfer `id`. */
const ship = (sku: string, id: string, qty: number, eta: string, occurredAt = inMs(-1_000)) =>
  send(
    fact('transfer', sku, {
      location: 'dc',
      phase: 'shipped',
      transfer: id,
      from: 'dc',
      to: 'shop',
      qty,
      eta,
      occurredAt,
    }),
  );
const arrive = (sku: string, id: string, qty: number) =>
  send(fact('transfer', sku, { phase: 'received', transfer: id, from: 'dc', to: 'shop', qty }));
const atp = async (sku: string, query = '') => (await ask('GET', `/v1/atp/${sku}?location=shop${query}`)).body.atp;
const stock = async (sku: string) => (await ask('GET', `/v1/stock/${sku}/shop`)).body;
const place = (id: string, line: object, more: object = {}) =>
  ask('POST', '/v1/reservations', { id, lines: [{ locations: ['shop'], ...line }], ...more });
const line = async (id: string) => (await ask('GET', `/v1/reservations/${id}`)).body.lines[0];
const late = async (sku: string) => (await ask('GET', `/v1/promises?state=late&sku=${sku}`)).body.promises;

it('a line that is wanted later is promised, and counts neither as held nor as allocated', async () => {
  const sku = newSku();
  const day = dayIn(10);
  await receive(sku, 5);
  await ship(sku, `${sku}-t`, 6, inDays(9));
  const placed = await place(`${sku}-r`, { sku, qty: 8, by: day });
  expect(placed.status).toBe(201);
  expect(placed.body).toMatchObject({ status: 'held', lines: [{ qty: 8, promisedBy: endOf(day) }] });
  expect(await stock(sku)).toMatchObject({ held: 0, allocated: 0, promised: 8, available: 5, oversold: 0, atp: 3 });
  expect([await atp(sku), await atp(sku, `&by=${dayIn(8)}`), await atp(sku, `&by=${day}`)]).toEqual([3, 3, 3]);
  await ask('DELETE', `/v1/reservations/${sku}-r`);
  expect(await stock(sku)).toMatchObject({ promised: 0, atp: 5 });
});

it('what is wanted by a moment that is past is held', async () => {
  const sku = newSku();
  await receive(sku, 5);
  expect((await place(`${sku}-r`, { sku, qty: 2, by: '2020-01-01' })).body.lines[0]).not.toHaveProperty('promisedBy');
  expect(await stock(sku)).toMatchObject({ held: 2, promised: 0 });
});

it('a refusal names the first moment at which the line could have been promised', async () => {
  const sku = newSku();
  await receive(sku, 2);
  const eta = inDays(4);
  await ship(sku, `${sku}-t`, 5, eta);
  const refused = await place(`${sku}-r`, { sku, qty: 6, by: dayIn(2) });
  expect(refused.status).toBe(409);
  expect(refused.body.shortages).toEqual([{ sku, requested: 6, available: 2, earliest: eta }]);
  const more = await place(`${sku}-r`, { sku, qty: 8 });
  expect(more.body.shortages).toEqual([{ sku, requested: 8, available: 2, earliest: null }]);
});

it('a line takes its units when its moment has come, and an allocated one is allocated then', async () => {
  const sku = newSku();
  await receive(sku, 5);
  await place(`${sku}-h`, { sku, qty: 2, by: inMs(1_500) });
  await place(`${sku}-a`, { sku, qty: 1, by: inMs(1_500) }, { confirm: true });
  expect(await stock(sku)).toMatchObject({ held: 0, allocated: 0, promised: 3, atp: 2 });
  await expect
    .poll(() => stock(sku), { timeout: 10_000 })
    .toMatchObject({ held: 2, allocated: 1, promised: 0, atp: 2 });
  expect(await line(`${sku}-h`)).not.toHaveProperty('promisedBy');
  expect(await late(sku)).toEqual([]);
});

it('supply that slips makes promises late, and supply that comes earlier improves them', async () => {
  const sku = newSku();
  const [first, day] = [inDays(3), dayIn(4)];
  await ship(sku, `${sku}-t`, 5, first);
  for (const [i, qty] of [3, 2].entries()) await place(`${sku}-${i}`, { sku, qty, by: day });
  const slipped = inDays(12);
  // 3 of the units do not come, and the others come later.
  await send(
    fact('transfer', sku, {
      location: 'dc',
      phase: 'closed',
      reason: 'lost',
      transfer: `${sku}-t`,
      from: 'dc',
      to: 'shop',
      qty: 2,
    }),
  );
  await expect
    .poll(() => late(sku), { timeout: 10_000 })
    .toMatchObject([
      {
        reservation: `${sku}-1`,
        line: null,
        sku,
        location: 'shop',
        qty: 2,
        wanted: endOf(day),
        was: endOf(day),
        now: null,
      },
    ]);
  expect((await line(`${sku}-1`)).promisedBy).toBeNull();
  expect((await line(`${sku}-0`)).promisedBy).toBe(endOf(day));
  await ship(sku, `${sku}-u`, 2, slipped);
  await expect.poll(() => late(sku), { timeout: 10_000 }).toMatchObject([{ was: null, now: slipped }]);
  expect((await line(`${sku}-1`)).promisedBy).toBe(slipped);
  await arrive(sku, `${sku}-u`, 2);
  await expect.poll(() => late(sku), { timeout: 10_000 }).toEqual([]);
  expect((await line(`${sku}-1`)).promisedBy).toBe(endOf(day));
  expect((await late(sku)).length).toBe(0);
});

it('a count that finds too few units makes promises late, by whom units are promised first', async () => {
  const sku = newSku();
  await receive(sku, 5);
  const [soon, later] = [dayIn(2), dayIn(5)];
  await place(`${sku}-later`, { sku, qty: 3, by: later });
  await place(`${sku}-soon`, { sku, qty: 2, by: soon });
  const count = fact('count', sku, { counted: 2, occurredAt: inMs(-500) });
  await send(count);
  await expect
    .poll(() => late(sku), { timeout: 10_000 })
    .toMatchObject([{ reservation: `${sku}-later`, now: null, cause: `count ${count.id}` }]);
  expect((await line(`${sku}-soon`)).promisedBy).toBe(endOf(soon));
  expect(await atp(sku)).toBe(0);
});

it('supply that does not come in time is overdue once, and gives no promise', async () => {
  const sku = newSku();
  await ship(sku, `${sku}-t`, 4, inMs(2_500));
  const day = dayIn(3);
  await place(`${sku}-r`, { sku, qty: 4, by: day });
  expect((await line(`${sku}-r`)).promisedBy).toBe(endOf(day));
  await expect.poll(() => late(sku), { timeout: 10_000 }).toMatchObject([{ now: null, cause: `overdue ${sku}-t` }]);
  expect(await atp(sku, `&by=${dayIn(30)}`)).toBe(0);
  const next = inDays(2);
  await ship(sku, `${sku}-t`, 4, next, inMs(0));
  // The record has 8 units now, of which 4 suffice.
  await expect.poll(() => late(sku), { timeout: 10_000 }).toEqual([]);
});

it('a change of a reservation keeps the moments of what stays, and gives others theirs', async () => {
  const sku = newSku();
  await receive(sku, 5);
  await ship(sku, `${sku}-t`, 5, inDays(3));
  const [day, other] = [dayIn(4), dayIn(6)];
  await place(`${sku}-r`, { sku, qty: 4, by: day });
  const put = (qty: number, by?: string) =>
    ask('PUT', `/v1/reservations/${sku}-r`, { lines: [{ sku, qty, locations: ['shop'], by }] });
  const again = await put(4, day);
  expect(again.body.lines).toMatchObject([{ qty: 4, promisedBy: endOf(day) }]);
  expect((await put(9, day)).body.lines).toMatchObject([{ qty: 9, promisedBy: endOf(day) }]);
  expect(await stock(sku)).toMatchObject({ promised: 9, held: 0 });
  expect((await put(11, day)).status).toBe(409);
  expect((await put(9, other)).body.lines).toMatchObject([{ qty: 9, promisedBy: endOf(other) }]);
  expect((await put(3)).body.lines[0]).not.toHaveProperty('promisedBy');
  expect(await stock(sku)).toMatchObject({ promised: 0, held: 3 });
});

it('promises and their moments survive a kill, and a moment that came in the meantime is kept', async () => {
  const sku = newSku();
  await receive(sku, 5);
  const day = dayIn(20);
  await place(`${sku}-far`, { sku, qty: 2, by: day });
  await place(`${sku}-near`, { sku, qty: 1, by: inMs(2_000) });
  await node.kill();
  await node.up();
  await expect.poll(() => stock(sku), { timeout: 20_000 }).toMatchObject({ promised: 2, held: 1, atp: 2 });
  expect((await line(`${sku}-far`)).promisedBy).toBe(endOf(day));
});

it('by and backorder are checked', async () => {
  const wrong = await place('wrong', { sku: 'x', qty: 1, by: 'tomorrow' });
  expect(wrong.body).toMatchObject({ status: 422, errors: [{ field: 'lines[0].by' }] });
  const both = await place('wrong', { sku: 'x', qty: 1, by: '2030-01-01', backorder: true });
  expect(both.body).toMatchObject({ status: 422, errors: [{ field: 'lines[0].backorder' }] });
});

it('the stock of many SKUs is answered at once', async () => {
  const skus = [newSku(), newSku(), newSku()];
  for (const sku of skus.slice(0, 2)) await receive(sku, 3);
  const { status, body } = await ask('POST', '/v1/stock', { skus });
  expect(status).toBe(200);
  expect(body.stock.map((row: { sku: string; atp: number }) => [row.sku, row.atp])).toEqual([
    [skus[0], 3],
    [skus[1], 3],
  ]);
  expect((await ask('POST', '/v1/stock', { skus, locations: ['elsewhere'] })).body.stock).toEqual([]);
  expect((await ask('POST', '/v1/stock', { skus: [] })).body).toMatchObject({
    status: 422,
    errors: [{ field: 'skus' }],
  });
});
