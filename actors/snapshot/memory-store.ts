/** A snapshot store in memory that follows the rules of the one in Redis. Tests and simulations can copy and damage its contents. */
import type { SnapshotKey } from './seal.ts';
import type { SnapshotStore } from './snapshotter.ts';

/** Stored snapshots of one partition. */
export interface KeptSnapshots {
  epoch: number;
  /** Manifests in force, newest first, at most two. */
  manifests: Buffer[];
  readonly blobs: Map<string, Buffer>;
}

export class MemorySnapshots implements SnapshotStore {
  readonly key: SnapshotKey | undefined;
  kept: Map<number, KeptSnapshots>;

  /** @param kept contents of an earlier store, which are copied into this one */
  constructor(key?: SnapshotKey, kept: ReadonlyMap<number, KeptSnapshots> = new Map()) {
    this.key = key;
    this.kept = new Map(
      [...kept].map(([number, { epoch, manifests, blobs }]) => [
        number,
        { epoch, manifests: [...manifests], blobs: new Map(blobs) },
      ]),
    );
  }

  of(partition: number): KeptSnapshots {
    let kept = this.kept.get(partition);
    if (kept === undefined) {
      kept = { epoch: 0, manifests: [], blobs: new Map() };
      this.kept.set(partition, kept);
    }
    return kept;
  }

  async write(partition: number, blobs: readonly { name: string; bytes: Buffer }[]): Promise<void> {
    const kept = this.of(partition);
    for (const { name, bytes } of blobs) kept.blobs.set(name, Buffer.from(bytes));
  }

  async swap(
    partition: number,
    epoch: number,
    manifest: Buffer,
    drop: readonly string[],
    expectOne: boolean,
  ): Promise<'swapped' | 'older' | 'lost'> {
    const kept = this.of(partition);
    if (kept.epoch > epoch) return 'older';
    if (expectOne && kept.manifests.length === 0) return 'lost';
    kept.manifests = [Buffer.from(manifest), ...kept.manifests.slice(0, 1)];
    kept.epoch = epoch;
    for (const name of drop) kept.blobs.delete(name);
    return 'swapped';
  }

  async manifests(partition: number): Promise<Buffer[]> {
    return [...this.of(partition).manifests];
  }

  async read(partition: number, names: readonly string[]): Promise<(Buffer | undefined)[]> {
    const { blobs } = this.of(partition);
    return names.map((name) => blobs.get(name));
  }

  async names(partition: number): Promise<string[]> {
    return [...this.of(partition).blobs.keys()];
  }
}
