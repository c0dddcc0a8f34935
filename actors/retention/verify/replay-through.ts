/** Replays the streams and stops at each stored copy of the state to compare it. */
import { at, present } from '../../../streams/assert.ts';
import { readParked } from '../../../streams/fact/parked/park-marks.ts';
import { JournalRecordError } from '../../../streams/journal/record.ts';
import { covers, type Point } from '../../../streams/read/position.ts';
import type { Admission } from '../../log/admission.ts';
import { type Baseline, loadPart } from '../../snapshot/baseline-format.ts';
import { differences } from '../differences.ts';
import { HoleError, type PartitionRebuild, Rebuild } from '../rebuild.ts';
import { auditBooks, type Copies, type Copy, loadCopy } from './collect-copies.ts';
import type { Fault, Findings, StreamRanges, VerifyDeps } from './report.ts';

/** Nodes forget ended reservations at different times. One that ended less than this before a copy was written must still be in it. */
const FORGET_SLACK_MS = 60_000;

/** The replay cannot continue. */
class ReadError extends Error {
  override readonly name = 'ReadError';
}

export interface Replayed extends Findings {
  /** Number of messages of fact streams, each with one fact or a bundle of them. */
  readonly messages: number;
  readonly keys: number;
  readonly reservations: number;
  /** Number of copies that end before the replay can begin. */
  readonly outdated: number;
}

/**
 * Folds up to each generation of copies, oldest first, and compares its copies. Then it folds to the end of the streams.
 *
 * @param start the baseline to begin with. Without one the replay begins with an empty state.
 */
export async function replayThrough(
  deps: VerifyDeps,
  { end }: StreamRanges,
  { generations }: Copies,
  start: Baseline | undefined,
  admission: Admission,
): Promise<Replayed> {
  const { broker, clock, keeping } = deps;
  const faults: Fault[] = [];
  const notes: string[] = [];
  /** Partitions for which the baseline to begin with cannot be loaded. */
  const unknown = new Set<number>();
  let outdated = 0;
  const { marks } = await readParked(deps, end.positions);
  const rebuild = new Rebuild({ broker, clock, ...keeping, skips: admission.skips, marks, dated: true });
  const begin = async (number: number) => {
    if (start === undefined) return rebuild.fresh(number);
    const rebuilt = await beginWith(start, deps, rebuild, number);
    if (rebuilt !== undefined) return rebuilt;
    // `collectCopies` reports it.
    unknown.add(number);
    return emptyAt(start, rebuild, number);
  };
  if (start !== undefined)
    for (let number = 0; number < keeping.partitions; number++) rebuild.partitions[number] = await begin(number);
  try {
    for (const generation of generations) {
      const reachable: Copy[] = [];
      for (const copy of generation) {
        const number = copy.partition;
        // A copy can be ahead of the previous generation in one stream and behind it in another. Its partition is then folded again.
        if (!covers(copy.point, at(rebuild.partitions, number).point)) rebuild.partitions[number] = await begin(number);
        if (covers(copy.point, at(rebuild.partitions, number).point)) reachable.push(copy);
        else outdated += 1;
      }
      const points = new Map(reachable.map((copy) => [copy.partition, copy.point]));
      const stand = rebuild.partitions.map((rebuilt) => rebuilt.point);
      await advance(rebuild, admission, (number) => points.get(number) ?? at(stand, number));
      for (const copy of reachable) {
        const rebuilt = unknown.has(copy.partition) ? undefined : at(rebuild.partitions, copy.partition);
        faults.push(...(await compareCopy(copy, rebuilt, start !== undefined)));
      }
    }
    await advance(rebuild, admission, () => end);
    for (const { partition } of rebuild.partitions)
      if (!unknown.has(partition.number)) faults.push(...auditBooks(partition, 'replay', 'the replay'));
  } catch (error) {
    if (!(error instanceof HoleError) && !(error instanceof ReadError)) throw error;
    if (error instanceof HoleError)
      faults.push({ check: 'facts', stream: error.stream, seq: error.seq, what: error.message });
    notes.push('stored copies behind the fault could not be compared with a replay');
  }
  const books = rebuild.partitions.map(({ partition }) => partition.book);
  return {
    faults,
    notes,
    outdated,
    messages: sum(
      Object.entries(end.positions).map(([stream, seq]) => seq - (start?.positions[stream as 'SALES'] ?? 0)),
    ),
    keys: sum(books.map((book) => book.keyCount)),
    reservations: sum(books.map((book) => book.parts.size)),
  };
}

async function advance(rebuild: Rebuild, admission: Admission, target: (partition: number) => Point): Promise<void> {
  try {
    await rebuild.advance(target, (message) => admission.admit(message));
  } catch (error) {
    // `checkChains` reports it.
    if (error instanceof JournalRecordError) throw new ReadError(error.message);
    throw error;
  }
}

/** Begins a fold with the baseline. Returns undefined if the baseline cannot be loaded. */
async function beginWith(
  start: Baseline,
  deps: VerifyDeps,
  rebuild: Rebuild,
  number: number,
): Promise<PartitionRebuild | undefined> {
  try {
    const rebuilt = rebuild.fresh(number);
    loadPart(await present(deps.baselines).part(start, number), rebuilt.partition, rebuilt.factIds, deps.keeping.rules);
    return rebuilt;
  } catch {
    return undefined;
  }
}

/** An empty fold in place of one that cannot be loaded, so that the other partitions can continue. */
function emptyAt(start: Baseline, rebuild: Rebuild, number: number): PartitionRebuild {
  const rebuilt = rebuild.fresh(number);
  Object.assign(rebuilt.partition.positions, start.positions);
  rebuilt.partition.journalSeq = start.journalSeq;
  return rebuilt;
}

/** @param rebuilt the state that the streams give, undefined if it is unknown */
async function compareCopy(
  copy: Copy,
  rebuilt: PartitionRebuild | undefined,
  fromBaseline: boolean,
): Promise<readonly Fault[]> {
  const { state, faults } = await loadCopy(copy);
  if (state === undefined || rebuilt === undefined) return faults;
  const found = differences(
    state,
    { books: rebuilt.partition.books, factIds: rebuilt.factIds },
    {
      forgottenBeforeMs: copy.atMs - FORGET_SLACK_MS,
      idsForgottenBefore: (copy.atMs - copy.forgotMs) * 1000,
      foldedForgot: fromBaseline,
    },
  );
  const [first] = found;
  if (first === undefined) return faults;
  const more = found.length > 1 ? ` (and ${found.length - 1} more)` : '';
  const { page, what } = first;
  const { check, partition, name } = copy;
  return [...faults, { check, partition, page, what: `${name}: ${what}${more}` }];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
