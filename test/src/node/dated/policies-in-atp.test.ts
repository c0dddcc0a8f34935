/** What policies and purchases do to ATP, reservations and events, on a running node with real servers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
const at = (days: number) => new Date(Date.now() + days * DAY_MS).toISOString();
const day = (days: number) => at(days).slice(0, 10);

const fact = (type: string, sku: string, more: object) => {
  const id = `${sku}/${++serial}`;
  return { id, type, sku, location: 'shop', occurredAt: at(-0.001), ...more };
};
const send = async (...facts: object[]) => {
  expect((await ask('POST', '/v1/facts', facts)).body).toMatchObject({ accepted: facts.length, rejected: [] });
};
const receive = (sku: string, qty: number, more: object = {}) => send(fact('receipt', sku, { qty, ...more }));
const purchase = (sku: string, purchaseOrder: string, qty: number, promisedAt: string, occurredAt = at(-0.001)) =>
  send(fact('purchase', sku, { purchaseOrder, qty, promisedAt, occurredAt }));
const policy = async (sku: string, fields: object) => {
  expect((await ask('PUT', `/v1/policies/${sku}/shop`, fields)).status).toBe(200);
};
const atp = async (sku: string, query = '') => (await ask('GET', `/v1/atp/${sku}?location=shop${query}`)).body;
const stock = async (sku: string) => (await ask('GET', `/v1/stock/${sku}/shop`)).body;
const place = (id: string, line: object, more: object = {}) =>
  ask('POST', '/v1/reservations', { id, lines: [{ locations: ['shop'], ...line }], ...more });
const line = async (id: string) => (await ask('GET', `/v1/reservations/${id}`)).body.lines[0];
const events = async (kind: string, reservation: string) => {
  const { body } = await ask('GET', `/v1/events?kind=${kind}&limit=500`);
  return body.events.filter((each: { data: { reservation?: string } }) => each.data.reservation === reservation);
};

describe('a policy', () => {
  it('withholds safety stock and what is protected for others', async () => {
    const sku = newSku();
    await receive(sku, 10);
    await policy(sku, { safetyStock: 2, protect: { pickup: 3 } });
    expect(await stock(sku)).toMatchObject({ safetyStock: 2, available: 5, atp: 5 });
    expect((await atp(sku, '&channel=web')).atp).toBe(5);
    expect((await atp(sku, '&channel=web&purpose=pickup')).atp).toBe(8);
    expect((await place(`${sku}-p`, { sku, qty: 1 }, { purpose: 'pickup' })).status).toBe(201);
    expect((await atp(sku, '&channel=web')).atp).toBe(5);
    expect((await atp(sku, '&channel=web&purpose=pickup')).atp).toBe(7);
    expect((await place(`${sku}-w`, { sku, qty: 6 })).body.shortages).toMatchObject([{ available: 5 }]);
  });

  it('caps a group by what is held, allocated, promised and on its way: 50 at once under a cap of 10 get exactly 10', async () => {
    const sku = newSku();
    await receive(sku, 100);
    await purchase(sku, `${sku}-po`, 100, day(5));
    await policy(sku, { cap: { marketplace: 10 } });
    const by = (i: number) => (i % 3 === 0 ? { by: day(6) } : {});
    const placed = await Promise.all(
      Array.from({ length: 50 }, (_, i) => place(`${sku}-${i}`, { sku, qty: 1, ...by(i) }, { channel: 'marketplace' })),
    );
    expect(placed.filter(({ status }) => status === 201)).toHaveLength(10);
    expect(placed.filter(({ status }) => status === 409)).toHaveLength(40);
    expect((await atp(sku, '&channel=marketplace')).atp).toBe(0);
    expect((await atp(sku, `&channel=web&by=${day(6)}`)).atp).toBe(190);
    const held = placed.findIndex(({ status }) => status === 201);
    await ask('DELETE', `/v1/reservations/${sku}-${held}`);
    expect((await atp(sku, '&channel=marketplace')).atp).toBe(1);
  });

  it('serves a channel only from where it is served', async () => {
    const sku = newSku();
    await receive(sku, 5);
    await receive(sku, 3, { location: 'web-dc' });
    await policy(sku, { channels: ['store'] });
    expect((await ask('GET', `/v1/atp/${sku}?channel=web`)).body).toMatchObject({
      atp: 3,
      locations: [
        { location: 'shop', atp: 0 },
        { location: 'web-dc', atp: 3 },
      ],
    });
    const placed = await ask('POST', '/v1/reservations', { id: `${sku}-r`, lines: [{ sku, qty: 1 }] });
    expect(placed.body.lines).toMatchObject([{ location: 'web-dc' }]);
  });

  it('allows backorders beyond all supply, which are allocated when their units come, the oldest first', async () => {
    const sku = newSku();
    await receive(sku, 2);
    await policy(sku, { backorder: { web: 5 } });
    expect(await atp(sku, '&channel=web')).toMatchObject({
      atp: 2,
      backorderable: 7,
      locations: [{ backorderable: 7 }],
    });
    expect(await atp(sku, '&channel=store')).not.toHaveProperty('backorderable');
    const all = await place(`${sku}-a`, { sku, qty: 5, backorder: true }, { confirm: true });
    expect(all.body.lines).toMatchObject([{ qty: 5, promisedBy: null }]);
    expect((await place(`${sku}-b`, { sku, qty: 2, backorder: true })).status).toBe(201);
    expect(await atp(sku, '&channel=web')).toMatchObject({ atp: 0, backorderable: 0 });
    expect((await place(`${sku}-c`, { sku, qty: 1, backorder: true })).status).toBe(409);
    await purchase(sku, `${sku}-po`, 4, day(6));
    expect(await atp(sku, `&channel=web&by=${day(7)}`)).toMatchObject({ atp: 0, backorderable: 4 });
    await receive(sku, 3);
    await expect.poll(() => stock(sku), { timeout: 10_000 }).toMatchObject({ allocated: 5, held: 0, promised: 2 });
    expect(await line(`${sku}-a`)).not.toHaveProperty('promisedBy');
    await expect
      .poll(() => events('promise.changed', `${sku}-a`), { timeout: 10_000 })
      .toMatchObject([
        { type: 'holdfast.promise.changed.v1', data: { wanted: null, was: null, qty: 5, sku, location: 'shop' } },
      ]);
  });

  it('names substitutes in a refusal, with what is there of them', async () => {
    const [sku, other] = [newSku(), newSku()];
    await receive(other, 4);
    await policy(sku, { substitutes: [other, 'unknown'] });
    await receive(sku, 1);
    const refused = await place(`${sku}-r`, { sku, qty: 2 });
    expect(refused.body.shortages).toEqual([
      {
        sku,
        requested: 2,
        available: 1,
        earliest: null,
        substitutes: [
          { sku: other, available: 4 },
          { sku: 'unknown', available: 0 },
        ],
      },
    ]);
  });
});

describe('supply', () => {
  it('of a purchase that gets a new date moves the promises that depend on it, each told once', async () => {
    const sku = newSku();
    const [first, second] = [at(3), at(9)];
    await purchase(sku, `${sku}-po`, 10, first);
    expect(await stock(sku)).toMatchObject({ onOrder: 10, atp: 0 });
    const wanted = day(4);
    const ids = Array.from({ length: 5 }, (_, i) => `${sku}-${i}`);
    for (const id of ids) expect((await place(id, { sku, qty: 2, by: wanted })).status).toBe(201);
    await purchase(sku, `${sku}-po`, 10, second, at(0));
    for (const id of ids) await expect.poll(() => line(id), { timeout: 10_000 }).toMatchObject({ promisedBy: second });
    const { body } = await ask('GET', `/v1/promises?sku=${sku}&limit=3`);
    expect(body.promises).toHaveLength(3);
    const rest = await ask('GET', `/v1/promises?sku=${sku}&limit=3&cursor=${body.next}`);
    expect([rest.body.promises.length, rest.body.next]).toEqual([2, null]);
    const told = () => events('promise.changed', ids[0] as string);
    await expect.poll(told, { timeout: 10_000 }).toMatchObject([{ data: { now: second, line: null } }]);
    expect((await told())[0].data.cause).toMatch(/^purchase /);
    const open = async () => (await ask('GET', '/v1/anomalies?state=open&kind=promise_late')).body.anomalies;
    await expect.poll(open, { timeout: 15_000 }).toMatchObject([{ sku, location: 'shop', severity: 'critical' }]);
    await receive(sku, 10, { purchaseOrder: `${sku}-po` });
    await expect.poll(() => line(ids[4] as string), { timeout: 10_000 }).not.toMatchObject({ promisedBy: second });
    await expect.poll(open, { timeout: 15_000 }).toEqual([]);
  });

  it('by a day counts until the day ends where the location is', async () => {
    const sku = newSku();
    const location = 'auckland';
    expect(
      (await ask('PUT', `/v1/locations/${location}`, { name: 'Auckland', timezone: 'Pacific/Auckland' })).status,
    ).toBe(200);
    const wanted = day(10);
    // Midnight of Auckland is at noon or 11:00 of UTC, so this is the next day there.
    const due = `${wanted}T12:30:00.000Z`;
    await send(fact('purchase', sku, { location, purchaseOrder: `${sku}-po`, qty: 5, promisedAt: due }));
    const ofDay = async (by: string) => (await ask('GET', `/v1/atp/${sku}?by=${by}`)).body.atp;
    expect([await ofDay(wanted), await ofDay(day(11))]).toEqual([0, 5]);
    const placed = await ask('POST', '/v1/reservations', { id: `${sku}-r`, lines: [{ sku, qty: 1, by: day(11) }] });
    expect(placed.body.lines[0].promisedBy).toMatch(new RegExp(`^${day(11)}T1[01]:59:59\\.999999Z$`));
  });

  it('from a lane takes the hours of the lane', async () => {
    const sku = newSku();
    expect((await ask('PUT', '/v1/locations/lane-end', { transitHours: { far: 30 } })).status).toBe(200);
    const shipped = { phase: 'shipped', transfer: `${sku}-t`, from: 'far', to: 'lane-end', qty: 4, location: 'far' };
    await send(fact('transfer', sku, { ...shipped, occurredAt: at(0) }));
    const by = async (days: number) =>
      (await ask('GET', `/v1/atp/${sku}?location=lane-end&by=${encodeURIComponent(at(days))}`)).body.atp;
    expect([await by(1.2), await by(1.3)]).toEqual([0, 4]);
  });
});
