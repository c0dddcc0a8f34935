/**
 * The registry of writers whose records in JOURNAL count. Once it is founded, new records of other writers are set aside (admission.ts).
 *
 * Invariants:
 *  WR1 A node enrols its writer before it announces that it is alive, and so before it can own a partition or append.
 *  WR2 The first node that finds the writers of all live nodes enrolled founds the registry. Everything that JOURNAL holds then counts.
 *      Until then everything counts, as it does for nodes that know no registry.
 *  WR3 A writer that the owners' bucket names is enrolled before it is fenced, because it owned a partition even if its program knows no
 *      registry.
 *  WR4 An enrolment is never taken back. If the bucket loses one, the nodes' high-water marks show it.
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
  /** The admission that was read last. */
  latest = Admission.open();
  /** Latest known revision of the bucket. */
  revision = 0;
  #founded = false;

  constructor(deps: WritersDeps) {
    this.#deps = deps;
  }

  /** Reads which records count. The result is valid up to any end of JOURNAL that was read before this call. */
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

  /** Enrols a writer, which must happen before its node announces itself (WR1). Idempotent. */
  async enrol(writer: string, node: string): Promise<void> {
    await this.#create(`${WRITER}${writer}`, { node, at: this.#now });
  }

  /**
   * Founds the registry if every live writer is enrolled (WR2).
   * @param live the writers of the nodes that are alive now
   */
  async found(live: () => Promise<readonly string[]>): Promise<void> {
    if (this.#founded) return;
    const admission = await this.read();
    if (this.#founded || !(await live()).every((writer) => admission.knows(writer))) return;
    const journalSeq = (await this.#deps.broker.stream(JOURNAL_STREAM))?.lastSeq ?? 0;
    await this.#create(FOUNDED, { journalSeq, at: this.#now });
    await this.read();
  }

  /** Reads which records count, after it has enrolled every writer that must be fenced (WR3). */
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

  /** Whether a skip was added since the last read. */
  async judgedSince(): Promise<boolean> {
    return (await Skips.read(this.#deps.skips)).revision !== this.latest.skips.revision;
  }

  get #now(): string {
    return formatInstant(this.#deps.clock.nowMs() * 1000);
  }

  // Keys are created and never deleted (WR4).
  async #create(key: string, value: object): Promise<void> {
    try {
      this.revision = Math.max(this.revision, await this.#deps.writers.put(key, JSON.stringify(value), 0));
    } catch (error) {
      if ((error as { kind?: string }).kind !== 'conflict') throw error;
    }
  }
}
