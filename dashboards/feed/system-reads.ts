/**
 * What people look for in the whole system, over any node: names, the stock of a location, reservations of a stock key, the figures.
 *
 * Invariant SR1: a list is of all partitions, or there is none: undecided, with how many did not answer.
 */
import { undecided } from '../../actors/refusal.ts';
import type { StockView } from '../../actors/stock/availability.ts';
import type { StockBook } from '../../actors/stock/state.ts';
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
} from '../reads.ts';
import type { Gather } from './gather.ts';

const NAMES_OPERATION = 'find-names';
const STOCK_OPERATION = 'find-stock';
const RESERVATIONS_OPERATION = 'find-reservations';
const READ_MS = 3_000;

interface NamesBody {
  readonly text: string;
  readonly limit: number;
}

export class SystemReads {
  readonly #gather: Gather;
  readonly #partitions: number;

  constructor(gather: Gather, partitions: number) {
    this.#gather = gather;
    this.#partitions = partitions;
  }

  async search(text: string, limit: number): Promise<FoundNames> {
    const body: NamesBody = { text, limit };
    return mergeNames(await this.#all<FoundNames>(NAMES_OPERATION, body), text, limit);
  }

  async stockOf(query: StockQuery): Promise<StockPage> {
    return mergeStock(await this.#all<readonly StockView[]>(STOCK_OPERATION, query), query.limit);
  }

  /** All of a SKU are in its partition. */
  async reservationsOf(query: ReservationsQuery): Promise<readonly ReservedLine[]> {
    return (await this.#all<readonly ReservedLine[]>(RESERVATIONS_OPERATION, query)).flat();
  }

  async #all<T>(operation: string, body: unknown): Promise<T[]> {
    const found = await this.#gather.ask<T>(operation, () => body, READ_MS);
    if (found.size < this.#partitions)
      throw undecided(`${this.#partitions - found.size} of ${this.#partitions} partitions have no owner that answers`);
    return [...found.values()];
  }
}

/** Answers of an owner for one of its partitions; undefined if the operation is none of these. @param locations of this partition */
export function answerReads(
  book: StockBook,
  locations: () => Iterable<string>,
  operation: string,
  body: unknown,
): unknown {
  switch (operation) {
    case NAMES_OPERATION: {
      const { text, limit } = body as NamesBody;
      return findNames(book, locations(), text, limit);
    }
    case STOCK_OPERATION:
      return findStock(book, body as StockQuery);
    case RESERVATIONS_OPERATION:
      return findReservations(book, body as ReservationsQuery);
    default:
      return undefined;
  }
}
