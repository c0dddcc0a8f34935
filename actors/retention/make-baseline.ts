/**
 * Makes a baseline. It starts from the newest usable one, or from an empty state, and folds the streams after it up to one cut.
 *
 * A baseline is rebuilt from the streams, never from a running node, so it is independent evidence. Every fact that the fold rejects must
 * be in PARKED, and no parked fact may be counted. Otherwise a node has judged differently, and no baseline is made.
 */

import { failpoint } from '../../config/failpoints.ts';
import { FACT_STREAM_NAMES, type FactStream } from '../../config/topology.ts';
import { type Clock, delay } from '../../streams/clock.ts';
import { type ParkMarks, readParked } from '../../streams/fact/parked/park-marks.ts';
import { type Parking, park } from '../../streams/fact/parked/parked.ts';
import { type Floors, floorsOf, readStreams } from '../../streams/journal/floors.ts';
import type { NatsBroker } from '../../streams/nats/broker.ts';
import { covers, type Point, pointOf } from '../../streams/read/position.ts';
import { FactIds } from '../idempotency/fact-ids.ts';
import { type Rules, unfit } from '../idempotency/rules.ts';
import type { Admission } from '../log/admission.ts';
import { ChainAudit, type ChainState } from '../log/chain.ts';
import type { Writers } from '../log/writers.ts';
import { maintain } from '../partition/forgetting.ts';
import { Partition } from '../partition/partition.ts';
import { type Baseline, encodePart, loadPart, type PartRef } from '../snapshot/baseline-format.ts';
import type { BaselineStore } from './baseline-store.ts';
import { differences } from './differences.ts';
import { Rebuild } from './rebuild.ts';

export interface RetentionParts {
  readonly partitions: number;
  /** The rules by which nodes have judged, from their list. */
  readonly rules: Rules;
  /** Reads the list of rules again. */
  readonly refresh: () => Promise<void>;
  /** The registry that says whose records count. */
  readonly writers: Pick<Writers, 'read'>;
  /** How long ended reservations are remembered, in milliseconds. If no node says so it is undefined, and none is forgotten. */
  readonly reservationMemoryMs: number | undefined;
}
export interface MakeBaselineDeps {
  readonly broker: NatsBroker;
  readonly clock: Clock;
  readonly store: BaselineStore;
  readonly keeping: RetentionParts;
  /** A name that no earlier baseline had. */
  readonly id: string;
  /** How long to wait for parked facts that nodes have not stored yet, in milliseconds. */
  readonly patienceMs: number;
}
/** No baseline was made; the message says why. */
export class BaselineError extends Error {
  override readonly name = 'BaselineError';
}

const PAUSE_MS = 200;

export interface MadeBaseline {
  readonly baseline: Baseline;
  readonly facts: number;
  readonly decisions: number;
  readonly bytes: number;
}

