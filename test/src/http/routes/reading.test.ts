/** ATP, stock and explanations over HTTP. */
import { beforeEach, describe, expect, it } from 'vitest';
import { applyFact } from '../../../../actors/stock/evolve.ts';
import { AssertionError } from '../../../../streams/assert.ts';
import { BrokerError } from '../../../../streams/broker.ts';
import { purchase, receipt, received, shipped } from '../../../actors/stock/given.ts';
import { ASTRAL, type Front, front } from '../front.ts';
import { NOT_DECIDED } from '../memory/memory-ports.ts';

let it_: Front;
beforeEach(() => {
  it_ = front();
});

const get = (url: string) => it_.app.inject({ method: 'GET', url });
const post = (url: string, payload: object) => it_.app.inject({ method: 'POST', url, payload });

describe('GET /v1/atp/{sku}', () => {
  it('answers one line with asOf', async () => {
    const answer = await get('/v1/atp/85123A');
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect(answer.json()).toEqual({
      asOf: '2026-11-24T09:15:00.123Z',
      sku: '85123A',
      atp: 17,
      version: '1.1',
      locations: [
        { location: 'store-12', atp: 5 },
        { location: 'dc-1', atp: 12 },
      ],
    });
  });

  it('passes location, channel and date on', async () => {
    await get('/v1/atp/85123A?location=dc-1&channel=web&by=2026-12-01');
    expect(it_.stock.asked).toEqual([
      { lines: [{ sku: '85123A', locations: ['dc-1'] }], channel: 'web', by: '2026-12-01' },
    ]);
  });

  it('does not find a SKU that nothing is known of', async () => {
    for (const url of ['/v1/atp/nope', '/v1/atp/nope?location=dc-1', '/v1/atp/nope?channel=web']) {
      const answer = await get(url);
      expect(answer.statusCode).toBe(404);
      expect(answer.json()).toMatchObject({ type: 'not-found', status: 404 });
    }
  });

  it.each(['location=elsewhere', 'channel=nowhere'])(
    'answers 200 when only the filter %s leaves nothing',
    async (filter) => {
      const answer = await get(`/v1/atp/85123A?${filter}`);
      expect(answer.statusCode).toBe(200);
      expect(answer.json()).toMatchObject({ sku: '85123A', atp: 0, locations: [] });
    },
  );

  it.each([
    ['location=a&location=b', 'location', 'must be given once only'],
    ['location=', 'location', 'must be 1 to 64 characters'],
    ['by=tomorrow', 'by', 'must be a date such as 2026-12-01'],
    ['channel=', 'channel', 'must be a string of 1 to 64 characters'],
  ])('refuses ?%s and names the field', async (query, field, message) => {
    const answer = await get(`/v1/atp/85123A?${query}`);
    expect(answer.statusCode).toBe(422);
    expect(answer.json().errors[0].field).toBe(field);
    expect(answer.json().detail).toContain(`${field} ${message}`);
  });

  it.each([
    ['64 astral characters', ASTRAL],
    ['a slash, a percent sign and a question mark', 'a/b%2F?c'],
    ['blanks inside and a plus', 'a b+c'],
    ['another script', 'Ψωμί-٣'],
  ])('takes a SKU of %s', async (_what, sku) => {
    it_.stock.put(sku, ASTRAL, 3);
    const answer = await get(`/v1/atp/${encodeURIComponent(sku)}?location=${encodeURIComponent(ASTRAL)}`);
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({ sku, atp: 3, locations: [{ location: ASTRAL, atp: 3 }] });
  });

  it.each([
    ['65 characters', encodeURIComponent(`${ASTRAL}x`)],
    ['a blank at the end', 'x%20'],
    ['a control character', 'x%00y'],
    ['another form than NFC', encodeURIComponent('e\u0301')],
  ])('refuses a SKU of %s', async (_what, sku) => {
    const answer = await get(`/v1/atp/${sku}`);
    expect([answer.statusCode, answer.json().errors?.[0]?.field]).toEqual([422, 'sku']);
  });

  it('answers HEAD without a body', async () => {
    const answer = await it_.app.inject({ method: 'HEAD', url: '/v1/atp/85123A' });
    expect([answer.statusCode, answer.body]).toEqual([200, '']);
    expect((await it_.app.inject({ method: 'HEAD', url: '/v1/atp/nope' })).statusCode).toBe(404);
  });
});

