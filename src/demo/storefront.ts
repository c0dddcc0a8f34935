/**
 * The demo's storefront: callers who look, fill a basket, and then buy, leave or forget it, at a bounded rate.
 *
 * A caller looks a few times and then reserves. The hold is confirmed, released or left to expire. A confirmed basket leaves
 * the shelf a little later, as a `sale` for each line that names the reservation. Latencies are measured by the callers, over
 * HTTP.
 */
import { setMaxListeners } from 'node:events';
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { Demo } from '../../config/demo/demo.ts';
import { LIMITS } from '../../config/limits.ts';
import { type Clock, delay } from '../../streams/clock.ts';
import { formatInstant } from '../../streams/instant.ts';
import { type Ask, type Asked, NO_ANSWER, path } from '../client/client.ts';
import type { SentFact } from '../replay/entry.ts';
import type { Send } from '../replay/send.ts';
import { random } from './chance.ts';
import type { Month } from './month.ts';
import { storesOf } from './movements.ts';

export interface StorefrontOptions {
  readonly demo: Demo;
  readonly month: Month;
  readonly ask: Ask;
  readonly send: Send;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}
export interface StorefrontCounters {
  readonly atpRequests: number;
  /** Decided requests: granted + refused. */
  readonly reservations: number;
  readonly granted: number;
  readonly refused: number;
  readonly confirmed: number;
  readonly released: number;
  /** Holds left to expire. */
  readonly forgotten: number;
  readonly sales: number;
  /** Attempts that failed: no answer, 5xx, a confirm or release that was refused, or sales that could not be sent. */
  readonly troubles: number;
  /** Over the last 5 to 10 s; 0 if nothing was asked. */
  readonly atpMsP99: number;
  readonly reservationMsP99: number;
}

const AFTER_TROUBLE_MS = 500;
const WINDOW_MS = 5_000;
const SHIP_EVERY_MS = 500;
/** A confirmed basket leaves the shelf within this time. */
const PICKING_MS = 10_000;
/** The most confirmed baskets that wait to leave. Callers stop reserving beyond that. */
const MOST_WAITING = 5_000;
const LAST_TRIES = 3;

interface Grant {
  readonly id: string;
  readonly lines: readonly { readonly sku: string; readonly qty: number; readonly location: string }[];
}

interface Leaving {
  readonly dueMs: number;
  readonly grant: Grant;
}

export class Storefront {
  readonly #options: StorefrontOptions;
  readonly #load: Demo['storefront'];
  /** Locations where orders are collected. */
  readonly #stores: readonly string[];
  readonly #chance: () => number;
  readonly #visit: string;
  readonly #pick: () => string;
  readonly #atpLatency: WindowedLatency;
  readonly #reservationLatency: WindowedLatency;
  #leaving: Leaving[] = [];
  /** Sales in flight. They stay the same until they are stored. */
  #packed: SentFact[] = [];
  #counts = { atpRequests: 0, granted: 0, refused: 0, confirmed: 0, released: 0, forgotten: 0, sales: 0, troubles: 0 };
  #nextSlotMs = 0;
  #baskets = 0;

  constructor(options: StorefrontOptions) {
    const { clock, demo, month } = options;
    // Every waiting caller listens to the signal, which is more than Node's limit for a warning.
    const signal = AbortSignal.any([options.signal]);
    setMaxListeners(0, signal);
    this.#options = { ...options, signal };
    this.#load = demo.storefront;
    this.#stores = storesOf(demo);
    this.#chance = random(Math.floor(clock.nowMs()));
    this.#visit = Math.floor(clock.nowMs()).toString(36);
    this.#pick = picker(month, this.#chance);
    this.#atpLatency = new WindowedLatency(clock);
    this.#reservationLatency = new WindowedLatency(clock);
  }

  counters(): StorefrontCounters {
    return {
      ...this.#counts,
      reservations: this.#counts.granted + this.#counts.refused,
      atpMsP99: this.#atpLatency.msP99(),
      reservationMsP99: this.#reservationLatency.msP99(),
    };
  }