/** Makes a baseline, reads it back and brings it into force. Rejects with a BaselineError, ChainBreak, HoleError or SupersededError. */
export async function makeBaseline(deps: MakeBaselineDeps): Promise<MadeBaseline> {
  const { broker, keeping, store } = deps;
  const maker = await store.begin(deps.id);
  const streams = await readStreams(broker);
  if (streams.size < FACT_STREAM_NAMES.length + 1)
    throw new BaselineError('the streams are not there: start a node once');
  const floors = floorsOf(streams);
  const created = Object.fromEntries([...streams].map(([name, { created: at }]) => [name, at]));
  const cut = cutOf(streams);
  // Read the rules after the cut. An entry that is added from now on holds only after it.
  await keeping.refresh();
  const before = await startOf(store, floors, created, keeping);
  const { rebuild, chain } = await foldAsJudged(deps, before, cut, await keeping.writers.read());
  const whole = {
    ...cut,
    ...chain,
    version: 1 as const,
    id: deps.id,
    atMs: Math.max(rebuild.atMs, before?.atMs ?? 0),
    partitions: keeping.partitions,
    created,
    horizonsKnown: keeping.rules.known,
  };
  const parts: PartRef[] = [];
  for (const { partition, factIds } of rebuild.partitions) {
    forget(partition, factIds, keeping, whole);
    const breach = partition.books.audit()[0];
    if (breach !== undefined)
      throw new BaselineError(
        `the fold of partition ${partition.number} does not add up: ${breach.invariant} ${breach.what}`,
      );
    const ref = await maker.write(`p${partition.number}`, encodePart(partition, factIds, whole));
    if (partition.number === keeping.partitions >> 1) failpoint('baseline-half-written');
    parts.push({
      ...ref,
      partition: partition.number,
      keys: partition.book.keyCount,
      reservations: partition.book.parts.size,
    });
  }
  const remembersMs = Math.min(...rebuild.partitions.map(({ partition }) => partition.remembersMs));
  const horizonMs = remembersMs === Number.POSITIVE_INFINITY ? null : remembersMs;
  const baseline: Baseline = { ...whole, horizonMs, parts };
  // Read every part back into a fresh book and compare it with its source.
  for (const { partition, factIds } of rebuild.partitions) {
    const [again, ids] = [new Partition(partition.number), new FactIds()];
    loadPart(await store.part(baseline, partition.number), again, ids, keeping.rules);
    const other = differences({ books: again.books, factIds: ids }, { books: partition.books, factIds }, STRICT)[0];
    const breach = again.books.audit()[0]?.what ?? other?.what;
    if (breach !== undefined)
      throw new BaselineError(`partition ${partition.number} does not read back as it was written: ${breach}`);
  }
  await maker.finish(baseline);
  return {
    baseline,
    facts: rebuild.facts,
    decisions: rebuild.decisions,
    bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** Forgets as a node does, but by the streams' own stamps, because no fact after the cut can have an earlier stamp. */
function forget(
  partition: Partition,
  factIds: FactIds,
  { rules, reservationMemoryMs }: RetentionParts,
  cut: Pick<Baseline, 'positions' | 'atMs'>,
): void {
  maintain(partition, factIds, {
    nowMs: cut.atMs,
    horizonMs: rules.widestMs(cut),
    reservationMemoryMs: reservationMemoryMs ?? Number.POSITIVE_INFINITY,
    caughtUp: true,
  });
}

/** Nothing may be missing on either side. */
const STRICT = { forgottenBeforeMs: 0, idsForgottenBefore: Number.NEGATIVE_INFINITY, foldedForgot: false };

/** The newest usable baseline that the streams continue from. Returns undefined if there is none and nothing was trimmed. */
export async function startOf(
  store: BaselineStore | undefined,
  floors: Floors,
  created: Readonly<Record<string, string>>,
  { partitions, rules }: Pick<RetentionParts, 'partitions' | 'rules'>,
): Promise<Baseline | undefined> {
  for (const { baseline } of (await store?.generations()) ?? []) {
    if (baseline === undefined || baseline.partitions !== partitions || !covers(baseline, pointOf(floors))) continue;
    if (unfit(baseline, rules) !== undefined) continue;
    // A stream that the baseline does not name is newer than it, and is no reason to reject it.
    if (Object.entries(created).every(([name, at]) => (baseline.created[name] ?? at) === at)) return baseline;
  }
  const trimmed = Object.entries(floors).find(([, seq]) => seq > 0);
  if (trimmed === undefined) return undefined;
  throw new BaselineError(`${trimmed[0]} has been trimmed up to ${trimmed[1]}, and no whole baseline covers that`);
}

/** Any cut is valid, because facts and decisions commute. A sale may be before the cut and the grant that it names after it. */
function cutOf(streams: ReadonlyMap<string, { lastSeq: number }>): Point {
  return pointOf(Object.fromEntries([...streams].map(([name, { lastSeq }]) => [name, lastSeq])));
}

/** Folds up to the cut, and repeats that until the facts that the fold rejects are those in PARKED. */
async function foldAsJudged(
  deps: MakeBaselineDeps,
  before: Baseline | undefined,
  cut: Point,
  admission: Admission,
): Promise<{ rebuild: Rebuild; chain: ChainState }> {
  const until = deps.clock.monoMs() + deps.patienceMs;
  for (;;) {
    const { reasons: parked, marks } = await readParked(deps, cut.positions);
    const { rebuild, chain } = await rebuilt(deps, before, cut, marks, admission);
    // Every reader rejects these, whatever its horizon and ids, so they can be parked here. Parking is idempotent.
    const own = rebuild.parked.filter(({ reason }) => reason !== 'too-old' && reason !== 'id-conflict');
    for (const parking of own) if (!parked.has(parking.source)) await park(deps.broker, parking);
    const wrong = disagreement(rebuild.parked, parked, before, cut);
    if (wrong === undefined) return { rebuild, chain };
    if (deps.clock.monoMs() >= until) throw new BaselineError(wrong);
    await delay(deps.clock, PAUSE_MS);
  }
}

async function rebuilt(
  deps: MakeBaselineDeps,
  before: Baseline | undefined,
  cut: Point,
  marks: ParkMarks,
  admission: Admission,
): Promise<{ rebuild: Rebuild; chain: ChainState }> {
  const { broker, clock, keeping, store } = deps;
  const rebuild = new Rebuild({ broker, clock, ...keeping, skips: admission.skips, marks, dated: false });
  if (before !== undefined)
    for (const { partition, factIds } of rebuild.partitions)
      loadPart(await store.part(before, partition.number), partition, factIds, keeping.rules);
  const chain = new ChainAudit(before, 0, admission);
  await rebuild.advance(
    () => cut,
    (message) => chain.take(message),
  );
  return { rebuild, chain: chain.state };
}

/** Describes where the fold and PARKED disagree between the previous baseline and the cut. Returns undefined if they agree. */
function disagreement(
  folded: readonly Parking[],
  parked: ReadonlyMap<string, string>,
  before: Baseline | undefined,
  cut: Point,
): string | undefined {
  const aside = new Map(folded.map(({ source, reason }) => [source, reason]));
  for (const [source, reason] of aside) {
    if (reason !== 'too-old' && reason !== 'id-conflict') continue;
    if (!parked.has(source))
      return `${source} would be parked (${reason}), but no node has parked it yet: one must run and have caught up`;
  }
  for (const [source, reason] of parked) {
    const [stream, seq] = source.split('.') as [FactStream, string];
    const last = cut.positions[stream];
    if (last === undefined || Number(seq) > last || Number(seq) <= (before?.positions[stream] ?? 0)) continue;
    if (!aside.has(source))
      return `${source} is parked (${reason}), but would be counted: a node has judged it by what is no longer known`;
  }
  return undefined;
}
