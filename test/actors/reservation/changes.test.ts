/** The contract's rules for changing reservations, over HTTP and NATS against a running node. */
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask as askAt } from '../../../harness/callers/http-caller.ts';
import { NodeProcess, type Servers } from '../../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';

let servers: Servers;
let node: NodeProcess;
let nc: NatsConnection;
beforeAll(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  servers = { nats, redis };
  node = await NodeProcess.at(servers);
  await node.up();
  nc = await connect({ servers: nats.url });
});
afterAll(() => nc.close());

type Units = Record<string, number>;
const ask = (method: string, path: string, body?: unknown) => askAt(node.url, method, path, body);
let serial = 0;
const facts = async (...sent: object[]) => {
  const occurredAt = new Date().toISOString();
  const all = sent.map((fact) => ({ id: `f-${++serial}`, occurredAt, ...fact }));
  expect((await ask('POST', '/v1/facts', all)).body).toMatchObject({ accepted: all.length });
};
/** A new SKU with these units by location. */
async function stocked(units: Units): Promise<string> {
  const sku = `sku-${++serial}`;
  await facts(...Object.entries(units).map(([location, qty]) => ({ type: 'receipt', sku, location, qty })));
  return sku;
}
const place = (id: string, lines: object[], more: object = {}) =>
  ask('POST', '/v1/reservations', { id, lines, ...more });
const at = (id: string) => `/v1/reservations/${encodeURIComponent(id)}`;
const put = (id: string, lines: object[], more: object = {}) => ask('PUT', at(id), { lines, ...more });
const putIf = async (etag: string, id: string, lines: object[]) => {
  const headers = { 'content-type': 'application/json', 'if-match': etag };
  const answer = await fetch(`${node.url}${at(id)}`, { method: 'PUT', headers, body: JSON.stringify({ lines }) });
  const body = (await answer.json()) as { type?: string };
  return { status: answer.status, body, headers: answer.headers };
};
const stock = async (sku: string, location: string) => {
  const { sellable, held, allocated } = (await ask('GET', `/v1/stock/${sku}/${location}`)).body;
  return [sellable, held, allocated];
};
const placesOf = (answer: { body: { lines: { location: string; qty: number; fulfilled: number }[] } }) =>
  answer.body.lines.map(({ location, qty, fulfilled }) => [location, qty, fulfilled]);

describe('confirm at placement', () => {
  it('allocates at once, without expiry, and takes no ttlSeconds', async () => {
    const sku = await stocked({ a: 5 });
    const answer = await place(`c-${sku}`, [{ sku, qty: 2, line: 'first' }], { confirm: true });
    expect([answer.status, answer.body.status, answer.body.expiresAt]).toEqual([201, 'allocated', null]);
    expect(answer.body.lines).toMatchObject([{ line: 'first', qty: 2, fulfilled: 0 }]);
    expect(await stock(sku, 'a')).toEqual([5, 0, 2]);
    expect((await place(`c-${sku}`, [{ sku, qty: 2, line: 'first' }], { confirm: true })).status).toBe(200);
    expect((await place(`c-${sku}`, [{ sku, qty: 2, line: 'first' }])).body.type).toBe('id-conflict');
    const both = await place(`d-${sku}`, [{ sku, qty: 1 }], { confirm: true, ttlSeconds: 5 });
    expect([both.status, both.body.errors[0].field]).toEqual([422, 'ttlSeconds']);
  });
});

describe('a sale that came before the placement that it names', () => {
  it('is in the answer of the placement, and in its version', async () => {
    const sku = await stocked({ a: 5 });
    const id = `late-${sku}`;
    await facts({ type: 'sale', sku, location: 'a', qty: 1, reservation: id });
    const placed = await place(id, [{ sku, qty: 2 }]);
    expect([placed.status, placesOf(placed)]).toEqual([201, [['a', 2, 1]]]);
    expect((await ask('GET', at(id))).body).toEqual(placed.body);
    const changed = await putIf(placed.body.etag, id, [{ sku, qty: 3 }]);
    expect(changed.status).toBe(200);
    expect(await stock(sku, 'a')).toEqual([4, 2, 0]);
  });
});

