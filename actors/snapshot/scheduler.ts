/**
 * Snapshots of all partitions that a node holds: one after the other, round by round.
 *
 * A partition whose snapshot fails comes last in the next round: of a store of several servers one may be away, and the others' partitions
 * go on.
 */
import { LIMITS } from '../../config/limits.ts';
import { FACT_STREAM_NAMES, type FactStream } from '../../config/topology.ts';
import type { Clock } from '../../streams/clock.ts';
import type { ChainTip } from '../../streams/journal/record.ts';
import type { FactIds } from '../idempotency/fact-ids.ts';
import type { Rules } from '../idempotency/rules.ts';
import { maintain } from '../partition/forgetting.ts';
import type { Partition } from '../partition/partition.ts';
import type { PartitionSet } from '../partition/partition-set.ts';
import { type SnapshotStore, Snapshotter } from './snapshotter.ts';

/** So many partitions in a row whose snapshot fails end a round: the store is away, and encoding more is work for nothing. */
const FAILURES_IN_A_ROW = 3;

export interface RoundsDeps {
  readonly partitions: PartitionSet;
  /** P: partitions in all. */
  readonly count: number;
  readonly factIds: FactIds;
  readonly store: SnapshotStore;
  readonly clock: Clock;
  readonly rules: Rules;
  readonly created: Readonly<Record<string, string>>;
  readonly reservationMemoryMs: number;
  /** Milliseconds of page encoding in one turn; the limit if it is left out. */
  readonly turnMs: number | undefined;
  readonly journal: { readonly tip: ChainTip };
  readonly lag: (stream: FactStream) => number;
  readonly taken: (seconds: number) => void;
  /** The store has lost a partition's snapshot, which is written again whole. */
  readonly lost: (partition: number) => void;
}

export class SnapshotRounds {
  readonly #deps: RoundsDeps;
  readonly #snapshotters = new Map<number, Snapshotter>();

  constructor(deps: RoundsDeps) {
    this.#deps = deps;
    deps.partitions.observe({ dropped: (number) => this.#snapshotters.delete(number) });
  }

  /** For a partition that is about to be taken over. */
  begin(partition: Partition): Snapshotter {
    const { factIds, store, count, created, rules, journal, clock, turnMs, lost } = this.#deps;
    const snapshotter = new Snapshotter(partition, factIds, store, {
      partitions: count,
      created,
      horizonsKnown: () => rules.known,
      tip: () => journal.tip,
      clock,
      turnMs: turnMs ?? LIMITS.snapshotTurnMs,
      lost,
    });
    this.#snapshotters.set(partition.number, snapshotter);
    return snapshotter;
  }

  /** Takes one of each of these; what fails is left to whoever owns it next. */
  async take(numbers: readonly number[]): Promise<void> {
    await Promise.allSettled(numbers.map(async (number) => this.#snapshotters.get(number)?.take()));
  }

  /** Takes one of every partition that has changed. Rejects with the last failure, after it has tried the others. */
  async round(): Promise<void> {
    const { partitions, factIds, clock, rules, reservationMemoryMs, lag, taken } = this.#deps;
    let failed: unknown;
    let inARow = 0;
    for (const [number, snapshotter] of [...this.#snapshotters]) {
      const partition = partitions.get(number);
      if (partition === undefined || inARow === FAILURES_IN_A_ROW) continue;
      maintain(partition, factIds, {
        nowMs: clock.nowMs(),
        horizonMs: rules.widestMs({ positions: partition.positions, atMs: clock.nowMs() }),
        reservationMemoryMs,
        caughtUp: FACT_STREAM_NAMES.every((stream) => lag(stream) === 0),
      });
      const began = clock.monoMs();
      try {
        if (await snapshotter.take()) taken((clock.monoMs() - began) / 1000);
        inARow = 0;
      } catch (error) {
        failed = error;
        inARow += 1;
        if (this.#snapshotters.get(number) !== snapshotter) continue;
        this.#snapshotters.delete(number);
        this.#snapshotters.set(number, snapshotter);
      }
    }
    if (failed !== undefined) throw failed;
  }

  /** Age in seconds of the oldest snapshot of a partition that has changed since; without one, since it was taken over. */
  get ageSeconds(): number {
    const { partitions, clock } = this.#deps;
    let oldest = 0;
    for (const partition of partitions.values()) {
      if (!partition.serving || !partition.changed) continue;
      oldest = Math.max(oldest, (clock.nowMs() - partition.snapshotAtMs) / 1000);
    }
    return oldest;
  }
}
