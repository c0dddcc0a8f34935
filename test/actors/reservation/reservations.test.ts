/** The contract's rules for facts, ATP and reservations, over HTTP against a running node. */
import { beforeAll, describe, expect, it } from 'vitest';
import { ask as askAt } from '../../../harness/callers/http-caller.ts';
import { NodeProcess, type Servers } from '../../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';

let servers: Servers;
let node: NodeProcess;
beforeAll(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  servers = { nats, redis };
  node = await NodeProcess.at(servers);
  await node.up();
});

const ask = (method: string, path: string, body?: unknown) => askAt(node.url, method, path, body);
const now = (offsetMs = 0) => new Date(Date.now() + offsetMs).toISOString();
let serial = 0;
/** Stocks a new SKU at locations. */
async function stocked(units: Record<string, number>): Promise<string> {
  serial += 1;
  const sku = `sku ${serial}/ü`;
  const facts = Object.entries(units).map(([location, qty]) => ({
    id: `in-${serial}-${location}`,
    type: 'receipt',
    sku,
    location,
    occurredAt: now(-1000),
    qty,
  }));
  expect((await ask('POST', '/v1/facts', facts)).body.accepted).toBe(facts.length);
  return sku;
}
const stock = async (sku: string, location: string) =>
  (await ask('GET', `/v1/stock/${encodeURIComponent(sku)}/${location}`)).body;
const place = (id: string, lines: object[], more: object = {}) =>
  ask('POST', '/v1/reservations', { id, channel: 'web', purpose: 'order', ttlSeconds: 900, lines, ...more });

describe('facts', () => {
  it('one fact or an array of up to 1,000; more is 413; none is none', async () => {
    const occurredAt = now();
    const fact = (i: number) => ({
      id: `many-${i}`,
      type: 'adjustment',
      sku: 'many',
      location: 'x',
      occurredAt,
      delta: 1,
      reason: 'found',
    });
    expect((await ask('POST', '/v1/facts', fact(0))).body).toEqual({ accepted: 1, duplicates: 0, rejected: [] });
    expect(
      (
        await ask(
          'POST',
          '/v1/facts',
          Array.from({ length: 1000 }, (_, i) => fact(i)),
        )
      ).body,
    ).toEqual({ accepted: 999, duplicates: 1, rejected: [] });
    expect(
      (
        await ask(
          'POST',
          '/v1/facts',
          Array.from({ length: 1001 }, (_, i) => fact(i)),
        )
      ).status,
    ).toBe(413);
    expect((await ask('POST', '/v1/facts', [])).body).toEqual({ accepted: 0, duplicates: 0, rejected: [] });
    expect((await stock('many', 'x')).sellable).toBe(1000);
  });

  it('200 also when some are rejected: each names its place, its code, its field', async () => {
    const good = { id: 'mix-1', type: 'sale', sku: 'mix', location: 'x', occurredAt: now(), qty: 1 };
    const answer = await ask('POST', '/v1/facts', [
      good,
      { ...good, id: 'mix-2', qty: 0 },
      7,
      { ...good, id: 'mix-3', occurredAt: now(-8 * 86_400_000) },
      { ...good, qty: 2 },
    ]);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ accepted: 1, duplicates: 0 });
    expect(answer.body.rejected.map((each: { index: number; code: string }) => [each.index, each.code])).toEqual([
      [1, 'invalid'],
      [2, 'invalid'],
      [3, 'too-old'],
      [4, 'id-conflict'],
    ]);
    expect(answer.body.rejected[0].message).toMatch(/qty must be a whole number from 1 to 1000000000/);
  });

  it('transfers: shipped leaves, is in transit to its destination, and what never arrives stays visible', async () => {
    const sku = await stocked({ a: 10 });
    const leg = (id: string, phase: string, qty: number, more: object = {}) => ({
      id: `${sku}-${id}`,
      type: 'transfer',
      phase,
      transfer: `t-${sku}`,
      sku,
      location: phase === 'shipped' ? 'a' : 'b',
      from: 'a',
      to: 'b',
      occurredAt: now(),
      qty,
      ...more,
    });
    await ask('POST', '/v1/facts', [leg('in', 'received', 2, { damaged: 1 })]);
    expect(await stock(sku, 'b')).toMatchObject({ sellable: 2, damaged: 1, inTransit: 0 });
    const eta = now(86_400_000);
    await ask('POST', '/v1/facts', [leg('out', 'shipped', 6, { eta })]);
    expect(await stock(sku, 'a')).toMatchObject({ sellable: 4 });
    expect(await stock(sku, 'b')).toMatchObject({ sellable: 2, damaged: 1, onHand: 3, inTransit: 3, atp: 2 });
    const at = async (by: string) =>
      (await ask('GET', `/v1/atp/${encodeURIComponent(sku)}?location=b&by=${by}`)).body.atp;
    expect(await at(now(3_600_000))).toBe(2);
    expect(await at(now(2 * 86_400_000))).toBe(5);
    expect(await at(eta.slice(0, 10))).toBe(5);
  });
});

