/**
 * The machine under a node: it runs, sleeps (a paused process) or is dead, and has a system clock that may be off or jump. Everything that
 * reaches a node, timers and answers alike, passes through its host.
 */
import { SteadyClock } from '../src/process/steady-clock.ts';
import type { Scheduler } from './scheduler.ts';

/** Wall time when virtual time is 0. */
export const EPOCH_MS = Date.UTC(2026, 10, 24, 9);

export class Host {
  readonly name: string;
  readonly clock: SteadyClock;
  /** Milliseconds that the system's clock is off, jumps included. */
  offMs: number;
  readonly #scheduler: Scheduler;
  #state: 'running' | 'asleep' | 'dead' = 'running';
  #waiting: (() => void)[] = [];

  /** @param turnMs milliseconds of work that a turn of its loop takes */
  constructor(name: string, scheduler: Scheduler, offMs: number, turnMs: number) {
    this.name = name;
    this.#scheduler = scheduler;
    this.offMs = offMs;
    this.clock = new SteadyClock({
      wallMs: () => EPOCH_MS + scheduler.nowMs + this.offMs,
      monoMs: () => scheduler.nowMs,
      after: (ms, call) => scheduler.after(ms, () => this.reach(call)),
      turn: (call) => void scheduler.after(turnMs, () => this.reach(call)),
    });
  }

  get alive(): boolean {
    return this.#state !== 'dead';
  }

  get asleep(): boolean {
    return this.#state === 'asleep';
  }

  /** Something comes to the node now: a timer, a message, an answer. */
  reach(call: () => void): void {
    if (this.#state === 'running') call();
    else if (this.#state === 'asleep') this.#waiting.push(call);
  }

  sleep(): void {
    if (this.#state === 'running') this.#state = 'asleep';
  }

  wake(): void {
    if (this.#state !== 'asleep') return;
    this.#state = 'running';
    // What came while it slept comes now, one after the other.
    for (const call of this.#waiting.splice(0)) this.#scheduler.after(0, () => this.reach(call));
  }

  die(): void {
    this.#state = 'dead';
    this.#waiting = [];
  }
}
