/** Behaviour of every snapshot store: the one in Redis, the one in memory and the one of the simulation. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MemorySnapshots } from '../../../actors/snapshot/memory-store.ts';
import type { SnapshotStore } from '../../../actors/snapshot/snapshotter.ts';
import { freshRedis } from '../../../harness/servers/servers.ts';
import { Host } from '../../../sim/host.ts';
import { Scheduler } from '../../../sim/scheduler.ts';
import { Shelves, SimStore } from '../../../sim/servers/store.ts';
import { RedisSnapshots } from '../../../src/redis/snapshot-store.ts';
import { Random } from '../../../streams/random.ts';

interface Opened {
  readonly store: SnapshotStore;
  close(): Promise<void>;
}

async function inRedis(): Promise<Opened> {
  const store = await RedisSnapshots.open((await freshRedis()).url, () => undefined);
  return { store, close: async () => store.close() };
}

async function inMemory(): Promise<Opened> {
  return { store: new MemorySnapshots(), close: async () => undefined };
}

async function simulated(): Promise<Opened> {
  const random = new Random(1);
  const scheduler = new Scheduler(random.fork('order'));
  const host = new Host('conformance', scheduler, 0, 0);
  let closed = false;
  const passing = (async () => {
    while (!closed) await scheduler.run(scheduler.nowMs + 10, () => undefined);
  })();
  return {
    store: new SimStore(new Shelves(true), host, scheduler, random.fork('store')),
    close: async () => {
      closed = true;
      await passing;
    },
  };
}

describe.each([
  ['Redis', inRedis],
  ['memory', inMemory],
  ['the simulation', simulated],
])('a store of snapshots in %s', (_name, open) => {
  let opened: Opened;
  let store: SnapshotStore;
  let partition = 0;
  const blob = (name: string) => ({ name, bytes: Buffer.from(`bytes of ${name}`) });
  const texts = async () => (await store.manifests(partition)).map(String);
  const swap = (epoch: number, manifest: string, drop: string[] = [], expectOne = false) =>
    store.swap(partition, epoch, Buffer.from(manifest), drop, expectOne);

  beforeAll(async () => {
    opened = await open();
    store = opened.store;
  });
  afterAll(() => opened.close());
  beforeEach(() => {
    partition += 1;
  });

  it('has nothing of a partition that it was not given', async () => {
    expect([await texts(), await store.names(partition), await store.read(partition, ['p0'])]).toEqual([
      [],
      [],
      [undefined],
    ]);
  });

  it('gives back the blobs that it was given, and says which it has not', async () => {
    await store.write(partition, [blob('p0'), blob('p1')]);
    expect(await store.read(partition, ['p1', 'p2', 'p0'])).toEqual([blob('p1').bytes, undefined, blob('p0').bytes]);
    expect((await store.names(partition)).sort()).toEqual(['p0', 'p1']);
    expect(await texts()).toEqual([]);
  });

  it('keeps the manifest in force and the one before, and drops what no generation names', async () => {
    for (const n of [1, 2, 3]) {
      await store.write(partition, [blob(`p${n}`)]);
      expect(await swap(5, `manifest ${n}`, n === 3 ? ['p1'] : [], n > 1)).toBe('swapped');
    }
    expect(await texts()).toEqual(['manifest 3', 'manifest 2']);
    expect((await store.names(partition)).sort()).toEqual(['p2', 'p3']);
  });

  it('takes nothing from an owner before the last one, and drops nothing for it', async () => {
    await store.write(partition, [blob('p1')]);
    expect(await swap(7, 'newer')).toBe('swapped');
    expect(await swap(6, 'older', ['p1'])).toBe('older');
    expect([await texts(), await store.names(partition)]).toEqual([['newer'], ['p1']]);
  });

  it('says that it has lost the one that was expected to be in force', async () => {
    await store.write(partition, [blob('p1')]);
    expect(await swap(1, 'a second one', [], true)).toBe('lost');
    expect(await texts()).toEqual([]);
    expect(await swap(1, 'a whole one')).toBe('swapped');
  });
});