describe('an id that has ended', () => {
  it('is a 409 for its placement, after id-conflict, and stays ended', async () => {
    const sku = await stocked({ a: 5 });
    const [gone, over] = [`gone-${sku}`, `over-${sku}`];
    await place(gone, [{ sku, qty: 1 }]);
    await ask('DELETE', at(gone));
    expect((await place(gone, [{ sku, qty: 1 }])).body).toMatchObject({ status: 409, type: 'already-released' });
    expect((await place(gone, [{ sku, qty: 2 }])).body.type).toBe('id-conflict');
    expect((await put(gone, [{ sku, qty: 2 }])).body.type).toBe('already-released');
    await place(over, [{ sku, qty: 1 }], { ttlSeconds: 1 });
    await expect.poll(async () => (await ask('GET', at(over))).body.status, { timeout: 5_000 }).toBe('expired');
    expect((await place(over, [{ sku, qty: 1 }], { ttlSeconds: 1 })).body.type).toBe('already-expired');
    expect((await put(over, [{ sku, qty: 1 }], { ttlSeconds: 60 })).body.type).toBe('already-expired');
    for (const reservation of [gone, over]) await facts({ type: 'sale', sku, location: 'a', qty: 1, reservation });
    expect((await ask('GET', at(gone))).body).toMatchObject({ status: 'released', lines: [{ qty: 1, fulfilled: 0 }] });
    expect((await ask('GET', at(over))).body).toMatchObject({ status: 'expired', lines: [{ qty: 1, fulfilled: 0 }] });
  });

  it('may be cancelled before it is placed', async () => {
    const sku = await stocked({ a: 5 });
    const id = `early-${sku}`;
    for (let i = 0; i < 2; i++) {
      const answer = await ask('DELETE', at(id));
      expect([answer.status, answer.body]).toMatchObject([200, { id, status: 'released', lines: [], known: false }]);
    }
    expect((await place(id, [{ sku, qty: 1 }])).body).toMatchObject({ status: 409, type: 'already-released' });
    expect((await put(id, [{ sku, qty: 1 }])).body.type).toBe('already-released');
    expect((await ask('POST', `${at(id)}/confirm`)).body.type).toBe('already-released');
    expect(await stock(sku, 'a')).toEqual([5, 0, 0]);
  });
});

