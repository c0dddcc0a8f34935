/**
 * The machine under a node. It is running, asleep (a paused process) or dead, and its system clock may be off or jump. Everything that
 * reaches a node, including timers and answers, passes through its host.
 */
import { SteadyClock } from '../src/process/steady-clock.ts';
import type { Scheduler } from './scheduler.ts';

/** Wall time at virtual time 0. */
export const EPOCH_MS = Date.UTC(2026, 10, 24, 9);

export class Host {
  readonly name: string;
  readonly clock: SteadyClock;
  /** Offset of the system clock in milliseconds, including jumps. */
  offMs: number;
  readonly #scheduler: Scheduler;
  #state: 'running' | 'asleep' | 'dead' = 'running';
  #waiting: (() => void)[] = [];

  /** @param turnMs work per turn of the event loop, in milliseconds */
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

  /** Delivers a timer, a message or an answer to the node. */
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
    // Calls that arrived during the sleep are delivered now, each as an event of its own.
    for (const call of this.#waiting.splice(0)) this.#scheduler.after(0, () => this.reach(call));
  }

  die(): void {
    this.#state = 'dead';
    this.#waiting = [];
  }
}
