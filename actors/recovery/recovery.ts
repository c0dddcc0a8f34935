/**
 * Recovers a set of partitions. It loads the newest usable snapshot of each and replays JOURNAL from there to a target. The log is the
 * truth, and a snapshot only shortens the replay.
 *
 * Invariants:
 *  RY1 A snapshot is used only if it is whole, of these streams and this partition count, and not ahead of what the streams hold.
 *     Otherwise recovery uses the previous one, then a baseline, then the log alone.
 *  RY2 A log that is shorter than a snapshot recorded, or whose chain breaks, stops recovery, because it has lost something acknowledged.
 *     A snapshot is also rejected if it has dropped ids that a wider horizon needs, or if its facts were judged by rules other than the
 *     list's.
 *  RY3 Replay folds outcomes in stream order and decides nothing.
 *  RY4 A snapshot that ends before the floor of a stream (the point up to which it may have been trimmed) is not used. Without a newer
 *     snapshot or a baseline, the partition is not served.
 *  RY5 A loss stops only the partitions that it concerns. These are all partitions if the end of a stream is gone. If a chain breaks, these
 *     are the partitions that have not yet folded past the break.
 */

import { failpoint } from '../../config/failpoints.ts';
import { FACT_STREAM_NAMES, type FactStream, JOURNAL_STREAM } from '../../config/topology.ts';
import type { Broker, StoredMessage } from '../../streams/broker.ts';
import { isFence } from '../../streams/journal/decision.ts';
import type { Floors } from '../../streams/journal/floors.ts';
import type { ChainTip } from '../../streams/journal/record.ts';
import { type JournalRecord, recordHash } from '../../streams/journal/record.ts';
import { type ReadingDeps, readUntil } from '../../streams/read/follower.ts';
import type { Point } from '../../streams/read/position.ts';
import type { FactIds } from '../idempotency/fact-ids.ts';
import { type Rules, unfit } from '../idempotency/rules.ts';
import type { Admission } from '../log/admission.ts';
import { foldDecision } from '../partition/fold.ts';
import type { Partition } from '../partition/partition.ts';
import { type BaselineSource, loadPart } from '../snapshot/baseline-format.ts';
import { blobsOf, decodeManifest, loadObserver, loadStored, type Manifest, SnapshotError } from '../snapshot/format.ts';
import type { SnapshotStore, Snapshotter } from '../snapshot/snapshotter.ts';

/** The log has lost something that was acknowledged, so it must not be served from. */
export class LostLogError extends Error {
  override readonly name = 'LostLogError';
  /** Partitions that the loss concerns; all if undefined. */
  readonly concerns: readonly number[] | undefined;
  /** Message at which reading stops, as STREAM.seq; undefined if it is not a single message. */
  readonly place: string | undefined;
  constructor(message: string, concerns?: readonly number[], place?: string) {
    super(message);
    this.concerns = concerns;
    this.place = place;
  }
}

/** Dependencies of loading a partition. */
export interface LoadingDeps {
  readonly broker: Pick<Broker, 'stream'>;
  readonly store: SnapshotStore;
  readonly factIds: FactIds;
  readonly partitions: number;
  readonly created: Readonly<Record<string, string>>;
  /** Current last sequence of every stream. */
  readonly lastSeqs: Readonly<Record<string, number>>;
  readonly rules: Pick<Rules, 'changedBy' | 'widestMs' | 'latestOf'>;
  readonly note: (message: string, detail: Record<string, unknown>) => void;
  /** Sequence up to which each stream may have been trimmed. If undefined, nothing was trimmed. */
  readonly floors?: Floors;
  /** Baselines in force, the newest first. */
  readonly baselines?: readonly BaselineSource[];
  /** Partitions whose last book did not add up. Anything loaded for them is audited first. */
  readonly suspects?: ReadonlySet<number>;
}
/** Dependencies of reading JOURNAL. */
export interface ReplayDeps extends ReadingDeps {
  /** Which records of JOURNAL count. Read after lastSeqs. */
  readonly admission: Admission;
}
export interface RecoveryDeps extends LoadingDeps, ReplayDeps {
  readonly broker: Broker;
}

export interface Recovering {
  readonly partition: Partition;
  readonly snapshotter: Snapshotter;
}

/**
 * Loads a partition from a snapshot, otherwise from a baseline, otherwise leaves it empty. Returns the chain tip of the snapshot; undefined
 * without one. Rejects with a LostLogError if the streams no longer hold what comes after the loaded state.
 */
export async function loadSnapshot(deps: LoadingDeps, recovering: Recovering): Promise<ChainTip | undefined> {
  const tip = await loadFromStore(deps, recovering);
  if (tip !== undefined || (await loadFromBaselines(deps, recovering))) return tip;
  const gone = trimmedBehind(deps, { positions: recovering.partition.positions, journalSeq: 0 });
  if (gone === undefined) return undefined;
  const { number } = recovering.partition;
  throw new LostLogError(
    `${gone}, and neither a snapshot nor a baseline of partition ${number} holds what came before`,
    [number],
  );
}

