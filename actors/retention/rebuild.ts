/**
 * Folds partitions from the streams without a node. Baselines are made from the result, and stored copies are compared with it.
 *
 * Invariants:
 *  RF1 Intake gives the verdicts, and every partition has ids of its own. So a verdict depends only on what its owner saw and on PARKED.
 *  RF2 Fact streams are read whole, so a sequence that is missing between two others is detected.
 *  RF3 Partitions may be at different points. Each message is folded into its own partition exactly once.
 */

import { FACT_STREAM_NAMES, type FactStream, JOURNAL_STREAM } from '../../config/topology.ts';
import { at } from '../../streams/assert.ts';
import { partitionsOf } from '../../streams/fact/bundle.ts';
import type { ParkMarks } from '../../streams/fact/parked/park-marks.ts';
import type { Parking } from '../../streams/fact/parked/parked.ts';
import type { Hash64 } from '../../streams/hash.ts';
import { isFence } from '../../streams/journal/decision.ts';
import type { JournalRecord } from '../../streams/journal/record.ts';
import { type ReadingDeps, readUntil } from '../../streams/read/follower.ts';
import type { Point } from '../../streams/read/position.ts';
import { FactIds } from '../idempotency/fact-ids.ts';
import type { Rules } from '../idempotency/rules.ts';
import { Intake } from '../ingest/intake.ts';
import type { Skips } from '../log/skips.ts';
import { foldDecision } from '../partition/fold.ts';
import { Partition } from '../partition/partition.ts';

/** A fact stream has lost a message. */
export class HoleError extends Error {
  override readonly name = 'HoleError';
  readonly stream: FactStream;
  readonly seq: number;
  constructor(stream: FactStream, seq: number) {
    super(`${stream} lacks sequence ${seq}: it is there before and behind`);
    this.stream = stream;
    this.seq = seq;
  }
}

/** Fact ids with the moment from which each is remembered, which shows the ids that a copy may have forgotten. */
export class DatedIds extends FactIds {
  /** Moment by id, in microseconds. */
  readonly moments = new Map<string, number>();
  override add(partition: number, id: Hash64, content: Hash64, at: number): void {
    super.add(partition, id, content, at);
    this.moments.set(idText(id), at);
  }
  /** A baseline does not hold the moment of each id. The lowest number says that a copy must have the id only if it forgets nothing. */
  override load(partition: number, words: Uint32Array, latest: number): void {
    super.load(partition, words, latest);
    for (let at = 0; at < words.length; at += 4) this.moments.set(`${words[at]}.${words[at + 1]}`, -Number.MAX_VALUE);
  }
}

export function idText(id: Hash64): string {
  return `${id.hi}.${id.lo}`;
}

export interface RebuildDeps extends ReadingDeps {
  readonly partitions: number;
  readonly rules: Pick<Rules, 'at'>;
  /** Marks of parked facts, read after the points up to which the streams are folded. */
  readonly marks: ParkMarks;
  readonly skips: Skips;
  /** Keeps the moment of every id, at the cost of memory. */
  readonly dated: boolean;
}

export class PartitionRebuild {
  readonly partition: Partition;
  readonly factIds: FactIds;
  readonly intake: Intake;

  constructor(number: number, deps: RebuildDeps, rebuild: { parked: Parking[]; facts: number }) {
    this.partition = new Partition(number);
    // Ids of other partitions must not decide here, because its owner may not have seen them (RF1).
    this.factIds = deps.dated ? new DatedIds() : new FactIds();
    const park = async (parking: Parking) => void rebuild.parked.push(parking);
    const count = () => {
      rebuild.facts += 1;
    };
    const inDoubt = (_: number, _what: string, error: unknown) => {
      throw error;
    };
    const events = { applied: count, duplicate: count, parked: count, inDoubt };
    const stored = { marks: deps.marks, partitions: deps.partitions };
    const own = new Map([[number, this.partition]]);
    this.intake = new Intake(deps.clock, own, this.factIds, park, events, deps.rules, stored);
  }

