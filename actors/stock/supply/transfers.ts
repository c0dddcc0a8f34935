/**
 * Folds a fact of a transfer into the one record of its id and SKU. The record does not depend on the destination that a fact names, so
 * goods that arrive elsewhere, come back or never left end the transfer too.
 *
 * Invariants:
 *  TF1 The record, and the corrections at the stock keys, are a function of the set of facts. Sums and maxima make the order irrelevant
 *     (EV1).
 *  TF2 A stock key's `inbound` holds a transfer exactly while units of it are in transit to that key.
 */
import type { Transfer } from '../../../streams/fact/fact.ts';
import type { StockBook } from '../book.ts';
import { correct, isLater, move, sellableFromParts } from '../movements.ts';
import { type Leg, rareOf, type SkuEntry, type StockKey, TransferRecord } from '../state.ts';
import { unitsInTransit } from './transit.ts';

/** @param key of the fact's location, already announced to the change set */
export function applyTransfer(book: StockBook, key: StockKey, fact: Transfer): void {
  const isShipment = fact.phase === 'shipped';
  const about = isShipment ? book.key(fact.sku, fact.to) : key;
  book.change(about);
  const from = isShipment ? fact.from : undefined;
  const leg: Leg = { at: fact.at, own: fact.own, id: fact.id, key: about, eta: fact.eta, from };
  const transfer = recordOf(key.sku, fact.transfer, leg);
  book.changeTransfer(transfer);
  awaitAt(transfer, false);
  const isLatest = isLatestLeg(transfer, leg, isShipment);
  // Another shipment moves the moment of the corrections, so their keys change too.
  const corrected = isLatest && transfer.corrected > 0 ? correctedKeys(transfer, key.sku) : [];
  for (const each of corrected) book.change(each);
  if (isLatest) transfer.latest = leg;
  add(transfer, key, fact);
  for (const each of corrected) each.sellable = sellableFromParts(each);
  awaitAt(transfer, true);
}

function add(transfer: TransferRecord, key: StockKey, fact: Transfer): void {
  switch (fact.phase) {
    case 'shipped':
      move(key, fact, -fact.qty);
      transfer.shipped += fact.qty;
      return;
    case 'received':
      move(key, fact, fact.qty);
      if (fact.damaged > 0) rareOf(key).damaged += fact.damaged;
      if (transfer.arrived === 0 || transfer.arrivedAt !== undefined)
        transfer.arrivedAt = Math.max(fact.at, transfer.arrivedAt ?? fact.at);
      // mutant: arrival-leaves-it-in-transit
      transfer.arrived += fact.qty + fact.damaged;
      return;
    case 'lost':
      transfer.closedLost += fact.qty;
      return;
    case 'corrected':
      transfer.corrected += fact.qty;
      correct(key, { transfer, at: fact.at, own: fact.own, qty: fact.qty });
      return;
  }
}

/** Any shipment is later than the other facts, because only a shipment says where the goods go (TF1). */
function isLatestLeg(transfer: TransferRecord, leg: Leg, isShipment: boolean): boolean {
  const isShipped = transfer.shipped > 0;
  if (isShipment !== isShipped) return isShipment;
  // mutant: last-arrived-shipment
  return isLater(leg, transfer.latest);
}

/** Adds the transfer to what its destination awaits, or takes it away before the record changes (TF2). */
export function awaitAt(transfer: TransferRecord, isAwaited: boolean): void {
  if (unitsInTransit(transfer) === 0) return;
  const rare = rareOf(transfer.latest.key);
  if (isAwaited) {
    rare.inbound ??= new Set();
    rare.inbound.add(transfer);
  } else rare.inbound?.delete(transfer);
}

function correctedKeys(transfer: TransferRecord, { keys }: SkuEntry): StockKey[] {
  return keys.filter(({ rare }) => rare?.corrections?.some((each) => each.transfer === transfer));
}

function recordOf(entry: SkuEntry, id: string, first: Leg): TransferRecord {
  entry.transfers ??= new Map();
  let transfer = entry.transfers.get(id);
  if (transfer === undefined) {
    transfer = new TransferRecord(id, first);
    entry.transfers.set(id, transfer);
  }
  return transfer;
}
