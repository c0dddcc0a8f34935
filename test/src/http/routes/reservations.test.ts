/** Reservations over HTTP: every answer of the contract's table. */
import { beforeEach, expect, it } from 'vitest';
import { ASTRAL, type Front, front } from '../front.ts';
import { NOT_DECIDED } from '../memory/memory-ports.ts';

let it_: Front;
beforeEach(() => {
  it_ = front();
});

const request = (method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) =>
  it_.app.inject({ method, url, ...(payload === undefined ? {} : { payload }) });
const place = (payload: object) => request('POST', '/v1/reservations', payload);
const outcome = async (name: string) =>
  Number(new RegExp(`reservations_total\\{outcome="${name}"\\} (\\d+)`).exec(await it_.metrics.render())?.[1]);

const CART = { id: 'cart-77', lines: [{ sku: '85123A', qty: 2, locations: ['store-12', 'dc-1'] }] };

it('holds with 201, and answers the same grant again with 200', async () => {
  const first = await place(CART);
  expect(first.statusCode).toBe(201);
  expect(first.json()).toEqual({
    id: 'cart-77',
    status: 'held',
    expiresAt: '2026-11-24T09:15:00.123Z',
    etag: '1.2.0',
    lines: [{ sku: '85123A', qty: 2, fulfilled: 0, location: 'store-12', version: '1.2' }],
  });
  const again = await place(CART);
  expect([again.statusCode, again.body]).toEqual([200, first.body]);
  expect([await outcome('held'), await outcome('repeated')]).toEqual([1, 1]);
});

it('fills in what a request leaves out, equal for a caller who writes it out', async () => {
  await place(CART);
  const full = { channel: 'web', purpose: 'order', ttlSeconds: 900, partial: false };
  expect((await place({ ...CART, ...full, lines: [{ ...CART.lines[0], split: false }] })).statusCode).toBe(200);
});

it('answers 409 with the shortages when there is not enough', async () => {
  const answer = await place({ id: 'big', lines: [{ sku: '85123A', qty: 99 }] });
  expect(answer.statusCode).toBe(409);
  expect(answer.headers['content-type']).toBe('application/problem+json');
  expect(answer.json()).toEqual({
    type: 'insufficient-stock',
    title: 'Not enough stock',
    status: 409,
    detail: 'not enough stock',
    shortages: [{ sku: '85123A', requested: 99, available: 5 }],
  });
  expect(await outcome('refused')).toBe(1);
});

it('holds what there is with partial, and says what is short', async () => {
  const answer = await place({ id: 'big', partial: true, lines: [{ sku: '85123A', qty: 99 }] });
  expect(answer.statusCode).toBe(201);
  expect(answer.json()).toMatchObject({ lines: [{ qty: 5 }], shortages: [{ requested: 99, available: 5 }] });
  expect(await outcome('partial')).toBe(1);
});

it('answers 409 of type id-conflict for the same id with other content', async () => {
  await place(CART);
  const answer = await place({ ...CART, channel: 'store' });
  expect([answer.statusCode, answer.json().type]).toEqual([409, 'id-conflict']);
  expect(await outcome('conflict')).toBe(1);
});