describe('PUT', () => {
  it('counts the own units as free, and is decided as a whole', async () => {
    const [sku, other] = [await stocked({ a: 5 }), await stocked({ a: 1 })];
    const id = `whole-${sku}`;
    await place(id, [{ sku, qty: 4 }]);
    const grown = await put(id, [{ sku, qty: 5 }]);
    expect([grown.status, placesOf(grown)]).toEqual([200, [['a', 5, 0]]]);
    const refused = await put(id, [
      { sku, qty: 1 },
      { sku: other, qty: 2 },
    ]);
    expect([refused.status, refused.body.shortages]).toEqual([
      409,
      [{ sku: other, requested: 2, available: 1, earliest: null }],
    ]);
    expect([await stock(sku, 'a'), await stock(other, 'a')]).toEqual([
      [5, 5, 0],
      [1, 0, 0],
    ]);
    const swapped = await put(id, [{ sku: other, qty: 1 }]);
    expect(swapped.body).toMatchObject({ status: 'held', lines: [{ sku: other, qty: 1 }] });
    expect([await stock(sku, 'a'), await stock(other, 'a')]).toEqual([
      [5, 0, 0],
      [1, 1, 0],
    ]);
    // A repeated placement is compared with the first body.
    expect((await place(id, [{ sku, qty: 4 }])).body).toMatchObject({ id, lines: [{ sku: other, qty: 1 }] });
    expect((await place(id, [{ sku: other, qty: 1 }])).body.type).toBe('id-conflict');
  });

  it('moves lines to other locations, and leaves them where they may stay', async () => {
    const sku = await stocked({ a: 5, b: 9 });
    const id = `moves-${sku}`;
    await place(id, [{ sku, qty: 3, locations: ['a'] }]);
    expect(placesOf(await put(id, [{ sku, qty: 3 }]))).toEqual([['a', 3, 0]]);
    expect(placesOf(await put(id, [{ sku, qty: 3, locations: ['b', 'a'] }]))).toEqual([['a', 3, 0]]);
    expect(placesOf(await put(id, [{ sku, qty: 7 }]))).toEqual([['b', 7, 0]]);
    expect(placesOf(await put(id, [{ sku, qty: 11, split: true }]))).toEqual([
      ['b', 9, 0],
      ['a', 2, 0],
    ]);
    expect(placesOf(await put(id, [{ sku, qty: 2, locations: ['a'] }]))).toEqual([['a', 2, 0]]);
    expect(await stock(sku, 'b')).toEqual([9, 0, 0]);
  });

  it('brings together a line that is not split any more, or is refused', async () => {
    const sku = await stocked({ a: 10, b: 3 });
    const id = `w-${sku}`;
    expect(placesOf(await place(id, [{ sku, qty: 12, split: true }]))).toEqual([
      ['a', 10, 0],
      ['b', 2, 0],
    ]);
    const refused = await put(id, [{ sku, qty: 12 }]);
    expect([refused.status, refused.body.shortages]).toEqual([
      409,
      [{ sku, requested: 12, available: 10, earliest: null }],
    ]);
    await facts({ type: 'receipt', sku, location: 'c', qty: 12 });
    expect(placesOf(await put(id, [{ sku, qty: 12 }]))).toEqual([['c', 12, 0]]);
    expect([await stock(sku, 'a'), await stock(sku, 'b')]).toEqual([
      [10, 0, 0],
      [3, 0, 0],
    ]);
    const none = await put(id, [{ sku: `no-${sku}`, qty: 1 }], { partial: true });
    expect([none.status, none.body.detail]).toEqual([409, `not enough of no-${sku}; nothing has changed`]);
  });

  it('extends a hold and changes nothing else, and never changes the status', async () => {
    const sku = await stocked({ a: 5 });
    const id = `time-${sku}`;
    const placed = await place(id, [{ sku, qty: 2 }], { ttlSeconds: 30 });
    const same = await put(id, [{ sku, qty: 2 }]);
    expect([same.body.expiresAt, same.body.lines]).toEqual([placed.body.expiresAt, placed.body.lines]);
    const longer = await put(id, [{ sku, qty: 2 }], { ttlSeconds: 600 });
    expect(Date.parse(longer.body.expiresAt) - Date.parse(placed.body.expiresAt)).toBeGreaterThan(500_000);
    expect(longer.body.lines).toEqual(placed.body.lines);
    expect((await put(id, [{ sku, qty: 2 }], { confirm: true })).body.errors[0].field).toBe('confirm');
    await ask('POST', `${at(id)}/confirm`);
    const more = await put(id, [{ sku, qty: 3 }]);
    expect([more.body.status, more.body.expiresAt, await stock(sku, 'a')]).toEqual(['allocated', null, [5, 0, 3]]);
    expect((await put(id, [{ sku, qty: 3 }], { ttlSeconds: 60 })).body.errors[0].field).toBe('ttlSeconds');
  });

  it('shortens a hold', async () => {
    const sku = await stocked({ a: 5 });
    await place(`short-${sku}`, [{ sku, qty: 2 }]);
    await put(`short-${sku}`, [{ sku, qty: 2 }], { ttlSeconds: 1 });
    await expect.poll(() => stock(sku, 'a'), { timeout: 5_000 }).toEqual([5, 0, 0]);
    expect((await ask('GET', at(`short-${sku}`))).body.status).toBe('expired');
  });

  it('keeps fulfilled units where they are, and a line that is left out keeps only those', async () => {
    const [sku, other] = [await stocked({ a: 5, b: 5 }), await stocked({ a: 5 })];
    const id = `kept-${sku}`;
    await place(id, [{ sku, qty: 3, locations: ['a'], line: '1' }], { confirm: true });
    await facts({ type: 'sale', sku, location: 'a', qty: 2, reservation: id });
    const less = await put(id, [{ sku, qty: 1, line: '1' }]);
    expect([less.status, less.body.type]).toEqual([409, 'less-than-fulfilled']);
    const moved = await put(id, [{ sku, qty: 4, locations: ['b'], line: '1' }]);
    expect(placesOf(moved)).toEqual([
      ['a', 2, 2],
      ['b', 2, 0],
    ]);
    expect([await stock(sku, 'a'), await stock(sku, 'b')]).toEqual([
      [3, 0, 0],
      [5, 0, 2],
    ]);
    const left = await put(id, [{ sku: other, qty: 1 }]);
    expect(left.body.lines).toMatchObject([
      { sku: other, qty: 1, fulfilled: 0 },
      { sku, location: 'a', qty: 2, fulfilled: 2 },
    ]);
    expect([await stock(sku, 'b'), left.body.status]).toEqual([[5, 0, 0], 'allocated']);
  });

  it('If-Match: a reservation that has changed since, fulfilled units included, is a 412', async () => {
    const sku = await stocked({ a: 9 });
    const id = `match-${sku}`;
    const placed = await place(id, [{ sku, qty: 2 }]);
    const etag = placed.headers.get('etag') as string;
    expect((await ask('GET', at(id))).headers.get('etag')).toBe(etag);
    const changed = await putIf(etag, id, [{ sku, qty: 3 }]);
    expect(changed.status).toBe(200);
    const late = await putIf(etag, id, [{ sku, qty: 4 }]);
    expect([late.status, late.body.type]).toEqual([412, 'changed']);
    const newest = changed.headers.get('etag') as string;
    await facts({ type: 'sale', sku, location: 'a', qty: 1, reservation: id });
    expect((await putIf(newest, id, [{ sku, qty: 4 }])).status).toBe(412);
    expect((await putIf('*', id, [{ sku, qty: 4 }])).status).toBe(200);
  });

  it('an unknown id is a 404, and the id of the body must be that of the path', async () => {
    const sku = await stocked({ a: 9 });
    expect((await put('nobody', [{ sku, qty: 1 }])).status).toBe(404);
    await place(`id-${sku}`, [{ sku, qty: 1 }]);
    expect((await put(`id-${sku}`, [{ sku, qty: 1 }], { id: 'other' })).body.errors[0].field).toBe('id');
    expect((await put(`id-${sku}`, [{ sku, qty: 1 }], { id: `id-${sku}` })).status).toBe(200);
  });
});

