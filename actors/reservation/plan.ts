/**
 * Plans the lines of a reservation, for a placement or a change: which units stay, which ones move and which ones are added. Pure.
 *
 * Invariants:
 *  LP1 What is fulfilled stays where it is. A line that is left out keeps only that.
 *  LP2 Units that a line has already stay where they are, with their moment, if the line may be there and is wanted by the same date, so
 *      the same request again changes no line. Units that a split or a return has put at several locations come together if the line is
 *      not split any more.
 *  LP3 The reservation's own units count as free. No key grows by more than it may promise.
 */
import { at } from '../../streams/assert.ts';
import { PIECES_PER_LINE, type StandingDate } from '../../streams/journal/stock-decisions.ts';
import { Refusal } from '../ports/refusal.ts';
import type { StockBook } from '../stock/book.ts';
import { type Ask, type Claim, type Due, dueOfLine } from '../stock/dated/phased.ts';
import { type RefusedShortage, type SourcedLine, sourceLines, type WantedLine, wantedAt } from '../stock/sourcing.ts';
import type { PartLine, PendingUnits, ReservationPart, StockKey } from '../stock/state.ts';

export interface Piece {
  /** Number of the line. */
  readonly line: number;
  readonly name: string | undefined;
  readonly key: StockKey;
  qty: number;
  readonly fulfilled: number;
  readonly date: StandingDate | undefined;
}
export interface Plan {
  /** Ordered by line. */
  readonly pieces: readonly Piece[];
  readonly shortages: readonly RefusedShortage[];
}
export interface Wish {
  readonly lines: readonly WantedLine[];
  /** Number of lines in the whole request. Lines that it leaves out are numbered after them. */
  readonly size: number;
  readonly partial: boolean;
  readonly channel: string;
  readonly purpose: string;
}
/** What plans are made from. */
export interface Planning {
  readonly bookOf: (sku: string) => StockBook;
  /** Microseconds since 1970. */
  readonly now: number;
}

/** A line as it stands. */
interface Old {
  readonly number: number;
  readonly name: string | undefined;
  readonly sku: string;
  readonly lines: PartLine[];
}
/** A wanted line, and the line that it continues. */
interface Pair {
  readonly wanted: WantedLine;
  readonly old: Old | undefined;
  readonly fulfilled: number;
}

/**
 * Plans without looking at time or ids.
 * @param parts the reservation's parts in these partitions, empty for a placement
 * @throws a refusal if a line would have less than is fulfilled of it
 */
export function planLines(parts: readonly ReservationPart[], wish: Wish, planning: Planning): Plan {
  const olds = oldLines(parts);
  const { channel, purpose } = wish;
  const ask = { channel, purpose, now: planning.now };
  if (olds.length === 0) {
    const { sourced, shortages } = sourceLines(wish.lines, planning.bookOf, ask, wish.partial);
    return { pieces: sourced.map((each) => newPiece(each, planning)), shortages };
  }
  const { pairs, leftOut } = paired(olds, wish.lines);
  const kept = leftOut.flatMap((old) => fulfilledPieces(after(wish.size, old.number), old.name, old));
  const old = { lines: olds, claims: ownClaims(parts) };
  const staying = change(pairs, kept, wish, { ...planning, ask }, old, true);
  // Lines that compete for one SKU may fit only if those that could stay move too.
  return staying.shortages.length === 0 ? staying : change(pairs, kept, wish, { ...planning, ask }, old, false);
}

function newPiece({ line, key, qty, due }: SourcedLine, { bookOf }: Planning): Piece {
  const wanted = wantedAt(line, bookOf(line.sku), key.location);
  const date = wanted === 0 ? undefined : { wanted, due, changes: 0 };
  return { line: line.index, name: line.name, key, qty, fulfilled: 0, date };
}

function oldLines(parts: readonly ReservationPart[]): Old[] {
  const olds = new Map<string, Old>();
  for (const line of parts.flatMap((part) => part.lines)) {
    const number = Math.floor(line.index / PIECES_PER_LINE);
    const sku = line.key.sku.name;
    const known = olds.get(`${number} ${sku}`);
    if (known === undefined) olds.set(`${number} ${sku}`, { number, name: line.name, sku, lines: [line] });
    else known.lines.push(line);
  }
  return [...olds.values()].sort((a, b) => a.number - b.number);
}

