/** The stored form of a stock book, one for each kind of item. Derived totals are not stored, because loading computes them (SN4). */

import { byAge } from '../../streams/buckets.ts';
import { type Shortage, shortageOf, shortTuple } from '../../streams/journal/stock-decisions.ts';
import type { ItemForm } from '../book/domain.ts';
import type { StockBook } from './book.ts';
import { correct, isLater, sellableFromParts } from './movements.ts';
import { settle } from './reservation.ts';
import {
  CoordinatorEntry,
  type Moment,
  RARE_BUCKETS,
  ReservationPart,
  rareOf,
  SkuEntry,
  type StockKey,
  TransferRecord,
} from './state.ts';
import { awaitAt } from './supply/transfers.ts';

type Fields = readonly unknown[];
type ShortTuple = ReturnType<typeof shortTuple>;

type KeyTuple = [
  location: string,
  base: number,
  movements: number[],
  /** `own` only if the clock rule moved it. */
  count: 0 | [at: number, id: string, counted: number, own?: number],
  /** Units by FIRST, then 0, then units by LATER. An older snapshot may end before a bucket that was added later. */
  rare: 0 | (number | FormerTransit[])[],
  /** The movements that the clock rule moved. Absent if there are none. */
  moved?: number[],
];
/** A transfer as the versions before 0.2 kept it, at each location to which facts sent it. It stands in place of the 0 of `rare`. */
type FormerTransit = [id: string, shipped: number, arrived: number, shippedAt: number, eta: number | null];
type TransferTuple = [
  id: string,
  shipped: number,
  arrived: number,
  arrivedAt: number | null,
  closedLost: number,
  latest: [at: number, id: string, location: string, eta: number | null, own?: number],
  corrections: (readonly [location: string, at: number, qty: number, own?: number])[],
];

const { first: FIRST, later: LATER } = byAge(RARE_BUCKETS);

function keyTuple({ location, base, movements, count, rare }: StockKey): Fields {
  return [
    location,
    base,
    movements,
    count === undefined ? 0 : [count.at, count.id, count.counted, ...ownOf(count)],
    rare === undefined ? 0 : [...FIRST.map((bucket) => rare[bucket]), 0, ...LATER.map((bucket) => rare[bucket])],
    ...(rare === undefined || rare.moved.length === 0 ? [] : [rare.moved]),
  ];
}

function loadKey(book: StockBook, entry: SkuEntry, [location, base, movements, count, rare, moved]: KeyTuple): void {
  const key = book.addKey(entry, location);
  key.base = base;
  key.movements = movements;
  if (count !== 0) key.count = { at: count[0], own: count[3], id: count[1], counted: count[2] };
  if (rare !== 0) {
    const state = rareOf(key);
    for (const [at, bucket] of FIRST.entries()) state[bucket] = rare[at] as number;
    for (const [at, bucket] of LATER.entries())
      state[bucket] = (rare[FIRST.length + 1 + at] as number | undefined) ?? 0;
    const former = rare[FIRST.length] as 0 | FormerTransit[];
    if (former !== 0) for (const transit of former) mergeFormer(key, transit);
  }
  if (moved !== undefined) rareOf(key).moved = moved;
}

/** `own` is written only if the clock rule moved the fact, so other items stay as they were, byte for byte. */
function ownOf({ own }: Moment): [own?: number] {
  return own === undefined ? [] : [own];
}

function transferTuple({ keys }: SkuEntry, transfer: TransferRecord): TransferTuple {
  const { id, shipped, arrived, arrivedAt, closedLost, latest } = transfer;
  const corrections = keys.flatMap(({ location, rare }) =>
    (rare?.corrections ?? [])
      .filter((each) => each.transfer === transfer)
      .map((each) => [location, each.at, each.qty, ...ownOf(each)] as const),
  );
  const leg: TransferTuple[5] = [latest.at, latest.id, latest.key.location, latest.eta ?? null, ...ownOf(latest)];
  return [id, shipped, arrived, arrivedAt ?? null, closedLost, leg, corrections];
}

function loadTransfer(book: StockBook, entry: SkuEntry, tuple: TransferTuple): void {
  const [id, shipped, arrived, arrivedAt, closedLost, [at, legId, location, eta, own], corrections] = tuple;
  const key = (of: string) => book.key(entry.name, of);
  const transfer = new TransferRecord(id, { at, own, id: legId, key: key(location), eta: eta ?? undefined });
  Object.assign(transfer, { shipped, arrived, arrivedAt: arrivedAt ?? undefined, closedLost });
  entry.transfers ??= new Map();
  entry.transfers.set(id, transfer);
  for (const [of, correctedAt, qty, correctedOwn] of corrections) {
    transfer.corrected += qty;
    correct(key(of), { transfer, at: correctedAt, own: correctedOwn, qty });
  }
}

/** Adds what an earlier version knew of a transfer at one location to the record of its id. */
function mergeFormer(key: StockKey, [id, shipped, arrived, shippedAt, eta]: FormerTransit): void {
  const leg = { at: shippedAt, id: '', key, eta: eta ?? undefined };
  key.sku.transfers ??= new Map();
  const transfer = key.sku.transfers.get(id) ?? new TransferRecord(id, leg);
  key.sku.transfers.set(id, transfer);
  // A location without a shipment has -Infinity here, so any shipment is later.
  if (isLater(leg, transfer.latest)) transfer.latest = leg;
  transfer.shipped += shipped;
  transfer.arrived += arrived;
}

/** Programs before 0.2 know the first code only. They must not read a SKU that has transfers, whose records they would drop. */
const [PLAIN, WITH_TRANSFERS] = [0, 10];

const SKU: ItemForm<StockBook> = {
  codes: [PLAIN, WITH_TRANSFERS],
  kind: 'sku',
  encode: (item) => {
    const entry = item as SkuEntry;
    const keys = entry.keys.map(keyTuple);
    if (entry.transfers === undefined) return [PLAIN, entry.name, keys];
    return [
      WITH_TRANSFERS,
      entry.name,
      keys,
      Array.from(entry.transfers.values(), (transfer) => transferTuple(entry, transfer)),
    ];
  },
  load: (book, fields, page) => {
    const [name, keys, transfers = []] = fields as [string, KeyTuple[], TransferTuple[]?];
    const entry = new SkuEntry(name);
    book.skus.set(name, entry);
    book.pages.place(entry, page);
    for (const key of keys) loadKey(book, entry, key);
    // mutant: transfers-not-loaded
    for (const transfer of transfers) loadTransfer(book, entry, transfer);
    for (const transfer of entry.transfers?.values() ?? []) awaitAt(transfer, true);
    for (const key of entry.keys) key.sellable = sellableFromParts(key);
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

const PART_CODE = 1;
const PART: ItemForm<StockBook> = {
  codes: [PART_CODE],
  kind: 'part',
  encode: (item) => {
    const part = item as ReservationPart;
    return [PART_CODE, part.id, ...PART_PLACES.map((place) => place.read(part))];
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

const HOME_CODE = 2;
const HOME: ItemForm<StockBook> = {
  codes: [HOME_CODE],
  kind: 'home',
  encode: (item) => {
    const { id, content, participants, shortages, expiresAtMs, confirmedAtMs, endedAtMs } = item as CoordinatorEntry;
    const short = shortages.map(shortTuple);
    return [HOME_CODE, id, content.hi, content.lo, participants, short, expiresAtMs, confirmedAtMs, endedAtMs];
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
