/**
 * The registry of writers: who may have records in JOURNAL.
 *
 * Invariants:
 *  WR1 A node enrols its writer before it tells anybody that it lives, and so before it can own anything or append.
 *  WR2 The registry is founded by the first node that finds no node alive whose writer is not enrolled: all that JOURNAL holds then counts.
 *      Until then everything counts, as it does for nodes that know of no registry.
 *  WR3 A writer that the owners' bucket names is enrolled before it is fenced: it owned something, whatever its program knows.
 *  WR4 An enrolment is never taken back. That the bucket has forgotten one is noticed by the nodes' marks.
 */
import { JOURNAL_STREAM, WRITERS_BUCKET } from '../../config/topology.ts';
import type { Broker, Keys } from '../../streams/broker.ts';
import type { Clock } from '../../streams/clock.ts';
import { formatInstant } from '../../streams/instant.ts';
import { Admission } from './admission.ts';
import { Skips } from './skips.ts';

const FOUNDED = 'founded';
const WRITER = 'w.';

export interface WritersDeps {
  readonly broker: Pick<Broker, 'stream'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly writers: Keys;
  readonly skips: Keys;
}

export class Writers {
  readonly #deps: WritersDeps;
  /** As it was read last. */
  latest = Admission.open();
  /** Latest revision of the bucket that is known here. */
  revision = 0;
  #founded = false;

  constructor(deps: WritersDeps) {
    this.#deps = deps;
  }

  /** Reads what counts now: of all that JOURNAL holds up to an end that was read before. */
  async read(): Promise<Admission> {
    const entries = await this.#deps.writers.all();
    const writers: string[] = [];
    let foundedAt = Number.POSITIVE_INFINITY;
    for (const { key, value, revision } of entries) {
      this.revision = Math.max(this.revision, revision);
      if (key === FOUNDED) foundedAt = (JSON.parse(value) as { journalSeq: number }).journalSeq;
      else if (key.startsWith(WRITER)) writers.push(key.slice(WRITER.length));
    }
    this.#founded = foundedAt !== Number.POSITIVE_INFINITY;
    this.latest = new Admission(writers, foundedAt, await Skips.read(this.#deps.skips));
    return this.latest;
  }

  /** WR1. Enrolling again is harmless. */
  async enrol(writer: string, node: string): Promise<void> {
    await this.#create(`${WRITER}${writer}`, { node, at: this.#now });
  }

  /** WR2. @param live writers of the nodes that live now */
  async found(live: () => Promise<readonly string[]>): Promise<void> {
    if (this.#founded) return;
    const admission = await this.read();
    if (this.#founded || !(await live()).every((writer) => admission.knows(writer))) return;
    const journalSeq = (await this.#deps.broker.stream(JOURNAL_STREAM))?.lastSeq ?? 0;
    await this.#create(FOUNDED, { journalSeq, at: this.#now });
    await this.read();
  }

  /** What counts, with every writer enrolled that must be fenced (WR3). */
  async readWith(fenced: Iterable<string>, self: string): Promise<Admission> {
    const admission = await this.read();
    const unknown = [...new Set(fenced)].filter((writer) => !admission.knows(writer));
    for (const writer of unknown) await this.enrol(writer, '');
    if (!admission.knows(self))
      throw new Error(
        `bucket ${WRITERS_BUCKET} does not keep what is written to it: its file is damaged; restart the node`,
      );
    return unknown.length === 0 ? admission : this.read();
  }

  /** Whether people have judged something since it was read last. */
  async judgedSince(): Promise<boolean> {
    return (await Skips.read(this.#deps.skips)).revision !== this.latest.skips.revision;
  }

  get #now(): string {
    return formatInstant(this.#deps.clock.nowMs() * 1000);
  }

  // A key is created and never deleted (WR4).
  async #create(key: string, value: object): Promise<void> {
    try {
      this.revision = Math.max(this.revision, await this.#deps.writers.put(key, JSON.stringify(value), 0));
    } catch (error) {
      if ((error as { kind?: string }).kind !== 'conflict') throw error;
    }
  }
}
