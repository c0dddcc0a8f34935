/** Turns: whoever works on a reservation waits until the one before is done. */
import { LIMITS } from '../../config/limits.ts';
import { UNDECIDED, undecided } from '../ports/refusal.ts';

export class KeyedQueue {
  readonly #waiting = new Map<string, (() => void)[]>();

  /** Does the work when it is its turn; refuses (undecided) when too many wait. */
  async take<T>(id: string, work: () => Promise<T>): Promise<T> {
    const queue = this.#waiting.get(id);
    if (queue === undefined) this.#waiting.set(id, []);
    else {
      if (queue.length >= LIMITS.waitingPerReservation) throw undecided(UNDECIDED.queue);
      await new Promise<void>((resolve) => queue.push(resolve));
    }
    try {
      return await work();
    } finally {
      const next = this.#waiting.get(id)?.shift();
      if (next === undefined) this.#waiting.delete(id);
      else next();
    }
  }
}
