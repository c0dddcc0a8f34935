/**
 * Takes snapshots of a partition while the partition keeps working. Only changed pages are written, each as it was at one moment.
 *
 * That moment is synchronous: changed pages are marked as awaited, and positions and ids are copied. Pages are then encoded a few at
 * a time. A page that is about to change is encoded first (copy on write, see Pages.touch). The store swaps the manifest in only after
 * every blob is stored.
 *
 * Invariant SH1: a partition that was dropped is not copied any more. Its node may have forgotten its ids, or may hold those of a new
 * take-over under the same number. A snapshot without its ids would count facts twice.
 */

import { failpoint } from '../../config/failpoints.ts';
import { FACT_STREAM_NAMES } from '../../config/topology.ts';
import { at, present } from '../../streams/assert.ts';
import type { Clock } from '../../streams/clock.ts';
import type { ChainTip } from '../../streams/journal/record.ts';
import type { FactIds } from '../idempotency/fact-ids.ts';
import type { Partition } from '../partition/partition.ts';
import { blobRef, blobsOf, encodeManifest, encodePage, type IdsRef, type Manifest, type PageRef } from './format.ts';
import type { SnapshotKey } from './seal.ts';

/**
 * An unchanged partition is snapshotted too when its last snapshot is more than this many messages old. Otherwise that snapshot would hold
 * back every start, because a start reads from the oldest one. A message may be a bundle of hundreds of facts.
 */
const MESSAGES_BEHIND = 1_000;

/** Stores snapshots, which are copies and never the truth. */
export interface SnapshotStore {
  /** Seals manifests that are written and checks those that are read. Without a key, anyone who can write to the store is trusted. */
  readonly key?: SnapshotKey | undefined;
  /** Writes blobs, which are not in force until a manifest that names them is swapped in. */
  write(partition: number, blobs: readonly { name: string; bytes: Buffer }[]): Promise<void>;
  /**
   * Swaps the manifest in and drops blobs that no generation names. Returns `older` if a manifest of a newer epoch is in force. Returns
   * `lost` if the manifest that was expected to be in force is gone, because blobs that the new one names may be gone too.
   */
  swap(
    partition: number,
    epoch: number,
    manifest: Buffer,
    drop: readonly string[],
    expectOne: boolean,
  ): Promise<'swapped' | 'older' | 'lost'>;
  /** Manifests in force, newest first, at most two. */
  manifests(partition: number): Promise<Buffer[]>;
  read(partition: number, names: readonly string[]): Promise<(Buffer | undefined)[]>;
  /** Names of all stored blobs. */
  names(partition: number): Promise<string[]>;
}

export interface SnapshotContext {
  readonly partitions: number;
  readonly created: Readonly<Record<string, string>>;
  readonly horizonsKnown: () => number;
  readonly tip: () => ChainTip;
  readonly clock: Clock;
  /** Page encoding per turn of the event loop, in milliseconds. */
  readonly turnMs: number;
  /** Called when the store has lost the previous snapshot. */
  readonly lost?: (partition: number) => void;
}

export class Snapshotter {
  readonly #partition: Partition;
  readonly #factIds: FactIds;
  readonly #store: SnapshotStore;
  readonly #context: SnapshotContext;
  #pages = new Map<number, PageRef>();
  #ids = new Map<number, IdsRef>();
  /** Blob names of the newest generation, then of the one before it, which the next swap drops. */
  #kept: ReadonlySet<string>[] = [];
  #stray: string[] = [];
  /** How far the last snapshot has folded the streams. */
  #reached: Pick<Manifest, 'positions' | 'journalSeq'>;
  #count = 0;
  /** What the observer had been told at the last snapshot. */
  #told = 0;
  #whole = false;
  #busy = false;

  constructor(partition: Partition, factIds: FactIds, store: SnapshotStore, context: SnapshotContext) {
    this.#partition = partition;
    this.#factIds = factIds;
    this.#store = store;
    this.#context = context;
    this.#reached = { positions: { ...partition.positions }, journalSeq: partition.journalSeq };
  }

