/** A million actors and a million holds in one process. Prints and bounds their cost and the duration of a restart. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { FactIds } from '../../../actors/idempotency/fact-ids.ts';
import { Expiry } from '../../../actors/partition/expiry.ts';
import { Partition } from '../../../actors/partition/partition.ts';
import { loadSnapshot } from '../../../actors/recovery/recovery.ts';
import { Snapshotter } from '../../../actors/snapshot/snapshotter.ts';
import { applyDecision, applyFact } from '../../../actors/stock/evolve.ts';
import { audit } from '../../../actors/stock/invariants.ts';
import { freshRedis } from '../../../harness/servers/servers.ts';
import { SteadyClock } from '../../../src/process/steady-clock.ts';
import { RedisSnapshots } from '../../../src/redis/snapshot-store.ts';
import { partitionOf } from '../../../streams/subjects.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const used = () => {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

const MILLION = 1_000_000;
const PARTITIONS = 32;
const SKUS = 10_000;
const CREATED = { SALES: 'a', RECEIPTS: 'b', TRANSFERS: 'c', RETURNS: 'd', COUNTS: 'e', JOURNAL: 'f' };
/** Twice the design goal for actors. There is no goal for holds. */
const BYTES_PER_ACTOR = 600;
const BYTES_PER_HOLD = 1_500;
/** Of processor time, because other tests run beside, and may slow it to a third. */
const RESTART_SECONDS = 120;

it('a million actors and a million holds fit, and are there again after a restart', async () => {
  const redis = await freshRedis();
  const store = await RedisSnapshots.open(redis.url, () => undefined);
  const factIds = new FactIds();
  const clock = new SteadyClock();
  const expiry = new Expiry(
    clock,
    { observe: () => undefined },
    () => Number.POSITIVE_INFINITY,
    () => undefined,
  );
  const partitions = Array.from({ length: PARTITIONS }, (_, number) => new Partition(number));
  for (const partition of partitions) partition.book.onTimed = (part) => expiry.add(part);
  const of = (sku: string) => partitions[partitionOf(sku, PARTITIONS)] as Partition;

  const empty = used();
  for (let n = 0; n < MILLION; n++) {
    const sku = `sku-${n % SKUS}`;
    applyFact(of(sku).book, {
      id: `f${n}`,
      type: 'receipt',
      sku,
      location: `store-${Math.floor(n / SKUS)}`,
      at: 1e15 + n,
      qty: 5,
      damaged: 0,
    });
  }
  const actors = (used() - empty) / MILLION;
  const filled = used();
  const expiresAtMs = clock.nowMs() + 86_400_000;
  for (let n = 0; n < MILLION; n++) {
    const sku = `sku-${n % SKUS}`;
    const { number, book } = of(sku);
    const line = { index: 0, sku, location: `store-${Math.floor(n / SKUS)}`, qty: 1, partition: number, seq: n };
    const id = `cart-${n}`;
    applyDecision(book, {
      kind: 'granted',
      id,
      content: { hi: n, lo: n },
      channel: 'web',
      purpose: 'order',
      atMs: 1,
      expiresAtMs,
      coordinator: number,
      participants: [number],
      parts: [[number, 1]],
      lines: [line],
      shortages: [],
    });
  }
  const holds = (used() - filled) / MILLION;
  expect(expiry.size).toBe(MILLION);

  const context = {
    partitions: PARTITIONS,
    created: CREATED,
    horizonsKnown: () => 1,
    tip: () => ({ writer: 'w', n: 0, hash: '', seq: 0 }),
    clock,
    turnMs: 50,
  };
  for (const partition of partitions)
    expect(await new Snapshotter(partition, factIds, store, context).take()).toBe(true);

  const began = process.cpuUsage();
  const lastSeqs = Object.fromEntries(Object.keys(CREATED).map((name) => [name, 0]));
  const deps = {
    broker: { stream: async () => undefined },
    store,
    factIds: new FactIds(),
    partitions: PARTITIONS,
    created: CREATED,
    lastSeqs,
    rules: { changedBy: () => false, widestMs: () => Number.POSITIVE_INFINITY, latestOf: () => undefined },
    note: () => undefined,
  };
  let [keys, held] = [0, 0];
  for (let number = 0; number < PARTITIONS; number++) {
    const partition = new Partition(number);
    await loadSnapshot(deps, { partition, snapshotter: new Snapshotter(partition, deps.factIds, store, context) });
    keys += partition.book.keyCount;
    for (const entry of partition.book.skus.values()) for (const key of entry.keys) held += key.held;
    if (number === 0) expect(audit(partition.book)).toEqual([]);
  }
  const { user, system } = process.cpuUsage(began);
  const seconds = (user + system) / 1e6;
  store.close();
  console.log(
    `a million actors: ${actors.toFixed(0)} bytes each; a million holds: ${holds.toFixed(0)} bytes each; loaded again in ${seconds.toFixed(1)} s of processor time`,
  );
  expect([keys, held]).toEqual([MILLION, MILLION]);
  expect(actors).toBeLessThan(BYTES_PER_ACTOR);
  expect(holds).toBeLessThan(BYTES_PER_HOLD);
  expect(seconds).toBeLessThan(RESTART_SECONDS);
}, 400_000);
