/** The stored form of a stock book, one for each kind of item. Derived totals are not stored, because loading computes them (SN4). */

import { byAge } from '../../../streams/buckets.ts';
import type { ItemForm } from '../../book/domain.ts';
import type { StockBook } from '../book.ts';
import { correct, formerOf, isLater, sellableFromParts } from '../movements.ts';
import {
  type CountRegister,
  EMPTY_BOOK,
  type Moment,
  PurchaseLine,
  PurchaseRecord,
  RARE_BUCKETS,
  rareOf,
  SkuEntry,
  type StockKey,
  TransferRecord,
  UNKNOWN_FORMER,
} from '../state.ts';
import { settle } from '../supply/purchases.ts';
import { awaitAt } from '../supply/transfers.ts';

type Fields = readonly unknown[];

type KeyTuple = [
  location: string,
  base: number,
  movements: number[],
  /** `own` only if the clock rule moved it. An earlier version did not keep `former`; 0 is the empty book. */
  count: 0 | [at: number, id: string, counted: number, own?: number | null, former?: 0 | FormerTuple],
  /** Units by FIRST, then 0, then units by LATER. An older snapshot may end before a bucket that was added later. */
  rare: 0 | (number | FormerTransit[])[],
  /** The movements that the clock rule moved. Absent if there are none and nothing follows. */
  moved?: number[],
  /** 1 if its promises are being made again. */
  remaking?: 1,
];
/** The count before the latest one. Without a moment it is the empty book, with compacted movements. */
type FormerTuple = [units: number, at?: number, id?: string, own?: number];
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
  /** Of the latest shipment. Absent in snapshots of 0.2 and before. */
  from?: string | null,
  /** Only of a transfer that was declared overdue. */
  overdueFor?: number,
];
type PurchaseTuple = [
  id: string,
  received: number,
  orderedAt: number | null,
  lines: (readonly [
    name: string | null,
    at: number,
    id: string,
    location: string,
    qty: number,
    due: number,
    vendor: string | null,
    /** Only if the clock rule moved it, or if it was declared overdue. */
    own?: number | null,
    overdueFor?: number,
  ])[],
];

const { first: FIRST, later: LATER } = byAge(RARE_BUCKETS);

function keyTuple({ location, base, movements, count, rare }: StockKey): Fields {
  return [
    location,
    base,
    movements,
    count === undefined ? 0 : countTuple(count),
    rare === undefined ? 0 : [...FIRST.map((bucket) => rare[bucket]), 0, ...LATER.map((bucket) => rare[bucket])],
    ...(rare === undefined || (rare.moved.length === 0 && !rare.remaking) ? [] : [rare.moved]),
    ...(rare?.remaking === true ? [1] : []),
  ];
}

function countTuple(count: CountRegister): KeyTuple[3] {
  const { at, id, counted } = count;
  const { units, ...former } = formerOf(count);
  if (units === undefined) return [at, id, counted, ...ownOf(count)];
  const isBeginning = former.id === '';
  const tuple: FormerTuple = isBeginning ? [units] : [units, former.at, former.id, ...ownOf(former)];
  return [at, id, counted, count.own ?? null, isBeginning && units === 0 ? 0 : tuple];
}

function loadCount([at, id, counted, own, former]: Exclude<KeyTuple[3], 0>): CountRegister {
  const count = { at, own: own ?? undefined, id, counted };
  if (former === 0) return count;
  if (former === undefined) return { ...count, former: UNKNOWN_FORMER };
  const [units, formerAt = EMPTY_BOOK.at, formerId = '', formerOwn] = former;
  return { ...count, former: { at: formerAt, own: formerOwn, id: formerId, units } };
}

function loadKey(
  book: StockBook,
  entry: SkuEntry,
  [location, base, movements, count, rare, moved, remaking]: KeyTuple,
): void {
  const key = book.addKey(entry, location);
  key.base = base;
  key.movements = movements;
  // mutant: former-count-not-loaded
  if (count !== 0) key.count = loadCount(count);
  if (rare !== 0) {
    const state = rareOf(key);
    for (const [at, bucket] of FIRST.entries()) state[bucket] = rare[at] as number;
    for (const [at, bucket] of LATER.entries())
      state[bucket] = (rare[FIRST.length + 1 + at] as number | undefined) ?? 0;
    const former = rare[FIRST.length] as 0 | FormerTransit[];
    if (former !== 0) for (const transit of former) mergeFormer(key, transit);
  }
  if (moved !== undefined) rareOf(key).moved = moved;
  if (remaking === 1) rareOf(key).remaking = true;
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
  const { overdueFor } = transfer;
  const more: [from?: string | null, overdueFor?: number] =
    overdueFor !== undefined ? [latest.from ?? null, overdueFor] : latest.from === undefined ? [] : [latest.from];
  return [id, shipped, arrived, arrivedAt ?? null, closedLost, leg, corrections, ...more];
}

