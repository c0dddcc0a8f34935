/** The contract's sentences about parked facts, over the running program: HTTP, NATS, the commands, the anomaly and doctor. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask } from '../../../harness/callers/http-caller.ts';
import { KeptNode } from '../../../harness/processes/kept-node.ts';

const LONG_AGO = new Date(Date.now() - 9 * 86_400_000).toISOString();
const receipt = (id: string, more: object = {}) => ({
  id,
  type: 'receipt',
  sku: 'A',
  location: 'dc',
  device: 'till-1',
  occurredAt: LONG_AGO,
  qty: 1,
  ...more,
});
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const MIA = { by: 'mia', why: 'the till was offline' };

let kept: KeptNode;
const get = async (path: string) => (await ask(kept.url(), 'GET', path)).body;
const post = (path: string, body: object) => ask(kept.url(), 'POST', path, body);
const list = async (query = '') => (await get(`/v1/parked?${query}`)).parked;
const sellable = async (sku: string) => (await get(`/v1/stock/${sku}/dc`)).sellable;
const anomalies = async (state = 'open') =>
  (await get(`/v1/anomalies?kind=parked_facts&state=${state}`)).anomalies.map(
    ({ location, data }: { location?: string; data: { device?: string; facts: number } }) =>
      `${location ?? data.device ?? 'neither'}: ${data.facts}`,
  );

beforeAll(async () => {
  kept = await KeptNode.up();
  const submitted = await post('/v1/facts', [receipt('r1'), receipt('r2', { sku: 'B', device: 'till-2' })]);
  expect(submitted.body).toMatchObject({ rejected: [{ code: 'too-old' }, { code: 'too-old' }] });
  // The same fact over NATS, twice: other entries, one fact.
  for (let i = 0; i < 2; i++) await kept.broker.publish('receipt.dc.A', json({ ...receipt('r1'), attempt: i }));
  await kept.broker.publish('sale.shop.C', Buffer.from('{"id":'));
  // A fact that names a device and no location, and one that names neither.
  await post(
    '/v1/facts',
    receipt('r4', { location: undefined, device: 'till-3', occurredAt: new Date().toISOString() }),
  );
  await post('/v1/facts', { id: 'r5' });
}, 90_000);
afterAll(() => kept.close());

it('lists each with its reason and, where they can be read, the fields it is known by', async () => {
  await expect.poll(async () => (await list()).length, { timeout: 10_000 }).toBe(7);
  expect(await list('device=till-2')).toMatchObject([
    {
      id: 'r2',
      type: 'receipt',
      sku: 'B',
      location: 'dc',
      device: 'till-2',
      occurredAt: LONG_AGO,
      reason: 'too-old',
      state: 'waiting',
    },
  ]);
  expect(await list('reason=unreadable')).toMatchObject([{ type: 'sale', sku: 'C', location: 'shop' }]);
  expect((await list('sku=A&location=dc&state=waiting')).map(({ id }: { id: string }) => id)).toEqual([
    'r1',
    'r1',
    'r1',
  ]);
  const page = await get('/v1/parked?sku=A&limit=2');
  expect([page.parked.length, (await get(`/v1/parked?sku=A&limit=2&after=${page.next}`)).next]).toEqual([2, null]);
  const { groups } = await get('/v1/parked/groups');
  expect(groups).toContainEqual(expect.objectContaining({ reason: 'too-old', device: 'till-1', facts: 1 }));
});

it('opens an anomaly for the location, for the device of what names no location, and for the rest', async () => {
  await expect
    .poll(async () => (await anomalies()).sort(), { timeout: 20_000 })
    .toEqual(['dc: 2', 'neither: 1', 'shop: 1', 'till-3: 1']);
  const doctor = await kept.holdfast('doctor');
  expect(JSON.stringify(doctor.answer)).toMatch(/5 could not be counted and wait: .*1 too-old of device till-1/);
}, 60_000);

it.each([
  ['resubmit', { by: 'mia' }, 'why'],
  ['resubmit', MIA, 'seqs'],
  ['dismiss', { ...MIA, seqs: [] }, 'seqs'],
  ['dismiss', { ...MIA, devise: 'till-1', sku: 'A' }, 'devise'],
  ['dismiss', { ...MIA, state: 'resubmitted' }, 'state'],
])('refuses to %s %j', async (step, body, field) => {
  const { status, body: problem } = await post(`/v1/parked/${step}`, body);
  expect([status, problem.errors[0].field]).toEqual([422, field]);
});

it('resubmits many, each fact id once, and the state is shared by copies and survives', async () => {
  const resubmitted = await post('/v1/parked/resubmit', { reason: 'too-old', location: 'dc', ...MIA });
  expect([resubmitted.status, resubmitted.body]).toEqual([200, { facts: 2 }]);
  expect((await post('/v1/parked/resubmit', { reason: 'too-old', location: 'dc', ...MIA })).body).toEqual({ facts: 0 });
  await expect.poll(async () => [await sellable('A'), await sellable('B')]).toEqual([1, 1]);
  expect(await list('state=resubmitted')).toMatchObject(
    Array.from({ length: 4 }, () => ({ state: 'resubmitted', decided: { ...MIA, at: expect.any(String) } })),
  );
  // The id is remembered: a copy shares the state, and other content under the id is a conflict.
  await kept.broker.publish('receipt.dc.A', json({ ...receipt('r1'), attempt: 9 }));
  const other = await post('/v1/facts', receipt('r1', { occurredAt: new Date().toISOString() }));
  expect(other.body.rejected).toMatchObject([{ code: 'id-conflict' }]);
  await expect.poll(async () => (await list('state=resubmitted')).length).toBe(5);
  expect((await post('/v1/parked/resubmit', { reason: 'id-conflict', ...MIA })).body).toMatchObject({
    facts: 0,
    left: [{ code: 'id-conflict', facts: 1 }],
  });
  await kept.node.kill();
  await kept.setSnapshots();
  await kept.node.up();
  expect((await list('state=resubmitted')).length).toBe(5);
  expect(await sellable('A')).toBe(1);
}, 90_000);

it('dismisses the rest from the command line, and everything is content', async () => {
  expect((await kept.holdfast('parked', 'list')).answer.parked.length).toBe(4);
  for (const facts of [4, 0]) {
    const done = await kept.holdfast('parked', 'dismiss', '--state', 'waiting', '--by', 'ben', '--why', 'a test');
    expect([done.code, done.answer]).toEqual([0, { facts }]);
  }
  expect((await kept.holdfast('parked', 'list')).answer.parked).toEqual([]);
  const left = await kept.holdfast('parked', 'list', '--state', 'all', '--reason', 'unreadable');
  expect(left.answer.parked).toMatchObject([{ state: 'dismissed', decided: { by: 'ben', why: 'a test' } }]);
  await expect.poll(() => anomalies(), { timeout: 20_000 }).toEqual([]);
  expect((await anomalies('resolved')).length).toBe(4);
  const { answer } = await kept.holdfast('doctor');
  expect(JSON.stringify(answer)).toContain('all 6 are resubmitted or dismissed');
  expect((await get('/v1/system')).parked).toBe(0);
}, 60_000);

it('lets a resubmitted fact that is dated ahead count as of when it first came', async () => {
  const occurredAt = new Date(Date.now() + 86_400_000).toISOString();
  await kept.broker.publish('receipt.dc.wrong', json(receipt('ahead', { sku: 'AHEAD', occurredAt, qty: 5 })));
  await expect.poll(async () => (await list('sku=AHEAD')).length, { timeout: 10_000 }).toBe(1);
  const counted = { id: 'c-ahead', type: 'count', sku: 'AHEAD', location: 'dc', counted: 7 };
  await post('/v1/facts', { ...counted, occurredAt: new Date().toISOString() });
  const [{ seq }] = await list('sku=AHEAD');
  expect((await post('/v1/parked/resubmit', { seqs: [seq], ...MIA })).body).toEqual({ facts: 1 });
  await expect.poll(async () => (await get('/v1/explain/AHEAD/dc')).steps.length, { timeout: 10_000 }).toBe(2);
  // The receipt came before the count, so the count covers it.
  expect(await sellable('AHEAD')).toBe(7);
});
