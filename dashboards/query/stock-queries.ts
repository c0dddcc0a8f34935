/**
 * Searches over books: names that contain a text, the stock of a location, and the live reservations of a SKU. Each find function reads
 * one partition. The results of several partitions are merged in the same order.
 *
 * Invariants:
 *  RD1 Every answer is bounded, and its order does not depend on where partitions are.
 *  RD2 A page that continues after a place omits nothing that was there and has not changed.
 */

import type { ItemBook } from '../../actors/item/book.ts';
import { itemQuery } from '../../actors/item/words.ts';
import { stockView } from '../../actors/stock/availability.ts';
import type { StockBook } from '../../actors/stock/book.ts';
import { hasEnded } from '../../actors/stock/reservation.ts';
import { negativeUnits } from '../../streams/buckets.ts';
import type { StockAnswer } from '../../streams/contract/stock.ts';
import type { StockState } from '../../streams/contract/system.ts';

export interface FoundNames {
  readonly skus: readonly string[];
  readonly locations: readonly string[];
  /** How the found SKUs are called, of those that have an item. */
  readonly names: Readonly<Record<string, string>>;
}
/** What one partition has found. */
export interface PartNames extends Omit<FoundNames, 'names'> {
  readonly names: readonly (readonly [sku: string, name: string])[];
}
export interface StockQuery {
  readonly location: string;
  readonly state: StockState;
  /** Only stock keys after this place; '' for the first page. */
  readonly after: string;
  readonly limit: number;
}
export interface StockPage {
  readonly stock: readonly StockAnswer[];
  /** `after` of the next page; null if this was the last. */
  readonly next: string | null;
}
/** Live reservations of a SKU, at one location or at all locations. */
export interface ReservationsQuery {
  readonly sku: string;
  readonly location?: string | undefined;
  readonly limit: number;
  /** Only reservations after this place. */
  readonly after?: ReservationPlace | undefined;
}
type ReservationPlace = readonly [grantedAtMs: number, id: string];

/** A line of a live reservation. */
export interface ReservedLine {
  readonly id: string;
  readonly status: 'held' | 'allocated';
  readonly channel: string;
  readonly purpose: string;
  /** Units that the line still claims. */
  readonly qty: number;
  readonly location: string;
  readonly grantedAtMs: number;
  readonly expiresAtMs: number | null;
}

/** Names that contain the text, ignoring case, then SKUs whose items fit it. @param locations locations of this partition */
export function findNames(
  book: StockBook,
  items: ItemBook,
  locations: Iterable<string>,
  text: string,
  limit: number,
): PartNames {
  const named = items.find(itemQuery(text), '', limit).map(({ sku }) => sku);
  const skus = [...new Set([...matching(book.skus.keys(), text, limit), ...named])];
  const names = skus.flatMap((sku): [string, string][] => {
    const item = items.items.get(sku);
    return item === undefined ? [] : [[sku, item.name]];
  });
  return { skus, locations: matching(locations, text, limit), names };
}

export function mergeNames(parts: readonly PartNames[], text: string, limit: number): FoundNames {
  const all = new Set(parts.flatMap((part) => part.skus));
  const bySku = matching(all, text, limit);
  const others = [...all].filter((sku) => !holdsText(sku, text)).sort(byText);
  const skus = [...bySku, ...others].slice(0, limit);
  const names = new Map(parts.flatMap((part) => part.names));
  return {
    skus,
    locations: matching(new Set(parts.flatMap((part) => part.locations)), text, limit),
    names: Object.fromEntries(skus.flatMap((sku) => (names.has(sku) ? [[sku, names.get(sku) as string]] : []))),
  };
}

function holdsText(name: string, text: string): boolean {
  return name.toLowerCase().includes(text.toLowerCase());
}

