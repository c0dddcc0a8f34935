/**
 * The KPIs of one partition, a fold of its facts and decisions by location. It keeps two kinds of figures: sums over the stock keys as they
 * are now, and windows that count events.
 *
 * Invariants:
 *  KP1 Between any two folds the sums equal a scan of the book. After a fold, every key in the book's change set is subtracted as it was
 *      before, and added as it is now.
 *  KP2 An event is counted at the time at which the stream or the journal recorded it, so that folding the same log gives the same windows.
 *  KP3 A hold is a line of a reservation. It ends exactly once, as confirmed, released or expired. A hold that is sold without a
 *      confirmation counts as confirmed. The later life of an allocation is not counted.
 *  KP4 The last inbound day, and whether a key ever had stock, do not depend on the order of facts. A count or a positive adjustment shows
 *      that stock was there, and dates it only if no units are known to have come in.
 *  KP5 The variance of a count and the times of a transfer and of a delivery are computed when the fact is folded, from the facts folded before it. If
 *      the log is folded again after all snapshots are lost, the streams may be read in another order and give other values.
 */

import type { ObservedPartition, PartitionObserver } from '../../actors/partition/observer.ts';
import type { StockBook } from '../../actors/stock/book.ts';
import {
  type ChangeSet,
  endOfHolds,
  type KeyFigures,
  type PartChange,
  readFigures,
  zeros,
} from '../../actors/stock/changes.ts';
import type { PartLine, PurchaseRecord, StockKey } from '../../actors/stock/state.ts';
import { present } from '../../streams/assert.ts';
import type { Receipt, Return, StockFact } from '../../streams/fact/fact.ts';
import type { StockDecision } from '../../streams/journal/stock-decisions.ts';
import { Ages, dayOf, toldApart } from './ages.ts';
import { decodeKept, encodeKept } from './codec.ts';
import type { HoldOutcome, KpiCounters } from './counters.ts';
import { Inbound } from './inbound/last-inbound.ts';
import { deliveriesOf, Vendors } from './inbound/vendors.ts';
import { LocationKpi } from './location.ts';
import { Seconds } from './seconds.ts';
import { addKey } from './totals.ts';
import { HAPPENED, Windows } from './windows.ts';

/** A location's present sums, for metrics. */
export interface LocationTotals {
  readonly location: string;
  /** Indexed by STANDING. */
  readonly sums: Float64Array;
  /** Units on hand by age. */
  readonly aged: readonly number[];
}

const HOLD_FIELDS = {
  granted: HAPPENED.holdsGranted,
  confirmed: HAPPENED.holdsConfirmed,
  released: HAPPENED.holdsReleased,
  expired: HAPPENED.holdsExpired,
} as const;

export interface KpiDeps {
  readonly partition: Pick<ObservedPartition, 'serving'>;
  readonly counted: KpiCounters;
}

export class KpiObserver implements PartitionObserver {
  readonly locations = new Map<string, LocationKpi>();
  /** Events at all locations together, and the ages of their stock. */
  whole = new Windows();
  readonly ages = new Ages();
  seconds = new Seconds();
  vendors = new Vendors();
  /** When the stream took the first fact, in milliseconds since 1970; undefined before it. */
  sinceMs: number | undefined;
  /** Change number, which only grows. Readers use it as a cursor to ask for later changes. */
  changes = 0;
  readonly #deps: KpiDeps;
  #book: StockBook | undefined;
  #inbound = new Inbound();
  /** Scratch figures of one key, reused by every call. */
  readonly #after = zeros();

  constructor(deps: KpiDeps) {
    this.#deps = deps;
  }

  factFolded(book: StockBook, fact: StockFact, recordedAt: number): void {
    const { changes } = book;
    const atMs = Math.floor(recordedAt / 1000);
    const { key } = changes.at(0);
    const at = this.#location(key.location);
    this.#book = book;
    this.#remove(changes);
    this.#date(key, fact, atMs);
    this.#add(changes);
    if (this.sinceMs === undefined || atMs < this.sinceMs) this.sinceMs = atMs;
    at.heardAtMs = Math.max(at.heardAtMs, atMs);
    this.seconds.add(atMs);
    this.#happened(at, atMs, HAPPENED[fact.type], 1);
    this.#tell(at, changes, fact, atMs);
  }

  decisionFolded(book: StockBook, decision: StockDecision): void {
    this.#book = book;
    this.#remove(book.changes);
    if (book.changes.part !== undefined) this.#holds(book.changes, book.changes.part, decision.atMs);
    this.#add(book.changes);
  }