/** A wanted line continues the line of its name, or else the next line of its SKU. */
function paired(olds: readonly Old[], wanted: readonly WantedLine[]): { pairs: Pair[]; leftOut: Old[] } {
  const rest = new Set(olds);
  const found = new Map<WantedLine, Old>();
  const match = (line: WantedLine, fits: (old: Old) => boolean) => {
    const old = found.has(line) ? undefined : [...rest].find((each) => each.sku === line.sku && fits(each));
    if (old === undefined) return;
    found.set(line, old);
    rest.delete(old);
  };
  for (const line of wanted) if (line.name !== undefined) match(line, ({ name }) => name === line.name);
  for (const line of wanted) match(line, () => true);
  const pairs = wanted.map((line) => {
    const old = found.get(line);
    const fulfilled = (old?.lines ?? []).reduce((sum, each) => sum + each.fulfilled, 0);
    if (line.qty < fulfilled) throw lessThanFulfilled(line, fulfilled);
    return { wanted: line, old, fulfilled };
  });
  return { pairs, leftOut: [...rest] };
}

/** The number of a line that is left out. It stays the same if the same request is made again. */
function after(size: number, number: number): number {
  return number < size ? size + number : number;
}

// What is fulfilled stays where it is (LP1).
function fulfilledPieces(line: number, name: string | undefined, old: Old | undefined): Piece[] {
  return (old?.lines ?? [])
    .filter(({ fulfilled }) => fulfilled > 0)
    .map((each) => ({
      line,
      name,
      key: each.key,
      qty: each.fulfilled,
      fulfilled: each.fulfilled,
      date: dateOfLine(each),
    }));
}

/** The line's date as it is from now on. */
export function dateOfLine(line: PartLine): StandingDate | undefined {
  if (line.date === undefined) return undefined;
  const { wanted, changes, last } = line.date;
  return { wanted, due: dueOfLine(line), changes, last };
}

function change(
  pairs: readonly Pair[],
  leftOut: readonly Piece[],
  { partial }: Wish,
  planning: Planning & { readonly ask: Ask },
  old: { readonly lines: readonly Old[]; readonly claims: ReadonlyMap<StockKey, readonly Claim[]> },
  stay: boolean,
): Plan {
  const given = new Map(old.claims);
  const pieces: Piece[] = [];
  const more: WantedLine[] = [];
  for (const pair of pairs) {
    const { wanted, fulfilled } = pair;
    const { index, name } = wanted;
    const own = fulfilledPieces(index, name, pair.old);
    const need = wanted.qty - fulfilled;
    // What stays needs no room, because it is claimed already (LP2).
    const staying = stay ? unitsThatStay(pair, need, planning) : [];
    let has = 0;
    for (const [line, units] of staying) {
      const { key } = line;
      addPiece(own, { line: index, name, key, qty: units, fulfilled: 0, date: dateOfLine(line) });
      given.set(key, [...(given.get(key) ?? []), { ...planning.ask, due: dueOfLine(line), units }]);
      has += units;
    }
    if (need > has) {
      const stays = (pair.old?.lines ?? []).filter(({ claimed }) => claimed > 0).map(({ key }) => key.location);
      more.push({ ...wanted, qty: need - has, has: has + fulfilled, stays });
    }
    pieces.push(...own);
  }
  // mutant: own-units-twice
  const { sourced, shortages } = sourceLines(more, planning.bookOf, planning.ask, partial, given);
  for (const each of sourced) addPiece(pieces, newPiece(each, planning));
  // Sorting is stable, so pieces that stay come first in their line.
  return { pieces: [...pieces, ...leftOut].sort((a, b) => a.line - b.line), shortages };
}

/** Units that the reservation claims now and gives up, by key. */
function ownClaims(parts: readonly ReservationPart[]): Map<StockKey, readonly Claim[]> {
  const claims = new Map<StockKey, readonly Claim[]>();
  for (const { lines, channel, purpose } of parts)
    for (const line of lines) {
      const { key, claimed } = line;
      if (claimed > 0)
        claims.set(key, [...(claims.get(key) ?? []), { channel, purpose, due: dueOfLine(line), units: -claimed }]);
    }
  return claims;
}

