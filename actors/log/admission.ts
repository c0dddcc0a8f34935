/**
 * Decides which messages of JOURNAL count. Every reader of records uses this, so all readers see the same records.
 *
 * Invariants:
 *  AD1 A record counts if its subject is that of an enrolled writer, or if it was stored before the registry was founded. Any other message
 *      is set aside and reported, readable or not, because its writer never owned a partition.
 *  AD2 A writer is enrolled before anyone else learns its name, and so before its first record. So it does not matter when a reader
 *      asks whether a record counts (actors/log/writers.ts).
 *  AD3 A message that a person has skipped does not count, and its writer's chain may break there (actors/log/skips.ts).
 */
import { JOURNAL_STREAM } from '../../config/topology.ts';
import type { StoredMessage } from '../../streams/broker.ts';
import { decodeRecord, type JournalRecord, JournalRecordError } from '../../streams/journal/record.ts';
import { journalSubject } from '../../streams/subjects.ts';
import { Skips } from './skips.ts';

type Message = Pick<StoredMessage, 'seq' | 'subject' | 'data'>;

/** Records set aside so far, because their writers never owned a partition. */
export interface Aside {
  readonly records: number;
  readonly first: { readonly seq: number; readonly subject: string } | undefined;
}

export class Admission {
  /** Counts every writer, for streams without a registry. */
  static readonly open = () => new Admission([], Number.POSITIVE_INFINITY, Skips.none);
  readonly skips: Skips;
  readonly #subjects: ReadonlySet<string>;
  /** Sequence of JOURNAL up to which every writer counts. */
  readonly #foundedAt: number;
  #aside: Aside = { records: 0, first: undefined };
  #asideUpTo = 0;

  constructor(writers: readonly string[], foundedAt: number, skips: Skips) {
    this.#subjects = new Set(writers.map(journalSubject));
    this.#foundedAt = foundedAt;
    this.skips = skips;
  }

  get aside(): Aside {
    return this.#aside;
  }

  /** Whether a writer is enrolled. */
  knows(writer: string): boolean {
    return this.#subjects.has(journalSubject(writer));
  }

  /** Whether the writer of a subject may have a record at this sequence (AD1). */
  counts(subject: string, seq: number): boolean {
    // mutant: unknown-writer-counts
    return seq <= this.#foundedAt || this.#subjects.has(subject);
  }

  /** Decodes a record. Returns undefined if it does not count. Throws a JournalRecordError if it should count but is not a valid record. */
  admit(message: Message): JournalRecord | undefined {
    const { seq, subject, data } = message;
    if (!this.counts(subject, seq)) {
      if (seq > this.#asideUpTo)
        this.#aside = { records: this.#aside.records + 1, first: this.#aside.first ?? message };
      this.#asideUpTo = Math.max(this.#asideUpTo, seq);
      return undefined;
    }
    // A skipped message does not count (AD3).
    if (this.skips.of(JOURNAL_STREAM, message) !== undefined) return undefined;
    const record = decodeRecord(data);
    if (journalSubject(record.writer) !== subject)
      throw new JournalRecordError(`record ${record.n} of ${record.writer} stands on the subject ${subject}`);
    return record;
  }

  /** Whether the chain of a subject may break between two sequences, because a person has skipped a place there. */
  bridges(subject: string, after: number, before: number): boolean {
    return this.skips.bridge(JOURNAL_STREAM, subject, after, before);
  }
}
