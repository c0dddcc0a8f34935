/**
 * Recovers the partitions of one take-over. A loss in the log stops only the partitions that it concerns, and the others go on.
 */

import { FACT_STREAM_NAMES, JOURNAL_STREAM } from '../../config/topology.ts';
import type { Broker, StreamFacts } from '../../streams/broker.ts';
import { floorsOf, readStreams } from '../../streams/journal/floors.ts';
import type { ChainTip } from '../../streams/journal/record.ts';
import { covers, type Point, pointOf } from '../../streams/read/position.ts';
import type { Writers } from '../log/writers.ts';
import type { Partition } from '../partition/partition.ts';
import type { Baselines } from '../snapshot/baseline-format.ts';
import { LostLogError, loadSnapshot, type Recovering, type RecoveryDeps, replayJournal } from './recovery.ts';

export interface Recovered {
  readonly partitions: readonly Partition[];
  /** Partitions that may not be served, and why. */
  readonly lost: ReadonlyMap<number, LostLogError>;
  /** Number of decisions that were replayed. */
  readonly decisions: number;
  /** Where reading began. The result is valid only if no stream was trimmed past these points during recovery. */
  readonly starts: readonly Point[];
}

/** Rejects only with errors that are not a loss, such as a server that does not answer. The caller tries again. */
export async function recoverPartitions(deps: RecoveryDeps, recovering: readonly Recovering[]): Promise<Recovered> {
  const numbers = recovering.map(({ partition }) => partition.number);
  const lost = new Map<number, LostLogError>();
  const lose = (error: unknown) => {
    if (!(error instanceof LostLogError)) throw error;
    // An error that concerns all partitions replaces one that was found earlier for a single partition.
    for (const number of error.concerns ?? numbers) lost.set(number, error);
    return error.concerns === undefined;
  };
  const tips: ChainTip[] = [...(deps.baselines?.[0]?.baseline.writers ?? [])];
  for (const each of recovering) {
    try {
      const tip = await loadSnapshot(deps, each);
      if (tip !== undefined) tips.push(tip);
    } catch (error) {
      if (lose(error)) break;
    }
  }
  for (;;) {
    const partitions = recovering.map(({ partition }) => partition).filter(({ number }) => !lost.has(number));
    const starts = partitions.map(({ positions, journalSeq }) => ({ positions: { ...positions }, journalSeq }));
    if (partitions.length === 0) return { partitions, lost, decisions: 0, starts };
    try {
      // mutant: journal-not-replayed
      const decisions = await replayJournal(deps, partitions, tips, deps.lastSeqs[JOURNAL_STREAM] ?? 0);
      return { partitions, lost, decisions, starts };
    } catch (error) {
      // The remaining partitions can be replayed again. They had either folded past a break already, so this attempt folded nothing into
      // them, or they have just been folded up to the target.
      lose(error);
    }
  }
}

/** Rejects if something was trimmed before it was read. Trimming announces its floors before it removes anything (TR1). */
export async function refuseIfTrimmed(broker: Broker, starts: readonly Point[]): Promise<void> {
  const floors = pointOf(floorsOf(await readStreams(broker)));
  if (starts.every((start) => covers(start, floors))) return;
  throw new Error('the streams were trimmed while they were read; it starts over');
}

/** Returns the last sequence of a stream. Throws a LostLogError if it is not the stream with which the node started. */
export function lastSeqOf(
  name: string,
  stream: StreamFacts | undefined,
  created: Readonly<Record<string, string>>,
): number {
  if (stream === undefined || stream.created !== created[name])
    throw new LostLogError(`stream ${name} is not the one this node started with`);
  return stream.lastSeq;
}

/** Reads the present ends and floors of the streams. Rejects with a LostLogError if a stream is not the one from the node's start. */
export async function recoveryDeps(
  {
    writers,
    ...deps
  }: Omit<RecoveryDeps, 'lastSeqs' | 'floors' | 'baselines' | 'admission'> & {
    readonly writers: Pick<Writers, 'read'>;
  },
  baselines: Baselines,
): Promise<RecoveryDeps> {
  const streams = await readStreams(deps.broker);
  const lastSeqs: Record<string, number> = {};
  for (const name of [...FACT_STREAM_NAMES, JOURNAL_STREAM]) {
    lastSeqs[name] = lastSeqOf(name, streams.get(name), deps.created);
  }
  // Read after the ends. A writer is enrolled before its first record, so every record up to them has its writer listed (AD2).
  const admission = await writers.read();
  return { ...deps, admission, lastSeqs, floors: floorsOf(streams), baselines: await baselines(deps.note) };
}
