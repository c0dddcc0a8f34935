/** A clock that stands still until it is moved, or that leaps to the next timer whenever code waits. */
import type { Clock } from '../../../../streams/clock.ts';

interface Timer {
  readonly atMs: number;
  readonly call: () => void;
}

/** The clock never leaps to timers at least this far away. */
const NEVER_MS = 100_000_000;

export class FakeClock implements Clock {
  #nowMs: number;
  #timers: Timer[] = [];
  readonly #leaping: boolean;

  constructor(nowMs: number, leaping = false) {
    this.#nowMs = nowMs;
    this.#leaping = leaping;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monoMs(): number {
    return this.#nowMs;
  }

  get waiting(): number {
    return this.#timers.length;
  }

  after(ms: number, call: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms, call };
    this.#timers.push(timer);
    if (this.#leaping && ms < NEVER_MS) setImmediate(() => this.#leap());
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  }

  turn(call: () => void): void {
    setImmediate(call);
  }

  /** Moves to a time and fires the timers due on the way. */
  advanceTo(nowMs: number): void {
    for (let next = this.#next(); next !== undefined && next.atMs <= nowMs; next = this.#next()) this.#ring(next);
    this.#nowMs = nowMs;
  }

  #leap(): void {
    const next = this.#next();
    if (next !== undefined && next.atMs - this.#nowMs < NEVER_MS) this.#ring(next);
  }

  #ring(timer: Timer): void {
    this.#nowMs = Math.max(this.#nowMs, timer.atMs);
    this.#timers = this.#timers.filter((each) => each !== timer);
    timer.call();
  }

  #next(): Timer | undefined {
    return this.#timers.toSorted((one, other) => one.atMs - other.atMs)[0];
  }
}