/** Names that begin with the text come first, then others, each by name. Names that can no longer be among the first are dropped. */
function matching(names: Iterable<string>, text: string, limit: number): string[] {
  const wanted = text.toLowerCase();
  const begins: string[] = [];
  const holds: string[] = [];
  const most = 4 * limit;
  for (const name of names) {
    const at = name.toLowerCase().indexOf(wanted);
    if (at < 0) continue;
    const found = at === 0 ? begins : holds;
    if (found.push(name) >= most) found.sort(byText).splice(limit);
  }
  return [...begins.sort(byText), ...holds.sort(byText)].slice(0, limit);
}

/** The stock keys of a location in order of need: oversold, below zero, out of stock, held, the rest; each by SKU. */
export function findStock(
  book: StockBook,
  { location, state, after, limit }: StockQuery,
  nowMs: number,
): StockAnswer[] {
  const found: StockAnswer[] = [];
  for (const entry of book.skus.values()) {
    for (const key of entry.keys) {
      if (key.location !== location) continue;
      const view = stockView(book, key, nowMs * 1000);
      if (isIn(view, state) && placeOf(view) > after) found.push(view);
    }
  }
  return inOrder(found).slice(0, limit);
}

/** One page from the results of partitions, each of which was asked for `limit` (RD1). */
export function mergeStock(parts: readonly (readonly StockAnswer[])[], limit: number): StockPage {
  const all = inOrder(parts.flat());
  const stock = all.slice(0, limit);
  const last = stock[stock.length - 1];
  // A partition that returned a full page may have more.
  const more = all.length > limit || parts.some((part) => part.length === limit);
  return { stock, next: more && last !== undefined ? placeOf(last) : null };
}

/** Oldest first. A page ends after the last line of a reservation, so it may hold a few lines more than `limit` (RD2). */
export function findReservations(book: StockBook, { sku, location, limit, after }: ReservationsQuery): ReservedLine[] {
  const found: ReservedLine[] = [];
  for (const part of book.parts.values()) {
    if (!part.granted || hasEnded(part)) continue;
    if (after !== undefined && byGrant([part.grantedAtMs, part.id], after) <= 0) continue;
    for (const { key, claimed } of part.lines) {
      if (claimed === 0 || key.sku.name !== sku || (location !== undefined && key.location !== location)) continue;
      found.push({
        id: part.id,
        status: part.bucket,
        channel: part.channel,
        purpose: part.purpose,
        qty: claimed,
        location: key.location,
        grantedAtMs: part.grantedAtMs,
        expiresAtMs: part.confirmedAtMs > 0 ? null : part.expiresAtMs,
      });
    }
  }
  found.sort((a, b) => byGrant([a.grantedAtMs, a.id], [b.grantedAtMs, b.id]));
  let end = Math.min(limit, found.length);
  while (end < found.length && found[end]?.id === found[end - 1]?.id) end += 1;
  return found.slice(0, end);
}

function byGrant([atMs, id]: ReservationPlace, [otherAtMs, otherId]: ReservationPlace): number {
  return atMs - otherAtMs || byText(id, otherId);
}

function isIn(view: StockAnswer, state: StockState): boolean {
  switch (state) {
    case 'all':
      return true;
    case 'negative':
      return negativeUnits(view) > 0;
    case 'out':
      return view.sellable <= 0;
    case 'oversold':
      return view.oversold > 0;
    case 'held':
      return view.held > 0 || view.allocated > 0;
  }
}

/** The place of a stock key in the order of need: a rank, then its SKU. */
function placeOf(view: StockAnswer): string {
  const rank =
    view.oversold > 0
      ? 0
      : negativeUnits(view) > 0
        ? 1
        : view.sellable === 0
          ? 2
          : view.held + view.allocated > 0
            ? 3
            : 4;
  return `${rank}${view.sku}`;
}

/** Makes each place once, because a sort compares it many times. */
function inOrder(views: readonly StockAnswer[]): StockAnswer[] {
  const placed = views.map((view) => ({ place: placeOf(view), view }));
  return placed.sort((a, b) => byText(a.place, b.place)).map(({ view }) => view);
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
