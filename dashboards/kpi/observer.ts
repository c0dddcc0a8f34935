/**
 * The KPIs of one partition: a fold of its facts and decisions, by location.
 *
 * Invariants:
 *  KP1 How things stand equals a scan of the book between any two folds: before a fold every key that it may change is taken out of the
 *      sums, after it every one is put in. Those are: the fact's key, a shipment's destination, and the lines of the reservation that a
 *      sale or a decision names.
 *  KP2 What happened is counted by when the stream or the journal took it, so that folding the same log gives the same windows.
 *  KP3 A hold is a line of a reservation. It ends once: confirmed (sold without a confirmation counts as that), released or expired;
 *      what becomes of an allocation afterwards does not count here.
 *  KP4 Last inbound, and whether a key had stock once, do not depend on the order of facts. A count or an adjustment upwards tells of
 *      stock that was there, and dates it only where nothing came in.
 *  KP5 What a count differed by, and how a lead time was, is told when the fact is folded, from what was folded before it. Folding the log
 *      anew after all snapshots were lost may read the streams in another order, and then tell these differently.
 */

import type { PartitionWatch } from '../../actors/partition/observer.ts';
import { bookAsOf } from '../../actors/stock/movements.ts';
import type { PartLine, ReservationPart, StockBook, StockKey } from '../../actors/stock/state.ts';
import type { Fact, Return } from '../../streams/fact/fact.ts';
import type { StockDecision } from '../../streams/journal/record.ts';
import { FACT_TYPES } from '../../streams/subjects.ts';
import { Ages, dayOf, toldApart } from './ages.ts';
import { decodeKept, encodeKept } from './codec.ts';
import type { Counted, HoldOutcome } from './counters.ts';
import { Inbound } from './last-inbound.ts';
import { LocationKpi } from './location.ts';
import { Seconds } from './seconds.ts';
import { addKey } from './totals.ts';
import { HAPPENED, Windows } from './windows.ts';

/** How a location stands, for metrics. */
export interface LocationStanding {
  readonly location: string;
  /** By STANDING. */
  readonly sums: Float64Array;
  /** Units on hand by age. */
  readonly aged: readonly number[];
}

const TYPE_FIELDS = Object.fromEntries(FACT_TYPES.map((type, index) => [type, index])) as Record<Fact['type'], number>;
const HOLD_FIELDS = {
  granted: HAPPENED.holdsGranted,
  confirmed: HAPPENED.holdsConfirmed,
  released: HAPPENED.holdsReleased,
  expired: HAPPENED.holdsExpired,
} as const;

export interface KpiWorld {
  /** Whether the partition serves, so that what is folded is new. */
  readonly serving: () => boolean;
  readonly counted: Counted;
  /** A key of this SKU has changed. */
  readonly changed: (sku: string) => void;
}

export class KpiWatch implements PartitionWatch {
  readonly locations = new Map<string, LocationKpi>();
  /** What happened at all locations together, and how old their stock is. */
  whole = new Windows();
  readonly ages = new Ages();
  seconds = new Seconds();
  /** When the first fact was taken, in milliseconds; undefined before it. */
  sinceMs: number | undefined;
  /** Folds so far: marks what has changed since somebody looked. */
  changes = 0;
  readonly #world: KpiWorld;
  #book: StockBook | undefined;
  #inbound = new Inbound();
  /** Keys that the fold may change, and of each its location and the day of its last inbound. */
  readonly #touched: StockKey[] = [];
  readonly #places: LocationKpi[] = [];
  readonly #days: number[] = [];
  /** Lines that are held before a fold and may not be after it. */
  readonly #held: PartLine[] = [];
  #bookCounted: number | undefined;

  constructor(world: KpiWorld) {
    this.#world = world;
  }

  beforeFact(book: StockBook, fact: Fact): void {
    this.#begin(book);
    const key = book.findKey(fact.sku, fact.location);
    this.#touch(key);
    if (fact.type === 'transfer' && fact.phase === 'shipped') this.#touch(book.findKey(fact.sku, fact.to));
    else if (fact.type === 'sale' && fact.reservation !== undefined) this.#touchPart(book.parts.get(fact.reservation));
    else if (fact.type === 'count') this.#bookCounted = key === undefined ? undefined : bookAsOf(key, fact.at);
    this.#move(-1);
  }

