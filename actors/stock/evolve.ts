/**
 * Evolve: folds facts and decisions into the state of a book. Total, without policy and without a clock.
 *
 * Invariants:
 *  EV1 The same facts and decisions, in any order and interleaving, end in the same state. (actors/idempotency/fact-ids.ts lets each fact
 *     be folded once only.)
 *  EV2 Every change raises the book's change number by one.
 *  EV3 A key or a reservation is announced to the book's change set before it changes. The set is valid until the next fold.
 */

import { at } from '../../streams/assert.ts';
import type { Adjustment, Fact, Receipt, Return, Sale } from '../../streams/fact/fact.ts';
import type { Granted, StockDecision } from '../../streams/journal/stock-decisions.ts';
import { LARGE_ITEM } from '../book/pages.ts';
import type { StockBook } from './book.ts';
import { move, registerCount } from './movements.ts';
import { settle } from './reservation.ts';
import { CoordinatorEntry, ReservationPart, rareOf, type StockKey } from './state.ts';
import { applyTransfer } from './supply/transfers.ts';

/** Folds a fact. The caller has checked that it was not folded already. */
export function applyFact(book: StockBook, fact: Fact): void {
  begin(book);
  const key = book.key(fact.sku, fact.location);
  // The change set needs the key's figures from before the fold (EV3).
  book.change(key);
  switch (fact.type) {
    case 'sale':
      applySale(book, key, fact);
      return;
    case 'receipt':
      applyReceipt(key, fact);
      return;
    case 'transfer':
      applyTransfer(book, key, fact);
      return;
    case 'return':
      applyReturn(key, fact);
      return;
    case 'count':
      book.changes.noteCount(key, fact);
      registerCount(key, { at: fact.at, own: fact.own, id: fact.id, counted: fact.counted });
      return;
    case 'adjustment':
      applyAdjustment(key, fact);
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
    case 'expired': {
      stepHome(book, decision.id, decision.kind, decision.atMs);
      const part = book.parts.get(decision.id);
      // A coordinator without lines of the reservation has no part to step.
      if (part === undefined && book.coordinatorEntries.has(decision.id)) return;
      applyStep(book, part ?? addPart(book, decision.id), decision.kind, decision.atMs);
      return;
    }
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
  const sold = part.sold.find((each) => each.sku === sale.sku && each.location === sale.location);
  if (sold === undefined) part.sold.push({ sku: sale.sku, location: sale.location, qty: sale.qty });
  else sold.qty += sale.qty;
  part.soldAtMs = Math.max(part.soldAtMs, Math.floor(sale.at / 1000));
  settle(part);
}

function applyReceipt(key: StockKey, receipt: Receipt): void {
  move(key, receipt, receipt.qty);
  if (receipt.damaged > 0) rareOf(key).damaged += receipt.damaged;
}

function applyReturn(key: StockKey, back: Return): void {
  switch (back.disposition) {
    case 'restock':
      move(key, back, back.qty);
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

function applyAdjustment(key: StockKey, adjustment: Adjustment): void {
  if (adjustment.bucket === 'sellable') move(key, adjustment, adjustment.delta);
  else rareOf(key)[adjustment.bucket] += adjustment.delta;
}

function applyGrant(book: StockBook, granted: Granted): void {
  const here = granted.lines.filter((line) => line.partition === book.partition);
  if (here.length > 0) {
    const part = book.parts.get(granted.id) ?? addPart(book, granted.id);
    book.changePart(part);
    if (part.granted) supersede(part);
    part.granted = true;
    part.content = granted.content;
    part.channel = granted.channel;
    part.purpose = granted.purpose;
    part.coordinator = granted.coordinator;
    part.participants = granted.participants;
    part.shortages = granted.shortages;
    part.epoch = granted.parts.find(([partition]) => partition === book.partition)?.[1] ?? 0;
    part.seq = at(here, 0).seq;
    part.grantedAtMs = granted.atMs;
    part.expiresAtMs = granted.expiresAtMs;
    part.lines = here.map((line) => {
      const key = book.key(line.sku, line.location);
      book.change(key);
      return { index: line.index, key, qty: line.qty, fulfilled: 0, claimed: 0 };
    });
    settle(part);
    if (here.length + granted.shortages.length >= LARGE_ITEM) book.pages.isolate(part);
    book.onHold?.(part);
  }
  if (
    granted.coordinator === book.partition &&
    isWhole(granted) &&
    !(here.length > 0 && isAlone(granted.participants, granted.coordinator))
  ) {
    const coordinator = new CoordinatorEntry(
      granted.id,
      granted.content,
      granted.participants,
      granted.shortages,
      granted.expiresAtMs,
    );
    book.coordinatorEntries.set(granted.id, coordinator);
    book.pages.place(coordinator);
    if (granted.shortages.length >= LARGE_ITEM) book.pages.isolate(coordinator);
  }
}

/**
 * Whether this decision completes the reservation. It does if it names every participant, or has no lines because the participants
 * granted theirs in earlier decisions. A decision with some of the lines is only a part, even in the coordinator: the caller has no answer
 * yet.
 */
function isWhole({ lines, participants, parts }: Granted): boolean {
  // mutant: part-is-whole
  return lines.length === 0 || participants.every((number) => parts.some(([partition]) => partition === number));
}

/** Drops the earlier grant of a part that is granted again, such as one that a crash or a refusal elsewhere left behind. */
function supersede(part: ReservationPart): void {
  for (const line of part.lines) line.key[part.bucket] -= line.claimed;
  part.confirmedAtMs = 0;
  part.releasedAtMs = 0;
  part.expiredAtMs = 0;
}

/** Whether this partition holds all lines of a reservation, so that its part also serves as the coordinator entry. */
export function isAlone(participants: readonly number[], partition: number): boolean {
  return participants.length === 1 && participants[0] === partition;
}

function stepHome(book: StockBook, id: string, step: 'confirmed' | 'released' | 'expired', atMs: number): void {
  const coordinator = book.coordinatorEntries.get(id);
  if (coordinator === undefined) return;
  book.pages.touch(coordinator);
  if (step === 'confirmed') coordinator.confirmedAtMs = atMs;
  else coordinator.endedAtMs = atMs;
}

function applyStep(
  book: StockBook,
  part: ReservationPart,
  step: 'confirmed' | 'released' | 'expired',
  atMs: number,
): void {
  book.changePart(part);
  switch (step) {
    case 'confirmed':
      part.confirmedAtMs = atMs;
      break;
    case 'released':
      part.releasedAtMs = atMs;
      break;
    case 'expired':
      part.expiredAtMs = atMs;
      break;
  }
  settle(part);
}

function addPart(book: StockBook, id: string): ReservationPart {
  const part = new ReservationPart(id);
  book.parts.set(id, part);
  book.pages.place(part);
  return part;
}
