/**
 * Limits costly work: `atOnce` requests run, `waiting` requests wait, and any further one is refused as busy, which is cheap.
 *
 * After its work, a slot rests for REST times as long as the work took, up to a bound. So a client that sends nothing but costly requests
 * gets about a quarter of the time, and the rest is left for everyone else.
 */
import type { Clock } from '../../streams/clock.ts';
import { Refusal } from '../ports/refusal.ts';

const REST = 3;

export interface TurnstileBounds {
  readonly atOnce: number;
  readonly waiting: number;
  /** Longest rest of a slot, in milliseconds. */
  readonly restMs: number;
}

export class Turnstile {
  readonly #clock: Clock;
  readonly #bounds: TurnstileBounds;
  readonly #what: string;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  /** @param what name of the work for error messages, such as `explanations` */
  constructor(clock: Clock, bounds: TurnstileBounds, what: string) {
    this.#clock = clock;
    this.#bounds = bounds;
    this.#what = what;
  }

  async pass<T>(work: () => Promise<T>): Promise<T> {
    const { atOnce, waiting, restMs } = this.#bounds;
    if (this.#taken < atOnce) this.#taken += 1;
    else if (this.#waiting.length < waiting) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else throw new Refusal('busy', `${atOnce} ${this.#what} are being made and ${waiting} wait`);
    const began = this.#clock.monoMs();
    try {
      return await work();
    } finally {
      const took = this.#clock.monoMs() - began;
      this.#clock.after(Math.min(REST * took, restMs), () => this.#give());
    }
  }

  /** Passes the slot to the next waiting request, or frees it. */
  #give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken -= 1;
    else next();
  }
}
