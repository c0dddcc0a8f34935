/**
 * Virtual time. Events wait in a heap and run one at a time. All promises that an event resolved settle before the next event.
 *
 * Invariant: only this heap decides which event comes next. The seed orders events of the same moment.
 */
import { setImmediate as settled } from 'node:timers/promises';
import FlatQueue from 'flatqueue';
import type { Random } from '../streams/random.ts';

/** Smaller than any delay here. It orders events of the same moment. */
const TIE_MS = 1e-4;
/** A world with more events than this is in an endless loop. */
const MOST_EVENTS = 5_000_000;

export class Scheduler {
  nowMs = 0;
  events = 0;
  readonly #heap = new FlatQueue<() => void>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Runs `run` after `ms` milliseconds. Returns a function that cancels it. */
  after(ms: number, run: () => void): () => void {
    let cancelled = false;
    const at = this.nowMs + Math.max(0, ms) + this.#random.next() * TIE_MS;
    this.#heap.push(() => {
      if (!cancelled) run();
    }, at);
    return () => {
      cancelled = true;
    };
  }

  /** Runs events up to a moment, or until `enough` returns true. `check` runs after each event and may throw. */
  async run(untilMs: number, check: () => void, enough: () => boolean = () => false): Promise<void> {
    for (;;) {
      const at = this.#heap.peekValue();
      if (at === undefined || at > untilMs || enough()) break;
      const run = this.#heap.pop() as () => void;
      this.nowMs = Math.max(this.nowMs, at);
      this.events += 1;
      if (this.events > MOST_EVENTS) throw new Error('the world never comes to rest');
      run();
      // Let every promise that this event resolved settle before the next event.
      await settled();
      check();
    }
    if (!enough()) this.nowMs = Math.max(this.nowMs, untilMs);
  }
}
