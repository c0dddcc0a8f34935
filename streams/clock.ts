/**
 * Time, as everything below the fronts is given it, so that a simulation can own it.
 *
 * Wall time is for stamps, monotonic time for leases, watchdogs and durations.
 */
export interface Clock {
  /** Milliseconds since 1970, never going back: a jump of the system's clock expires nothing. */
  nowMs(): number;
  /** Monotonic milliseconds of this process. */
  monoMs(): number;
  /** Calls back after so many milliseconds; returns what cancels it. */
  after(ms: number, call: () => void): () => void;
  /** Calls back when the present turn of the event loop is over. */
  turn(call: () => void): void;
}

/** Lets others have their turns of the event loop while one goes on with work that is long. */
export class Turns {
  readonly #clock: Clock;
  readonly #ms: number;
  #since: number;

  /** @param ms of work in one turn */
  constructor(clock: Clock, ms: number) {
    this.#clock = clock;
    this.#ms = ms;
    this.#since = clock.monoMs();
  }

  /** To be awaited between two steps; undefined while the turn may go on. */
  next(): Promise<void> | undefined {
    if (this.#clock.monoMs() - this.#since < this.#ms) return undefined;
    return new Promise((resolve) => {
      this.#clock.turn(() => {
        this.#since = this.#clock.monoMs();
        resolve();
      });
    });
  }
}

/** A pause is so many times as long as the work before it, so the work gets a tenth of the time at most. */
const PAUSE = 9;
const MOST_PAUSE_MS = 500;

/**
 * Costly work whose result is the same for everyone who asks. One run answers all who asked before it began, so a result is never older
 * than its question. A pause follows each run, so a storm of questions costs a bounded share of the time. A lone question never waits.
 */
export class PacedWork<T> {
  readonly #clock: Clock;
  readonly #work: () => Promise<T>;
  #before: Promise<unknown> = Promise.resolve();
  #next: Promise<T> | undefined;

  constructor(clock: Clock, work: () => Promise<T>) {
    this.#clock = clock;
    this.#work = work;
  }

  /** Rejects as the work does. */
  result(): Promise<T> {
    if (this.#next === undefined) {
      const next = this.#before.then(() => this.#run());
      this.#next = next;
    }
    return this.#next;
  }

  async #run(): Promise<T> {
    this.#next = undefined;
    const began = this.#clock.monoMs();
    let ended: () => void = () => undefined;
    this.#before = new Promise<void>((resolve) => {
      ended = resolve;
    });
    try {
      return await this.#work();
    } finally {
      this.#clock.after(Math.min(PAUSE * (this.#clock.monoMs() - began), MOST_PAUSE_MS), ended);
    }
  }
}

/** Resolves after so many milliseconds, or as soon as the signal is given. */
export function delay(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const end = () => {
      cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal?.addEventListener('abort', end);
  });
}

/** The outcome of the work, or undefined if it takes longer than so many milliseconds. */
export function inTime<T>(clock: Clock, ms: number, work: Promise<T>): Promise<T | undefined> {
  const over = new AbortController();
  const late = delay(clock, ms, over.signal).then(() => undefined);
  return Promise.race([work, late]).finally(() => over.abort());
}

/** Milliseconds to wait before the next attempt: twice as long each time, up to a bound. `attempt` counts from 0. */
export function backOffMs(attempt: number, firstMs: number, mostMs: number): number {
  return Math.min(mostMs, firstMs * 2 ** attempt);
}

/** Calls again and again, so many milliseconds apart, until what it returns is called. */
export function every(clock: Clock, ms: number, call: () => void): () => void {
  let cancel: () => void = () => undefined;
  const arm = () => {
    cancel = clock.after(ms, () => {
      arm();
      call();
    });
  };
  arm();
  return () => cancel();
}
