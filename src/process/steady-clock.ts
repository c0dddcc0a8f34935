/**
 * Wall time that never jumps: the system's clock at start plus monotonic time since. A system clock that is set forth by a day
 * must expire no hold. It follows the system's clock by at most a thousandth, so that drift does not add up over weeks.
 */
import { performance } from 'node:perf_hooks';
import type { Clock } from '../../streams/clock.ts';

const SLEW = 0.001;

/** What the system gives: a wall clock that people and NTP set, a monotonic one, and timers. */
export interface SystemTime {
  wallMs(): number;
  monoMs(): number;
  after(ms: number, call: () => void): () => void;
  turn(call: () => void): void;
}

const SYSTEM: SystemTime = {
  wallMs: () => Date.now(),
  monoMs: () => performance.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
  turn: (call) => void setImmediate(call),
};

export class SteadyClock implements Clock {
  readonly #system: SystemTime;
  #anchorMs: number;
  #correctedAt: number;

  constructor(system: SystemTime = SYSTEM) {
    this.#system = system;
    this.#anchorMs = system.wallMs() - system.monoMs();
    this.#correctedAt = system.monoMs();
  }

  nowMs(): number {
    // mutant: clock-follows-system
    return Math.floor(this.#anchorMs + this.#system.monoMs());
  }

  monoMs(): number {
    return this.#system.monoMs();
  }

  after(ms: number, call: () => void): () => void {
    return this.#system.after(ms, call);
  }

  turn(call: () => void): void {
    this.#system.turn(call);
  }

  /** Follows the system's clock a little; to be called now and then. */
  follow(): void {
    const mono = this.#system.monoMs();
    const most = (mono - this.#correctedAt) * SLEW;
    const off = this.#system.wallMs() - mono - this.#anchorMs;
    this.#anchorMs += Math.max(-most, Math.min(most, off));
    this.#correctedAt = mono;
  }
}
