/**
 * The detectors' memory of each stock key that had a sale or a return. It is a table of typed-array columns with one row per key, so a
 * million keys cost little memory and a snapshot is a copy of the arrays.
 *
 * Invariants:
 *  KS1 A row belongs to one stock key until the next load. A load matches rows to keys by a 64-bit hash of SKU and location, and drops a
 *      row whose key is not in the book.
 *  KS2 The kept form is the number of rows (u32), then each column in the order below. Another order, or a column of another meaning,
 *      needs another version (actors/anomaly/observer.ts).
 */
import { type Hash64, hash64 } from '../../../streams/hash.ts';
import type { StockBook } from '../../stock/book.ts';
import type { StockKey } from '../../stock/state.ts';

const COLUMNS = {
  hashHi: Uint32Array,
  hashLo: Uint32Array,
  /** Decayed sales, and the decayed business time they took. Their ratio is the rate. */
  events: Float32Array,
  exposure: Float32Array,
  /** The same with a faster decay, for keys whose sales fade. */
  recentEvents: Float32Array,
  recentExposure: Float32Array,
  /** Business time since which the key has had stock and no sale. */
  since: Float64Array,
  /** Business time without a sale after which the stock counts as phantom; infinite if the key sells too seldom to judge. */
  patience: Float32Array,
  /** Minute, since 1970, of the last sale, up to which the decay is applied, and of the last return. */
  soldMinute: Uint32Array,
  returnedMinute: Uint32Array,
  returns: Float32Array,
  /** The day, since 1970, that the next three columns count. */
  day: Uint16Array,
  dayEvents: Uint16Array,
  dayReturns: Uint16Array,
  dayUnits: Uint32Array,
  /** The prices at which the key is sold, PRICE_LEVELS of them, and the credit of each (price.ts). A place without credit is free. */
  priceLevel: Int16Array,
  priceCredit: Uint8Array,
  /** Sales behind them, at most 255. */
  priceSales: Uint8Array,
  /** Consecutive sales at a known price since the last alarm, at most 255. */
  priceUsual: Uint8Array,
  currency: Uint16Array,
  place: Uint16Array,
  /** 1 while the stock is used up. Such time counts neither for nor against sales. */
  out: Uint8Array,
} as const;
type Column = keyof typeof COLUMNS;
export type Columns = { [Name in Column]: InstanceType<(typeof COLUMNS)[Name]> };
const NAMES = Object.keys(COLUMNS) as Column[];
const FIRST_ROWS = 64;

/** Prices remembered of a key. */
export const PRICE_LEVELS = 6;
/** Elements of a row in the columns that have more than one. */
const ELEMENTS: Partial<Record<Column, number>> = { priceLevel: PRICE_LEVELS, priceCredit: PRICE_LEVELS };

/**
 * Bytes per row of what version 1 kept in the place of these columns: the mean and the band of ln price, the sales behind them, and the
 * consecutive usual ones. They are not read, so the prices of a key start empty.
 */
const PRICES_OF_VERSION_1: Partial<Record<Column, number>> = {
  priceLevel: 12,
  priceCredit: 0,
  priceSales: 1,
  priceUsual: 1,
};

/** Bytes of one row. */
export const ROW_BYTES = NAMES.reduce((sum, name) => sum + bytesOf(name), 0);

export class KeyStates {
  /** Read this again after `rowOf`, because growing replaces the columns. */
  columns: Columns = made(FIRST_ROWS);
  keys: StockKey[] = [];
  readonly #rows = new Map<StockKey, number>();
  #capacity = FIRST_ROWS;

  get size(): number {
    return this.keys.length;
  }

  find(key: StockKey): number | undefined {
    return this.#rows.get(key);
  }

  /** The row of a key, added if it has none. */
  rowOf(key: StockKey, place: number): number {
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const row = this.#add(key);
    const { hi, lo } = hashOf(key);
    const { columns } = this;
    columns.hashHi[row] = hi;
    columns.hashLo[row] = lo;
    columns.patience[row] = Number.POSITIVE_INFINITY;
    columns.place[row] = place;
    return row;
  }

