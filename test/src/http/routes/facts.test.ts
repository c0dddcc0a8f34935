/** Facts and parked facts over HTTP. */
import { beforeEach, expect, it } from 'vitest';
import { type Front, front, SALE } from '../front.ts';
import { NOT_DECIDED } from '../memory/memory-ports.ts';

let it_: Front;
beforeEach(() => {
  it_ = front();
  for (const seq of [4, 7, 9]) {
    const parked = {
      parkedAt: '2026-11-24T09:15:00.123Z',
      reason: 'too-old',
      message: 'old',
      state: 'waiting' as const,
      source: 'SALES.1',
      contentType: 'application/json',
    };
    it_.facts.parked.push({ seq, ...parked, bytes: 'e30=', length: 2, cut: false });
  }
});

const post = (url: string, payload?: object) =>
  it_.app.inject({ method: 'POST', url, ...(payload === undefined ? {} : { payload }) });

it('takes one fact', async () => {
  const answer = await post('/v1/facts', SALE);
  expect([answer.statusCode, answer.json()]).toEqual([200, { accepted: 1, duplicates: 0, rejected: [] }]);
});

it('takes many; a bad one never refuses the rest', async () => {
  const answer = await post('/v1/facts', [SALE, { ...SALE, qty: 0 }, SALE, { ...SALE, id: 'b' }, 'text', null]);
  expect(answer.statusCode).toBe(200);
  expect(answer.json()).toMatchObject({
    accepted: 2,
    duplicates: 1,
    rejected: [{ index: 1 }, { index: 4 }, { index: 5 }],
  });
  expect(answer.json().rejected[0].message).toContain('qty');
});

it('passes facts on as they came, with fields that nobody knows', async () => {
  const sent = { ...SALE, extra: { deep: [1, { a: null }] } };
  await post('/v1/facts', sent);
  expect(it_.facts.taken).toEqual([sent]);
});

it('passes on the bytes of each fact as they were sent, not what was read of them', async () => {
  const odd = `{ "id":"a","type":"sale","sku":"85123A","location":"store-12","occurredAt":"2026-11-24T09:15:00Z","qty":2.0,
    "big":12345678901234567890,"more":[1e400, {"]":"\\",[\\\\"}] }`;
  const other = odd.replace('"a"', '"b"');
  for (const payload of [odd, `\ufeff[ ${odd.replace('"a"', '"c"')}\n,\t${other} ]`]) {
    const answer = await it_.app.inject({
      method: 'POST',
      url: '/v1/facts',
      headers: { 'content-type': 'application/json' },
      payload,
    });
    expect(answer.statusCode, answer.body).toBe(200);
  }
  expect(it_.facts.takenBytes).toEqual([odd, odd.replace('"a"', '"c"'), other]);
});

it('takes 1,000 facts, and refuses 1,001 with 413', async () => {
  const many = Array.from({ length: 1001 }, (_, n) => ({ ...SALE, id: String(n) }));
  expect((await post('/v1/facts', many.slice(0, 1000))).json().accepted).toBe(1000);
  const answer = await post('/v1/facts', many);
  expect([answer.statusCode, answer.json().type]).toEqual([413, 'too-large']);
  expect(it_.facts.taken).toHaveLength(1000);
});

it('takes an empty list', async () => {
  expect((await post('/v1/facts', [])).json()).toEqual({ accepted: 0, duplicates: 0, rejected: [] });
});

it('answers 503 when the streams cannot be reached', async () => {
  it_.facts.failure = NOT_DECIDED;
  const answer = await post('/v1/facts', SALE);
  expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '1']);
});

it('lists parked facts by page', async () => {
  const page = async (query: string) => {
    const { parked, next } = (await it_.app.inject(`/v1/parked${query}`)).json();
    return [parked.map(({ seq }: { seq: number }) => seq), next];
  };
  expect(await page('')).toEqual([[4, 7, 9], null]);
  expect(await page('?limit=2')).toEqual([[4, 7], 7]);
  expect(await page('?after=7&limit=2')).toEqual([[9], null]);
});

it('shows one parked fact', async () => {
  expect((await it_.app.inject('/v1/parked/7')).json()).toMatchObject({ seq: 7, bytes: 'e30=', cut: false });
  expect((await it_.app.inject('/v1/parked/8')).statusCode).toBe(404);
  expect((await it_.app.inject('/v1/parked/x')).statusCode).toBe(422);
});

it.each([
  ['limit=0', 'limit'],
  ['limit=1001', 'limit'],
  ['after=-1', 'after'],
  ['after=x', 'after'],
  ['after=1&after=2', 'after'],
])('refuses to list with ?%s', async (query, field) => {
  const answer = await it_.app.inject(`/v1/parked?${query}`);
  expect([answer.statusCode, answer.json().errors[0].field]).toEqual([422, field]);
});

it('submits a parked fact again, as it is or corrected', async () => {
  const answer = await post('/v1/parked/4/resubmit');
  expect([answer.statusCode, answer.json()]).toEqual([200, { seq: 4, resubmitted: true }]);
  expect((await post('/v1/parked/7/resubmit', SALE)).statusCode).toBe(200);
  expect(it_.facts.resubmitted).toEqual([
    { seq: 4, corrected: undefined },
    { seq: 7, corrected: SALE },
  ]);
});

it('refuses a corrected fact that cannot be read, an unknown sequence and a wrong one', async () => {
  const wrong = await post('/v1/parked/4/resubmit', { ...SALE, qty: 0 });
  expect([wrong.statusCode, wrong.json().detail]).toEqual([422, 'qty must be a whole number from 1 to 1000000000']);
  expect((await post('/v1/parked/5/resubmit')).statusCode).toBe(404);
  expect((await post('/v1/parked/x/resubmit')).statusCode).toBe(422);
});
