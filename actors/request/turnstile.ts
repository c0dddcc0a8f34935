/** Lets so many costly works go on at once and so many wait; the next one is refused as busy, which is cheap. */
import { Refusal } from '../ports/refusal.ts';

export class Turnstile {
  readonly #atOnce: number;
  readonly #mostWaiting: number;
  readonly #what: string;
  readonly #waiting: (() => void)[] = [];
  #going = 0;

  /** @param what goes on, for people, such as `explanations` */
  constructor(atOnce: number, mostWaiting: number, what: string) {
    this.#atOnce = atOnce;
    this.#mostWaiting = mostWaiting;
    this.#what = what;
  }

  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#going < this.#atOnce) this.#going += 1;
    else if (this.#waiting.length < this.#mostWaiting)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else throw new Refusal('busy', `${this.#atOnce} ${this.#what} are being made and ${this.#mostWaiting} wait`);
    try {
      return await work();
    } finally {
      // The place goes to who waits, or is free.
      const next = this.#waiting.shift();
      if (next === undefined) this.#going -= 1;
      else next();
    }
  }
}