describe('available to promise', () => {
  it('a SKU that nothing is known of: GET is 404, POST says 0 and no locations', async () => {
    const answer = await ask('GET', '/v1/atp/nobody-knows');
    expect([answer.status, answer.headers.get('content-type'), answer.body.type]).toEqual([
      404,
      'application/problem+json',
      'not-found',
    ]);
    const sku = await stocked({ a: 3, b: 4 });
    const many = await ask('POST', '/v1/atp', { lines: [{ sku: 'nobody-knows' }, { sku }, { sku, locations: ['b'] }] });
    expect(many.body.lines).toMatchObject([
      { sku: 'nobody-knows', atp: 0, locations: [] },
      {
        sku,
        atp: 7,
        locations: [
          { location: 'a', atp: 3 },
          { location: 'b', atp: 4 },
        ],
      },
      { sku, atp: 4, locations: [{ location: 'b', atp: 4 }] },
    ]);
    expect(many.body.asOf).toMatch(/Z$/);
  });

  it('is never below 0, while available says how much has been promised that is not there', async () => {
    const sku = await stocked({ a: 2 });
    expect((await place(`neg-${sku}`, [{ sku, qty: 2 }])).status).toBe(201);
    await ask('POST', '/v1/facts', { id: `neg-${sku}`, type: 'sale', sku, location: 'a', occurredAt: now(), qty: 3 });
    expect(await stock(sku, 'a')).toMatchObject({ sellable: -1, held: 2, available: -3, atp: 0 });
  });
});

