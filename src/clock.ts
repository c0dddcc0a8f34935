/**
 * Wall time that never jumps: the system's clock at start plus monotonic time since. A system clock that is set forth by a day
 * must expire no hold. It follows the system's clock by at most a thousandth, so that drift does not add up over weeks.
 */
import { performance } from 'node:perf_hooks';
import type { Clock } from '../streams/clock.ts';

const SLEW = 0.001;

export class SteadyClock implements Clock {
  #anchorMs = Date.now() - performance.now();
  #correctedAt = performance.now();

  nowMs(): number {
    return Math.floor(this.#anchorMs + performance.now());
  }

  monoMs(): number {
    return performance.now();
  }

  after(ms: number, call: () => void): () => void {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  }

  turn(call: () => void): void {
    setImmediate(call);
  }

  /** Follows the system's clock a little; to be called now and then. */
  follow(): void {
    const mono = performance.now();
    const most = (mono - this.#correctedAt) * SLEW;
    const off = Date.now() - mono - this.#anchorMs;
    this.#anchorMs += Math.max(-most, Math.min(most, off));
    this.#correctedAt = mono;
  }
}
