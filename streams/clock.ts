/**
 * Time for everything below the fronts. It is passed in, so that a simulation can control it.
 *
 * Wall time is for stamps. Monotonic time is for leases, watchdogs and durations.
 */
export interface Clock {
  /** Milliseconds since 1970. It never goes back, and a jump of the system's clock expires nothing. */
  nowMs(): number;
  /** Monotonic milliseconds of this process. */
  monoMs(): number;
  /** Calls back after `ms` milliseconds. Returns a function that cancels the call. */
  after(ms: number, call: () => void): () => void;
  /** Calls back after the present turn of the event loop. */
  turn(call: () => void): void;
}

/** Splits long work over turns of the event loop, so that other work can run in between. */
export class Turns {
  readonly #clock: Clock;
  readonly #ms: number;
  #since: number;

  /** @param ms work per turn of the event loop, in milliseconds */
  constructor(clock: Clock, ms: number) {
    this.#clock = clock;
    this.#ms = ms;
    this.#since = clock.monoMs();
  }

  /** Await it between two steps. It returns undefined while the present turn may go on. */
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

/** A pause lasts this many times as long as the run before it, up to MOST_PAUSE_MS. Short runs thus take at most a tenth of the time. */
const PAUSE = 9;
const MOST_PAUSE_MS = 500;

/**
 * Costly work whose result is the same for every caller. One run answers all calls that were made before it began, so a result is never
 * older than its call. A pause follows each run, so a burst of calls cannot take all of the time. A call waits only while a
 * run or its pause lasts.
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

/** Resolves after `ms` milliseconds, or as soon as the signal aborts. */
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

/** The outcome of the work, or undefined if it takes longer than `ms` milliseconds. */
export function inTime<T>(clock: Clock, ms: number, work: Promise<T>): Promise<T | undefined> {
  const over = new AbortController();
  const late = delay(clock, ms, over.signal).then(() => undefined);
  return Promise.race([work, late]).finally(() => over.abort());
}

/** Back-off before the next attempt, in milliseconds. It doubles each time, up to `mostMs`. `attempt` counts from 0. */
export function backOffMs(attempt: number, firstMs: number, mostMs: number): number {
  return Math.min(mostMs, firstMs * 2 ** attempt);
}

/** Calls back every `ms` milliseconds until the returned function is called. */
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