it.each([
  [
    'lines[0].qty',
    { ...CART, lines: [{ sku: 'a', qty: 0 }] },
    'lines[0].qty must be a whole number from 1 to 1000000000',
  ],
  [
    'lines[0].qty',
    { ...CART, lines: [{ sku: 'a', qty: 1.5 }] },
    'lines[0].qty must be a whole number from 1 to 1000000000',
  ],
  ['lines[0].qty', { ...CART, lines: [{ sku: 'a', qty: '1' }] }, 'lines[0].qty must be a whole number'],
  [
    'lines[1].sku',
    { ...CART, lines: [CART.lines[0], { sku: ' a', qty: 1 }] },
    'lines[1].sku must be 1 to 64 characters',
  ],
  [
    'lines[0].locations',
    { ...CART, lines: [{ sku: 'a', qty: 1, locations: [] }] },
    'lines[0].locations must be a list of 1 to 1000',
  ],
  ['lines', { id: 'x', lines: [] }, 'lines must be a list of 1 to 500'],
  ['id', { lines: CART.lines }, 'id must be a string of 1 to 128 characters'],
  [
    'purpose',
    { ...CART, purpose: 'fun' },
    'purpose must be one of order, pickup, marketplace, replenishment, promotion',
  ],
  ['ttlSeconds', { ...CART, ttlSeconds: -1.5 }, 'ttlSeconds must be a whole number from 1 to 2592000'],
  ['partial', { ...CART, partial: 'yes' }, 'partial must be true or false'],
  ['body', ['x'], 'the body must be an object'],
])('answers 422 and names %s', async (field, body, detail) => {
  const answer = await place(body);
  expect([answer.statusCode, answer.json().type]).toEqual([422, 'invalid-request']);
  expect(answer.json().errors).toHaveLength(1);
  expect(answer.json().errors[0].field).toBe(field);
  expect(answer.json().detail).toContain(detail);
});

it('names no more than twenty wrong fields', async () => {
  const answer = await place({ id: 'x', lines: Array.from({ length: 500 }, () => ({ sku: 'a', qty: 0 })) });
  expect(answer.json().errors).toHaveLength(20);
});

it('answers 503 with Retry-After when it is not decided', async () => {
  it_.stock.failure = NOT_DECIDED;
  for (const answer of [
    await place(CART),
    await request('POST', '/v1/reservations/cart-77/confirm'),
    await request('DELETE', '/v1/reservations/cart-77'),
  ]) {
    expect([answer.statusCode, answer.headers['retry-after'], answer.json().type]).toEqual([503, '1', 'undecided']);
  }
  expect(await outcome('undecided')).toBe(3);
});

it('confirms, reads and releases, repeatedly', async () => {
  await place(CART);
  for (let times = 0; times < 2; times++) {
    const confirmed = await request('POST', '/v1/reservations/cart-77/confirm');
    expect([confirmed.statusCode, confirmed.json().status, confirmed.json().expiresAt]).toEqual([
      200,
      'allocated',
      null,
    ]);
  }
  expect((await request('GET', '/v1/reservations/cart-77')).json().status).toBe('allocated');
  for (let times = 0; times < 2; times++) {
    const released = await request('DELETE', '/v1/reservations/cart-77');
    expect([released.statusCode, released.json().status]).toEqual([200, 'released']);
  }
  const late = await request('POST', '/v1/reservations/cart-77/confirm');
  expect([late.statusCode, late.json().type]).toEqual([409, 'already-released']);
});

it('takes a body of confirm that clients send although none is needed', async () => {
  await place(CART);
  expect((await request('POST', '/v1/reservations/cart-77/confirm', {})).statusCode).toBe(200);
  const headers = { 'content-type': 'application/json' };
  const empty = await it_.app.inject({ method: 'DELETE', url: '/v1/reservations/cart-77', headers });
  expect(empty.statusCode).toBe(200);
});

it('takes ids of 128 astral characters in the path', async () => {
  const id = ASTRAL + ASTRAL;
  expect((await place({ ...CART, id })).statusCode).toBe(201);
  const url = `/v1/reservations/${encodeURIComponent(id)}`;
  expect((await request('GET', url)).json().id).toBe(id);
  expect((await request('POST', `${url}/confirm`)).statusCode).toBe(200);
  expect((await request('GET', `${url}x`)).statusCode).toBe(422);
});

it('does not find what it never held', async () => {
  expect((await request('GET', '/v1/reservations/never')).statusCode).toBe(404);
  expect((await request('DELETE', '/v1/reservations/never')).statusCode).toBe(404);
  expect((await request('POST', '/v1/reservations/never/confirm')).statusCode).toBe(404);
});
