/**
 * The index of all parked facts. Every node has its own, and reads on as the stream grows.
 *
 * Invariant PI1: a state follows from the stream alone, so all nodes agree, and a restart finds the same.
 */
import { PARKED_STREAM } from '../../config/topology.ts';
import { present } from '../../streams/assert.ts';
import { readAll } from '../../streams/fact/parked/park-marks.ts';
import { identityIn, isEntry, parkedEntry } from '../../streams/fact/parked/parked.ts';
import type { ReadingDeps } from '../../streams/read/follower.ts';
import { WaitingCauses } from './causes.ts';
import { ParkedTable } from './parked-table.ts';

/** Entries of earlier versions read at once with their bytes. Kept low, because one that version 0.1 wrote may have 8 MB. */
const READ_AT_ONCE = 4;

/** Thrown to end reading at an entry without an identity in its headers. */
class Unidentified extends Error {}

export class ParkedIndex {
  readonly causes: WaitingCauses;
  readonly table: ParkedTable;
  readonly #deps: ReadingDeps;
  #read = 0;
  #complete = false;
  #unidentified = false;
  #reading: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(deps: ReadingDeps, partitions: number) {
    this.#deps = deps;
    this.causes = new WaitingCauses(partitions, () => this.#complete);
    this.table = new ParkedTable(this.causes);
  }

  /** Reads everything that was stored before this call. Calls during one reading share the next one. */
  refresh(): Promise<void> {
    this.#next ??= this.#reading
      .catch(() => undefined)
      .then(() => {
        this.#reading = present(this.#next);
        this.#next = undefined;
        return this.#readOn();
      });
    return this.#next;
  }

  async #readOn(): Promise<void> {
    const last = (await this.#deps.broker.lastOn(PARKED_STREAM, '>'))?.seq ?? 0;
    while (this.#read < last) {
      if (this.#unidentified) await this.#readWhole(last);
      else await this.#readHeaders(last);
    }
    this.#complete = true;
  }

  async #readHeaders(last: number): Promise<void> {
    try {
      await readAll(this.#deps, '>', this.#read + 1, last, (message) => {
        const identity = isEntry(message) ? identityIn(message) : undefined;
        // Only what the stream holds decides, in its order (PI1).
        if (isEntry(message) && identity === undefined) throw new Unidentified();
        this.table.take(message, identity);
        this.#read = message.seq;
      });
    } catch (error) {
      if (!(error instanceof Unidentified)) throw error;
      this.#unidentified = true;
    }
  }

  /** Reads some messages with their bytes, as entries of earlier versions need. */
  async #readWhole(last: number): Promise<void> {
    const from = this.#read + 1;
    const some = Array.from({ length: Math.min(READ_AT_ONCE, last - from + 1) }, (_, i) =>
      this.#deps.broker.message(PARKED_STREAM, from + i),
    );
    for (const message of await Promise.all(some)) {
      this.#read += 1;
      if (message === undefined) continue;
      this.table.take(message, parkedEntry(message)?.identity);
      if (isEntry(message) && identityIn(message) !== undefined) this.#unidentified = false;
    }
  }
}
