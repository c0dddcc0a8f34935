/**
 * The network between one host and the server. Messages keep their order, as over TCP. A direction may drop messages, like a broken
 * connection, or clog and deliver them when it heals. After a clog, a message may arrive although its caller has timed out.
 */

import type { Random } from '../../streams/random.ts';
import type { Host } from '../host.ts';
import type { Scheduler } from '../scheduler.ts';

export type Weather = 'open' | 'drop' | 'clog';

class Direction {
  weather: Weather = 'open';
  slowMs = 0;
  #lastAt = 0;
  #clogged: (() => void)[] = [];
  readonly #scheduler: Scheduler;
  readonly #random: Random;

  constructor(scheduler: Scheduler, random: Random) {
    this.#scheduler = scheduler;
    this.#random = random;
  }

  /** A dropped connection stays dropped, because a clog cannot bring it back. */
  worsen(weather: 'drop' | 'clog'): void {
    if (this.weather !== 'drop') this.weather = weather;
  }

  send(deliver: () => void): void {
    if (this.weather === 'drop') return;
    if (this.weather === 'clog') {
      this.#clogged.push(deliver);
      return;
    }
    const at = Math.max(this.#lastAt, this.#scheduler.nowMs + this.#random.between(0.05, 1 + this.slowMs));
    this.#lastAt = at + 1e-3;
    this.#scheduler.after(at - this.#scheduler.nowMs, deliver);
  }

  heal(): void {
    this.weather = 'open';
    this.slowMs = 0;
    for (const deliver of this.#clogged.splice(0)) this.send(deliver);
  }
}

export class Link {
  readonly up: Direction;
  readonly down: Direction;
  /** Called when a lost connection is restored. */
  readonly broken = new Set<() => void>();
  readonly #host: Host;

  constructor(host: Host, scheduler: Scheduler, random: Random) {
    this.#host = host;
    this.up = new Direction(scheduler, random);
    this.down = new Direction(scheduler, random);
  }

  toServer(arrive: () => void): void {
    this.up.send(arrive);
  }

  toHost(arrive: () => void): void {
    this.down.send(() => this.#host.reach(arrive));
  }

  /** Whether messages are held up in either direction. */
  get clogged(): boolean {
    return this.up.weather === 'clog' || this.down.weather === 'clog';
  }

  heal(): void {
    const lost = this.up.weather === 'drop' || this.down.weather === 'drop';
    this.up.heal();
    this.down.heal();
    if (lost) this.reconnected();
  }

  reconnected(): void {
    this.toHost(() => {
      for (const tell of [...this.broken]) tell();
    });
  }
}
