/**
 * The demo retailer plays its month from now on, on a compressed clock, again and again, and counts shelves at the same
 * time.
 *
 * It is a client like any other and knows the nodes only by their HTTP addresses. Its place in the month is in a small
 * file (retailer-state.ts), so it continues after a stop. After a crash it sends again exactly the facts that may not
 * have arrived.
 */

import type { Demo } from '../../config/demo/demo.ts';
import { LIMITS } from '../../config/limits.ts';
import { type Clock, delay } from '../../streams/clock.ts';
import type { StockAnswer } from '../../streams/contract/stock.ts';
import { formatInstant } from '../../streams/instant.ts';
import { type Ask, path } from '../client/client.ts';
import type { SentFact } from '../replay/entry.ts';
import type { Send } from '../replay/send.ts';
import { random } from './chance.ts';
import { type Month, paceOf } from './month.ts';
import { sendUntilStored } from './persistent-send.ts';
import { script } from './plan.ts';
import { freshState, loadState, type RetailerState, saveState } from './retailer-state.ts';

export interface RetailerOptions {
  readonly demo: Demo;
  readonly month: Month;
  readonly stateFile: string;
  readonly send: Send;
  readonly ask: Ask;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Receives messages for a person: where it continues, what is wrong. */
  readonly report: (line: string) => void;
}
export interface RetailerCounters {
  /** Stored facts, including duplicates. */
  readonly facts: number;
  readonly refused: number;
  readonly run: number;
}

/** Share of cycle counts that find one unit less than recorded, where a unit is available. */
const MISCOUNTS = 1 / 12;

export class Retailer {
  readonly #options: RetailerOptions;
  #state: RetailerState;
  #facts = 0;
  #refused = 0;

  constructor(options: RetailerOptions) {
    this.#options = options;
    this.#state = freshState(options.clock.nowMs());
  }

  counters(): RetailerCounters {
    return { facts: this.#facts, refused: this.#refused, run: this.#state.run };
  }

  /**
   * Resolves after the signal, once the state is written. Rejects only if the month or the state file cannot be used.
   */
  async run(): Promise<void> {
    const { stateFile, signal, report } = this.#options;
    const loaded = await loadState(stateFile);
    if (loaded !== undefined) {
      this.#state = loaded;
      report(`the demo goes on in run ${loaded.run} of its month, at fact ${loaded.done}`);
    }
    const beside = [this.#countShelves(), this.#nameItems()];
    try {
      let resumed = loaded !== undefined;
      while (!signal.aborted) {
        await this.#playMonth(resumed);
        resumed = false;
      }
    } finally {
      await Promise.all(beside);
    }
  }

  /**
   * Says what the SKUs are called, at every start. The same facts again change nothing, and they happened before the month, so what a
   * person says wins.
   */
  async #nameItems(): Promise<void> {
    const { month, send, clock, signal } = this.#options;
    const items = Array.from(month.names, ([sku, name]): SentFact => {
      const id = `demo-${this.#state.series}-item:${sku}`;
      return { id, type: 'item', sku, occurredAt: month.firstAt, name };
    });
    for (let i = 0; i < items.length; i += LIMITS.factsPerRequest)
      await sendUntilStored(items.slice(i, i + LIMITS.factsPerRequest), send, clock, signal, () => undefined);
  }

  async #playMonth(resumed: boolean): Promise<void> {
    const { demo, month, signal, clock } = this.#options;
    const { anchor, done, intended, run, series } = this.#state;
    let pace = paceOf(demo, anchor.ms);
    let batch: SentFact[] = [];
    let index = 0;
    for await (const planned of script(month, demo, run, `demo-${series}-${run}:`)) {
      const at = index++;
      if (at < anchor.index) continue;
      if (resumed && at === intended) {
        // Facts that may have been sent keep their stamps (DS1); later ones follow from now.
        await this.#ship(batch, at);
        batch = [];
        this.#state = { ...this.#state, anchor: { index: at, ms: clock.nowMs() } };
        pace = paceOf(demo, this.#state.anchor.ms);
      }
      const { fact, dueMs } = pace.next(planned);
      if (at < done) continue;
      if (batch.length >= LIMITS.factsPerRequest || (dueMs !== undefined && dueMs > clock.nowMs())) {
        await this.#ship(batch, at);
        batch = [];
        while (!signal.aborted && dueMs !== undefined && dueMs > clock.nowMs()) {
          await delay(clock, Math.max(demo.tickMs, dueMs - clock.nowMs()), signal);
        }
      }
      if (signal.aborted) return this.#save();
      batch.push(fact);
    }
    await this.#ship(batch, index);
    if (signal.aborted) return this.#save();
    const now = clock.nowMs();
    this.#state = { ...this.#state, run: run + 1, anchor: { index: 0, ms: now }, done: 0, intended: 0 };
    return this.#save();
  }

  /** Stores the facts of the script up to, not including, the place `end`. */
  async #ship(batch: readonly SentFact[], end: number): Promise<void> {
    if (batch.length === 0 || this.#options.signal.aborted) return;
    this.#state = { ...this.#state, intended: Math.max(end, this.#state.intended) };
    await this.#save();
    if (await this.#send(batch)) this.#state = { ...this.#state, done: end };
  }

  async #send(facts: readonly SentFact[]): Promise<boolean> {
    const { send, clock, signal, report } = this.#options;
    const answer = await sendUntilStored(facts, send, clock, signal, (trouble) =>
      report(`the demo retailer waits: ${trouble}`),
    );
    if (answer === undefined) return false;
    const first = answer.rejected[0];
    if (first !== undefined && this.#refused === 0)
      report(`a fact of the demo was refused: ${first.code}, ${first.message}`);
    this.#facts += answer.accepted + answer.duplicates;
    this.#refused += answer.rejected.length;
    return true;
  }

  #save(): Promise<void> {
    return saveState(this.#options.stateFile, this.#state);
  }

  /** Sends cycle counts. Each asks for the recorded stock and mostly agrees with it. */
  async #countShelves(): Promise<void> {
    const { demo, month, clock, signal, ask } = this.#options;
    const chance = random(Math.floor(clock.nowMs()));
    const pick = <T>(list: readonly T[]) => list[Math.floor(chance() * list.length)];
    while (!signal.aborted) {
      await delay(clock, demo.countEveryMs, signal);
      const sku = pick(month.skus)?.sku;
      const location = pick(demo.locations)?.id;
      if (signal.aborted || sku === undefined || location === undefined) continue;
      const found = await stockOf(ask, sku, location);
      if (found === undefined) continue;
      const nowMs = clock.nowMs();
      // A promised unit is set apart on its shelf, so it is never the missing one.
      const missing = found.available > 0 && chance() < MISCOUNTS ? 1 : 0;
      const counted = Math.max(0, found.sellable - missing);
      const id = `demo-${this.#state.series}-count:${nowMs}`;
      await this.#send([{ id, type: 'count', sku, location, occurredAt: formatInstant(nowMs * 1000), counted }]);
    }
  }
}

async function stockOf(ask: Ask, sku: string, location: string): Promise<StockAnswer | undefined> {
  const asked = await ask('GET', path('v1', 'stock', sku, location));
  return asked.ok ? (asked.body as StockAnswer) : undefined;
}