describe('reservations', () => {
  it('201 with expiry and versions; the same again 200 with the same body; other content 409 id-conflict', async () => {
    const sku = await stocked({ a: 5 });
    const first = await place(`once-${sku}`, [{ sku, qty: 2 }]);
    expect(first.status).toBe(201);
    expect(first.body).toEqual({
      id: `once-${sku}`,
      status: 'held',
      expiresAt: expect.stringMatching(/Z$/),
      lines: [{ sku, qty: 2, fulfilled: 0, location: 'a', version: expect.stringMatching(/^\d+\.\d+$/) }],
      etag: expect.stringMatching(/^\d+\.\d+\.0$/),
    });
    const again = await place(`once-${sku}`, [{ sku, qty: 2 }]);
    expect([again.status, again.body]).toEqual([200, first.body]);
    const other = await place(`once-${sku}`, [{ sku, qty: 1 }]);
    expect([other.status, other.body.type, other.headers.get('content-type')]).toEqual([
      409,
      'id-conflict',
      'application/problem+json',
    ]);
    const [epoch, seq] = first.body.lines[0].version.split('.').map(Number);
    const [epochNow, seqNow] = (await ask('GET', `/v1/atp/${encodeURIComponent(sku)}`)).body.version
      .split('.')
      .map(Number);
    expect(epochNow > epoch || (epochNow === epoch && seqNow >= seq)).toBe(true);
  });

  it('not enough: 409 with shortages and nothing is held; available is the best single location, or with split the sum', async () => {
    const [sku, other] = [await stocked({ a: 3, b: 4 }), await stocked({ a: 9 })];
    const whole = await place(`short-${sku}`, [
      { sku: other, qty: 1 },
      { sku, qty: 5 },
    ]);
    expect([whole.status, whole.body.shortages]).toEqual([409, [{ sku, requested: 5, available: 4, earliest: null }]]);
    const split = await place(`short-${sku}`, [{ sku, qty: 8, split: true }]);
    expect([split.status, split.body.shortages]).toEqual([409, [{ sku, requested: 8, available: 7, earliest: null }]]);
    expect(await stock(other, 'a')).toMatchObject({ held: 0 });
    const fits = await place(`short-${sku}`, [{ sku, qty: 7, split: true }]);
    expect(fits.status).toBe(201);
    expect(fits.body.lines.map((line: { location: string; qty: number }) => [line.location, line.qty]).sort()).toEqual([
      ['a', 3],
      ['b', 4],
    ]);
  });

  it('partial: what there is is held and the answer is 201 with both; without split from the best single location', async () => {
    const [sku, gone] = [await stocked({ a: 3, b: 4 }), await stocked({ a: 1 })];
    await place(`all-${gone}`, [{ sku: gone, qty: 1 }]);
    const answer = await place(
      `part-${sku}`,
      [
        { sku, qty: 6 },
        { sku: gone, qty: 2 },
      ],
      { partial: true },
    );
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({
      status: 'held',
      lines: [{ sku, qty: 4, location: 'b' }],
      shortages: [
        { sku, requested: 6, available: 4 },
        { sku: gone, requested: 2, available: 0 },
      ],
    });
    expect(
      (
        await place(
          `part-${sku}`,
          [
            { sku, qty: 6 },
            { sku: gone, qty: 2 },
          ],
          { partial: true },
        )
      ).body,
    ).toEqual(answer.body);
    expect((await place(`none-${gone}`, [{ sku: gone, qty: 1 }], { partial: true })).status).toBe(409);
  });

  it('422 names the field', async () => {
    const bad: [object, string][] = [
      [{ id: '' }, 'id'],
      [{ lines: [] }, 'lines'],
      [{ lines: [{ sku: 's', qty: 0 }] }, 'lines[0].qty'],
      [{ lines: [{ sku: 's', qty: 1.5 }] }, 'lines[0].qty'],
      [{ lines: [{ qty: 1 }] }, 'lines[0].sku'],
      [{ lines: [{ sku: ' s', qty: 1 }] }, 'lines[0].sku'],
      [{ purpose: 'fun' }, 'purpose'],
      [{ ttlSeconds: 0 }, 'ttlSeconds'],
      [{ ttlSeconds: '60' }, 'ttlSeconds'],
      [{ partial: 'yes' }, 'partial'],
      [{ lines: [{ sku: 's', qty: 1, locations: [''] }] }, 'lines[0].locations[0]'],
    ];
    for (const [more, field] of bad) {
      const answer = await place('bad', [{ sku: 's', qty: 1 }], more);
      expect([answer.status, answer.body.errors?.[0]?.field], JSON.stringify(more)).toEqual([422, field]);
      expect(answer.body.detail).toContain(field);
    }
  });

  it('confirm and release answer it as it is, repeating is harmless, and confirming what is released is a 409', async () => {
    const sku = await stocked({ a: 5 });
    const id = `steps/${sku}`;
    const at = `/v1/reservations/${encodeURIComponent(id)}`;
    expect((await ask('GET', at)).status).toBe(404);
    await place(id, [{ sku, qty: 2 }]);
    for (let i = 0; i < 2; i++)
      expect((await ask('POST', `${at}/confirm`)).body).toMatchObject({ id, status: 'allocated' });
    expect(await stock(sku, 'a')).toMatchObject({ held: 0, allocated: 2, available: 3 });
    for (let i = 0; i < 2; i++) expect((await ask('DELETE', at)).body).toMatchObject({ id, status: 'released' });
    expect((await ask('POST', `${at}/confirm`)).status).toBe(409);
    expect((await ask('GET', at)).body.status).toBe('released');
    expect(await stock(sku, 'a')).toMatchObject({ held: 0, allocated: 0, available: 5 });
  });

  it('a sale that names it fulfils its line by what was sold', async () => {
    const sku = await stocked({ a: 5, b: 5 });
    const id = `sold-${sku}`;
    await place(id, [{ sku, qty: 3, locations: ['a'] }]);
    await ask('POST', `/v1/reservations/${encodeURIComponent(id)}/confirm`);
    const sale = (n: number, qty: number, location: string) => ({
      id: `${id}-${n}`,
      type: 'sale',
      sku,
      location,
      occurredAt: now(),
      qty,
      reservation: id,
    });
    await ask('POST', '/v1/facts', sale(1, 1, 'a'));
    expect(await stock(sku, 'a')).toMatchObject({ sellable: 4, allocated: 2, available: 2 });
    await ask('POST', '/v1/facts', sale(2, 2, 'b'));
    expect(await stock(sku, 'a')).toMatchObject({ sellable: 4, allocated: 0 });
    expect((await ask('GET', `/v1/reservations/${encodeURIComponent(id)}`)).body.status).toBe('fulfilled');
  });

  it('of a hundred callers for the last three units three get one', async () => {
    const sku = await stocked({ a: 1, b: 2 });
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => place(`last-${sku}-${i}`, [{ sku, qty: 1 }])),
    );
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(3);
    expect(answers.filter((answer) => answer.status === 409)).toHaveLength(97);
  });

  it('three hundred callers with one id get one grant', async () => {
    const sku = await stocked({ a: 50 });
    const answers = await Promise.all(Array.from({ length: 300 }, () => place(`same-${sku}`, [{ sku, qty: 2 }])));
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1);
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(299);
    expect((await stock(sku, 'a')).held).toBe(2);
  });

  it('a hold whose time is over is released by itself, also across a restart', async () => {
    const sku = await stocked({ a: 5 });
    const [soon, later] = [`soon-${sku}`, `later-${sku}`];
    await place(soon, [{ sku, qty: 2 }], { ttlSeconds: 1 });
    await expect.poll(() => stock(sku, 'a'), { timeout: 5_000 }).toMatchObject({ held: 0, available: 5 });
    expect((await ask('GET', `/v1/reservations/${encodeURIComponent(soon)}`)).body.status).toBe('expired');
    const refused = await ask('POST', `/v1/reservations/${encodeURIComponent(soon)}/confirm`);
    expect([refused.status, refused.body.type]).toEqual([409, 'already-expired']);
    await place(later, [{ sku, qty: 3 }], { ttlSeconds: 1 });
    await node.kill();
    await node.up();
    await expect.poll(() => stock(sku, 'a'), { timeout: 5_000 }).toMatchObject({ held: 0, available: 5 });
    expect((await ask('GET', `/v1/reservations/${encodeURIComponent(later)}`)).body.status).toBe('expired');
  });
});

it('SIGTERM ends it cleanly with exit code 0, and the next start goes on', async () => {
  const sku = await stocked({ a: 5 });
  await place(`stop-${sku}`, [{ sku, qty: 2 }]);
  expect(await node.stop()).toBe(0);
  await node.up();
  expect(await stock(sku, 'a')).toMatchObject({ sellable: 5, held: 2 });
});
