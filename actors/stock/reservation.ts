/**
 * A reservation's life, derived from its recorded steps and from the facts that name it.
 *
 * Invariants:
 *  RV1 What a part claims depends only on its decisions and on the set of facts, not on the order in which they arrive. A sale may arrive
 *     before the grant that it fulfils is replayed.
 *  RV2 A line claims qty − fulfilled while the reservation is live. The claim is in promised while the line is due later. Else it is in
 *     held until the reservation is confirmed, and in allocated after that.
 *  RV3 A sale at another location than the line's still fulfils the line, because the customer has the goods. Sales at the
 *     line's own location count first. Units sold beyond all lines change no line.
 *  RV4 A return opens again what was sold at most the horizon before it, by the moments of the facts. The units are claimed at the
 *     return's location.
 *  RV5 An end carries what was fulfilled. Later facts change nothing in an ended reservation.
 *  RV6 While the outcome of an attempt is unknown, every key is claimed as by the lines before it or by those after it, whichever is more,
 *     at every moment.
 */
import { assert } from '../../streams/assert.ts';
import { compareMoments } from '../../streams/fact/order.ts';
import type { Attempt, FactUnits } from '../../streams/journal/stock-decisions.ts';
import type { StockBook } from './book.ts';
import { countClaim, dueOfLine } from './dated/phased.ts';
import { isAfter } from './movements.ts';
import type { CoordinatorEntry, Moment, PartLine, ReservationPart, Sold, StockKey } from './state.ts';

export type ReservationStatus = 'held' | 'allocated' | 'released' | 'expired' | 'fulfilled';

export function isFulfilled(part: ReservationPart): boolean {
  return part.granted && part.lines.length > 0 && part.lines.every((line) => line.fulfilled >= line.qty);
}

export function hasEnded(part: ReservationPart): boolean {
  return part.releasedAtMs > 0 || part.expiredAtMs > 0;
}

/** When the part ended, in milliseconds since 1970; 0 while it is still open. */
export function endedAtMs(part: ReservationPart): number {
  if (!part.granted || hasEnded(part)) return Math.max(part.releasedAtMs, part.expiredAtMs, lastFactMs(part));
  return isFulfilled(part) ? part.soldAtMs : 0;
}

/** Moment of the latest fact that names the reservation, in milliseconds since 1970; 0 if there is none. */
function lastFactMs({ soldAtMs, returned = [] }: ReservationPart): number {
  return Math.max(soldAtMs, Math.floor((returned.at(-1)?.at ?? 0) / 1000));
}

/**
 * When a part is due for its end, in milliseconds since 1970: a hold when it expires, and a fulfilled part when no return can open it again.
 * Infinite if only a caller can end it.
 * @param fulfilledMemoryMs how long a fulfilled reservation is remembered
 */
export function dueAtMs(part: ReservationPart, fulfilledMemoryMs: number): number {
  if (!part.granted || hasEnded(part)) return Number.POSITIVE_INFINITY;
  if (isFulfilled(part)) return part.soldAtMs + fulfilledMemoryMs;
  // mutant: confirmed-is-watched
  return part.confirmedAtMs === 0 ? part.expiresAtMs : Number.POSITIVE_INFINITY;
}

/**
 * When the reservation of a home ended or expires, in milliseconds since 1970; infinite if it is confirmed and open.
 * @param unrecordedMs how much later it is taken to end if no end is recorded
 */
export function coordinatorEndedAtMs(home: CoordinatorEntry, unrecordedMs = 0): number {
  if (home.open !== undefined) return Number.POSITIVE_INFINITY;
  const ended = Math.max(home.releasedAtMs, home.expiredAtMs);
  if (ended > 0) return ended;
  return home.confirmedAtMs > 0 ? Number.POSITIVE_INFINITY : home.expiresAtMs + unrecordedMs;
}

/** Negative if attempt `a` is earlier than `b`. */
export function compareAttempts(a: Attempt, b: Attempt): number {
  return a[0] - b[0] || a[1] - b[1];
}