async function loadFromBaselines(deps: LoadingDeps, { partition, snapshotter }: Recovering): Promise<boolean> {
  for (const { baseline, part } of deps.baselines ?? []) {
    try {
      const bytes = await part(partition.number);
      const manifest = loadPart(bytes, partition, deps.factIds, deps.rules);
      await check(deps, partition.number, manifest);
      auditIfSuspect(deps, partition);
      partition.observer?.load(partition.book, undefined);
      partition.snapshotAtMs = manifest.atMs;
      snapshotter.forget();
      deps.note('a partition starts from a baseline', { partition: partition.number, baseline: baseline.id });
      return true;
    } catch (error) {
      reset(deps, partition);
      if (error instanceof LostLogError) throw error;
      deps.note('a baseline is not used', { partition: partition.number, why: (error as Error).message });
    }
  }
  return false;
}

/** Says which stream no longer holds everything after a point; undefined if all do (RY4). */
function trimmedBehind(deps: LoadingDeps, point: Point): string | undefined {
  for (const [name, floor] of Object.entries(deps.floors ?? {})) {
    const reached = name === JOURNAL_STREAM ? point.journalSeq : point.positions[name as FactStream];
    if (reached < floor) return `stream ${name} begins behind ${floor}`;
  }
  return undefined;
}

function auditIfSuspect(deps: LoadingDeps, partition: Partition): void {
  if (deps.suspects?.has(partition.number) !== true) return;
  const breach = partition.books.audit()[0];
  if (breach !== undefined) throw new SnapshotError(`it does not add up: ${breach.invariant} ${breach.what}`);
}

async function loadFromStore(deps: LoadingDeps, { partition, snapshotter }: Recovering): Promise<ChainTip | undefined> {
  let manifests: Buffer[];
  try {
    manifests = await deps.store.manifests(partition.number);
  } catch (error) {
    deps.note('snapshots cannot be read; a baseline or the log gives the same state', {
      partition: partition.number,
      why: (error as Error).message,
    });
    return undefined;
  }
  for (const bytes of manifests) {
    try {
      const manifest = decodeManifest(bytes, deps.store.key);
      await check(deps, partition.number, manifest);
      await fill(deps, partition, snapshotter, manifest);
      auditIfSuspect(deps, partition);
      return manifest.tip;
    } catch (error) {
      if (error instanceof LostLogError) throw error;
      deps.note('a snapshot is not used', { partition: partition.number, why: (error as Error).message });
      reset(deps, partition);
    }
  }
  if (manifests.length > 0) snapshotter.forget();
  return undefined;
}

/** Folds JOURNAL from the oldest snapshot's sequence to the target into the partitions (RY3). */
export async function replayJournal(
  deps: ReplayDeps,
  partitions: readonly Partition[],
  tips: readonly ChainTip[],
  target: number,
): Promise<number> {
  const from = Math.min(...partitions.map((partition) => partition.journalSeq)) + 1;
  const wanted = new Map(partitions.map((partition) => [partition.number, partition]));
  const chain = new Map<string, Omit<ChainTip, 'writer'>>();
  const { admission } = deps;
  const { skips } = admission;
  let decisions = 0;
  const broken = new Map<number, string>();
  // A break concerns only partitions that have not folded past it (RY5).
  const behind = (seq: number) =>
    partitions.filter((partition) => partition.journalSeq < seq).map((partition) => partition.number);
  let reached = from - 1;
  await readUntil(deps, JOURNAL_STREAM, ['journal.*'], from, target, (message) => {
    failpoint('mid-replay');
    // Trimming removes only messages before the start, so a gap in the sequence after it means a lost record.
    if (!skips.lost(JOURNAL_STREAM, reached + 1, message.seq)) {
      throw new LostLogError(
        `JOURNAL has no message at sequence ${reached + 1}: the next is ${message.seq}`,
        behind(message.seq),
        `${JOURNAL_STREAM}.${reached + 1}`,
      );
    }
    reached = message.seq;
    const record = readRecord(admission, message, behind);
    if (record === undefined) return;
    const read = chain.get(record.writer);
    const known = read ?? tipBefore(tips, record.writer, message.seq);
    // There may be records between a snapshot's tip and the start that need not be read, such as fences.
    const unread = read === undefined && known !== undefined && known.seq < from - 1 && record.n > known.n + 1;
    const follows =
      known === undefined ? from > 1 || record.n === 1 : record.n === known.n + 1 && record.before === known.hash;
    if (!follows && !unread && !admission.bridges(message.subject, known?.seq ?? 0, message.seq)) {
      throw new LostLogError(
        `JOURNAL breaks at sequence ${message.seq}: record ${record.n} of ${record.writer} does not follow record ${known?.n ?? 0}`,
        behind(message.seq),
        `${JOURNAL_STREAM}.${message.seq}`,
      );
    }
    chain.set(record.writer, { n: record.n, hash: recordHash(message.data), seq: message.seq });
    for (const decision of record.decisions) {
      if (isFence(decision)) continue;
      for (const [number] of decision.parts) {
        const partition = wanted.get(number);
        if (partition === undefined || message.seq <= partition.journalSeq) continue;
        if (broken.has(number)) continue;
        try {
          foldDecision(partition, decision);
        } catch (error) {
          // The other partitions are still folded to the end, so they need no second replay.
          broken.set(number, `the decision at JOURNAL.${message.seq} cannot be folded: ${(error as Error).message}`);
        }
        decisions += 1;
      }
    }
  });
  if (reached < target && target >= from && !skips.lost(JOURNAL_STREAM, reached + 1, target + 1)) {
    const what = `JOURNAL has no message at sequence ${reached + 1}`;
    throw new LostLogError(what, undefined, `${JOURNAL_STREAM}.${reached + 1}`);
  }
  for (const partition of partitions) partition.journalSeq = Math.max(partition.journalSeq, target);
  const [why] = broken.values();
  if (why !== undefined) throw new LostLogError(why, [...broken.keys()]);
  return decisions;
}

