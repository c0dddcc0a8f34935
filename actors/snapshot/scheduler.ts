/**
 * Takes snapshots of all partitions that a node holds, one after the other, in rounds.
 *
 * A partition whose snapshot fails comes last in the next round. If one of several Redis servers is down, partitions on the others are
 * still snapshotted.
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

/** Consecutive failed snapshots that end a round. The store is then down, and encoding more pages would be wasted work. */
const FAILURES_IN_A_ROW = 3;

export interface RoundsDeps {
  readonly partitions: PartitionSet;
  /** Number of partitions in the installation. */
  readonly count: number;
  readonly factIds: FactIds;
  readonly store: SnapshotStore;
  readonly clock: Clock;
  readonly rules: Rules;
  readonly created: Readonly<Record<string, string>>;
  readonly reservationMemoryMs: number;
  /** Page encoding per turn of the event loop, in milliseconds. Undefined means LIMITS.snapshotTurnMs. */
  readonly turnMs: number | undefined;
  readonly journal: { readonly tip: ChainTip };
  readonly lag: (stream: FactStream) => number;
  readonly taken: (seconds: number) => void;
  /** Called when the store has lost a partition's snapshot, which is then written again in full. */
  readonly lost: (partition: number) => void;
}

export class SnapshotRounds {
  readonly #deps: RoundsDeps;
  readonly #snapshotters = new Map<number, Snapshotter>();

  constructor(deps: RoundsDeps) {
    this.#deps = deps;
    deps.partitions.observe({ dropped: (number) => this.#snapshotters.delete(number) });
  }

  /** Creates the snapshotter of a partition that is about to be taken over. */
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

  /** Takes a snapshot of each of these partitions. Failures are ignored, because the next owner can replay the log instead. */
  async take(numbers: readonly number[]): Promise<void> {
    await Promise.allSettled(numbers.map(async (number) => this.#snapshotters.get(number)?.take()));
  }

  /** Takes a snapshot of every partition that is due. Tries the others after a failure, and rejects with the last one at the end. */
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

  /** Age in seconds of the oldest snapshot whose partition has changed since. A partition without one counts from its take-over. */
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
