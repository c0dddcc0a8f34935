/** The snapshot store as Redis behaves: it may be away, emptied, damaged, or come back with an older copy of itself. */
import { snapshotKey } from '../actors/snapshot/seal.ts';
import type { SnapshotStore } from '../actors/snapshot/snapshotter.ts';
import { Secret } from '../config/secret.ts';
import type { Host } from './host.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

interface Kept {
  epoch: number;
  manifests: Buffer[];
  readonly blobs: Map<string, Buffer>;
}

export class Shelves {
  #kept = new Map<number, Kept>();
  #copy = new Map<number, Kept>();
  away = false;
  /** Milliseconds, at most, that a call takes longer. */
  slowMs = 0;
  /** Told of each snapshot that is written, and of each that is asked for. */
  onSwapped: () => void = () => undefined;
  onRead: () => void = () => undefined;

  of(partition: number): Kept {
    let kept = this.#kept.get(partition);
    if (kept === undefined) {
      kept = { epoch: 0, manifests: [], blobs: new Map() };
      this.#kept.set(partition, kept);
    }
    return kept;
  }

  empty(): void {
    this.#kept.clear();
  }

  /** Keeps a copy, as a replica or a dump does. */
  dump(): void {
    this.#copy = copyOf(this.#kept);
  }

  /** The older copy takes its place. */
  restore(): void {
    this.#kept = copyOf(this.#copy);
  }

  /** Flips a bit, or cuts the end off, of something that is kept. */
  damage(random: Random): void {
    const all = [...this.#kept.values()].filter((kept) => kept.manifests.length > 0);
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

function copyOf(kept: ReadonlyMap<number, Kept>): Map<number, Kept> {
  return new Map(
    [...kept].map(([number, { epoch, manifests, blobs }]) => [
      number,
      { epoch, manifests: [...manifests], blobs: new Map(blobs) },
    ]),
  );
}

const KEY = snapshotKey(new Secret('the same on every simulated node'));

/** The shelves as one host reaches them. */
export class SimStore implements SnapshotStore {
  readonly key = KEY;
  readonly #shelves: Shelves;
  readonly #host: Host;
  readonly #scheduler: Scheduler;
  readonly #random: Random;

  constructor(shelves: Shelves, host: Host, scheduler: Scheduler, random: Random) {
    this.#shelves = shelves;
    this.#host = host;
    this.#scheduler = scheduler;
    this.#random = random;
  }

  write(partition: number, blobs: readonly { name: string; bytes: Buffer }[]): Promise<void> {
    return this.#do(partition, (kept) => {
      for (const { name, bytes } of blobs) kept.blobs.set(name, Buffer.from(bytes));
    });
  }

  swap(
    partition: number,
    epoch: number,
    manifest: Buffer,
    drop: readonly string[],
    expectOne: boolean,
  ): Promise<'swapped' | 'older' | 'lost'> {
    return this.#do(partition, (kept) => {
      if (kept.epoch > epoch) return 'older';
      if (expectOne && kept.manifests.length === 0) return 'lost';
      kept.manifests = [Buffer.from(manifest), ...kept.manifests.slice(0, 1)];
      kept.epoch = epoch;
      for (const name of drop) kept.blobs.delete(name);
      this.#shelves.onSwapped();
      return 'swapped';
    });
  }

  manifests(partition: number): Promise<Buffer[]> {
    return this.#do(partition, (kept) => {
      this.#shelves.onRead();
      return [...kept.manifests];
    });
  }

  read(partition: number, names: readonly string[]): Promise<(Buffer | undefined)[]> {
    return this.#do(partition, (kept) => names.map((name) => kept.blobs.get(name)));
  }

  names(partition: number): Promise<string[]> {
    return this.#do(partition, (kept) => [...kept.blobs.keys()]);
  }

  #do<T>(partition: number, work: (kept: Kept) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#scheduler.after(this.#random.between(0.05, 2 + this.#shelves.slowMs), () => {
        if (this.#shelves.away) {
          this.#host.reach(() => reject(new Error('the store is away')));
          return;
        }
        const result = work(this.#shelves.of(partition));
        this.#scheduler.after(this.#random.between(0.05, 1), () => this.#host.reach(() => resolve(result)));
      });
    });
  }
}