describe('POST /v1/atp', () => {
  it('answers a line each, unknown SKUs with 0', async () => {
    const answer = await post('/v1/atp', { lines: [{ sku: '85123A', locations: ['dc-1'] }, { sku: 'nope' }] });
    expect(answer.statusCode).toBe(200);
    expect(answer.json().lines).toEqual([
      { sku: '85123A', atp: 12, version: '1.1', locations: [{ location: 'dc-1', atp: 12 }] },
      { sku: 'nope', atp: 0, version: '1.1', locations: [] },
    ]);
  });

  it.each([
    [{}, 'lines'],
    [{ lines: [] }, 'lines'],
    [{ lines: [{}] }, 'lines[0].sku'],
    [{ lines: [{ sku: 'a' }, { sku: 'b', locations: ['x', 7] }] }, 'lines[1].locations[1]'],
    [{ lines: [{ sku: 'a' }], by: 'soon' }, 'by'],
    [[], 'body'],
  ])('refuses %j and names %s', async (body, field) => {
    const answer = await post('/v1/atp', body);
    expect([answer.statusCode, answer.json().type, answer.json().errors[0].field]).toEqual([
      422,
      'invalid-request',
      field,
    ]);
  });
});

describe('GET /v1/stock and /v1/explain', () => {
  it('answers one location, or all', async () => {
    expect((await get('/v1/stock/85123A/dc-1')).json()).toMatchObject({
      sku: '85123A',
      location: 'dc-1',
      onHand: 12,
      atp: 12,
    });
    expect((await get('/v1/stock/85123A')).json().locations).toHaveLength(2);
  });

  it('explains', async () => {
    const answer = await get('/v1/explain/85123A/dc-1');
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({
      adds: true,
      steps: [{ change: { sellable: 12 }, total: { sellable: 12, held: 0 } }],
    });
    expect(answer.json().steps[0].change).toEqual({ sellable: 12 });
  });

  it.each(['/v1/stock/nope', '/v1/stock/85123A/nope', '/v1/explain/nope/dc-1'])('does not find %s', async (url) => {
    expect((await get(url)).statusCode).toBe(404);
  });

  it.each(['/v1/stock/%20x', '/v1/stock/x/%20y', '/v1/explain/x/%20y'])('refuses %s', async (url) => {
    expect((await get(url)).statusCode).toBe(422);
  });
});

it.each([
  '/v1/atp/85123A',
  '/v1/stock/85123A',
  '/v1/stock/85123A/dc-1',
  '/v1/explain/85123A/dc-1',
  '/v1/reservations/r-1',
])('answers 503 with Retry-After at %s while nobody decides', async (url) => {
  it_.stock.failure = NOT_DECIDED;
  const answer = await get(url);
  expect([answer.statusCode, answer.headers['retry-after'], answer.json().type]).toEqual([503, '1', 'undecided']);
  expect(it_.logged).toEqual([]);
});

it('answers 503 while NATS does not answer', async () => {
  it_.stock.failure = new BrokerError('unknown', 'COUNTS fell silent while it was read');
  const answer = await get('/v1/explain/85123A/dc-1');
  expect([answer.statusCode, answer.headers['retry-after'], answer.json().detail]).toEqual([
    503,
    '1',
    'a server that this node needs does not answer; ask again with the same id',
  ]);
});

