/** ATP, stock and explanations over HTTP. */
import { beforeEach, describe, expect, it } from 'vitest';
import { AssertionError } from '../../../../streams/assert.ts';
import { BrokerError } from '../../../../streams/broker.ts';
import { ASTRAL, type Front, front } from '../front.ts';
import { NOT_DECIDED } from '../memory-ports.ts';

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
