/** What is forgotten of reservations whose lines are with several owners: everything at once, or nothing. */
import { expect, it, vi } from 'vitest';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { partitionOf } from '../../../streams/subjects.ts';
import { freshEngine, type TestEngine } from '../engine/test-engine.ts';

const PARTITIONS = 8;
const DAY_MS = 86_400_000;
const WITHIN = { timeout: 20_000, interval: 50 };

/** Two engines that share the partitions. */
async function engines(servers: { nats: string; redis: string }, aheadMs: number): Promise<TestEngine[]> {
  const at = (name: string) =>
    freshEngine(servers.nats, servers.redis, name, { partitions: PARTITIONS, aheadMs, snapshotIntervalMs: 200 });
  const both = [await at(`one-${aheadMs}`), await at(`two-${aheadMs}`)];
  await vi.waitFor(() => {
    const sizes = both.map(({ engine }) => engine.partitions.size);
    expect(sizes.every((size) => size > 0) && sizes.reduce((sum, size) => sum + size, 0) === PARTITIONS).toBe(true);
    expect(both.every(({ engine }) => engine.readiness.ready)).toBe(true);
  }, WITHIN);
  return both;
}

async function stop(both: readonly TestEngine[]): Promise<void> {
  for (const each of both) await each.stop();
}

/** Everything that any owner remembers of these reservations. */
function remembered(both: readonly TestEngine[], ids: readonly string[]): string[] {
  return both.flatMap(({ engine }) =>
    [...engine.partitions.values()].flatMap(({ book }) =>
      ids.flatMap((id) => [
        ...(book.parts.has(id) ? [`${id}: a part`] : []),
        ...(book.coordinatorEntries.has(id) ? [`${id}: its home`] : []),
      ]),
    ),
  );
}

it('a reservation of several owners is forgotten whole, when no return can open it again, and its id is free', async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  const servers = { nats: nats.url, redis: redis.url };
  let both = await engines(servers, 0);
  const [one] = both as [TestEngine];
  const skus = Array.from({ length: PARTITIONS }, (_, number) => {
    for (let i = 0; ; i++) if (partitionOf(`S${i}`, PARTITIONS) === number) return `S${i}`;
  });
  const fact = (type: string, sku: string, more: object) => {
    const occurredAt = new Date().toISOString();
    return { id: `${type}-${sku}-${JSON.stringify(more)}`, type, sku, location: 'x', occurredAt, ...more };
  };
  const told = async (facts: object[]) => expect((await one.facts.submit(facts)).accepted).toBe(facts.length);
  const request = (id: string, confirm: boolean) => ({
    ...{ id, channel: 'web', purpose: 'order' as const, partial: false, confirm },
    lines: skus.map((sku) => ({ sku, qty: 1, split: false })),
  });
  const sold = (id: string, of: readonly string[]) =>
    told(of.map((sku) => fact('sale', sku, { qty: 1, reservation: id })));
  await told(skus.map((sku) => fact('receipt', sku, { qty: 9 })));
  await one.router.place(request('confirmed', true));
  await one.router.place({ ...request('held', false), ttlSeconds: 3_600 });
  await one.router.place(request('half', true));
  const half = skus.slice(0, PARTITIONS / 2);
  await sold('confirmed', skus);
  await sold('held', skus);
  await sold('half', half);
  // Units that were sold and returned for a reservation that nobody has placed.
  await sold('unknown', half);
  await told([fact('return', skus[0] as string, { qty: 1, disposition: 'restock', reservation: 'returned only' })]);
  await vi.waitFor(async () => {
    const status = async (id: string) => (await one.router.reservation(id)).status;
    expect([await status('confirmed'), await status('held'), await status('half')]).toEqual([
      'fulfilled',
      'fulfilled',
      'allocated',
    ]);
  }, WITHIN);
  const before = await one.router.reservation('half');
  await stop(both);

  // Within two horizons a return may still come.
  both = await engines(servers, 14 * DAY_MS);
  expect((await (both[0] as TestEngine).router.reservation('confirmed')).lines).toHaveLength(PARTITIONS);
  await stop(both);

  both = await engines(servers, 15 * DAY_MS);
  const [later] = both as [TestEngine];
  const gone = ['confirmed', 'held', 'unknown', 'returned only'];
  await vi.waitFor(() => expect(remembered(both, gone)).toEqual([]), WITHIN);
  expect(await later.router.reservation('half')).toEqual(before);
  expect((await later.router.place(request('confirmed', true))).fresh).toBe(true);
  await stop(both);
});
