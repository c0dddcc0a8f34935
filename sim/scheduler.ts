/**
 * Virtual time: events in a heap, one at a time, each followed by every promise that it resolved.
 *
 * Invariant: nothing but this heap decides what comes next; two events of one moment are ordered by the seed.
 */
import { setImmediate as settled } from 'node:timers/promises';
import FlatQueue from 'flatqueue';
import type { Random } from './random.ts';

/** Below the resolution of any delay here: it orders what falls on one moment. */
const TIE_MS = 1e-4;
/** A world that makes so many events turns round for ever. */
const MOST_EVENTS = 5_000_000;

export class Scheduler {
  nowMs = 0;
  events = 0;
  readonly #heap = new FlatQueue<() => void>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Runs it after so many milliseconds; returns what cancels it. */
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

  /** Runs events until a moment, or until there is nothing more to wait for. `check` runs after each and may throw. */
  async run(untilMs: number, check: () => void, enough: () => boolean = () => false): Promise<void> {
    for (;;) {
      const at = this.#heap.peekValue();
      if (at === undefined || at > untilMs || enough()) break;
      const run = this.#heap.pop() as () => void;
      this.nowMs = Math.max(this.nowMs, at);
      this.events += 1;
      if (this.events > MOST_EVENTS) throw new Error('the world never comes to rest');
      run();
      // Every promise that this event resolved runs to its end before the next event.
      await settled();
      check();
    }
    if (!enough()) this.nowMs = Math.max(this.nowMs, untilMs);
  }
}
