/**
 * What of JOURNAL counts. Every reader of records asks this, so that all of them read the same.
 *
 * Invariants:
 *  AD1 A record counts if its subject is that of an enrolled writer, or if it was stored before the registry was founded. Whatever
 *      stands elsewhere is set aside and reported, readable or not: its writer never owned anything.
 *  AD2 A writer is enrolled before anybody else learns its name, and so before its first record. What counts does therefore not depend on
 *      when it is read (actors/log/writers.ts).
 *  AD3 What a person has skipped does not count, and the chain of its writer may break there (actors/log/skips.ts).
 */
import { JOURNAL_STREAM } from '../../config/topology.ts';
import type { StoredMessage } from '../../streams/broker.ts';
import { decodeRecord, type JournalRecord, JournalRecordError } from '../../streams/journal/record.ts';
import { journalSubject } from '../../streams/subjects.ts';
import { Skips } from './skips.ts';

type Message = Pick<StoredMessage, 'seq' | 'subject' | 'data'>;

/** Records of writers that never owned anything, as far as a reader has come. */
export interface Aside {
  readonly records: number;
  readonly first: { readonly seq: number; readonly subject: string } | undefined;
}

export class Admission {
  /** For streams without a registry: every writer counts. */
  static readonly open = () => new Admission([], Number.POSITIVE_INFINITY, Skips.none);
  readonly skips: Skips;
  readonly #subjects: ReadonlySet<string>;
  /** Up to this sequence every writer counts. */
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

  /** Whether what stands on a subject at a sequence is of somebody who may write there (AD1). */
  counts(subject: string, seq: number): boolean {
    // mutant: unknown-writer-counts
    return seq <= this.#foundedAt || this.#subjects.has(subject);
  }

  /** The record; undefined if it does not count. Throws a JournalRecordError if it should count and is none. */
  admit(message: Message): JournalRecord | undefined {
    const { seq, subject, data } = message;
    if (!this.counts(subject, seq)) {
      if (seq > this.#asideUpTo)
        this.#aside = { records: this.#aside.records + 1, first: this.#aside.first ?? message };
      this.#asideUpTo = Math.max(this.#asideUpTo, seq);
      return undefined;
    }
    // AD3.
    if (this.skips.of(JOURNAL_STREAM, message) !== undefined) return undefined;
    const record = decodeRecord(data);
    if (journalSubject(record.writer) !== subject)
      throw new JournalRecordError(`record ${record.n} of ${record.writer} stands on the subject ${subject}`);
    return record;
  }

  /** Whether the chain of a subject may break between two of its records, since a person has judged what stood there. */
  bridges(subject: string, after: number, before: number): boolean {
    return this.skips.bridge(JOURNAL_STREAM, subject, after, before);
  }
}
