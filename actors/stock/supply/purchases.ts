/**
 * Folds purchases, and the receipts that name a purchase order, into one record per purchase order and SKU.
 *
 * A record takes about 250 bytes and each of its lines about 250 more. It is kept as long as the SKU, like a transfer, because a purchase
 * has no horizon.
 *
 * Invariants:
 *  PU1 The record is a function of the set of facts. A line is what its latest fact says, by (occurredAt, id), and receipts are a sum, so
 *     they may come before their purchase (EV1).
 *  PU2 Received units fill the lines in the order of their due dates, wherever they arrive. What is open follows from the record, so a later
 *     fact may move units from one line to another.
 *  PU3 Every key whose open units change is announced before they do (EV3), because a receipt at one location changes what another awaits.
 */
import type { Purchase, Receipt } from '../../../streams/fact/fact.ts';
import type { StockBook } from '../book.ts';
import { isLater } from '../movements.ts';
import { PurchaseLine, PurchaseRecord, rareOf, type SkuEntry, type StockKey } from '../state.ts';
import { openUnits } from './on-order.ts';

/** @param key of the fact's location, already announced to the change set */
export function applyPurchase(book: StockBook, key: StockKey, fact: Purchase): void {
  const order = purchaseOf(key.sku, fact.purchaseOrder);
  book.changes.purchase = order;
  order.orderedAt = Math.min(order.orderedAt, fact.at);
  const line = purchaseLineOf(order, fact.line, key);
  // mutant: last-arrived-purchase
  if (isLater(fact, line)) {
    book.change(line.key);
    setOpen(line, 0);
    const { at, own, id, qty, promisedAt: due, vendor } = fact;
    Object.assign(line, { at, own, id, key, qty, due, vendor });
    order.lines.sort(byDue);
  }
  settle(order, (each) => book.change(each));
}

/** Counts a receipt against the purchase order that it names. */
export function receivePurchase(book: StockBook, { sku }: StockKey, { qty, damaged }: Receipt, id: string): void {
  const order = purchaseOf(sku, id);
  book.changes.purchase = order;
  // A sum, so that the order of the facts does not matter (PU1).
  // mutant: damaged-units-stay-on-order
  order.received += qty + damaged;
  settle(order, (each) => book.change(each));
}

/** The record, which is created if there is none. */
function purchaseOf(entry: SkuEntry, id: string): PurchaseRecord {
  entry.purchases ??= new Map();
  let order = entry.purchases.get(id);
  if (order === undefined) {
    order = new PurchaseRecord(id);
    entry.purchases.set(id, order);
  }
  return order;
}

/** The line, which is created if there is none. @param key of a new line */
function purchaseLineOf(order: PurchaseRecord, name: string | undefined, key: StockKey): PurchaseLine {
  let line = order.lines.find((each) => each.name === name);
  if (line === undefined) {
    line = new PurchaseLine(order, name, key);
    order.lines.push(line);
    order.lines.sort(byDue);
  }
  return line;
}

/** Sets the open units of a record that has changed or was loaded (PU2). @param announce called before the units of a key change (PU3) */
export function settle(order: PurchaseRecord, announce: (key: StockKey) => void): void {
  const open = openUnits(order);
  for (const [index, line] of order.lines.entries()) {
    const units = open[index] as number;
    if (units === line.open) continue;
    announce(line.key);
    setOpen(line, units);
  }
}

function setOpen(line: PurchaseLine, units: number): void {
  line.open = units;
  const rare = rareOf(line.key);
  if (units > 0) {
    rare.ordered ??= new Set();
    rare.ordered.add(line);
  } else rare.ordered?.delete(line);
}

function byDue(a: PurchaseLine, b: PurchaseLine): number {
  if (a.due !== b.due) return a.due - b.due;
  const [one, other] = [a.name ?? '', b.name ?? ''];
  return one < other ? -1 : one > other ? 1 : 0;
}