  #add(key: StockKey): number {
    const row = this.keys.length;
    if (row === this.#capacity) this.#grow();
    this.keys.push(key);
    this.#rows.set(key, row);
    return row;
  }

  #grow(): void {
    this.#capacity = Math.ceil(this.#capacity * 1.5);
    const grown = made(this.#capacity);
    for (const name of NAMES) grown[name].set(this.columns[name]);
    this.columns = grown;
  }

  /** Bytes that `keep` writes (KS2). */
  get keptBytes(): number {
    return 4 + this.size * ROW_BYTES;
  }

  keep(kept: Uint8Array): void {
    const rows = this.size;
    new DataView(kept.buffer, kept.byteOffset).setUint32(0, rows, true);
    let offset = 4;
    for (const name of NAMES) {
      const bytes = rows * bytesOf(name);
      kept.set(new Uint8Array(this.columns[name].buffer, 0, bytes), offset);
      offset += bytes;
    }
  }

  /** Lets sales and returns after a moment, in microseconds, be as of it. */
  moveBack(latest: number): void {
    const { day, soldMinute, returnedMinute } = this.columns;
    const [lastDay, lastMinute] = [Math.floor(latest / 86_400_000_000), Math.floor(latest / 60_000_000)];
    for (let row = 0; row < this.size; row++) {
      day[row] = Math.min(day[row] as number, lastDay);
      soldMinute[row] = Math.min(soldMinute[row] as number, lastMinute);
      returnedMinute[row] = Math.min(returnedMinute[row] as number, lastMinute);
    }
  }

  clear(): void {
    this.columns = made(FIRST_ROWS);
    this.#capacity = FIRST_ROWS;
    this.keys = [];
    this.#rows.clear();
  }

  /** Restores the state that `keep` wrote in this version or an older one, for the keys of the book (KS1). */
  load(book: StockBook, kept: Uint8Array, version: number): void {
    this.clear();
    const rows = new DataView(kept.buffer, kept.byteOffset).getUint32(0, true);
    const old = read(kept, rows, version);
    const byHash = new Map<number, number[]>();
    for (let row = 0; row < rows; row++) {
      const hash = old.hashLo[row] as number;
      const same = byHash.get(hash);
      if (same === undefined) byHash.set(hash, [row]);
      else same.push(row);
    }
    for (const entry of book.skus.values()) {
      for (const key of entry.keys) {
        const { hi, lo } = hashOf(key);
        const from = byHash.get(lo)?.find((row) => old.hashHi[row] === hi);
        if (from === undefined) continue;
        const row = this.#add(key);
        for (const name of NAMES) {
          const n = elementsOf(name);
          this.columns[name].set(old[name].subarray(from * n, (from + 1) * n), row * n);
        }
      }
    }
  }
}

function hashOf(key: StockKey): Hash64 {
  return hash64(`${key.sku.name}\u0001${key.location}`);
}

function elementsOf(name: Column): number {
  return ELEMENTS[name] ?? 1;
}

function bytesOf(name: Column): number {
  return elementsOf(name) * COLUMNS[name].BYTES_PER_ELEMENT;
}

function made(rows: number): Columns {
  return Object.fromEntries(NAMES.map((name) => [name, new COLUMNS[name](rows * elementsOf(name))])) as Columns;
}

function read(kept: Uint8Array, rows: number, version: number): Columns {
  const columns = made(rows);
  let offset = 4;
  for (const name of NAMES) {
    const other = version === 1 ? PRICES_OF_VERSION_1[name] : undefined;
    const bytes = rows * (other ?? bytesOf(name));
    if (other === undefined) new Uint8Array(columns[name].buffer).set(kept.subarray(offset, offset + bytes));
    offset += bytes;
  }
  if (offset !== kept.length) throw new RangeError(`${kept.length} bytes are not ${rows} rows`);
  return columns;
}
