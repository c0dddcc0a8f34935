/**
 * What detectors remember of each stock key that has sold: columns of typed arrays, one row a key, so that a million cost
 * little and a snapshot copies memory.
 *
 * Invariants:
 *  KS1 A row belongs to one stock key for as long as the process lives. Over a restart rows find their keys by a 64-bit hash of SKU and
 *      location; a row whose key the book does not know is dropped.
 *  KS2 The kept form is: rows (u32), then each column in the order below. Another order is another version (actors/anomaly/observer.ts).
 */
import { type Hash64, hash64 } from '../../../streams/hash.ts';
import type { StockBook } from '../../stock/book.ts';
import type { StockKey } from '../../stock/state.ts';

const COLUMNS = {
  hashHi: Uint32Array,
  hashLo: Uint32Array,
  /** Decayed sales, and the business time they took: the rate is their ratio. */
  events: Float32Array,
  exposure: Float32Array,
  /** The same, forgotten sooner: what fades sells at this. */
  recentEvents: Float32Array,
  recentExposure: Float32Array,
  /** Business time since when there was stock and no sale. */
  since: Float64Array,
  /** Business time without a sale from which it is a phantom; infinite where it sells too seldom. */
  patience: Float32Array,
  /** Minute, since 1970, of the last sale, which is when the decay stands, and of the last return. */
  soldMinute: Uint32Array,
  returnedMinute: Uint32Array,
  returns: Float32Array,
  /** The day that the three below are of. */
  day: Uint16Array,
  dayEvents: Uint16Array,
  dayReturns: Uint16Array,
  dayUnits: Uint32Array,
  /** Usual ln price and the band of what is usual, and how many sales tell. */
  priceMean: Float32Array,
  priceLow: Float32Array,
  priceHigh: Float32Array,
  priceSales: Uint8Array,
  /** Sales in a row at a usual price since one was not. */
  priceUsual: Uint8Array,
  currency: Uint16Array,
  place: Uint16Array,
  /** 1 while there was stock once and is none now: time that tells nothing. */
  out: Uint8Array,
} as const;
type Column = keyof typeof COLUMNS;
type Columns = { [Name in Column]: InstanceType<(typeof COLUMNS)[Name]> };
const NAMES = Object.keys(COLUMNS) as Column[];
const FIRST_ROWS = 64;

/** Bytes of one row. */
export const ROW_BYTES = NAMES.reduce((sum, name) => sum + COLUMNS[name].BYTES_PER_ELEMENT, 0);

export class KeyStates {
  /** Read anew after `rowOf`: growing replaces them. */
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

  /** Its row, made if it has none. */
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
      const { buffer, BYTES_PER_ELEMENT } = this.columns[name];
      kept.set(new Uint8Array(buffer, 0, rows * BYTES_PER_ELEMENT), offset);
      offset += rows * BYTES_PER_ELEMENT;
    }
  }

  clear(): void {
    this.columns = made(FIRST_ROWS);
    this.#capacity = FIRST_ROWS;
    this.keys = [];
    this.#rows.clear();
  }

  /** Takes what `keep` gave, for the keys of the book (KS1). */
  load(book: StockBook, kept: Uint8Array): void {
    this.clear();
    const rows = new DataView(kept.buffer, kept.byteOffset).getUint32(0, true);
    const old = read(kept, rows);
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
        for (const name of NAMES) this.columns[name][row] = old[name][from] as number;
      }
    }
  }
}

function hashOf(key: StockKey): Hash64 {
  return hash64(`${key.sku.name}\u0001${key.location}`);
}

function made(rows: number): Columns {
  return Object.fromEntries(NAMES.map((name) => [name, new COLUMNS[name](rows)])) as Columns;
}

function read(kept: Uint8Array, rows: number): Columns {
  const columns = made(rows);
  let offset = 4;
  for (const name of NAMES) {
    const column = columns[name];
    const bytes = rows * column.BYTES_PER_ELEMENT;
    new Uint8Array(column.buffer).set(kept.subarray(offset, offset + bytes));
    offset += bytes;
  }
  if (offset !== kept.length) throw new RangeError(`${kept.length} bytes are not ${rows} rows`);
  return columns;
}