it('answers a fault with a problem that tells nothing of the inside, and logs it', async () => {
  it_.stock.failure = new TypeError('secret');
  const answer = await get('/v1/atp/85123A');
  expect([answer.statusCode, answer.json().type]).toEqual([500, 'internal-error']);
  expect(answer.body).not.toContain('secret');
  expect(it_.logged).toEqual(['an HTTP request failed']);
});

it('answers an assertion that failed with the same problem, and counts it by its invariant', async () => {
  it_.stock.failure = new AssertionError('TEST');
  const answer = await get('/v1/atp/85123A');
  expect([answer.statusCode, answer.json().type]).toEqual([500, 'internal-error']);
  expect(answer.body).not.toContain('TEST');
  expect((await get('/metrics')).body).toContain('holdfast_assertion_failures_total{invariant="TEST"} 1');
});

describe('GET /v1/supply/{sku}', () => {
  beforeEach(() => {
    const facts = [
      purchase('08:00', 9, { vendor: 'Pottery', line: '2', promisedAt: '2026-11-26T08:00:00+01:00' }),
      purchase('08:00', 4, { line: '1', location: 'shop', promisedAt: '2026-11-23' }),
      receipt('09:00', 1, { purchaseOrder: 'p1' }),
      shipped('08:30', 5, { eta: '2026-11-25' }),
      shipped('08:30', 2, { transfer: 't2', eta: '2026-11-26T07:00:00Z', to: 'kiosk' }),
      received('08:40', 3, { transfer: 't3' }),
    ];
    for (const fact of facts) applyFact(it_.stock.book, fact);
  });
  const p1 = { source: 'purchase', purchaseOrder: 'p1' };
  const late = { ...p1, line: '1', location: 'shop', qty: 3, due: '2026-11-23T23:59:59.999999Z', overdue: true };
  const t1 = { source: 'transfer', transfer: 't1', from: 'dc', location: 'shop', qty: 5 };
  const open = { ...p1, line: '2', vendor: 'Pottery', location: 'dc', qty: 9, due: '2026-11-26T07:00:00.000Z' };
  const t2 = {
    source: 'transfer',
    transfer: 't2',
    from: 'dc',
    location: 'kiosk',
    qty: 2,
    due: '2026-11-26T07:00:00.000Z',
  };
  const all = [
    late,
    { ...t1, due: '2026-11-25T23:59:59.999999Z', overdue: false },
    { ...open, overdue: false },
    { ...t2, overdue: false },
  ];

  it('lists what is on its way, in the order in which it is due', async () => {
    const answer = await get('/v1/supply/mug');
    expect([answer.statusCode, answer.json()]).toEqual([200, { supply: all, next: null }]);
    expect((await get('/v1/supply/mug?location=shop')).json().supply).toEqual(all.slice(0, 2));
    expect((await get('/v1/supply/mug?location=attic')).json()).toEqual({ supply: [], next: null });
  });

  it('goes on page by page, also between two that are due at one moment', async () => {
    for (const limit of [1, 2, 3]) {
      const found: unknown[] = [];
      let query = `limit=${limit}`;
      for (let pages = 0; pages < 5; pages++) {
        const { supply, next } = (await get(`/v1/supply/mug?${query}`)).json();
        found.push(...supply);
        if (next === null) break;
        query = `limit=${limit}&cursor=${next}`;
      }
      expect(found).toEqual(all);
    }
  });

  it('refuses what it does not know', async () => {
    expect((await get('/v1/supply/nope')).json()).toMatchObject({ type: 'not-found', status: 404 });
    for (const [query, says] of [
      ['loc=x', 'loc is not known'],
      ['limit=0', 'limit must be a whole number from 1 to 1000'],
      ['cursor=x', 'cursor must be `next` of the page before'],
    ]) {
      const answer = await get(`/v1/supply/mug?${query}`);
      expect([answer.statusCode, answer.json().detail]).toEqual([422, expect.stringContaining(says as string)]);
    }
  });
});