/** Makes lines and keys agree with the decisions and facts (RV2). The caller must have announced the part. */
export function settle(book: StockBook, part: ReservationPart): void {
  unclaim(book, part);
  // What an end recorded is final (RV5). Ends of version 0.1 recorded nothing, so sales still fulfil their lines.
  // mutant: end-is-not-final
  const final = hasEnded(part) && part.attempt[0] > 0;
  if (!final) fulfil(book, part, part);
  if (part.next !== undefined) fulfil(book, part, part.next);
  part.bucket = part.confirmedAtMs > 0 ? 'allocated' : 'held';
  claim(book, part);
}

/** Takes back what the part claims from its keys. */
export function unclaim(book: StockBook, part: ReservationPart): void {
  for (const lines of [part.lines, part.next?.lines ?? []])
    for (const line of lines) {
      // mutant: released-still-claimed
      countClaim(book, part, line, -line.claimed);
      assert(line.key[part.bucket] >= 0, 'N3');
      line.claimed = 0;
    }
}

function claim(book: StockBook, part: ReservationPart): void {
  if (part.next === undefined) {
    const live = part.granted && !hasEnded(part);
    for (const line of part.lines) claimLine(book, part, line, live ? openUnits(line) : 0);
  } else for (const [line, units] of claimsOf(part)) claimLine(book, part, line, units);
}

function claimLine(book: StockBook, part: ReservationPart, line: PartLine, units: number): void {
  line.claimed = units;
  countClaim(book, part, line, units);
}

/** Units that each line must claim (RV2, RV6). Invariant N4 compares them with what the lines claim. */
export function claimsOf(part: ReservationPart): Map<PartLine, number> {
  const claims = new Map<PartLine, number>();
  const live = part.granted && !hasEnded(part);
  for (const line of part.lines) claims.set(line, live ? openUnits(line) : 0);
  if (part.next === undefined) return claims;
  const covered = new Covered();
  for (const [line, units] of claims) covered.add(line, units);
  for (const line of part.next.lines) {
    const shared = Math.min(covered.units(line), openUnits(line));
    covered.add(line, -shared);
    // mutant: growth-claims-nothing
    claims.set(line, openUnits(line) - shared);
  }
  return claims;
}

/** Units by key and moment. */
class Covered {
  readonly #byKey = new Map<StockKey, Map<number, number>>();

  units(line: PartLine): number {
    return this.#byKey.get(line.key)?.get(dueOfLine(line)) ?? 0;
  }

  add(line: PartLine, units: number): void {
    const byDue = this.#byKey.get(line.key) ?? new Map<number, number>();
    this.#byKey.set(line.key, byDue);
    const due = dueOfLine(line);
    byDue.set(due, (byDue.get(due) ?? 0) + units);
  }
}

function openUnits(line: PartLine): number {
  assert(line.qty >= line.fulfilled && line.fulfilled >= 0, 'N4');
  return line.qty - line.fulfilled;
}

interface Lines {
  lines: PartLine[];
  readonly counted: readonly FactUnits[];
}

/** Computes what is fulfilled of lines, from the facts that came after their decision. */
function fulfil(book: StockBook, part: ReservationPart, terms: Lines): void {
  if (terms.lines.some((line) => line.granted === 0)) terms.lines = terms.lines.filter((line) => line.granted > 0);
  const { lines } = terms;
  for (const line of lines) {
    line.qty = line.granted;
    line.fulfilled = line.base;
  }
  if (part.sold === undefined) return;
  // Own locations first, then all others (RV3).
  const later = factUnits(part).map((units) => after(units, terms.counted));
  const left = later.map(({ sku, location, sold }) => ({
    sku,
    location,
    units: take(lines, sold, (line) => line.key.sku.name === sku && line.key.location === location),
  }));
  for (const each of left) each.units = take(lines, each.units, (line) => line.key.sku.name === each.sku);
  const moved: PartLine[] = [];
  for (const { sku, location, reopened } of later) {
    if (reopened === 0) continue;
    // A unit sold beyond the lines and returned opens nothing.
    let units = reopened;
    for (const over of [...left.filter((each) => each.location === location), ...left]) {
      if (over.sku !== sku) continue;
      const spare = Math.min(units, over.units);
      over.units -= spare;
      units -= spare;
    }
    reopen(book, lines, { sku, location, units }, moved);
  }
  if (moved.length > 0) terms.lines = [...lines, ...moved];
}

