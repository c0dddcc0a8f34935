/** Routes about the whole system: their checks and the format of their answers. */
import { expect, it } from 'vitest';
import { front } from '../front.ts';

it.each([
  ['/v1/search', 'q'],
  ['/v1/search?q=', 'q'],
  ['/v1/search?q=a&limit=0', 'limit'],
  ['/v1/search?q=a&limit=101', 'limit'],
  ['/v1/search?q=a&q=b', 'q'],
  ['/v1/locations/store-12/stock?state=broken', 'state'],
  ['/v1/locations/store-12/stock?limit=x', 'limit'],
  ['/v1/reservations', 'sku'],
  // A byte that is not UTF-8, and a percent sign that encodes none.
  ['/v1/search?q=CAF%E9', 'query'],
  ['/v1/search?q=100%', 'query'],
  ['/v1/claims?sku=%20a', 'sku'],
  ['/v1/claims?sku=a&limit=501', 'limit'],
])('%s is 422 and names %s', async (url, field) => {
  const answer = await front().app.inject({ url });
  expect([answer.statusCode, answer.json().type]).toEqual([422, 'invalid-request']);
  expect(answer.json().errors.map((error: { field: string }) => error.field)).toEqual([field]);
});

it('finds names, and says when not all partitions answer', async () => {
  const { app, system } = front();
  expect((await app.inject({ url: '/v1/search?q=850' })).json()).toEqual({
    skus: ['85099B'],
    locations: [],
    names: {},
  });
  system.reachable = false;
  const answer = await app.inject({ url: '/v1/search?q=850' });
  expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '1']);
});

it('asks for a page of stock as it was told, and knows no location without stock', async () => {
  const { app, system } = front();
  const answer = await app.inject({ url: '/v1/locations/dc%20east/stock?state=held&after=3mug&limit=7' });
  expect(answer.json()).toEqual({ location: 'dc east', stock: [], next: null });
  expect(system.asked).toEqual([{ location: 'dc east', state: 'held', after: '3mug', limit: 7 }]);
  expect((await app.inject({ url: '/v1/locations/nowhere/stock' })).statusCode).toBe(404);
});

it('writes reservations with instants, figures with nulls, and nodes', async () => {
  const { app } = front();
  expect((await app.inject({ url: '/v1/claims?sku=mug' })).json()).toEqual({
    next: null,
    claims: [
      {
        id: 'cart of mug',
        status: 'held',
        channel: 'web',
        purpose: 'order',
        qty: 2,
        location: 'store-12',
        grantedAt: '2026-11-24T09:15:00.000Z',
        expiresAt: '2026-11-24T09:30:00.000Z',
      },
    ],
  });
  const kpi = (await app.inject({ url: '/v1/kpi' })).json();
  expect(kpi.windows.minute).toMatchObject({ returnRate: null, sellThrough: null, counts: { accuracy: null } });
  expect(kpi.asked.all.atp).toEqual({ requests: 0, perSecond: 0, p50Ms: null, p99Ms: null });
  expect(kpi.factsBySecond).toHaveLength(60);
  expect((await app.inject({ url: '/v1/system' })).json()).toMatchObject({ nodes: [], partitions: 32, parked: 0 });
  expect((await app.inject({ url: '/v1/locations' })).json()).toEqual({ locations: [], next: null });
});

it('says that the live feed is a WebSocket to who asks plainly', async () => {
  const answer = await front().app.inject({ url: '/v1/live?topics=kpi' });
  expect([answer.statusCode, answer.headers.upgrade, answer.json().type]).toEqual([
    426,
    'websocket',
    'upgrade-required',
  ]);
});
