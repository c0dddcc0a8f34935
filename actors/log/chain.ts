/**
 * The chains of JOURNAL as a reader checks them, record by record in stream order.
 *
 * Invariants:
 *  CN1 Records of one writer are dense and each carries the hash of the one before (JR1). A writer's first record is its n = 1, or the
 *     one that trimming left of it, at or below JOURNAL's floor.
 *     Behind what a person has skipped a chain goes on with the next record.
 *  CN2 Epochs of a partition never go down along the stream, and behind a fence its writer decides in no epoch before the fence's.
 */

import type { StoredMessage } from '../../streams/broker.ts';
import type { PartitionEpoch } from '../../streams/journal/decision.ts';
import { isFence } from '../../streams/journal/decision.ts';
import type { ChainTip } from '../../streams/journal/record.ts';
import { type JournalRecord, recordHash } from '../../streams/journal/record.ts';
import type { Admission } from './admission.ts';

/** Where a writer stands, and the partitions that it was fenced for. */
export interface WriterState extends ChainTip {
  readonly fences: readonly PartitionEpoch[];
}
/** All that is known of JOURNAL at one sequence. */
export interface ChainState {
  readonly writers: readonly WriterState[];
  readonly epochs: readonly PartitionEpoch[];
}

/** The first record that cannot be what was written. */
export class ChainBreak extends Error {
  override readonly name = 'ChainBreak';
  readonly seq: number;
  readonly writer: string;
  readonly n: number;
  /** Recovery reads it and counts it all the same. */
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

  /** @param start what a baseline knows; @param floor sequence up to which records may have been trimmed */
  constructor(start: ChainState | undefined, floor: number, admission: Admission) {
    this.#admission = admission;
    for (const { writer, n, hash, seq, fences } of start?.writers ?? [])
      this.#writers.set(writer, { n, hash, seq, fences: new Map(fences) });
    this.#epochs = new Map(start?.epochs ?? []);
    this.#floor = floor;
  }

  /** Takes the next record of the stream; undefined if it does not count. Throws a ChainBreak if it cannot be what was written. */
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
    // CN1.
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

  // CN2.
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