function after(units: FactUnits, counted: readonly FactUnits[]): FactUnits {
  const before = counted.find((each) => each.sku === units.sku && each.location === units.location);
  if (before === undefined) return units;
  const { sku, location } = units;
  const sold = Math.max(0, units.sold - before.sold);
  return { sku, location, sold, reopened: Math.max(0, units.reopened - before.reopened) };
}

/** Fulfils matching lines in order and returns the units left over. */
function take(lines: readonly PartLine[], qty: number, matches: (line: PartLine) => boolean): number {
  let left = qty;
  for (const line of lines) {
    if (left === 0) break;
    if (!matches(line)) continue;
    const taken = Math.min(left, line.qty - line.fulfilled);
    line.fulfilled += taken;
    left -= taken;
  }
  return left;
}

/** Opens fulfilled units again, at the place of the return (RV4). Lines at that place come first. */
function reopen(
  book: StockBook,
  lines: readonly PartLine[],
  { sku, location, units }: { readonly sku: string; readonly location: string; readonly units: number },
  moved: PartLine[],
): void {
  let left = units;
  const here = (line: PartLine) => line.key.location === location;
  for (const line of [...lines.filter(here), ...lines.filter((each) => !here(each))]) {
    const opened = line.key.sku.name === sku ? Math.min(left, line.fulfilled) : 0;
    if (opened === 0) continue;
    left -= opened;
    line.fulfilled -= opened;
    if (here(line)) continue;
    line.qty -= opened;
    const key = book.key(sku, location);
    book.change(key);
    const { index, name } = line;
    moved.push({ index, name, key, granted: 0, base: 0, qty: opened, fulfilled: 0, claimed: 0 });
  }
}

/** Units that were sold and that returns have opened again, by place. They follow from the set of facts that name the reservation (RV1). */
export function factUnits({ sold = [], returned }: Pick<ReservationPart, 'sold' | 'returned'>): FactUnits[] {
  const units: { sku: string; location: string; sold: number; reopened: number }[] = [];
  const at = (sku: string, location: string) => {
    let found = units.find((each) => each.sku === sku && each.location === location);
    if (found === undefined) {
      found = { sku, location, sold: 0, reopened: 0 };
      units.push(found);
    }
    return found;
  };
  // Of several sources the one that reports most counts, because they report the same units.
  for (const { sku, location, qty } of sold) {
    const place = at(sku, location);
    place.sold = Math.max(place.sold, qty);
  }
  if (returned === undefined) return units;
  const sales = salesByTime(sold);
  for (const back of returned) {
    const { sku, location, qty, within } = back;
    let left = qty;
    // The oldest sale first, which leaves most for later returns.
    for (const sale of sales) {
      if (left === 0 || isAfter(sale, back)) break;
      if (sale.sku !== sku || back.at - sale.at > within) continue;
      const units = Math.min(left, sale.qty);
      sale.qty -= units;
      left -= units;
    }
    if (left < qty) at(sku, location).reopened += qty - left;
  }
  return units;
}

interface SaleUnits extends Moment {
  readonly sku: string;
  qty: number;
}

function salesByTime(sold: readonly Sold[]): SaleUnits[] {
  const sales: SaleUnits[] = [];
  for (const { sku, moments, moved = [] } of sold) {
    for (let i = 0; i < moments.length; i += 2)
      sales.push({ sku, at: moments[i] as number, qty: moments[i + 1] as number });
    for (let i = 0; i < moved.length; i += 3)
      sales.push({ sku, at: moved[i] as number, own: moved[i + 1] as number, qty: moved[i + 2] as number });
  }
  return sales.sort(compareMoments);
}

/** Units of a SKU that were sold for a reservation beyond what it has of that SKU in this partition. */
export function overFulfilled(part: ReservationPart, sku: string): number {
  if (!part.granted) return 0;
  let over = 0;
  for (const units of factUnits(part)) if (units.sku === sku) over += units.sold - units.reopened;
  for (const line of part.lines) if (line.key.sku.name === sku) over -= line.qty;
  return Math.max(0, over);
}

/**
 * How many units facts have moved for the reservation, and how often its promises have moved. It only grows while the lines stay the same,
 * so it shows what has happened since.
 */
export function changesSince({ sold = [], returned = [], lines }: ReservationPart): number {
  let changes = 0;
  for (const { qty } of sold) changes += qty;
  for (const { qty } of returned) changes += qty;
  for (const { date } of lines) changes += date?.changes ?? 0;
  return changes;
}