describe('a partial release', () => {
  const releaseSome = (of: string, id: string, lines: object[]) => ask('POST', `${at(of)}/release`, { id, lines });
  it('frees part of it, once, and the last open unit ends it', async () => {
    const sku = await stocked({ a: 5, b: 5 });
    const id = `some-${sku}`;
    await place(id, [{ sku, qty: 7, split: true, line: 'x' }], { confirm: true });
    for (let i = 0; i < 2; i++)
      expect(placesOf(await releaseSome(id, 'r1', [{ sku, qty: 2, location: 'a' }]))).toEqual([
        ['a', 3, 0],
        ['b', 2, 0],
      ]);
    expect((await releaseSome(id, 'r2', [{ line: 'x', qty: 6 }])).body).toMatchObject({
      status: 409,
      type: 'more-than-open',
    });
    await facts({ type: 'sale', sku, location: 'a', qty: 3, reservation: id });
    const last = await releaseSome(id, 'r3', [{ line: 'x', qty: 2 }]);
    expect([last.status, last.body.status]).toEqual([200, 'released']);
    expect((await releaseSome(id, 'r3', [{ line: 'x', qty: 2 }])).body.status).toBe('released');
    expect((await releaseSome(id, 'r4', [{ line: 'x', qty: 1 }])).body.type).toBe('already-released');
    expect([await stock(sku, 'a'), await stock(sku, 'b')]).toEqual([
      [2, 0, 0],
      [5, 0, 0],
    ]);
    expect((await releaseSome('nobody', 'r', [{ sku, qty: 1 }])).status).toBe(404);
    expect((await releaseSome(id, 'r', [{ qty: 1 }])).body.errors[0].field).toBe('lines[0].sku');
  });
});