function loadTransfer(book: StockBook, entry: SkuEntry, tuple: TransferTuple): void {
  const [id, shipped, arrived, arrivedAt, closedLost, [at, legId, location, eta, own], corrections, from, overdueFor] =
    tuple;
  const key = (of: string) => book.key(entry.name, of);
  const leg = { at, own, id: legId, key: key(location), eta: eta ?? undefined, from: from ?? undefined };
  const transfer = new TransferRecord(id, leg);
  Object.assign(transfer, { shipped, arrived, arrivedAt: arrivedAt ?? undefined, closedLost, overdueFor });
  entry.transfers ??= new Map();
  entry.transfers.set(id, transfer);
  for (const [of, correctedAt, qty, correctedOwn] of corrections) {
    transfer.corrected += qty;
    correct(key(of), { transfer, at: correctedAt, own: correctedOwn, qty });
  }
}

function purchaseTuple({ id, received, orderedAt, lines }: PurchaseRecord): PurchaseTuple {
  return [
    id,
    received,
    Number.isFinite(orderedAt) ? orderedAt : null,
    lines.map(({ name, at, own, id: factId, key, qty, due, vendor, overdueFor }) => {
      const line = [name ?? null, at, factId, key.location, qty, due, vendor ?? null] as const;
      if (overdueFor !== undefined) return [...line, own ?? null, overdueFor] as const;
      return own === undefined ? line : ([...line, own] as const);
    }),
  ];
}

function loadPurchase(book: StockBook, entry: SkuEntry, [id, received, orderedAt, lines]: PurchaseTuple): void {
  const order = new PurchaseRecord(id);
  order.received = received;
  order.orderedAt = orderedAt ?? Number.POSITIVE_INFINITY;
  order.lines = lines.map(([name, at, factId, location, qty, due, vendor, own, overdueFor]) => {
    const line = new PurchaseLine(order, name ?? undefined, book.key(entry.name, location));
    const told = { at, own: own ?? undefined, id: factId, qty, due, vendor: vendor ?? undefined, overdueFor };
    return Object.assign(line, told);
  });
  entry.purchases ??= new Map();
  entry.purchases.set(id, order);
  settle(order, () => undefined);
}

/** Adds what an earlier version knew of a transfer at one location to the record of its id. */
function mergeFormer(key: StockKey, [id, shipped, arrived, shippedAt, eta]: FormerTransit): void {
  const leg = { at: shippedAt, id: '', key, eta: eta ?? undefined, from: undefined };
  key.sku.transfers ??= new Map();
  const transfer = key.sku.transfers.get(id) ?? new TransferRecord(id, leg);
  key.sku.transfers.set(id, transfer);
  // A location without a shipment has -Infinity here, so any shipment is later.
  if (isLater(leg, transfer.latest)) transfer.latest = leg;
  transfer.shipped += shipped;
  transfer.arrived += arrived;
}

/**
 * Programs before 0.2 know the first code only. They must not read a SKU that has transfers, whose records they would drop. Nor may 0.2
 * read one that has purchases, or a transfer that was declared overdue.
 */
const [PLAIN, WITH_TRANSFERS, WITH_SUPPLY] = [0, 10, 12];

export const SKU_ITEM: ItemForm<StockBook> = {
  codes: [PLAIN, WITH_TRANSFERS, WITH_SUPPLY],
  kind: 'sku',
  encode: (item) => {
    const entry = item as SkuEntry;
    const keys = entry.keys.map(keyTuple);
    const transfers = [...(entry.transfers?.values() ?? [])];
    const tuples = transfers.map((transfer) => transferTuple(entry, transfer));
    if (entry.purchases !== undefined || transfers.some(({ overdueFor }) => overdueFor !== undefined))
      return [WITH_SUPPLY, entry.name, keys, tuples, Array.from(entry.purchases?.values() ?? [], purchaseTuple)];
    return entry.transfers === undefined ? [PLAIN, entry.name, keys] : [WITH_TRANSFERS, entry.name, keys, tuples];
  },
  load: (book, fields, page) => {
    const [name, keys, transfers = [], purchases = []] = fields as [
      string,
      KeyTuple[],
      TransferTuple[]?,
      PurchaseTuple[]?,
    ];
    const entry = new SkuEntry(name);
    book.skus.set(name, entry);
    book.pages.place(entry, page);
    for (const key of keys) loadKey(book, entry, key);
    // mutant: transfers-not-loaded
    for (const transfer of transfers) loadTransfer(book, entry, transfer);
    for (const transfer of entry.transfers?.values() ?? []) awaitAt(transfer, true);
    // mutant: purchases-not-loaded
    for (const purchase of purchases) loadPurchase(book, entry, purchase);
    for (const key of entry.keys) key.sellable = sellableFromParts(key);
  },
};
