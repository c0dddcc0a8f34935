/** The stored form of a stock book, one for each kind of item. Derived totals are not stored, because loading computes them (SN4). */

import { byAge } from '../../streams/buckets.ts';
import { type Shortage, shortageOf, shortTuple } from '../../streams/journal/stock-decisions.ts';
import type { ItemForm } from '../book/domain.ts';
import type { StockBook } from './book.ts';
import { sellableFromParts } from './movements.ts';
import { settle } from './reservation.ts';
import { CoordinatorEntry, emptyRare, RARE_BUCKETS, ReservationPart, SkuEntry, type StockKey } from './state.ts';

type Fields = readonly unknown[];
type ShortTuple = ReturnType<typeof shortTuple>;

type TransitTuple = [id: string, shipped: number, arrived: number, shippedAt: number, eta: number | null];
type KeyTuple = [
  location: string,
  base: number,
  movements: number[],
  /** `own` only if the clock rule moved it. */
  count: 0 | [at: number, id: string, counted: number, own?: number],
  /** Units by FIRST, the transfers, then units by LATER. An older snapshot may end before a bucket that was added later. */
  rare: 0 | (number | TransitTuple[])[],
  /** The movements that the clock rule moved. Absent if there are none. */
  moved?: number[],
];

const { first: FIRST, later: LATER } = byAge(RARE_BUCKETS);

function keyTuple(key: StockKey): Fields {
  const { count, rare } = key;
  const transit = rare?.transit;
  return [
    key.location,
    key.base,
    key.movements,
    count === undefined ? 0 : [count.at, count.id, count.counted, ...(count.own === undefined ? [] : [count.own])],
    rare === undefined
      ? 0
      : [
          ...FIRST.map((bucket) => rare[bucket]),
          transit === undefined
            ? 0
            : [...transit].map(([id, each]) => [id, each.shipped, each.arrived, each.shippedAt, each.eta ?? null]),
          ...LATER.map((bucket) => rare[bucket]),
        ],
    ...(rare === undefined || rare.moved.length === 0 ? [] : [rare.moved]),
  ];
}

function loadKey(book: StockBook, entry: SkuEntry, [location, base, movements, count, rare, moved]: KeyTuple): void {
  const key = book.addKey(entry, location);
  key.base = base;
  key.movements = movements;
  if (count !== 0) key.count = { at: count[0], own: count[3], id: count[1], counted: count[2] };
  if (rare !== 0) {
    key.rare = emptyRare();
    const transit = rare[FIRST.length] as 0 | TransitTuple[];
    if (transit !== 0) key.rare.transit = new Map(transit.map(transitEntry));
    for (const [at, bucket] of FIRST.entries()) key.rare[bucket] = rare[at] as number;
    for (const [at, bucket] of LATER.entries())
      key.rare[bucket] = (rare[FIRST.length + 1 + at] as number | undefined) ?? 0;
  }
  if (moved !== undefined) {
    key.rare ??= emptyRare();
    key.rare.moved = moved;
  }
  key.sellable = sellableFromParts(key);
}

function transitEntry([id, shipped, arrived, shippedAt, eta]: TransitTuple) {
  return [id, { shipped, arrived, shippedAt, eta: eta ?? undefined }] as const;
}

const SKU: ItemForm<StockBook> = {
  code: 0,
  kind: 'sku',
  encode: (item) => {
    const { name, keys } = item as SkuEntry;
    return [name, keys.map(keyTuple)];
  },
  load: (book, fields, page) => {
    const [name, keys] = fields as [string, KeyTuple[]];
    const entry = new SkuEntry(name);
    book.skus.set(name, entry);
    book.pages.place(entry, page);
    for (const key of keys) loadKey(book, entry, key);
  },
};

/** One position in an item's tuple: reads its value from an item, and puts a loaded value into one. */
interface Place<I> {
  read(item: I): unknown;
  put(item: I, value: never, book: StockBook): void;
}