describe('a parcel that was stopped', () => {
  const back = (sku: string, location: string, qty: number, reservation: string) => ({
    type: 'return',
    disposition: 'restock',
    sku,
    location,
    qty,
    reservation,
  });
  it('is allocated again, at the location of the return', async () => {
    const sku = await stocked({ a: 5, b: 5 });
    const id = `back-${sku}`;
    await place(id, [{ sku, qty: 2, locations: ['a'] }], { confirm: true });
    await facts({ type: 'sale', sku, location: 'a', qty: 2, reservation: id });
    expect((await ask('GET', at(id))).body.status).toBe('fulfilled');
    await facts(back(sku, 'b', 1, id));
    const again = await ask('GET', at(id));
    expect([again.body.status, placesOf(again)]).toEqual([
      'allocated',
      [
        ['a', 1, 1],
        ['b', 1, 0],
      ],
    ]);
    expect([await stock(sku, 'a'), await stock(sku, 'b')]).toEqual([
      [3, 0, 0],
      [6, 0, 1],
    ]);
    await facts({ type: 'sale', sku, location: 'b', qty: 1, reservation: id });
    expect((await ask('GET', at(id))).body.status).toBe('fulfilled');
  });

  it('is free if the reservation was released, even when everything was fulfilled', async () => {
    const sku = await stocked({ a: 5 });
    const id = `free-${sku}`;
    await place(id, [{ sku, qty: 2 }], { confirm: true });
    await facts({ type: 'sale', sku, location: 'a', qty: 2, reservation: id });
    expect((await ask('DELETE', at(id))).body.status).toBe('fulfilled');
    await facts(back(sku, 'a', 1, id));
    expect([(await ask('GET', at(id))).body.status, await stock(sku, 'a')]).toEqual(['fulfilled', [4, 0, 0]]);
  });

  it('ends a hold at once if its time is over', async () => {
    const sku = await stocked({ a: 5 });
    const id = `late-${sku}`;
    await place(id, [{ sku, qty: 1 }], { ttlSeconds: 1 });
    await facts({ type: 'sale', sku, location: 'a', qty: 1, reservation: id });
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect((await ask('GET', at(id))).body.status).toBe('fulfilled');
    await facts(back(sku, 'a', 1, id));
    await expect.poll(async () => (await ask('GET', at(id))).body.status, { timeout: 5_000 }).toBe('expired');
    expect(await stock(sku, 'a')).toEqual([5, 0, 0]);
  });
});

it('lists the reservations of a SKU in pages, by location and status, and they are the same after a restart', async () => {
  const sku = await stocked({ a: 9, b: 9 });
  for (let i = 0; i < 5; i++) await place(`list-${sku}-${i}`, [{ sku, qty: 1, locations: [i < 2 ? 'b' : 'a'] }]);
  await ask('DELETE', at(`list-${sku}-0`));
  await put(`list-${sku}-4`, [{ sku, qty: 2 }]);
  await ask('POST', `${at(`list-${sku}-3`)}/release`, { id: 'r', lines: [{ sku, qty: 1 }] });
  const list = async (query: string) => {
    const { reservations, next } = (await ask('GET', `/v1/reservations?sku=${sku}${query}`)).body;
    return { ids: reservations.map(({ id }: { id: string }) => id.split('-').at(-1)), next };
  };
  expect(await list('')).toEqual({ ids: ['0', '1', '2', '3', '4'], next: null });
  expect(await list('&location=b')).toEqual({ ids: ['0', '1'], next: null });
  expect(await list('&status=held')).toEqual({ ids: ['1', '2', '4'], next: null });
  const first = await list('&limit=2');
  expect(first.ids).toEqual(['0', '1']);
  expect((await list(`&limit=3&cursor=${first.next}`)).ids).toEqual(['2', '3', '4']);
  expect((await ask('GET', '/v1/reservations')).body.errors[0].field).toBe('sku');
  const before = (await ask('GET', `/v1/reservations?sku=${sku}`)).body;
  await node.kill();
  await node.up();
  expect((await ask('GET', `/v1/reservations?sku=${sku}`)).body).toEqual(before);
});

it('the same over NATS: reservation.amend with ifMatch, and reservation.release with lines', async () => {
  const sku = await stocked({ a: 9 });
  const request = async (subject: string, body: object) => {
    const message = await nc.request(subject, JSON.stringify(body), { timeout: 5_000 });
    return {
      code: message.headers?.get('Nats-Service-Error-Code') ?? '',
      body: message.json<Record<string, unknown>>(),
    };
  };
  const id = `nats-${sku}`;
  const placed = await request('reservation.place', { id, lines: [{ sku, qty: 2 }] });
  const amended = await request('reservation.amend', { id, lines: [{ sku, qty: 3 }], ifMatch: placed.body.etag });
  expect(amended).toMatchObject({ code: '', body: { lines: [{ qty: 3 }] } });
  const late = await request('reservation.amend', { id, lines: [{ sku, qty: 4 }], ifMatch: placed.body.etag });
  expect(late).toMatchObject({ code: '412', body: { type: 'changed' } });
  const part = { id, release: 'r1', lines: [{ sku, qty: 1 }] };
  for (let i = 0; i < 2; i++)
    expect(await request('reservation.release', part)).toMatchObject({ code: '', body: { lines: [{ qty: 2 }] } });
  expect(await request('reservation.release', { id })).toMatchObject({ body: { status: 'released' } });
  expect(await request('reservation.release', { id: `no-${id}` })).toMatchObject({ body: { known: false } });
});