/** Open units of the old line that the wanted line keeps. A line that is not split keeps them only if one location has them all. */
function unitsThatStay({ wanted, old }: Pair, need: number, { bookOf }: Planning): [PartLine, number][] {
  const { locations, split, sku } = wanted;
  const open = (old?.lines ?? []).filter(
    ({ key, claimed, date }) =>
      claimed > 0 &&
      (locations === undefined || locations.includes(key.location)) &&
      (date?.wanted ?? 0) === wantedAt(wanted, bookOf(sku), key.location),
  );
  if (!split) {
    const whole = open.find(({ claimed }) => claimed >= need);
    return whole === undefined || need === 0 ? [] : [[whole, need]];
  }
  let left = need;
  const staying: [PartLine, number][] = [];
  for (const line of open) {
    const units = Math.min(left, line.claimed);
    if (units > 0) staying.push([line, units]);
    left -= units;
  }
  return staying;
}

/** Adds units to the piece of their line, key and moment, if there is one. */
function addPiece(pieces: Piece[], added: Piece): void {
  const same = pieces.find(
    ({ line, key, date }) => line === added.line && key === added.key && isSameDate(date, added.date),
  );
  if (same === undefined) pieces.push(added);
  else same.qty += added.qty;
}

function isSameDate(a: StandingDate | undefined, b: StandingDate | undefined): boolean {
  return a?.wanted === b?.wanted && a?.due === b?.due;
}

/** The pieces' places among all lines of the reservation. */
export function indexesOf(pieces: readonly { readonly line: number }[]): number[] {
  const count = new Map<number, number>();
  return pieces.map(({ line }) => {
    const place = count.get(line) ?? 0;
    count.set(line, place + 1);
    return line * PIECES_PER_LINE + place;
  });
}

/** Units by which each key grows, at each moment, over what the reservation claims of it now (LP3). */
export function growthOf(
  parts: readonly ReservationPart[],
  pieces: readonly Piece[],
  { channel, purpose }: Pick<Wish, 'channel' | 'purpose'>,
): PendingUnits[] {
  const growth: { key: StockKey; due: Due; units: number; all: number }[] = [];
  const add = (key: StockKey, due: Due, units: number, all: number) => {
    const same = growth.find((each) => each.key === key && each.due === due);
    if (same === undefined) growth.push({ key, due, units, all });
    else {
      same.units += units;
      same.all += all;
    }
  };
  for (const { key, qty, fulfilled, date } of pieces) add(key, date?.due ?? 0, qty - fulfilled, qty - fulfilled);
  for (const line of parts.flatMap(({ lines }) => lines)) add(line.key, dueOfLine(line), -line.claimed, 0);
  // Of a group that the reservation joins, all of its units are new.
  const joins = parts.some((part) => part.channel !== channel || part.purpose !== purpose);
  return growth
    .map(({ key, due, units, all }) => {
      const more = Math.max(0, units);
      return { key, due, units: more, channel, purpose, groupUnits: joins ? all : more };
    })
    .filter(({ units, groupUnits }) => units > 0 || groupUnits > 0);
}

function lessThanFulfilled({ sku, qty }: WantedLine, fulfilled: number): Refusal {
  const message = `${fulfilled} of ${sku} are fulfilled, so the line cannot have ${qty}`;
  return new Refusal('less-than-fulfilled', message);
}

/** Whether pieces are the lines as they stand. */
export function isSame(lines: readonly PartLine[], pieces: readonly Piece[]): boolean {
  const indexes = indexesOf(pieces);
  return (
    lines.length === pieces.length &&
    lines.every((line, i) => {
      const piece = at(pieces, i);
      const place = line.index === indexes[i] && line.name === piece.name && line.key === piece.key;
      const units = line.qty === piece.qty && line.fulfilled === piece.fulfilled;
      return place && units && isSameDate(dateOfLine(line), piece.date);
    })
  );
}
