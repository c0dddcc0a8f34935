/**
 * The day on which each stock key last received units. Ageing is measured from that day.
 *
 * Invariant IN1: the order of notes does not change the result. A day on which units came in takes precedence over one on which they were
 * only found.
 */
import type { StockBook } from '../../../actors/stock/book.ts';
import { SkuEntry, type StockKey } from '../../../actors/stock/state.ts';
import { dayOf } from '../ages.ts';

/** Days are kept in 16 bits, which suffice until 2059. */
const LAST_DAY = 32_767;

export class Inbound {
  /** Days since 1970. A negative day means that units were found on it, and that none are known to have come in. */
  readonly #days = new Map<StockKey, number>();

  /** The day, since 1970; 0 if the key is not known to have had units. */
  dayOf(key: StockKey): number {
    return Math.abs(this.#days.get(key) ?? 0);
  }

  /** @param came true if units came in, false if they were only found (IN1) */
  note(key: StockKey, day: number, came: boolean): void {
    const at = Math.min(LAST_DAY, Math.max(1, day));
    const known = this.#days.get(key) ?? 0;
    if (came) this.#days.set(key, Math.max(at, known));
    else if (known <= 0) this.#days.set(key, Math.min(-at, known));
  }

  /** Lets later days be this one. */
  moveBack(latest: number): void {
    for (const [key, day] of this.#days) if (Math.abs(day) > latest) this.#days.set(key, Math.sign(day) * latest);
  }

  /** Estimates the days from the book: from the latest increase that it still has, otherwise from its count. */
  static guessed(book: StockBook): Inbound {
    const inbound = new Inbound();
    for (const { keys } of book.skus.values()) {
      for (const key of keys) {
        const at = lastGain(key);
        if (at !== undefined) inbound.note(key, dayOf(at / 1000), true);
        else if (key.count !== undefined && key.count.counted > 0) inbound.note(key, dayOf(key.count.at / 1000), false);
        else if (key.sellable > 0 || key.base > 0) inbound.note(key, 1, false);
      }
    }
    return inbound;
  }

  /** One number per stock key, in the order of the book's pages, because a snapshot preserves that order. */
  keep(book: StockBook): Int16Array {
    const days = new Int16Array(book.keyCount);
    let next = 0;
    eachInOrder(book, (key) => {
      days[next++] = this.#days.get(key) ?? 0;
    });
    return days;
  }

  /** Undefined if the book has another number of keys. */
  static load(book: StockBook, days: Int16Array): Inbound | undefined {
    if (days.length !== book.keyCount) return undefined;
    const inbound = new Inbound();
    let next = 0;
    eachInOrder(book, (key) => {
      const day = days[next++] as number;
      if (day !== 0) inbound.#days.set(key, day);
    });
    return inbound;
  }
}

function eachInOrder(book: StockBook, call: (key: StockKey) => void): void {
  for (const page of book.pages.list)
    for (const item of page.items) if (item instanceof SkuEntry) for (const key of item.keys) call(key);
}

function lastGain({ movements }: StockKey): number | undefined {
  for (let i = movements.length - 2; i >= 0; i -= 2) if ((movements[i + 1] as number) > 0) return movements[i];
  return undefined;
}