  /** Continues from a loaded snapshot, so its unchanged pages are not written again. */
  resume(manifest: Manifest, chunks: readonly number[], stray: readonly string[]): void {
    this.#pages = new Map(manifest.pages.map((ref) => [ref.page, ref]));
    this.#ids = new Map(manifest.ids.map((ref, i) => [at(chunks, i), ref]));
    this.#kept = [new Set(blobsOf(manifest).map((ref) => ref.name))];
    this.#stray = [...stray];
    this.#reached = manifest;
  }

  /** Makes the next snapshot a whole one, for example after the store has lost the previous one. */
  forget(): void {
    this.#whole = true;
  }

  get due(): boolean {
    if (this.#busy) return false;
    const { books, snapshotSeq, observer } = this.#partition;
    const isChanged = books.seq !== snapshotSeq || (observer?.told ?? 0) !== this.#told;
    return isChanged || this.#whole || this.#behind() > MESSAGES_BEHIND;
  }

  /** Messages of the fact streams and JOURNAL that a start would have to read because of the age of the last snapshot. */
  #behind(): number {
    const { positions, journalSeq } = this.#partition;
    let sum = journalSeq - this.#reached.journalSeq;
    for (const stream of FACT_STREAM_NAMES) sum += positions[stream] - this.#reached.positions[stream];
    return sum;
  }

  /** Takes a snapshot if one is due. Returns false if none is, or if a newer owner has written one. Rejects if the store fails. */
  async take(): Promise<boolean> {
    if (!this.due) return false;
    this.#busy = true;
    try {
      return await this.#take();
    } finally {
      this.#busy = false;
    }
  }