  get point(): Point {
    return { positions: { ...this.partition.positions }, journalSeq: this.partition.journalSeq };
  }
}

export class Rebuild {
  readonly partitions: PartitionRebuild[];
  /** Messages that cannot be counted, in the order in which they were read. */
  readonly parked: Parking[] = [];
  /** Latest stamp of the messages read, in milliseconds. */
  atMs = 0;
  facts = 0;
  decisions = 0;
  readonly #deps: RebuildDeps;

  constructor(deps: RebuildDeps) {
    this.#deps = deps;
    this.partitions = Array.from({ length: deps.partitions }, (_, number) => this.fresh(number));
  }

  /** Returns an empty fold of a partition. */
  fresh(number: number): PartitionRebuild {
    return new PartitionRebuild(number, this.#deps, this);
  }

  /**
   * Folds each partition on to its target, which must be at or after its present point. Calls `record` for every message of JOURNAL that
   * it reads; a message for which that returns undefined does not count. Rejects with a HoleError or with the error that `record` throws.
   */
  async advance(
    target: (partition: number) => Point,
    record: (message: { seq: number; subject: string; data: Uint8Array }) => JournalRecord | undefined,
  ): Promise<void> {
    const targets = this.partitions.map((_, number) => target(number));
    for (const stream of FACT_STREAM_NAMES) await this.#readFacts(stream, targets);
    await this.#readJournal(targets, record);
  }

  async #readFacts(stream: FactStream, targets: readonly Point[]): Promise<void> {
    const from = Math.min(...this.partitions.map((rebuilt) => rebuilt.partition.positions[stream])) + 1;
    const until = Math.max(...targets.map((point) => point.positions[stream]));
    let before = from - 1;
    await readUntil(this.#deps, stream, [], from, until, (message) => {
      // A gap is a loss unless a person has skipped it (RF2).
      if (!this.#deps.skips.lost(stream, before + 1, message.seq)) throw new HoleError(stream, before + 1);
      before = message.seq;
      for (const number of partitionsOf(message, this.#deps.partitions)) {
        const rebuilt = this.partitions[number];
        if (rebuilt === undefined || message.seq > at(targets, number).positions[stream]) continue;
        this.atMs = Math.max(this.atMs, Math.floor(message.recordedAt / 1000));
        rebuilt.intake.take(stream, message);
      }
    });
    if (!this.#deps.skips.lost(stream, before + 1, until + 1)) throw new HoleError(stream, before + 1);
    for (const [number, rebuilt] of this.partitions.entries())
      rebuilt.partition.positions[stream] = at(targets, number).positions[stream];
  }

  async #readJournal(
    targets: readonly Point[],
    record: (message: { seq: number; subject: string; data: Uint8Array }) => JournalRecord | undefined,
  ): Promise<void> {
    const from = Math.min(...this.partitions.map((rebuilt) => rebuilt.partition.journalSeq)) + 1;
    const until = Math.max(...targets.map((point) => point.journalSeq));
    await readUntil(this.#deps, JOURNAL_STREAM, ['journal.*'], from, until, (message) => {
      const decisions = record(message)?.decisions ?? [];
      this.atMs = Math.max(this.atMs, Math.floor(message.recordedAt / 1000));
      for (const decision of decisions) {
        if (isFence(decision)) continue;
        for (const [number] of decision.parts) {
          const rebuilt = this.partitions[number];
          // Skips records that this partition has already folded (RF3).
          if (rebuilt === undefined || message.seq <= rebuilt.partition.journalSeq) continue;
          if (message.seq > at(targets, number).journalSeq) continue;
          foldDecision(rebuilt.partition, decision);
          this.decisions += 1;
        }
      }
    });
    for (const [number, rebuilt] of this.partitions.entries())
      rebuilt.partition.journalSeq = at(targets, number).journalSeq;
  }
}
