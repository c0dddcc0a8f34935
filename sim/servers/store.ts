/** A snapshot store that behaves like Redis. It may be unavailable, emptied or damaged, or return with an older copy of its data. */
import { MemorySnapshots } from '../../actors/snapshot/memory-store.ts';
import { type SnapshotKey, snapshotKey } from '../../actors/snapshot/seal.ts';
import type { SnapshotStore } from '../../actors/snapshot/snapshotter.ts';
import { Secret } from '../../config/servers/secret.ts';
import type { Random } from '../../streams/random.ts';
import type { Host } from '../host.ts';
import type { Scheduler } from '../scheduler.ts';

export class Shelves {
  /** The key that seals snapshots, the same on every node; undefined if they are not sealed. */
  readonly key: SnapshotKey | undefined;
  store: MemorySnapshots;
  #copy: MemorySnapshots;
  away = false;
  /** Longest additional delay of a call, in milliseconds. */
  slowMs = 0;
  /** Called for each snapshot that is written, and for each that is requested. */
  onSwapped: () => void = () => undefined;
  onRead: () => void = () => undefined;

  constructor(sealed: boolean) {
    this.key = sealed ? snapshotKey(new Secret('the same on every simulated node')) : undefined;
    this.store = new MemorySnapshots(this.key);
    this.#copy = new MemorySnapshots(this.key);
  }

  empty(): void {
    this.store = new MemorySnapshots(this.key);
  }

  /** Keeps a copy, like a replica or a dump. */
  dump(): void {
    this.#copy = new MemorySnapshots(this.key, this.store.kept);
  }

  /** Replaces the data with the older copy. */
  restore(): void {
    this.store = new MemorySnapshots(this.key, this.#copy.kept);
  }

  /** Flips a bit of one stored item, and sometimes truncates it first. */
  damage(random: Random): void {
    const all = [...this.store.kept.values()].filter((kept) => kept.manifests.length > 0);
    if (all.length === 0) return;
    const kept = random.pick(all);
    const flip = (bytes: Buffer) => {
      const torn = Buffer.from(random.chance(0.3) ? bytes.subarray(0, random.whole(0, bytes.length - 1)) : bytes);
      const at = random.whole(0, Math.max(0, torn.length - 1));
      if (torn.length > 0) torn[at] = (torn[at] as number) ^ (1 << random.whole(0, 7));
      return torn;
    };
    if (random.chance(0.3) || kept.blobs.size === 0) kept.manifests[0] = flip(kept.manifests[0] as Buffer);
    else {
      const name = random.pick([...kept.blobs.keys()]);
      kept.blobs.set(name, flip(kept.blobs.get(name) as Buffer));
    }
  }
}

/** The shelves as one host reaches them. */
export class SimStore implements SnapshotStore {
  readonly key: SnapshotKey | undefined;
  readonly #shelves: Shelves;
  readonly #host: Host;
  readonly #scheduler: Scheduler;
  readonly #random: Random;

  constructor(shelves: Shelves, host: Host, scheduler: Scheduler, random: Random) {
    this.key = shelves.key;
    this.#shelves = shelves;
    this.#host = host;
    this.#scheduler = scheduler;
    this.#random = random;
  }

  write(...given: Parameters<SnapshotStore['write']>): Promise<void> {
    return this.#do((store) => store.write(...given));
  }

  swap(...given: Parameters<SnapshotStore['swap']>): Promise<'swapped' | 'older' | 'lost'> {
    return this.#do(async (store) => {
      const outcome = await store.swap(...given);
      if (outcome === 'swapped') this.#shelves.onSwapped();
      return outcome;
    });
  }

  manifests(partition: number): Promise<Buffer[]> {
    return this.#do((store) => {
      this.#shelves.onRead();
      return store.manifests(partition);
    });
  }

  read(partition: number, names: readonly string[]): Promise<(Buffer | undefined)[]> {
    return this.#do((store) => store.read(partition, names));
  }

  names(partition: number): Promise<string[]> {
    return this.#do((store) => store.names(partition));
  }

  /** The request and the answer each take time. The store does its work at a single moment. */
  #do<T>(work: (store: MemorySnapshots) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#scheduler.after(this.#random.between(0.05, 2 + this.#shelves.slowMs), () => {
        if (this.#shelves.away) {
          this.#host.reach(() => reject(new Error('the store is away')));
          return;
        }
        const result = work(this.#shelves.store);
        this.#scheduler.after(this.#random.between(0.05, 1), () => this.#host.reach(() => resolve(result)));
      });
    });
  }
}
