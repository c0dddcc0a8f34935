import { afterAll, beforeAll, expect, it } from 'vitest';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { encodeBody, JSON_TYPE } from '../../../streams/codec.ts';
import { factSubject } from '../../../streams/subjects.ts';
import { freshEngine, type TestEngine } from './test-engine.ts';

let one: TestEngine;
const servers: { nats?: string; redis?: string } = {};

beforeAll(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  servers.nats = nats.url;
  servers.redis = redis.url;
  one = await freshEngine(nats.url, redis.url, 'one');
});
afterAll(async () => one?.stop());

const now = () => new Date().toISOString();

it('counts a fact once, grants what is there and no more, and says the same after a restart', async () => {
  const fact = { id: 'f1', type: 'receipt', sku: 'A.1', location: 'dc 1', occurredAt: now(), qty: 5 };
  expect(await one.facts.submit([fact, fact])).toEqual({ accepted: 1, duplicates: 1, rejected: [] });
  expect((await one.router.stock('A.1', 'dc 1')).sellable).toBe(5);
  const request = {
    id: 'r1',
    channel: 'web',
    purpose: 'order' as const,
    ttlSeconds: 60,
    partial: false,
    lines: [{ sku: 'A.1', qty: 3, split: false }],
  };
  const placed = await one.router.place(request);
  expect(placed).toMatchObject({
    fresh: true,
    reservation: { id: 'r1', status: 'held', lines: [{ sku: 'A.1', qty: 3, location: 'dc 1' }] },
  });
  await expect(one.router.place({ ...request, id: 'r2' })).rejects.toMatchObject({
    kind: 'insufficient-stock',
    shortages: [{ sku: 'A.1', requested: 3, available: 2 }],
  });
  expect(await one.router.place(request)).toEqual({ fresh: false, reservation: placed.reservation });
  await expect(one.router.place({ ...request, lines: [{ sku: 'A.1', qty: 1, split: false }] })).rejects.toMatchObject({
    kind: 'id-conflict',
  });
  expect((await one.router.confirm('r1')).status).toBe('allocated');
  await one.stop();
  one = await freshEngine(servers.nats as string, servers.redis as string, 'one');
  expect(await one.router.stock('A.1', 'dc 1')).toMatchObject({ sellable: 5, held: 0, allocated: 3, available: 2 });
  expect((await one.router.reservation('r1')).status).toBe('allocated');
  const conflicting = { ...fact, qty: 6 };
  expect((await one.facts.submit([fact, conflicting])).rejected).toMatchObject([{ index: 1, code: 'id-conflict' }]);
  const explained = await one.router.explain({ sku: 'A.1', location: 'dc 1' }, { limit: 1_000, before: undefined });
  expect(explained.notes).toEqual([expect.stringContaining('parked')]);
  expect(explained.adds).toBe(true);
});

it('takes facts that devices publish, in JSON, and parks what it cannot read', async () => {
  const fact = { id: 'd1', type: 'sale', sku: 'B', location: 's', occurredAt: now(), qty: 2 };
  await one.broker.publish(factSubject('sale', 's', 'B'), encodeBody(fact, JSON_TYPE));
  await one.broker.publish('sale.s.C', Buffer.from('{nonsense'));
  await expect.poll(async () => (await one.router.stock('B', 's').catch(() => undefined))?.sellable).toBe(-2);
  await expect.poll(async () => (await one.broker.subjects('PARKED', 'parked.')).length).toBe(2);
});
