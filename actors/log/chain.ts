/**
 * Checks the chains of JOURNAL. Each writer numbers its records and puts the hash of the one before into each, so a reader that takes them
 * in stream order detects a record that was lost or changed. Epochs reveal a decision by a writer that no longer owned the partition.
 *
 * Invariants:
 *  CN1 Records of one writer are dense, and each carries the hash of the one before (JR1). A writer's first record has n = 1, or it is the
 *     one that trimming left, at or below JOURNAL's floor.
 *     After a place that a person has skipped, a chain continues with the next record.
 *  CN2 Epochs of a partition never decrease along the stream. After a fence, its writer decides in no epoch before the fence's.
 */

import type { StoredMessage } from '../../streams/broker.ts';
import type { PartitionEpoch } from '../../streams/journal/decision.ts';
import { isFence } from '../../streams/journal/decision.ts';
import type { ChainTip } from '../../streams/journal/record.ts';
import { type JournalRecord, recordHash } from '../../streams/journal/record.ts';
import type { Admission } from './admission.ts';

/** Chain tip of a writer, and the partitions for which it was fenced. */
export interface WriterState extends ChainTip {
  readonly fences: readonly PartitionEpoch[];
}
/** State of all chains at one sequence of JOURNAL. */
export interface ChainState {
  readonly writers: readonly WriterState[];
  readonly epochs: readonly PartitionEpoch[];
}

/** The first record that cannot be what its writer wrote. */
export class ChainBreak extends Error {
  override readonly name = 'ChainBreak';
  readonly seq: number;
  readonly writer: string;
  readonly n: number;
  /** Whether recovery still reads and counts the record. */
  readonly counted: boolean;
  constructor(seq: number, writer: string, n: number, what: string, counted = false) {
    super(`JOURNAL breaks at sequence ${seq}: record ${n} of ${writer} ${what}`);
    this.seq = seq;
    this.writer = writer;
    this.n = n;
    this.counted = counted;
  }
}

interface Writer {
  n: number;
  hash: string;
  seq: number;
  readonly fences: Map<number, number>;
}

export class ChainAudit {
  readonly #writers = new Map<string, Writer>();
  readonly #epochs: Map<number, number>;
  readonly #floor: number;
  readonly #admission: Admission;

  /**
   * @param start chain state at a baseline, if the audit begins there
   * @param floor sequence up to which records may have been trimmed
   */
  constructor(start: ChainState | undefined, floor: number, admission: Admission) {
    this.#admission = admission;
    for (const { writer, n, hash, seq, fences } of start?.writers ?? [])
      this.#writers.set(writer, { n, hash, seq, fences: new Map(fences) });
    this.#epochs = new Map(start?.epochs ?? []);
    this.#floor = floor;
  }

  /** Takes the next message of the stream. Returns undefined if it does not count. Throws a ChainBreak if it breaks its chain. */
  take(message: Pick<StoredMessage, 'seq' | 'subject' | 'data'>): JournalRecord | undefined {
    const { seq, subject, data } = message;
    let record: JournalRecord | undefined;
    try {
      record = this.#admission.admit(message);
    } catch (error) {
      throw new ChainBreak(seq, subject, 0, `cannot be read: ${(error as Error).message}`);
    }
    if (record === undefined) return undefined;
    const { writer, n } = record;
    const known = this.#writers.get(writer);
    const follows =
      known === undefined
        ? (n === 1 && record.before === '') || seq <= this.#floor
        : n === known.n + 1 && record.before === known.hash;
    // A gap is allowed only at a place that a person has skipped (CN1).
    if (!follows && !this.#admission.bridges(subject, known?.seq ?? 0, seq))
      throw new ChainBreak(seq, writer, n, `does not follow record ${known?.n ?? 0}`);
    const state = known ?? { n, hash: '', seq, fences: new Map<number, number>() };
    this.#writers.set(writer, state);
    Object.assign(state, { n, hash: recordHash(data), seq });
    this.#takeEpochs(record, state, seq);
    return record;
  }

  tip(writer: string): ChainTip | undefined {
    const known = this.#writers.get(writer);
    return known === undefined ? undefined : { writer, n: known.n, hash: known.hash, seq: known.seq };
  }

  get state(): ChainState {
    return {
      writers: [...this.#writers].map(([writer, { n, hash, seq, fences }]) => ({
        writer,
        n,
        hash,
        seq,
        fences: [...fences],
      })),
      epochs: [...this.#epochs],
    };
  }

  /** Takes the epochs of a record. Throws a ChainBreak if one decreases or is older than a fence (CN2). */
  #takeEpochs({ writer, n, decisions }: JournalRecord, state: Writer, seq: number): void {
    for (const decision of decisions) {
      for (const [partition, epoch] of decision.parts) {
        const fence = state.fences.get(partition) ?? 0;
        if (isFence(decision)) {
          state.fences.set(partition, Math.max(fence, epoch));
          continue;
        }
        const highest = this.#epochs.get(partition) ?? 0;
        if (epoch < fence)
          throw new ChainBreak(
            seq,
            writer,
            n,
            `decides for partition ${partition} in epoch ${epoch}, behind its fence of ${fence}`,
            true,
          );
        if (epoch < highest)
          throw new ChainBreak(
            seq,
            writer,
            n,
            `decides for partition ${partition} in epoch ${epoch}, behind one of ${highest}`,
            true,
          );
        this.#epochs.set(partition, epoch);
      }
    }
  }
}
