/**
 * Recovery of a set of partitions: the newest whole snapshot of each, then JOURNAL from there to a target.
 *
 * Invariants:
 *  Y1 A snapshot is used only if it is whole, of these streams and this partition count, and not ahead of what the streams hold.
 *     Else the one before; else the log alone.
 *  Y2 A log that is shorter than a snapshot knows, or whose chain breaks, stops recovery: it has lost what was acknowledged.
 *  Y3 Replay folds outcomes in stream order and decides nothing.
 */
import { failpoint } from '../config/failpoints.ts';
import { FACT_STREAM_NAMES, JOURNAL_STREAM } from '../config/topology.ts';
import type { Broker } from '../streams/connection.ts';
import { decodeRecord, recordHash } from '../streams/decisions.ts';
import { readUntil } from '../streams/follower.ts';
import type { ChainTip, Partition } from './partition.ts';
import type { SeenIds } from './seen.ts';
import { checkBlob, decodeManifest, loadPages, type Manifest, SnapshotError } from './snapshot.ts';
import type { SnapshotStore, Snapshotter } from './snapshotter.ts';
import { applyDecision } from './stock/evolve.ts';
import { StockBook } from './stock/state.ts';

/** The log has lost something that was acknowledged: nobody may serve from it. */
export class LostLogError extends Error {
  override readonly name = 'LostLogError';
}

export interface RecoveryWorld {
  readonly broker: Broker;
  readonly store: SnapshotStore;
  readonly seen: SeenIds;
  readonly partitions: number;
  readonly created: Readonly<Record<string, string>>;
  /** Last sequence of every stream now. */
  readonly lastSeqs: Readonly<Record<string, number>>;
  readonly note: (message: string, detail: Record<string, unknown>) => void;
}

export interface Recovering {
  readonly partition: Partition;
  readonly snapshotter: Snapshotter;
}

/** Loads what can be loaded of a partition; returns the chain tip that its snapshot knew, undefined without a snapshot. */
export async function loadSnapshot(
  world: RecoveryWorld,
  { partition, snapshotter }: Recovering,
): Promise<ChainTip | undefined> {
  let manifests: Buffer[];
  try {
    manifests = await world.store.manifests(partition.number);
  } catch (error) {
    world.note('snapshots cannot be read; the log alone gives the same state', {
      partition: partition.number,
      why: (error as Error).message,
    });
    return undefined;
  }
  for (const bytes of manifests) {
    try {
      const manifest = decodeManifest(bytes);
      check(world, partition.number, manifest);
      await fill(world, partition, snapshotter, manifest);
      return manifest.tip;
    } catch (error) {
      if (error instanceof LostLogError) throw error;
      world.note('a snapshot is not used', { partition: partition.number, why: (error as Error).message });
      reset(world, partition);
    }
  }
  if (manifests.length > 0) snapshotter.forget();
  return undefined;
}

/** Folds JOURNAL from the oldest snapshot's sequence to the target into the partitions. */
export async function replayJournal(
  world: RecoveryWorld,
  partitions: readonly Partition[],
  tips: readonly ChainTip[],
  target: number,
): Promise<number> {
  const from = Math.min(...partitions.map((partition) => partition.journalSeq)) + 1;
  const wanted = new Map(partitions.map((partition) => [partition.number, partition]));
  const chain = new Map<string, Omit<ChainTip, 'writer'>>();
  let decisions = 0;
  let reached = from - 1;
  await readUntil(world.broker, JOURNAL_STREAM, ['journal.*'], from, target, (message) => {
    failpoint('mid-replay');
    // Nothing is ever deleted from JOURNAL: a number that is left out is a record that is lost.
    if (message.seq !== reached + 1)
      throw new LostLogError(`JOURNAL lacks what stood at sequence ${reached + 1}: the next is ${message.seq}`);
    reached = message.seq;
    const record = decodeRecord(message.data);
    const read = chain.get(record.writer);
    const known = read ?? tipBefore(tips, record.writer, message.seq);
    // Between a snapshot's tip and what is read here there may be records that need no reading, such as fences.
    const unread = read === undefined && known !== undefined && known.seq < from - 1 && record.n > known.n + 1;
    const follows =
      known === undefined ? from > 1 || record.n === 1 : record.n === known.n + 1 && record.before === known.hash;
    if (!follows && !unread) {
      throw new LostLogError(
        `JOURNAL breaks at sequence ${message.seq}: record ${record.n} of ${record.writer} does not follow record ${known?.n ?? 0}`,
      );
    }
    chain.set(record.writer, { n: record.n, hash: recordHash(message.data), seq: message.seq });
    for (const decision of record.decisions) {
      if (decision.kind === 'fenced') continue;
      for (const [number] of decision.parts) {
        const partition = wanted.get(number);
        if (partition === undefined || message.seq <= partition.journalSeq) continue;
        applyDecision(partition.book, decision);
        decisions += 1;
      }
    }
  });
  if (reached < target && target >= from) throw new LostLogError(`JOURNAL lacks what stood at sequence ${reached + 1}`);
  for (const partition of partitions) partition.journalSeq = Math.max(partition.journalSeq, target);
  return decisions;
}

