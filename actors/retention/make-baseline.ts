/**
 * Making a baseline: the newest whole one, or nothing, and the streams behind it, folded up to one cut.
 *
 * It is folded from the streams and not asked of the nodes: so it owes nothing to anybody's memory, needs no node to run, and what is
 * served is never part of its own proof. What the fold cannot count must stand in PARKED, and what stands there must not count in the
 * fold: else a node has judged otherwise, and no baseline is made.
 */

import { failpoint } from '../../config/failpoints.ts';
import { FACT_STREAM_NAMES, type FactStream } from '../../config/topology.ts';
import { type Clock, delay } from '../../streams/clock.ts';
import { type ParkMarks, readParked } from '../../streams/fact/park-marks.ts';
import { type Parking, park } from '../../streams/fact/parked.ts';
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
import { audit } from '../stock/invariants.ts';
import type { BaselineStore } from './baseline-store.ts';
import { differences } from './differences.ts';
import { Rebuild } from './rebuild.ts';

export interface RetentionParts {
  readonly partitions: number;
  /** Those that nodes have judged by, as their list says. */
  readonly rules: Rules;
  /** Reads the list again. */
  readonly refresh: () => Promise<void>;
  /** Whose records count. */
  readonly writers: Pick<Writers, 'read'>;
  /** How long ended reservations are remembered; undefined where no node says so: then none is forgotten. */
  readonly reservationMemoryMs: number | undefined;
}
export interface MakeBaselineDeps {
  readonly broker: NatsBroker;
  readonly clock: Clock;
  readonly store: BaselineStore;
  readonly keeping: RetentionParts;
  /** A name that no baseline had before. */
  readonly id: string;
  /** How long verdicts that nodes still owe are waited for. */
  readonly patienceMs: number;
}
/** No baseline is made, and why. */
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

/** Makes one, reads it back, and brings it in force. Rejects with a BaselineError, ChainBreak, HoleError or SupersededError. */
export async function makeBaseline(deps: MakeBaselineDeps): Promise<MadeBaseline> {
  const { broker, keeping, store } = deps;
  const maker = await store.begin(deps.id);
  const streams = await readStreams(broker);
  if (streams.size < FACT_STREAM_NAMES.length + 1)
    throw new BaselineError('the streams are not there: start a node once');
  const floors = floorsOf(streams);
  const created = Object.fromEntries([...streams].map(([name, { created: at }]) => [name, at]));
  const cut = cutOf(streams);
  // Read behind the cut: what is added to the list from now on comes into force behind it.
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
    const breach = audit(partition.book)[0];
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
  // Read back into a fresh book, and compared with what it was made from.
  for (const { partition, factIds } of rebuild.partitions) {
    const [again, ids] = [new Partition(partition.number), new FactIds()];
    loadPart(await store.part(baseline, partition.number), again, ids);
    const other = differences({ book: again.book, factIds: ids }, { book: partition.book, factIds }, STRICT)[0];
    const breach = audit(again.book)[0]?.what ?? other?.what;
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

/** As a node does, by the streams' own stamps: no fact behind the cut can be older than they allow. */
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

/** The newest baseline that is whole and that the streams go on from; undefined if they hold everything. */
export async function startOf(
  store: BaselineStore | undefined,
  floors: Floors,
  created: Readonly<Record<string, string>>,
  { partitions, rules }: Pick<RetentionParts, 'partitions' | 'rules'>,
): Promise<Baseline | undefined> {
  for (const { baseline } of (await store?.generations()) ?? []) {
    if (baseline === undefined || baseline.partitions !== partitions || !covers(baseline, pointOf(floors))) continue;
    if (unfit(baseline, rules) !== undefined) continue;
    // It knows nothing of a stream that is newer than it is.
    if (Object.entries(created).every(([name, at]) => (baseline.created[name] ?? at) === at)) return baseline;
  }
  const trimmed = Object.entries(floors).find(([, seq]) => seq > 0);
  if (trimmed === undefined) return undefined;
  throw new BaselineError(`${trimmed[0]} has been trimmed up to ${trimmed[1]}, and no whole baseline covers that`);
}

/** JOURNAL first: a sale that a node has folded may name a grant, but facts and decisions commute, so any cut will do. */
function cutOf(streams: ReadonlyMap<string, { lastSeq: number }>): Point {
  return pointOf(Object.fromEntries([...streams].map(([name, { lastSeq }]) => [name, lastSeq])));
}

/** Folds up to the cut, until what the fold sets aside is what PARKED holds. */
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
    // Whatever the horizon and the ids, these are set aside by every reader: parking them twice is parking them once.
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
      loadPart(await store.part(before, partition.number), partition, factIds);
  const chain = new ChainAudit(before, 0, admission);
  await rebuild.advance(
    () => cut,
    (message) => chain.take(message),
  );
  return { rebuild, chain: chain.state };
}

/** Where the fold and PARKED disagree between the baseline before and the cut; undefined if nowhere. */
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