  afterFact(book: StockBook, fact: Fact, recordedAt: number): void {
    const atMs = Math.floor(recordedAt / 1000);
    // The fact's own key is the first that was touched, unless the fact has brought it about.
    if (this.#touched[0]?.sku.name !== fact.sku || this.#touched[0].location !== fact.location)
      this.#touchFirst(book, fact);
    const key = this.#touched[0] as StockKey;
    const at = this.#places[0] as LocationKpi;
    if (fact.type === 'transfer' && fact.phase === 'shipped') this.#touch(book.findKey(fact.sku, fact.to));
    this.#date(key, fact, atMs);
    this.#move(1);
    if (this.sinceMs === undefined || atMs < this.sinceMs) this.sinceMs = atMs;
    at.heardAtMs = Math.max(at.heardAtMs, atMs);
    this.seconds.add(atMs);
    this.#happened(at, atMs, TYPE_FIELDS[fact.type], 1);
    this.#tell(at, key, fact, atMs);
    this.#end();
  }

  beforeDecision(book: StockBook, decision: StockDecision): void {
    this.#begin(book);
    const part = book.parts.get(decision.id);
    this.#touchPart(part);
    if (decision.kind === 'granted')
      for (const line of decision.lines)
        if (line.partition === book.partition) this.#touch(book.findKey(line.sku, line.location));
    this.#move(-1);
  }

  afterDecision(book: StockBook, decision: StockDecision): void {
    if (decision.kind === 'granted') {
      for (const line of decision.lines) {
        if (line.partition !== book.partition) continue;
        this.#touch(book.findKey(line.sku, line.location));
        this.#hold(line.location, 'granted', decision.atMs);
      }
    } else for (const line of this.#held) this.#hold(line.key.location, decision.kind, decision.atMs);
    this.#move(1);
    this.#end();
  }

  load(book: StockBook, kept: Uint8Array | undefined): void {
    this.#book = book;
    this.locations.clear();
    this.ages.clear();
    const read = kept === undefined ? undefined : decodeKept(kept, book);
    this.sinceMs = read?.sinceMs;
    this.whole = read?.whole ?? new Windows();
    this.seconds = read?.seconds ?? new Seconds();
    this.#inbound = read?.inbound ?? Inbound.guessed(book);
    for (const { location, heardAtMs, windows } of read?.locations ?? []) {
      const at = this.#location(location);
      at.heardAtMs = heardAtMs;
      at.windows = windows;
    }
    this.#begin(book);
    for (const entry of book.skus.values()) for (const key of entry.keys) this.#add(key);
    this.#move(1);
    this.#begin(book);
    this.changes += 1;
    for (const at of this.locations.values()) at.changedAt = this.changes;
  }

  /** The locations that have changed since then, or all: a location whose facts leave the last minute has, without a fold. */
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
      inbound: this.#inbound,
      locations: this.locations.values(),
    });
  }

  #begin(book: StockBook): void {
    this.#book = book;
    this.#touched.length = 0;
    this.#places.length = 0;
    this.#days.length = 0;
    this.#held.length = 0;
  }

  #end(): void {
    for (const key of this.#touched) this.#world.changed(key.sku.name);
  }

  #touch(key: StockKey | undefined): void {
    if (key !== undefined && !this.#touched.includes(key)) this.#add(key);
  }

  #add(key: StockKey): void {
    this.#touched.push(key);
    this.#places.push(this.#location(key.location));
    this.#days.push(this.#inbound.dayOf(key));
  }

  /** A key that is new with this fact; others that it touches come behind it. */
  #touchFirst(book: StockBook, fact: Fact): void {
    const rest = this.#touched.splice(0);
    this.#places.length = 0;
    this.#days.length = 0;
    this.#touch(book.findKey(fact.sku, fact.location));
    for (const key of rest) this.#touch(key);
  }

  #touchPart(part: ReservationPart | undefined): void {
    if (part === undefined) return;
    for (const line of part.lines) {
      this.#touch(line.key);
      if (part.bucket === 'held' && line.claimed > 0) this.#held.push(line);
    }
  }

  /** Takes the touched keys out of the sums, or puts them in. */
  #move(sign: 1 | -1): void {
    if (sign === 1) this.changes += 1;
    for (let i = 0; i < this.#touched.length; i++) {
      const at = this.#places[i] as LocationKpi;
      const day = this.#days[i] as number;
      const onHand = addKey(at.standing, this.#touched[i] as StockKey, sign, day !== 0);
      if (onHand > 0) {
        at.ages.add(day, sign * onHand);
        this.ages.add(day, sign * onHand);
      }
      at.changedAt = this.changes;
    }
  }

  #location(name: string): LocationKpi {
    let at = this.locations.get(name);
    if (at === undefined) {
      at = new LocationKpi(name);
      this.locations.set(name, at);
    }
    return at;
  }

  #happened(at: LocationKpi, atMs: number, field: number, units: number): void {
    this.whole.add(atMs, field, units);
    at.windows.add(atMs, field, units);
  }

  #hold(location: string, outcome: HoldOutcome, atMs: number): void {
    this.#happened(this.#location(location), atMs, HOLD_FIELDS[outcome], 1);
    if (this.#world.serving()) this.#world.counted.holds[outcome] += 1;
  }

  #date(key: StockKey, fact: Fact, recordedMs: number): void {
    if (!bringsIn(fact)) return;
    const day = toldApart(dayOf(fact.at / 1000), dayOf(recordedMs));
    const came = fact.type !== 'count' && fact.type !== 'adjustment';
    this.#inbound.note(key, day, came);
    this.#days[0] = this.#inbound.dayOf(key);
  }

  #tell(at: LocationKpi, key: StockKey, fact: Fact, atMs: number): void {
    const counted = this.#world.serving() ? this.#world.counted : undefined;
    switch (fact.type) {
      case 'sale':
        this.#happened(at, atMs, HAPPENED.unitsSold, fact.qty);
        if (counted !== undefined) addTo(counted.sold, at.location, fact.qty);
        for (const line of this.#held)
          if (line.claimed === 0 && line.fulfilled >= line.qty) this.#hold(line.key.location, 'confirmed', atMs);
        return;
      case 'return':
        return this.#tellReturn(at, fact, atMs, counted);
      case 'transfer':
        if (fact.phase === 'received') this.#tellArrival(at, key, fact, atMs, counted);
        return;
      case 'count':
        return this.#tellCount(at, fact.counted, atMs, counted);
      case 'receipt':
      case 'adjustment':
        return;
    }
  }

  #tellReturn(at: LocationKpi, fact: Return, atMs: number, counted: Counted | undefined): void {
    this.whole.addReturn(atMs, fact.qty, fact.reason ?? '');
    at.windows.addReturn(atMs, fact.qty, fact.reason ?? '');
    if (counted !== undefined) addTo(counted.returned, at.location, fact.qty);
  }

  #tellArrival(
    at: LocationKpi,
    key: StockKey,
    fact: Fact & { type: 'transfer' },
    atMs: number,
    counted: Counted | undefined,
  ): void {
    this.#happened(at, atMs, HAPPENED.transfersReceived, 1);
    if (fact.damaged > 0) this.#happened(at, atMs, HAPPENED.unitsDamaged, fact.damaged);
    if (counted !== undefined) counted.transferDamaged += fact.damaged;
    const shippedAt = key.seldom?.transit?.get(fact.transfer)?.shippedAt ?? Number.NEGATIVE_INFINITY;
    // Received before the shipment is known, or by a clock that is behind: no lead time can be told.
    if (shippedAt === Number.NEGATIVE_INFINITY || shippedAt > fact.at) return;
    const seconds = (fact.at - shippedAt) / 1e6;
    this.#happened(at, atMs, HAPPENED.leadSeconds, seconds);
    this.#happened(at, atMs, HAPPENED.leads, 1);
    counted?.onLead(seconds);
  }

  /** What is counted where the book knows nothing yet is an opening balance: it says nothing of how good the book is. */
  #tellCount(at: LocationKpi, units: number, atMs: number, counted: Counted | undefined): void {
    if (this.#bookCounted === undefined) return;
    const variance = Math.abs(units - this.#bookCounted);
    this.#happened(at, atMs, HAPPENED.counted, 1);
    if (variance === 0) this.#happened(at, atMs, HAPPENED.exact, 1);
    else this.#happened(at, atMs, HAPPENED.varianceUnits, variance);
    if (counted === undefined) return;
    counted.counts[variance === 0 ? 'exact' : 'variance'] += 1;
    counted.varianceUnits += variance;
  }
}

function bringsIn(fact: Fact): boolean {
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
      return false;
  }
}

function addTo(units: Map<string, number>, location: string, more: number): void {
  units.set(location, (units.get(location) ?? 0) + more);
}
