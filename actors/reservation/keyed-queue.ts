/** Serializes work by reservation id. Work on an id waits until the previous work on it is done. */
import { LIMITS } from '../../config/limits.ts';
import { UNDECIDED, undecided } from '../ports/refusal.ts';

export class KeyedQueue {
  readonly #waiting = new Map<string, (() => void)[]>();

  /** Runs the work when its turn comes. Rejects as undecided if LIMITS.waitingPerReservation are already waiting. */
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