  /** Counts holds that a decision has begun and ended (KP3). A change ends those that it drops. */
  #holds(changes: ChangeSet, change: PartChange, atMs: number): void {
    const { part } = change;
    const end = endOfHolds(change);
    const before: PartLine[] = [];
    eachHeldBefore(changes, (line) => before.push(line));
    const same = (a: PartLine, b: PartLine) => a.key === b.key && a.index === b.index;
    for (const line of before) {
      const dropped = end ?? (part.lines.some((each) => same(each, line)) ? undefined : 'released');
      if (dropped !== undefined) this.#hold(line.key.location, dropped, atMs);
    }
    if (end === 'released' || end === 'expired' || (change.granted && change.bucket === 'allocated')) return;
    for (const line of part.lines) {
      if (line.claimed === 0 || before.some((each) => same(each, line))) continue;
      this.#hold(line.key.location, 'granted', atMs);
      if (part.bucket === 'allocated') this.#hold(line.key.location, 'confirmed', atMs);
    }
  }

  load(book: StockBook, kept: Uint8Array | undefined, latest?: number): void {
    this.#book = book;
    this.locations.clear();
    this.ages.clear();
    const read = kept === undefined ? undefined : decodeKept(kept, book);
    this.sinceMs = read?.sinceMs;
    this.whole = read?.whole ?? new Windows();
    this.seconds = read?.seconds ?? new Seconds();
    this.vendors = read?.vendors ?? new Vendors();
    this.#inbound = read?.inbound ?? Inbound.guessed(book);
    if (latest !== undefined) this.#inbound.moveBack(dayOf(latest / 1000));
    for (const { location, heardAtMs, windows } of read?.locations ?? []) {
      const at = this.#location(location);
      at.heardAtMs = heardAtMs;
      at.windows = windows;
    }
    for (const entry of book.skus.values())
      for (const key of entry.keys) this.#move(key, readFigures(key, this.#after), 1);
    this.changes += 1;
    for (const at of this.locations.values()) at.changedAt = this.changes;
  }

  /** Locations changed since a change number, or all. A location also changes without a fold, when facts leave its last minute. */
  changedSince(change: number | undefined, nowMs: number): LocationKpi[] {
    const changed: LocationKpi[] = [];
    for (const at of this.locations.values()) {
      const isNew = change === undefined || at.changedAt > change;
      if (!isNew && at.factsPerMinute === 0) continue;
      const facts = at.windows.factsPerMinute(nowMs);
      if (facts !== at.factsPerMinute) {
        at.factsPerMinute = facts;
        at.changedAt = ++this.changes;
      } else if (!isNew) continue;
      changed.push(at);
    }
    return changed;
  }

  keep(): Uint8Array {
    return encodeKept({
      book: this.#book,
      sinceMs: this.sinceMs,
      whole: this.whole,
      seconds: this.seconds,
      vendors: this.vendors,
      inbound: this.#inbound,
      locations: this.locations.values(),
    });
  }

  /** Subtracts the keys that a fold has changed, as they were before it (KP1). */
  #remove(changes: ChangeSet): void {
    this.changes += 1;
    for (let i = 0; i < changes.length; i++) {
      const { key, isNew, before } = changes.at(i);
      if (!isNew) this.#move(key, before, -1);
    }
  }

  /** Adds the same keys as they are now (KP1). */
  #add(changes: ChangeSet): void {
    for (let i = 0; i < changes.length; i++) {
      const { key } = changes.at(i);
      this.#move(key, readFigures(key, this.#after), 1);
    }
  }

  #move(key: StockKey, figures: KeyFigures, sign: 1 | -1): void {
    const at = this.#location(key.location);
    const day = this.#inbound.dayOf(key);
    const onHand = addKey(at.standing, figures, sign, day !== 0);
    if (onHand > 0) {
      at.ages.add(day, sign * onHand);
      this.ages.add(day, sign * onHand);
    }
    at.changedAt = this.changes;
  }

  #location(name: string): LocationKpi {
    let at = this.locations.get(name);
    if (at === undefined) {
      at = new LocationKpi(name);
      this.locations.set(name, at);
    }
    return at;
  }

  // `atMs` is the recorded time, so the windows do not depend on when the event is folded (KP2).
  #happened(at: LocationKpi, atMs: number, field: number, units: number): void {
    this.whole.add(atMs, field, units);
    at.windows.add(atMs, field, units);
  }

  #hold(location: string, outcome: HoldOutcome, atMs: number): void {
    this.#happened(this.#location(location), atMs, HOLD_FIELDS[outcome], 1);
    if (this.#deps.partition.serving) this.#deps.counted.holds[outcome] += 1;
  }

  // Inbound takes notes in any order, so the dates do not depend on the order of facts (KP4).
  #date(key: StockKey, fact: StockFact, recordedMs: number): void {
    if (!bringsIn(fact)) return;
    const day = toldApart(dayOf(fact.at / 1000), dayOf(recordedMs));
    const came = fact.type !== 'count' && fact.type !== 'adjustment';
    this.#inbound.note(key, day, came);
  }

  // Variances and lead times come from the book as it is at this fold (KP5).
  #tell(at: LocationKpi, changes: ChangeSet, fact: StockFact, atMs: number): void {
    const counted = this.#deps.partition.serving ? this.#deps.counted : undefined;
    switch (fact.type) {
      case 'sale':
        this.#happened(at, atMs, HAPPENED.unitsSold, fact.qty);
        if (counted !== undefined) addTo(counted.sold, at.location, fact.qty);
        eachHeldBefore(changes, (line) => {
          if (line.claimed === 0 && line.fulfilled >= line.qty) this.#hold(line.key.location, 'confirmed', atMs);
        });
        return;
      case 'return':
        this.#tellReturn(at, fact, atMs, counted);
        return;
      case 'transfer':
        if (fact.phase === 'received') this.#tellArrival(at, changes, fact, atMs, counted);
        return;
      case 'count':
        this.#tellCount(at, fact.counted, changes.bookAtCount, atMs, counted);
        return;
      case 'receipt':
        if (changes.purchase !== undefined) this.#tellDelivery(at, changes.purchase, fact, atMs, counted);
        return;
      case 'adjustment':
      case 'purchase':
        return;
    }
  }

  #tellReturn(at: LocationKpi, fact: Return, atMs: number, counted: KpiCounters | undefined): void {
    this.whole.addReturn(atMs, fact.qty, fact.reason ?? '');
    at.windows.addReturn(atMs, fact.qty, fact.reason ?? '');
    if (counted !== undefined) addTo(counted.returned, at.location, fact.qty);
  }

  #tellArrival(
    at: LocationKpi,
    changes: ChangeSet,
    fact: StockFact & { type: 'transfer' },
    atMs: number,
    counted: KpiCounters | undefined,
  ): void {
    this.#happened(at, atMs, HAPPENED.transfersReceived, 1);
    if (fact.damaged > 0) this.#happened(at, atMs, HAPPENED.unitsDamaged, fact.damaged);
    if (counted !== undefined) counted.transferDamaged += fact.damaged;
    const { shipped, latest } = present(changes.transfer, 'EV3').transfer;
    // Without a known shipment, or with a receiver's clock that is behind, there is no lead time.
    if (shipped === 0 || latest.at > fact.at) return;
    const seconds = (fact.at - latest.at) / 1e6;
    this.#happened(at, atMs, HAPPENED.leadSeconds, seconds);
    this.#happened(at, atMs, HAPPENED.leads, 1);
    counted?.onLead(seconds);
  }

  #tellDelivery(
    at: LocationKpi,
    order: PurchaseRecord,
    fact: Receipt,
    atMs: number,
    counted: KpiCounters | undefined,
  ): void {
    for (const delivery of deliveriesOf(order, fact)) {
      const { line, leadSeconds, lateSeconds } = delivery;
      this.vendors.add(line.vendor ?? '', delivery);
      this.#happened(at, atMs, HAPPENED.deliveries, 1);
      if (leadSeconds !== undefined) {
        this.#happened(at, atMs, HAPPENED.deliveryLeadSeconds, leadSeconds);
        this.#happened(at, atMs, HAPPENED.deliveryLeads, 1);
        counted?.onDeliveryLead(leadSeconds);
      }
      if (lateSeconds > 0) {
        this.#happened(at, atMs, HAPPENED.deliveriesLate, 1);
        this.#happened(at, atMs, HAPPENED.deliveryLateSeconds, lateSeconds);
      }
      if (counted !== undefined) counted.deliveries[lateSeconds > 0 ? 'late' : 'in_time'] += 1;
    }
  }

  /** Counts a count's accuracy. The count of a new key is an opening balance, which says nothing about the accuracy of the book. */
  #tellCount(
    at: LocationKpi,
    units: number,
    book: number | undefined,
    atMs: number,
    counted: KpiCounters | undefined,
  ): void {
    if (book === undefined) return;
    const variance = Math.abs(units - book);
    this.#happened(at, atMs, HAPPENED.counted, 1);
    if (variance === 0) this.#happened(at, atMs, HAPPENED.exact, 1);
    else this.#happened(at, atMs, HAPPENED.varianceUnits, variance);
    if (counted === undefined) return;
    counted.counts[variance === 0 ? 'exact' : 'variance'] += 1;
    counted.varianceUnits += variance;
  }
}

/** Calls `call` with each line of the fold's reservation that was held before the fold (KP3). */
function eachHeldBefore({ part }: ChangeSet, call: (line: PartLine) => void): void {
  if (part?.bucket !== 'held') return;
  for (const [index, line] of part.lines.entries()) if (present(part.claimed[index]) > 0) call(line);
}

function bringsIn(fact: StockFact): boolean {
  switch (fact.type) {
    case 'receipt':
      return true;
    case 'transfer':
      return fact.phase === 'received';
    case 'return':
      return fact.disposition !== 'scrap' && fact.disposition !== 'vendor';
    case 'count':
      return fact.counted > 0;
    case 'adjustment':
      return fact.delta > 0;
    case 'sale':
    case 'purchase':
      return false;
  }
}

function addTo(units: Map<string, number>, location: string, more: number): void {
  units.set(location, (units.get(location) ?? 0) + more);
}
