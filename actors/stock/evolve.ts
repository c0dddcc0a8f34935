/**
 * Evolve: folds facts and decisions into the state of a book. Total, without policy and without a clock.
 *
 * Invariants:
 *  EV1 The same facts and decisions, in any order and interleaving, end in the same state. (actors/idempotency/fact-ids.ts lets each fact
 *     be folded once only.)
 *  EV2 Every change raises the book's change number by one.
 *  EV3 A key or a reservation is announced to the book's change set before it changes. The set is valid until the next fold.
 */

import type { Adjustment, Receipt, Return, Sale, StockFact } from '../../streams/fact/fact.ts';
import { compareMoments } from '../../streams/fact/order.ts';
import type { StockDecision } from '../../streams/journal/stock-decisions.ts';
import type { StockBook } from './book.ts';
import { applyMoves, applyOverdue } from './dated/promises.ts';
import { move, registerCount, withMoved } from './movements.ts';
import { isFulfilled, settle } from './reservation.ts';
import { addPart, applyGrant, applyReservation, applyStep } from './reserve.ts';
import { rareOf, type StockKey } from './state.ts';
import { applyPurchase, receivePurchase } from './supply/purchases.ts';
import { applyTransfer } from './supply/transfers.ts';

/** Folds a fact. The caller has checked that it was not folded already. */
export function applyFact(book: StockBook, fact: StockFact): void {
  begin(book);
  const key = book.key(fact.sku, fact.location);
  // The change set needs the key's figures from before the fold (EV3).
  book.change(key);
  switch (fact.type) {
    case 'sale':
      applySale(book, key, fact);
      return;
    case 'receipt':
      applyReceipt(book, key, fact);
      return;
    case 'transfer':
      applyTransfer(book, key, fact);
      return;
    case 'return':
      applyReturn(book, key, fact);
      return;
    case 'count':
      book.changes.noteCount(key, fact);
      registerCount(key, { at: fact.at, own: fact.own, id: fact.id, counted: fact.counted });
      return;
    case 'adjustment':
      applyAdjustment(key, fact);
      return;
    case 'purchase':
      applyPurchase(book, key, fact);
      return;
  }
}

/** Folds the part of a decision that concerns this book's partition. */
export function applyDecision(book: StockBook, decision: StockDecision): void {
  begin(book);
  switch (decision.kind) {
    case 'granted':
      applyGrant(book, decision);
      return;
    case 'confirmed':
    case 'released':
    case 'expired':
      applyStep(book, decision);
      return;
    case 'begun':
    case 'grown':
    case 'stands':
    case 'undone':
    case 'settled':
      applyReservation(book, decision);
      return;
    case 'repromised':
      applyMoves(book, decision);
      return;
    case 'overdue':
      applyOverdue(book, decision);
      return;
  }
}

/** Every fold begins here, so every change gets a number of its own (EV2). */
function begin(book: StockBook): void {
  book.seq += 1;
  book.changes.begin();
}

function applySale(book: StockBook, key: StockKey, sale: Sale): void {
  move(key, sale, -sale.qty);
  if (sale.reservation === undefined) return;
  const part = book.parts.get(sale.reservation) ?? addPart(book, sale.reservation);
  book.changePart(part);
  part.sold ??= [];
  let sold = part.sold.find(({ sku, location }) => sku === sale.sku && location === sale.location);
  if (sold === undefined) {
    sold = { sku: sale.sku, location: sale.location, source: 'till', qty: 0, moments: [] };
    part.sold.push(sold);
    // Sorted, because facts come in any order (EV1).
    part.sold.sort((a, b) => byText(a.sku, b.sku) || byText(a.location, b.location));
  }
  sold.qty += sale.qty;
  if (sale.own === undefined) sold.moments = withMoment(sold.moments, sale.at, sale.qty);
  else sold.moved = withMoved(sold.moved ?? [], sale.at, sale.own, sale.qty);
  part.soldAtMs = Math.max(part.soldAtMs, Math.floor(sale.at / 1000));
  settle(book, part);
  if (isFulfilled(part)) book.onTimed?.(part);
}

function withMoment(moments: readonly number[], at: number, qty: number): readonly number[] {
  let i = 0;
  while (i < moments.length && (moments[i] as number) < at) i += 2;
  if (moments[i] === at) return moments.with(i + 1, (moments[i + 1] as number) + qty);
  return moments.toSpliced(i, 0, at, qty);
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function applyReceipt(book: StockBook, key: StockKey, receipt: Receipt): void {
  move(key, receipt, receipt.qty);
  if (receipt.damaged > 0) rareOf(key).damaged += receipt.damaged;
  if (receipt.purchaseOrder !== undefined) receivePurchase(book, key, receipt, receipt.purchaseOrder);
}

function applyReturn(book: StockBook, key: StockKey, back: Return): void {
  switch (back.disposition) {
    case 'restock':
      move(key, back, back.qty);
      if (back.reservation !== undefined) openAgain(book, back, back.reservation);
      return;
    case 'inspect':
      rareOf(key).inspection += back.qty;
      return;
    case 'damaged':
      rareOf(key).damaged += back.qty;
      return;
    case 'scrap':
    case 'vendor':
      return;
  }
}

/** A parcel that was stopped: its reservation needs the units again. */
function openAgain(book: StockBook, { sku, location, at, own, qty, within = 0 }: Return, id: string): void {
  const part = book.parts.get(id) ?? addPart(book, id);
  book.changePart(part);
  const returned = { sku, location, at, own, qty, within };
  // Sorted, because facts come in any order (EV1).
  part.returned = [...(part.returned ?? []), returned].sort(
    (a, b) =>
      compareMoments(a, b) ||
      byText(a.sku, b.sku) ||
      byText(a.location, b.location) ||
      a.qty - b.qty ||
      a.within - b.within,
  );
  settle(book, part);
  // A hold that is open again may be over.
  if (part.granted) book.onTimed?.(part);
}

function applyAdjustment(key: StockKey, adjustment: Adjustment): void {
  if (adjustment.bucket === 'sellable') move(key, adjustment, adjustment.delta);
  else rareOf(key)[adjustment.bucket] += adjustment.delta;
}