/** A field that is stored unchanged. */
function plain<K extends keyof ReservationPart>(name: K): Place<ReservationPart> {
  return {
    read: (part) => part[name],
    put: (part, value) => {
      part[name] = value;
    },
  };
}

/** In stored order. */
const PART_PLACES: readonly Place<ReservationPart>[] = [
  plain('granted'),
  {
    read: ({ content }) => content.hi,
    put: (part, hi: number) => {
      part.content = { hi, lo: 0 };
    },
  },
  {
    read: ({ content }) => content.lo,
    put: (part, lo: number) => {
      part.content = { hi: part.content.hi, lo };
    },
  },
  plain('channel'),
  plain('purpose'),
  plain('coordinator'),
  plain('participants'),
  {
    read: ({ shortages }) => shortages.map(shortTuple),
    put: (part, tuples: ShortTuple[]) => {
      part.shortages = tuples.map(shortageOf);
    },
  },
  plain('epoch'),
  plain('seq'),
  plain('grantedAtMs'),
  plain('expiresAtMs'),
  plain('confirmedAtMs'),
  plain('releasedAtMs'),
  plain('expiredAtMs'),
  {
    read: ({ lines }) => lines.map(({ index, key, qty }) => [index, key.sku.name, key.location, qty]),
    put: (part, tuples: [number, string, string, number][], book) => {
      part.lines = tuples.map(([index, sku, location, qty]) => {
        return { index, key: book.key(sku, location), qty, fulfilled: 0, claimed: 0 };
      });
    },
  },
  {
    read: ({ sold }) => (sold === undefined ? 0 : sold.map((each) => [each.sku, each.location, each.qty])),
    put: (part, tuples: 0 | [string, string, number][]) => {
      part.sold = tuples === 0 ? undefined : tuples.map(([sku, location, qty]) => ({ sku, location, qty }));
    },
  },
  plain('soldAtMs'),
];

const PART: ItemForm<StockBook> = {
  code: 1,
  kind: 'part',
  encode: (item) => {
    const part = item as ReservationPart;
    return [part.id, ...PART_PLACES.map((place) => place.read(part))];
  },
  load: (book, [id, ...fields], page) => {
    const part = new ReservationPart(id as string);
    for (const [index, place] of PART_PLACES.entries()) place.put(part, fields[index] as never, book);
    book.parts.set(part.id, part);
    book.pages.place(part, page);
    settle(part);
    if (part.granted) book.onHold?.(part);
  },
};

type CoordinatorTuple = [
  id: string,
  hi: number,
  lo: number,
  participants: number[],
  shortages: ShortTuple[],
  expiresAtMs: number,
  confirmedAtMs: number,
  endedAtMs: number,
];

const HOME: ItemForm<StockBook> = {
  code: 2,
  kind: 'home',
  encode: (item) => {
    const { id, content, participants, shortages, expiresAtMs, confirmedAtMs, endedAtMs } = item as CoordinatorEntry;
    return [id, content.hi, content.lo, participants, shortages.map(shortTuple), expiresAtMs, confirmedAtMs, endedAtMs];
  },
  load: (book, fields, page) => {
    const [id, hi, lo, participants, short, expiresAtMs, confirmedAtMs, endedAtMs] =
      fields as unknown as CoordinatorTuple;
    const shortages: Shortage[] = short.map(shortageOf);
    const coordinator = new CoordinatorEntry(id, { hi, lo }, participants, shortages, expiresAtMs);
    coordinator.confirmedAtMs = confirmedAtMs;
    coordinator.endedAtMs = endedAtMs;
    book.coordinatorEntries.set(id, coordinator);
    book.pages.place(coordinator, page);
  },
};

/** Keys come first, because parts refer to them. */
export const STOCK_ITEMS: readonly ItemForm<StockBook>[] = [SKU, PART, HOME];
