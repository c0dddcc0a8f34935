/**
 * The file actors/horizons.ts of 0.1, as it was (imports and what nobody here asks apart): what a node of 0.1 does with the list.
 *
 * The idempotency horizons that have been in force, each from its moment on, in a durable list that all nodes share.
 *
 * The setting may change; what became of a stored fact must not: a replay judges every message by the horizon that was in force when
 * its stream took it.
 *
 * Invariants:
 *  H1 The first entry holds from the beginning of time; moments only grow; an entry that stands is never changed (compare-and-set).
 *  H2 An entry comes into force after every message that any node has judged without knowing of it. A node that was cut off so long
 *     that this fails is told so (`late`), and what it has judged since is thrown away.
 */
import { BrokerError, type Keys } from '../../../../streams/broker.ts';

const KEY = 'list';

interface Entry {
  /** Microseconds since 1970, by the clock that stamps the streams' messages. */
  readonly from: number;
  /** null: off. */
  readonly horizonMs: number | null;
}

export type HorizonChange = 'same' | 'changed' | 'late';

export class Horizons {
  readonly #keys: Pick<Keys, 'get' | 'put'>;
  readonly #own: number | null;
  #entries: readonly Entry[];
  #revision = 0;
  /** The latest stamp that was asked for. */
  #judged = 0;

  /** @param ownMs this node's setting, undefined when it is off; it holds alone until the list is read */
  constructor(keys: Pick<Keys, 'get' | 'put'>, ownMs: number | undefined) {
    this.#keys = keys;
    this.#own = ownMs ?? null;
    this.#entries = [{ from: 0, horizonMs: this.#own }];
  }

  /**
   * Reads the list, and adds this node's setting to it where the last one is another. Returns whether it was added.
   * @param from tells the moment from which it may hold (H2), microseconds
   */
  async declare(from: () => Promise<number>): Promise<boolean> {
    for (;;) {
      await this.#read();
      const last = this.#revision === 0 ? undefined : this.#entries.at(-1);
      if (last?.horizonMs === this.#own) return false;
      const moment = last === undefined ? 0 : Math.max(last.from + 1, await from());
      const entries = [...(last === undefined ? [] : this.#entries), { from: moment, horizonMs: this.#own }];
      try {
        this.#revision = await this.#keys.put(KEY, JSON.stringify(entries), this.#revision);
        this.#entries = entries;
        return last !== undefined;
      } catch (error) {
        // Another node was quicker: what it wrote is read, and may be the same.
        if (!(error instanceof BrokerError) || error.kind !== 'conflict') throw error;
      }
    }
  }

  /** Reads the list again. */
  async refresh(): Promise<HorizonChange> {
    const known = this.#entries.length;
    await this.#read();
    const added = this.#entries.slice(known);
    if (added.length === 0) return 'same';
    return added.some((entry) => entry.from <= this.#judged) ? 'late' : 'changed';
  }

  /** The horizon for a message that was stored at a moment, both in microseconds; infinite when it was off. */
  microsAt(micros: number): number {
    if (micros > this.#judged) this.#judged = micros;
    return this.#msAt(micros) * 1000;
  }

  #msAt(micros: number): number {
    return this.#entryAt(micros).horizonMs ?? Number.POSITIVE_INFINITY;
  }

  #entryAt(micros: number): Entry {
    let at = this.#entries.length - 1;
    while (at > 0 && (this.#entries[at] as Entry).from > micros) at -= 1;
    return this.#entries[at] as Entry;
  }

  async #read(): Promise<void> {
    const entry = await this.#keys.get(KEY);
    if (entry === undefined) return;
    this.#entries = JSON.parse(entry.value) as Entry[];
    this.#revision = entry.revision;
  }
}