  /**
   * Resolves after the signal, once every caller has ended and the bought goods have left, as far as the node still answers.
   */
  async run(): Promise<void> {
    const callers = Array.from({ length: this.#load.callers }, () => this.#caller());
    await Promise.all([...callers, this.#ship()]);
    await this.#shipTheRest();
  }

  async #caller(): Promise<void> {
    const { signal, clock } = this.#options;
    const load = this.#load;
    const looks = Math.max(1, Math.round(load.atpPerSecond / load.reservationsPerSecond));
    while (!signal.aborted) {
      try {
        for (let look = 0; look < looks && !signal.aborted; look++) await this.#look();
        if (!signal.aborted && this.#leaving.length < MOST_WAITING) await this.#reserve();
      } catch {
        if (signal.aborted) return;
        this.#counts.troubles++;
        await delay(clock, AFTER_TROUBLE_MS, signal);
      }
    }
  }

  async #look(): Promise<void> {
    await this.#slot();
    if (this.#options.signal.aborted) return;
    const { ask } = this.#options;
    await this.#atpLatency.time(async () => decided(await ask('GET', path('v1', 'atp', this.#pick()))));
    this.#counts.atpRequests++;
  }

  async #reserve(): Promise<void> {
    const { ask, clock } = this.#options;
    const load = this.#load;
    const skus = new Set(Array.from({ length: 1 + this.#below(load.mostLines) }, this.#pick));
    const lines = [...skus].map((sku) => ({ sku, qty: 1 + this.#below(load.mostUnits), locations: this.#stores }));
    const id = `cart-${this.#visit}-${++this.#baskets}`;
    const body = { id, channel: 'web', purpose: 'pickup', ttlSeconds: load.holdSeconds, lines };
    const placed = await this.#reservationLatency.time(async () =>
      decided(await ask('POST', '/v1/reservations', body)),
    );
    if (!placed.ok && placed.problem.status === 409) {
      this.#counts.refused++;
      return;
    }
    const grant = granted(placed) as Grant;
    this.#counts.granted++;
    const mood = this.#chance();
    const reservation = path('v1', 'reservations', id);
    if (mood < load.confirmed) {
      granted(await ask('POST', `${reservation}/confirm`));
      this.#counts.confirmed++;
      this.#leaving.push({ dueMs: clock.nowMs() + this.#chance() * PICKING_MS, grant });
    } else if (mood < load.confirmed + load.released) {
      granted(await ask('DELETE', reservation));
      this.#counts.released++;
    } else this.#counts.forgotten++;
  }

  /** Waits for this caller's turn. All callers together look `atpPerSecond` times a second and never catch up. */
  async #slot(): Promise<void> {
    const { clock, signal } = this.#options;
    const load = this.#load;
    const nowMs = clock.monoMs();
    const atMs = Math.max(nowMs, this.#nextSlotMs);
    this.#nextSlotMs = atMs + 1000 / load.atpPerSecond;
    if (atMs > nowMs) await delay(clock, atMs - nowMs, signal);
  }

  async #ship(): Promise<void> {
    const { clock, signal } = this.#options;
    while (!signal.aborted) {
      await delay(clock, SHIP_EVERY_MS, signal);
      const nowMs = clock.nowMs();
      await this.#sell((dueMs) => dueMs <= nowMs);
    }
  }

  async #shipTheRest(): Promise<void> {
    const left = () => this.#leaving.length + this.#packed.length > 0;
    for (let failed = 0; failed < LAST_TRIES && left(); ) {
      const before = this.#counts.troubles;
      await this.#sell(() => true);
      if (this.#counts.troubles > before) failed++;
    }
  }

  /**
   * Sends the sales of the baskets that leave now. A failed batch goes again first, unchanged, so facts stored before are
   * duplicates.
   */
  async #sell(leaves: (dueMs: number) => boolean): Promise<void> {
    if (this.#packed.length === 0) this.#pack(leaves);
    if (this.#packed.length === 0) return;
    try {
      const { accepted, duplicates } = await this.#options.send(this.#packed);
      this.#counts.sales += accepted + duplicates;
      this.#packed = [];
    } catch {
      this.#counts.troubles++;
    }
  }

  #pack(leaves: (dueMs: number) => boolean): void {
    const occurredAt = formatInstant(this.#options.clock.nowMs() * 1000);
    const staying: Leaving[] = [];
    for (const each of this.#leaving) {
      const full = this.#packed.length + each.grant.lines.length > LIMITS.factsPerRequest;
      if (full || !leaves(each.dueMs)) staying.push(each);
      else this.#packed.push(...salesOf(each.grant, occurredAt));
    }
    this.#leaving = staying;
  }

  #below(limit: number): number {
    return Math.floor(this.#chance() * limit);
  }
}

/** Throws if no node could decide. */
function decided(asked: Asked): Asked {
  const { status, detail } = asked.ok ? { status: 200, detail: '' } : asked.problem;
  if (status === NO_ANSWER || status >= 500) throw new Error(detail);
  return asked;
}

/** Throws unless the request was granted. */
function granted(asked: Asked): unknown {
  if (!asked.ok) throw new Error(asked.problem.detail);
  return asked.body;
}

function salesOf({ id, lines }: Grant, occurredAt: string): SentFact[] {
  return lines.map(({ sku, location, qty }, index) => {
    const fact = { id: `${id}:${index + 1}`, type: 'sale', sku, location, occurredAt, qty, channel: 'web' };
    return { ...fact, transaction: id, reservation: id };
  });
}

/** Picks SKUs as often as they sell in the month. */
function picker(month: Month, chance: () => number): () => string {
  const sums: number[] = [];
  let total = 0;
  for (const { saleLines } of month.skus) {
    total += saleLines;
    sums.push(total);
  }
  return () => {
    const wanted = chance() * total;
    let low = 0;
    let high = sums.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] ?? 0) > wanted) high = middle;
      else low = middle + 1;
    }
    return month.skus[low]?.sku ?? '';
  };
}

/** Latencies of the last one to two windows. */
class WindowedLatency {
  readonly #clock: Clock;
  #current = createHistogram();
  #before = createHistogram();
  #turnedMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#turnedMs = clock.monoMs();
  }

  async time<T>(work: () => Promise<T>): Promise<T> {
    const startedMs = this.#clock.monoMs();
    const answer = await work();
    this.#turn();
    this.#current.record(Math.max(1, Math.round((this.#clock.monoMs() - startedMs) * 1000)));
    return answer;
  }

  msP99(): number {
    this.#turn();
    const both: RecordableHistogram = createHistogram();
    both.add(this.#before);
    both.add(this.#current);
    return both.count === 0 ? 0 : both.percentile(99) / 1000;
  }

  #turn(): void {
    const passedMs = this.#clock.monoMs() - this.#turnedMs;
    if (passedMs < WINDOW_MS) return;
    this.#before = passedMs < 2 * WINDOW_MS ? this.#current : createHistogram();
    this.#current = createHistogram();
    this.#turnedMs = this.#clock.monoMs();
  }
}