  async #take(): Promise<boolean> {
    // It may have been dropped while the store answered, or while the round took the snapshots of others (SH1).
    // mutant: dropped-is-copied
    if (this.#partition.state === 'dropped') return false;
    const { book, books } = this.#partition;
    const { pages: all } = books;
    this.#count += 1;
    const suffix = `${book.epoch}.${this.#count}`;
    const encoded = new Map<number, Buffer>();
    const awaited: number[] = [];
    const encode = (index: number) => {
      const page = all.list[index];
      if (page?.awaited !== true) return;
      page.awaited = false;
      encoded.set(index, encodePage(books, page.items));
    };
    all.beforeAwaited = encode;
    for (const [index, page] of all.list.entries()) {
      if (!page.dirty && !this.#whole) continue;
      page.dirty = false;
      page.awaited = true;
      awaited.push(index);
    }
    const ids = this.#copyIds(suffix);
    // The observer is encoded at the very moment of the snapshot (PV2).
    const watch = this.#keepObserver(suffix);
    // Positions are copied in the same turn in which pages are marked (SN1).
    const meta = this.#meta();
    // The manifest's positions are past these messages, so they must be in PARKED before the swap. Later ones are after its positions.
    const parking = [...this.#partition.parking];
    const { seq } = books;
    const told = this.#partition.observer?.told ?? 0;
    const written: string[] = [];
    // Pages and ids that did not come into force are written again next time. Their stored blobs have no manifest and are dropped then.
    const unwritten = () => {
      this.#stray.push(...written);
      for (const index of awaited) {
        const page = all.list[index];
        if (page !== undefined) {
          page.dirty = true;
          page.awaited = false;
        }
      }
      for (const chunk of this.#factIds.chunksOf(this.#partition.number)) chunk.dirty = true;
    };
    try {
      const { clock } = this.#context;
      let began = clock.monoMs();
      for (const index of awaited) {
        encode(index);
        if (clock.monoMs() - began < this.#context.turnMs) continue;
        await new Promise<void>((resolve) => clock.turn(resolve));
        began = clock.monoMs();
      }
      const pages = new Map(this.#pages);
      const blobs = watch === undefined ? ids.blobs : [...ids.blobs, watch];
      for (const index of awaited) {
        const bytes = present(encoded.get(index), 'SN1');
        if ((all.list[index]?.items.size ?? 0) === 0 && bytes.length < 2) {
          pages.delete(index);
          continue;
        }
        // A changed page gets a new name (SN2).
        const name = `p${index}.${suffix}`;
        pages.set(index, { page: index, ...blobRef(name, bytes) });
        blobs.push({ name, bytes });
      }
      written.push(...blobs.map((blob) => blob.name));
      const half = blobs.length >> 1;
      await this.#store.write(this.#partition.number, blobs.slice(0, half));
      failpoint('snapshot-half-written');
      await this.#store.write(this.#partition.number, blobs.slice(half));
      failpoint('snapshot-before-swap');
      // mutant: snapshot-before-parked
      await Promise.all(parking);
      const manifest: Manifest = {
        ...meta,
        pages: [...pages.values()],
        ids: [...ids.refs.values()],
        ...(watch === undefined ? {} : { watch: blobRef(watch.name, watch.bytes) }),
      };
      const names = new Set(blobsOf(manifest).map((ref) => ref.name));
      const before = this.#kept[0] ?? new Set<string>();
      const drop = [...(this.#kept[1] ?? []), ...this.#stray].filter((name) => !names.has(name) && !before.has(name));
      const expectOne = this.#kept.length > 0 && !this.#whole;
      const outcome = await this.#store.swap(
        this.#partition.number,
        book.epoch,
        encodeManifest(manifest, this.#store.key),
        drop,
        expectOne,
      );
      if (outcome === 'older') {
        // mutant: refused-pages-count
        unwritten();
        return false;
      }
      if (outcome === 'lost') {
        unwritten();
        this.forget();
        this.#context.lost?.(this.#partition.number);
        // A whole snapshot does not depend on what the store still holds.
        return await this.#take();
      }
      this.#pages = pages;
      this.#ids = ids.refs;
      this.#kept = [names, before];
      this.#stray = [];
      this.#whole = false;
      this.#reached = meta;
      this.#partition.snapshotSeq = seq;
      this.#told = told;
      this.#partition.snapshotAtMs = meta.atMs;
      return true;
    } catch (error) {
      unwritten();
      throw error;
    }
  }

  #keepObserver(suffix: string): { name: string; bytes: Buffer } | undefined {
    const kept = this.#partition.observer?.keep();
    return kept === undefined ? undefined : { name: `w.${suffix}`, bytes: Buffer.from(kept) };
  }

  #meta() {
    const { book, positions, journalSeq, number, remembersMs } = this.#partition;
    return {
      partitions: this.#context.partitions,
      partition: number,
      epoch: book.epoch,
      seq: book.seq,
      atMs: this.#context.clock.nowMs(),
      // mutant: positions-not-copied
      positions: { ...positions },
      journalSeq,
      tip: this.#context.tip(),
      created: this.#context.created,
      horizonMs: remembersMs === Number.POSITIVE_INFINITY ? null : remembersMs,
      horizonsKnown: this.#context.horizonsKnown(),
      idsBy: 'stored' as const,
    };
  }

  #copyIds(suffix: string): { refs: Map<number, IdsRef>; blobs: { name: string; bytes: Buffer }[] } {
    const refs = new Map<number, IdsRef>();
    const blobs: { name: string; bytes: Buffer }[] = [];
    for (const chunk of this.#factIds.chunksOf(this.#partition.number)) {
      const known = this.#ids.get(chunk.number);
      if (known !== undefined && !chunk.dirty && !this.#whole) {
        // The chunk's own `latest`, because loading corrects the value that a snapshot of 0.1 recorded.
        refs.set(chunk.number, { ...known, latest: chunk.latest });
        continue;
      }
      chunk.dirty = false;
      const name = `i${chunk.number}.${suffix}`;
      const bytes = Buffer.from(chunk.words.slice(0, chunk.used * 4).buffer);
      refs.set(chunk.number, { ...blobRef(name, bytes), latest: chunk.latest });
      blobs.push({ name, bytes });
    }
    return { refs, blobs };
  }
}
