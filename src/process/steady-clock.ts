/**
 * Wall time that never jumps, so that no hold expires because someone sets the system clock forward by a day. It is the system time at the
 * start plus the monotonic time since. It then slews towards the system clock by at most 0.1 %, so drift does not accumulate over weeks.
 */
import { performance } from 'node:perf_hooks';
import type { Clock } from '../../streams/clock.ts';

const SLEW = 0.001;

/** The clocks and timers of the system. People and NTP can set the wall clock, but not the monotonic clock. */
export interface SystemTime {
  wallMs(): number;
  monoMs(): number;
  after(ms: number, call: () => void): () => void;
  turn(call: () => void): void;
}

export const SYSTEM: SystemTime = {
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

  /** Slews towards the system clock. Call it about once a minute. */
  follow(): void {
    const mono = this.#system.monoMs();
    const most = (mono - this.#correctedAt) * SLEW;
    const off = this.#system.wallMs() - mono - this.#anchorMs;
    this.#anchorMs += Math.max(-most, Math.min(most, off));
    this.#correctedAt = mono;
  }
}
