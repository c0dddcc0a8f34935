/**
 * Reservations whose last attempt is not finished at other owners: those that a former owner of their home has left behind, and those
 * whose participants could not be reached. They are tried again until they are finished.
 */
import type { Clock } from '../../streams/clock.ts';
import type { PartitionSet } from '../partition/partition-set.ts';

/** Pause before the next try. */
const RETRY_MS = 1_000;

export class Unfinished {
  readonly #clock: Clock;
  readonly #finish: (id: string) => Promise<void>;
  readonly #ids = new Set<string>();
  #waiting = false;

  /** @param finish finishes the last attempt of an id, and rejects if that is not possible now. It does nothing if nothing is left to do */
  constructor(clock: Clock, partitions: Pick<PartitionSet, 'observe'>, finish: (id: string) => Promise<void>) {
    this.#clock = clock;
    this.#finish = finish;
    partitions.observe({
      serves: ({ book }) => {
        // mutant: left-behind-not-finished
        for (const { id, open } of book.coordinatorEntries.values()) if (open !== undefined) this.add(id);
      },
    });
  }

  add(id: string): void {
    this.#ids.add(id);
    this.#wait();
  }

  #wait(): void {
    if (this.#waiting || this.#ids.size === 0) return;
    this.#waiting = true;
    this.#clock.after(RETRY_MS, () => {
      this.#waiting = false;
      const ids = [...this.#ids];
      this.#ids.clear();
      for (const id of ids) this.#finish(id).catch(() => this.add(id));
    });
  }
}
