/**
 * Searches over the whole system, which any node can answer: names, the stock of a location, the live reservations of
 * a SKU, and the clocks of devices.
 *
 * Invariant SR1: a list covers all partitions, or the answer is undecided and says how many partitions did not answer.
 */
import type { SourceClock } from '../../actors/anomaly/sources.ts';
import type { ItemBook } from '../../actors/item/book.ts';
import type { KnownItem } from '../../actors/ports/ports.ts';
import { UNDECIDED, undecided } from '../../actors/ports/refusal.ts';
import type { StockBook } from '../../actors/stock/book.ts';
import { type ClocksQuery, type FoundClocks, findClocks } from './clock-queries.ts';
import type { Answered, GatherHandlers, Gathering, GatherOperation } from './gather-operations.ts';
import { findItems, mergeItems } from './item-queries.ts';
import { type FoundPromise, findPromises, mergePromises, type PromiseQuery } from './promise-queries.ts';
import type { Gather } from './scatter-gather.ts';
import {
  type FoundNames,
  findNames,
  findReservations,
  findStock,
  mergeNames,
  mergeStock,
  type ReservationsQuery,
  type ReservedLine,
  type StockPage,
  type StockQuery,
} from './stock-queries.ts';

const READ_MS = 3_000;

export class SystemReads {
  readonly #gather: Gather;
  readonly #partitions: number;

  constructor(gather: Gather, partitions: number) {
    this.#gather = gather;
    this.#partitions = partitions;
  }

  // Each search goes through `#all`, which rejects unless all partitions have answered (SR1).
  async search(text: string, limit: number): Promise<FoundNames> {
    return mergeNames(await this.#all('find-names', { text, limit }), text, limit);
  }

  async items(text: string | undefined, after: string, limit: number): Promise<readonly KnownItem[]> {
    return mergeItems(await this.#all('find-items', { text: text ?? null, after, limit }), limit);
  }

  async stockOf(query: StockQuery): Promise<StockPage> {
    return mergeStock(await this.#all('find-stock', query), query.limit);
  }

  /** Needs no merge, because all reservations of a SKU are in its partition. */
  async reservationsOf({ sku, location, limit, after }: ReservationsQuery): Promise<readonly ReservedLine[]> {
    const query = { sku, location: location ?? null, limit, after: after ?? null };
    return (await this.#all('find-reservations', query)).flat();
  }

  async clocks(query: ClocksQuery): Promise<FoundClocks> {
    const found = await this.#all('find-clocks', query);
    return {
      sources: found.flatMap(({ sources }) => sources),
      uncounted: found.flatMap(({ uncounted }) => uncounted),
    };
  }

  /** A page of promises for later, in order. */
  async promises(query: PromiseQuery): Promise<readonly FoundPromise[]> {
    return mergePromises(await this.#all('find-promises', query), query.limit);
  }

  async #all<O extends GatherOperation>(operation: O, body: Gathering<O>): Promise<Answered<O>[]> {
    const found = await this.#gather.ask(operation, () => body, READ_MS);
    if (found.size < this.#partitions)
      throw undecided(
        UNDECIDED.partitions,
        `${this.#partitions - found.size} of ${this.#partitions} partitions have no owner that answers`,
      );
    return [...found.values()];
  }
}

export interface ReadPartition {
  readonly book: StockBook;
  readonly items: ItemBook;
  readonly locations: () => Iterable<string>;
  readonly clocks: () => readonly SourceClock[];
}

/** The answers of an owner for one of its partitions; undefined if it no longer serves it. */
export function readsHandlers(
  served: (partition: number) => ReadPartition | undefined,
  nowMs: () => number,
): Pick<
  GatherHandlers,
  'find-names' | 'find-items' | 'find-stock' | 'find-reservations' | 'find-promises' | 'find-clocks'
> {
  return {
    'find-names': (partition, { text, limit }) => {
      const here = served(partition);
      return here === undefined ? undefined : findNames(here.book, here.items, here.locations(), text, limit);
    },
    'find-items': (partition, query) => {
      const here = served(partition);
      return here === undefined ? undefined : findItems(here.items, query);
    },
    'find-stock': (partition, query) => {
      const here = served(partition);
      return here === undefined ? undefined : findStock(here.book, query, nowMs());
    },
    'find-promises': (partition, query) => {
      const here = served(partition);
      return here === undefined ? undefined : findPromises(here.book, query);
    },
    'find-clocks': (partition, query) => {
      const here = served(partition);
      return here === undefined ? undefined : findClocks(here.book, here.clocks(), query);
    },
    'find-reservations': (partition, { sku, location, limit, after }) => {
      const here = served(partition);
      return here === undefined
        ? undefined
        : findReservations(here.book, {
            sku,
            location: location ?? undefined,
            limit,
            after: after ?? undefined,
          });
    },
  };
}
