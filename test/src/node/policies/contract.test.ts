/** Policies and locations over HTTP, against three nodes: the sentences of the contract. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AtpTopic } from '../../../../dashboards/topics.ts';
import { ask } from '../../../../harness/callers/http-caller.ts';
import { LiveReader } from '../../../../harness/callers/live-reader.ts';
import { until } from '../../../../harness/until.ts';
import { partitionOf } from '../../../../streams/subjects.ts';
import { etagOf, PARTITIONS, policyPath, ThreeNodes } from './three-nodes.ts';

const POLICY = {
  safetyStock: 2,
  protect: { pickup: 3 },
  cap: { marketplace: 10 },
  backorder: { web: 5 },
  priority: { pickup: 1, web: 2 },
  substitutes: ['85123B'],
  vendorManaged: false,
  channels: ['web', 'store', 'marketplace'],
  reorder: { min: 5, max: 20, pack: 6 },
};

let three: ThreeNodes;
beforeAll(async () => {
  three = await ThreeNodes.up();
}, 120_000);
afterAll(() => three.link.close());

const seqOf = (version: string) => Number(version.split('.')[1]);

describe('a policy', () => {
  it('reads back as it was set, at any node, and its answer can be sent again', async () => {
    const [sku, location] = [three.fresh('ü/mug.'), three.fresh('läden')];
    const set = await three.put(sku, location, POLICY);
    expect([set.status, set.body]).toEqual([200, { sku, location, ...POLICY }]);
    for (const at of [0, 1, 2]) {
      const read = await ask(three.node(at).url, 'GET', policyPath(sku, location));
      expect([read.status, read.body, etagOf(read)]).toEqual([200, set.body, etagOf(set)]);
    }
    expect((await three.put(sku, location, set.body)).body).toEqual(set.body);
    expect((await three.put(sku, location, { safetyStock: 1 })).body).toEqual({ sku, location, safetyStock: 1 });
  });

  it('is unknown until it is set, and again once it is removed; the history says who did what', async () => {
    const path = policyPath(three.fresh('sku'), '*');
    expect((await three.asked('GET', path)).status).toBe(404);
    expect((await three.asked('GET', `${path}?history=1`)).status).toBe(404);
    expect((await three.asked('DELETE', path)).status).toBe(404);
    await three.asked('PUT', path, { safetyStock: 1, by: 'maria', why: 'first' });
    await three.asked('PUT', path, { safetyStock: 2 });
    const removed = await three.asked('DELETE', `${path}?by=tom&why=season%20over`);
    expect(removed).toMatchObject({ status: 200, body: { removed: true } });
    expect((await three.asked('GET', path)).status).toBe(404);
    const { history } = (await three.asked('GET', `${path}?history=1`)).body;
    const at = expect.stringMatching(/^20.*Z$/);
    expect(history).toEqual([
      { etag: removed.body.etag, at, by: 'tom', why: 'season over', policy: null },
      { etag: expect.any(String), at, policy: expect.objectContaining({ safetyStock: 2 }) },
      { etag: expect.any(String), at, by: 'maria', why: 'first', policy: expect.objectContaining({ safetyStock: 1 }) },
    ]);
    await three.asked('PUT', path, { safetyStock: 3 });
    expect((await three.asked('GET', path)).body).toMatchObject({ safetyStock: 3 });
  });

  it('keeps the last 64 changes', async () => {
    const path = policyPath(three.fresh('sku'), 'dc');
    for (let i = 0; i < 70; i++) await three.asked('PUT', path, { safetyStock: i });
    const { history } = (await three.asked('GET', `${path}?history=1`)).body;
    expect(history).toHaveLength(64);
    expect(history.at(0).policy.safetyStock).toBe(69);
    expect(history.at(-1).policy.safetyStock).toBe(6);
  });

  it('is in force by field, from the most specific level', async () => {
    const [sku, location] = [three.fresh('sku'), three.fresh('shop')];
    await three.put('*', '*', { safetyStock: 1, vendorManaged: true, priority: { web: 9 } });
    await three.put('*', location, { safetyStock: 2, channels: ['store'] });
    await three.put(sku, '*', { safetyStock: 3, protect: { pickup: 4 } });
    await three.put(sku, location, { protect: { web: 1 } });
    const everywhere = { sku: '*', location: '*' };
    for (const at of [0, 1, 2])
      expect((await three.effective(sku, location, three.node(at))).body).toEqual({
        sku,
        location,
        safetyStock: 3,
        protect: { web: 1 },
        cap: {},
        backorder: {},
        priority: { web: 9 },
        substitutes: [],
        vendorManaged: true,
        channels: ['store'],
        levels: {
          safetyStock: { sku, location: '*' },
          protect: { sku, location },
          priority: everywhere,
          vendorManaged: everywhere,
          channels: { sku: '*', location },
        },
      });
    await three.asked('DELETE', policyPath('*', '*'));
    expect((await three.effective(three.fresh('sku'), three.fresh('shop'))).body).toMatchObject({
      safetyStock: 0,
      levels: {},
    });
  });

  it('is guarded by If-Match: of two changes with one version, one is a 412', async () => {
    const path = policyPath(three.fresh('sku'), 'dc');
    expect((await three.matching('*', 'PUT', path, { safetyStock: 1 })).status).toBe(412);
    const etag = etagOf(await three.asked('PUT', path, { safetyStock: 1 }));
    expect(etag).toMatch(/^"\d+"$/);
    const both = await Promise.all([2, 3].map((safetyStock) => three.matching(etag, 'PUT', path, { safetyStock })));
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 412]);
    expect(both.find(({ status }) => status === 412)?.body).toMatchObject({ type: 'changed' });
    expect((await three.matching(etag, 'DELETE', path)).status).toBe(412);
    const now = etagOf(await three.asked('GET', path));
    expect((await three.matching(now, 'DELETE', path)).status).toBe(200);
  });
});

describe('stock', () => {
  it('withholds the safety stock in force, and the version of what a policy touches rises', async () => {
    const [sku, shop] = [three.fresh('sku'), three.fresh('shop')];
    const other = three.fresh('sku', (partitionOf(sku, PARTITIONS) + 1) % PARTITIONS);
    for (const each of [sku, other]) await three.receive(each, shop, 5);
    const [before, otherBefore] = [await three.stock(sku, shop), await three.stock(other, shop)];
    expect(before).toMatchObject({ safetyStock: 0, available: 5, atp: 5 });
    await three.put(sku, '*', { safetyStock: 2 });
    const after = await three.stock(sku, shop);
    expect(after).toMatchObject({ sellable: 5, safetyStock: 2, available: 3, atp: 3 });
    expect(seqOf(after.version)).toBe(seqOf(before.version) + 1);
    expect((await three.stock(other, shop)).version).toBe(otherBefore.version);
    expect((await three.asked('GET', `/v1/atp/${sku}`)).body).toMatchObject({ atp: 3, version: after.version });
    const reservation = { id: three.fresh('r'), lines: [{ sku, qty: 4 }] };
    expect((await three.asked('POST', '/v1/reservations', reservation)).status).toBe(409);
    expect(
      (await three.asked('POST', '/v1/reservations', { id: three.fresh('r'), lines: [{ sku, qty: 3 }] })).status,
    ).toBe(201);
    // Raising it takes nothing back.
    await three.put(sku, shop, { safetyStock: 4 });
    expect(await three.stock(sku, shop)).toMatchObject({ held: 3, safetyStock: 4, available: -2, atp: 0 });
    await three.put('*', shop, { safetyStock: 1 });
    expect(seqOf((await three.stock(other, shop)).version)).toBe(seqOf(otherBefore.version) + 1);
    expect(await three.stock(other, shop)).toMatchObject({ safetyStock: 1, available: 4 });
    await three.asked('DELETE', policyPath('*', shop));
  });
});

describe('a live reader', () => {
  it('is told the new figures of what a policy touches', async () => {
    const [sku, shop] = [three.fresh('sku'), three.fresh('shop')];
    await three.receive(sku, shop, 5);
    const reader = await new LiveReader(three.node(0).url, `atp:${sku},stock:${sku}`).opened();
    await reader.sees<AtpTopic>(`atp:${sku}`, ({ atp }) => atp === 5);
    await three.put(sku, '*', { safetyStock: 2 });
    await reader.sees<AtpTopic>(`atp:${sku}`, ({ atp }) => atp === 3);
    await three.put('*', shop, { safetyStock: 1 });
    await three.asked('DELETE', policyPath(sku, '*'));
    await reader.sees<AtpTopic>(`atp:${sku}`, ({ atp }) => atp === 4);
    await three.asked('DELETE', policyPath('*', shop));
    reader.close();
  });
});

describe('a location', () => {
  const place = {
    name: 'Leeds Briggate',
    kind: '3pl',
    lat: 53.797,
    lon: -1.542,
    timezone: 'Europe/London',
    hours: {
      mon: [
        ['09:00', '12:00'],
        ['13:00', '17:30'],
      ],
      sun: [],
    },
    capacityPerHour: 20,
    handlingCost: 1.5,
    services: ['pickup'],
    transitHours: { 'dc-1': 18 },
  };

  it('reads back as it was described, with a history, and its answer can be sent again', async () => {
    const id = three.fresh('shop');
    const path = `/v1/locations/${id}`;
    expect((await three.asked('GET', path)).status).toBe(404);
    const set = await three.asked('PUT', path, { ...place, by: 'maria', why: 'new shop' });
    expect([set.status, set.body]).toEqual([200, { id, ...place }]);
    const read = await three.asked('GET', path);
    expect([read.body, etagOf(read)]).toEqual([set.body, etagOf(set)]);
    expect((await three.matching('"999"', 'PUT', path, set.body)).status).toBe(412);
    expect((await three.matching(etagOf(read), 'PUT', path, set.body)).status).toBe(200);
    expect((await three.asked('GET', `${path}?history=1`)).body.history).toMatchObject([
      { location: { id, ...place } },
      { by: 'maria', why: 'new shop', location: { id, ...place } },
    ]);
    expect((await three.asked('DELETE', path)).status).toBe(200);
    expect((await three.asked('GET', path)).status).toBe(404);
  });

  it('known only from facts has the defaults', async () => {
    const id = three.fresh('shop');
    await three.receive(three.fresh('sku'), id, 1);
    await until(
      async () => (await three.asked('GET', `/v1/locations/${id}`)).status === 200,
      20_000,
      () => 'the location is known',
    );
    const read = await three.asked('GET', `/v1/locations/${id}`);
    expect(read.body).toEqual({ id, name: id, kind: 'store', services: ['ship', 'pickup'] });
    expect(read.headers.get('etag')).toBeNull();
  });

  it('raises every version by its zone and its lanes, and by nothing else', async () => {
    const [sku, id] = [three.fresh('sku'), three.fresh('shop')];
    await three.receive(sku, id, 1);
    const change = async (body: object) => {
      const before = seqOf((await three.stock(sku, id)).version);
      await three.asked('PUT', `/v1/locations/${id}`, body);
      return seqOf((await three.stock(sku, id)).version) - before;
    };
    expect(await change({ name: 'Leeds' })).toBe(0);
    expect(await change({ name: 'Leeds', timezone: 'Europe/London' })).toBe(1);
    expect(await change({ timezone: 'Europe/London', transitHours: { dc: 18 } })).toBe(1);
    expect(await change({ timezone: 'Europe/London', transitHours: { dc: 18 }, kind: 'dc' })).toBe(0);
    expect(await change({ timezone: 'Europe/London', transitHours: { dc: 20 } })).toBe(1);
    expect(await change({})).toBe(1);
  });
});