function readRecord(
  admission: Admission,
  message: StoredMessage,
  behind: (seq: number) => number[],
): JournalRecord | undefined {
  try {
    return admission.admit(message);
  } catch (error) {
    const { seq } = message;
    const what = `JOURNAL cannot be read at sequence ${seq}: ${(error as Error).message}`;
    throw new LostLogError(what, behind(seq), `${JOURNAL_STREAM}.${seq}`);
  }
}

/** Rejects a snapshot or baseline that must not be used (RY1). */
async function check(deps: LoadingDeps, number: number, manifest: Manifest): Promise<void> {
  if (manifest.partition !== number || manifest.partitions !== deps.partitions) {
    throw new SnapshotError(`it is of partition ${manifest.partition} of ${manifest.partitions}`);
  }
  // The manifest cannot know streams that a later version added, so those are not compared.
  const streams = Object.keys(deps.created).filter((stream) => manifest.created[stream] !== undefined);
  const foreign = streams.filter((stream) => manifest.created[stream] !== deps.created[stream]);
  // It is a leftover of another installation only if it matches none of the present streams.
  if (foreign.length === streams.length)
    throw new SnapshotError('it belongs to other streams than those that are there');
  if (foreign.length > 0) {
    throw new LostLogError(
      `stream ${foreign.join(', ')} was made again, but a snapshot knows what it held before: that is lost`,
    );
  }
  const why = unfit(manifest, deps.rules);
  if (why !== undefined) throw new SnapshotError(why);
  const known = [
    ...FACT_STREAM_NAMES.map((name) => [name, manifest.positions[name]] as const),
    [JOURNAL_STREAM, manifest.journalSeq] as const,
  ];
  for (const [name, seq] of known) {
    if (seq <= (deps.lastSeqs[name] ?? 0)) continue;
    // A deposed owner that does not know it yet still follows the facts. It may have written this after the ends were read.
    const end = (await deps.broker.stream(name))?.lastSeq ?? 0;
    if (seq <= end) continue;
    throw new LostLogError(
      // The log is shorter than a snapshot recorded (RY2).
      `stream ${name} ends at ${end}, but a snapshot knows it up to ${seq}: its end has been lost`,
    );
  }
  const gone = trimmedBehind(deps, manifest);
  if (gone !== undefined) throw new SnapshotError(`${gone}, and it ends before that`);
}

async function fill(
  deps: LoadingDeps,
  partition: Partition,
  snapshotter: Snapshotter,
  manifest: Manifest,
): Promise<void> {
  await loadStored(deps.store, manifest, partition.books, deps.factIds, deps.rules);
  const kept = await loadObserver(deps.store, manifest);
  partition.observer?.load(partition.book, kept, deps.rules.latestOf(manifest.horizonsKnown));
  Object.assign(partition.positions, manifest.positions);
  Object.assign(partition.loadedPositions, manifest.positions);
  partition.journalSeq = manifest.journalSeq;
  partition.snapshotAtMs = manifest.atMs;
  partition.remembersMs = manifest.horizonMs ?? Number.POSITIVE_INFINITY;
  const named = new Set(blobsOf(manifest).map((ref) => ref.name));
  const stray = (await deps.store.names(partition.number)).filter((name) => !named.has(name));
  snapshotter.resume(
    manifest,
    deps.factIds.chunksOf(partition.number).map((chunk) => chunk.number),
    stray,
  );
}

function reset(deps: LoadingDeps, partition: Partition): void {
  deps.factIds.drop(partition.number);
  partition.books.clear();
  for (const stream of FACT_STREAM_NAMES) partition.positions[stream] = partition.loadedPositions[stream] = 0;
  partition.journalSeq = 0;
  partition.remembersMs = Number.POSITIVE_INFINITY;
  partition.observer?.load(partition.book, undefined);
}

function tipBefore(tips: readonly ChainTip[], writer: string, seq: number): ChainTip | undefined {
  let best: ChainTip | undefined;
  for (const tip of tips) {
    if (tip.writer === writer && tip.n > 0 && tip.seq < seq && (best === undefined || tip.n > best.n)) best = tip;
  }
  return best;
}