function check(world: RecoveryWorld, number: number, manifest: Manifest): void {
  if (manifest.partition !== number || manifest.partitions !== world.partitions) {
    throw new SnapshotError(`it is of partition ${manifest.partition} of ${manifest.partitions}`);
  }
  // Streams that came with a later version are none that it could know.
  const streams = Object.keys(world.created).filter((stream) => manifest.created[stream] !== undefined);
  const foreign = streams.filter((stream) => manifest.created[stream] !== world.created[stream]);
  // A snapshot of other streams is a leftover of another installation only if it knows of none of these.
  if (foreign.length === streams.length)
    throw new SnapshotError('it belongs to other streams than those that are there');
  if (foreign.length > 0) {
    throw new LostLogError(
      `stream ${foreign.join(', ')} was made anew, but a snapshot knows what it held before: that is lost`,
    );
  }
  const behind = [
    ...FACT_STREAM_NAMES.map((name) => [name, manifest.positions[name]] as const),
    [JOURNAL_STREAM, manifest.journalSeq] as const,
  ].find(([name, seq]) => seq > (world.lastSeqs[name] ?? 0));
  if (behind !== undefined) {
    const [name, seq] = behind;
    throw new LostLogError(
      `stream ${name} ends at ${world.lastSeqs[name]}, but a snapshot knows it up to ${seq}: its end has been lost`,
    );
  }
}

async function fill(
  world: RecoveryWorld,
  partition: Partition,
  snapshotter: Snapshotter,
  manifest: Manifest,
): Promise<void> {
  const refs = [...manifest.pages, ...manifest.ids];
  const blobs = await world.store.read(
    partition.number,
    refs.map((ref) => ref.name),
  );
  const whole = refs.map((ref, i) => checkBlob(ref, blobs[i]));
  loadPages(
    partition.book,
    manifest.pages.map((ref, i) => ({ page: ref.page, bytes: whole[i] as Buffer })),
  );
  manifest.ids.forEach((ref, i) => {
    const bytes = whole[manifest.pages.length + i] as Buffer;
    const words = new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    world.seen.load(partition.number, words, ref.latest);
  });
  Object.assign(partition.positions, manifest.positions);
  partition.journalSeq = manifest.journalSeq;
  partition.snapshotAtMs = manifest.atMs;
  const named = new Set(refs.map((ref) => ref.name));
  const stray = (await world.store.names(partition.number)).filter((name) => !named.has(name));
  snapshotter.resume(
    manifest,
    world.seen.chunksOf(partition.number).map((chunk) => chunk.number),
    stray,
  );
}

function reset(world: RecoveryWorld, partition: Partition): void {
  world.seen.drop(partition.number);
  const { book } = partition;
  const fresh = new StockBook(partition.number);
  book.skus.clear();
  book.parts.clear();
  book.homes.clear();
  book.pages.length = 0;
  Object.assign(book, { keyCount: fresh.keyCount });
  for (const stream of FACT_STREAM_NAMES) partition.positions[stream] = 0;
  partition.journalSeq = 0;
}

function tipBefore(tips: readonly ChainTip[], writer: string, seq: number): ChainTip | undefined {
  let best: ChainTip | undefined;
  for (const tip of tips) {
    if (tip.writer === writer && tip.n > 0 && tip.seq < seq && (best === undefined || tip.n > best.n)) best = tip;
  }
  return best;
}
