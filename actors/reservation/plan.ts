/**
 * Plans the lines of a reservation, for a placement or a change: which units stay, which ones move and which ones are added. Pure.
 *
 * Invariants:
 *  LP1 What is fulfilled stays where it is. A line that is left out keeps only that.
 *  LP2 Units that a line has already stay where they are if the line may be there, so the same request again changes no line. Units that a
 *      split or a return has put at several locations come together if the line is not split any more.
 *  LP3 The reservation's own units count as free. No key grows by more than its free units.
 */
import { at } from '../../streams/assert.ts';
import { PIECES_PER_LINE, type Shortage } from '../../streams/journal/stock-decisions.ts';
import type { Policies } from '../policy/policy.ts';
import { Refusal } from '../ports/refusal.ts';
import { sourceLines, type WantedLine } from '../stock/sourcing.ts';
import type { PartLine, ReservationPart, SkuEntry, StockKey } from '../stock/state.ts';

export interface Piece {
  /** Number of the line. */
  readonly line: number;
  readonly name: string | undefined;
  readonly key: StockKey;
  qty: number;
  readonly fulfilled: number;
}
export interface Plan {
  /** Ordered by line. */
  readonly pieces: readonly Piece[];
  readonly shortages: readonly Shortage[];
}
export interface Wish {
  readonly lines: readonly WantedLine[];
  /** Number of lines in the whole request. Lines that it leaves out are numbered after them. */
  readonly size: number;
  readonly partial: boolean;
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
export function planLines(
  parts: readonly ReservationPart[],
  wish: Wish,
  find: (sku: string) => SkuEntry | undefined,
  policies?: Policies,
): Plan {
  const olds = oldLines(parts);
  if (olds.length === 0) {
    const { sourced, shortages } = sourceLines(wish.lines, find, wish.partial, undefined, policies);
    const pieces = sourced.map(({ line, key, qty }) => ({ line: line.index, name: line.name, key, qty, fulfilled: 0 }));
    return { pieces, shortages };
  }
  const { pairs, leftOut } = paired(olds, wish.lines);
  const kept = leftOut.flatMap((old) => fulfilledPieces(after(wish.size, old.number), old.name, old));
  const staying = change(pairs, kept, wish, find, olds, true, policies);
  // Lines that compete for one SKU may fit only if those that could stay move too.
  return staying.shortages.length === 0 ? staying : change(pairs, kept, wish, find, olds, false, policies);
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
    .map(({ key, fulfilled }) => ({ line, name, key, qty: fulfilled, fulfilled }));
}

function change(
  pairs: readonly Pair[],
  leftOut: readonly Piece[],
  { partial }: Wish,
  find: (sku: string) => SkuEntry | undefined,
  olds: readonly Old[],
  stay: boolean,
  policies: Policies | undefined,
): Plan {
  const given = ownUnits(olds);
  const pieces: Piece[] = [];
  const more: WantedLine[] = [];
  for (const { wanted, old, fulfilled } of pairs) {
    const { index, name } = wanted;
    const own = fulfilledPieces(index, name, old);
    const need = wanted.qty - fulfilled;
    // What stays needs no room, because it is claimed already (LP2).
    const staying = stay ? unitsThatStay(wanted, old, need) : [];
    let has = 0;
    for (const [key, units] of staying) {
      addUnits(own, { line: index, name, key, qty: units, fulfilled: 0 });
      given.set(key, (given.get(key) ?? 0) - units);
      has += units;
    }
    if (need > has) {
      const stays = (old?.lines ?? []).filter(({ claimed }) => claimed > 0).map(({ key }) => key.location);
      more.push({ ...wanted, qty: need - has, has: has + fulfilled, stays });
    }
    pieces.push(...own);
  }
  // mutant: own-units-twice
  const { sourced, shortages } = sourceLines(more, find, partial, given, policies);
  for (const { line, key, qty } of sourced)
    addUnits(pieces, { line: line.index, name: line.name, key, qty, fulfilled: 0 });
  // Sorting is stable, so pieces that stay come first in their line.
  return { pieces: [...pieces, ...leftOut].sort((a, b) => a.line - b.line), shortages };
}

/** Units that the reservation claims now, by key. */
function ownUnits(olds: readonly Old[]): Map<StockKey, number> {
  const units = new Map<StockKey, number>();
  for (const { key, claimed } of olds.flatMap(({ lines }) => lines)) units.set(key, (units.get(key) ?? 0) + claimed);
  return units;
}

/** Open units of the old line that the wanted line keeps. A line that is not split keeps them only if one location has them all. */
function unitsThatStay({ locations, split }: WantedLine, old: Old | undefined, need: number): [StockKey, number][] {
  const open = (old?.lines ?? []).filter(
    ({ key, claimed }) => claimed > 0 && (locations === undefined || locations.includes(key.location)),
  );
  if (!split) {
    const whole = open.find(({ claimed }) => claimed >= need);
    return whole === undefined || need === 0 ? [] : [[whole.key, need]];
  }
  let left = need;
  const staying: [StockKey, number][] = [];
  for (const { key, claimed } of open) {
    const units = Math.min(left, claimed);
    if (units > 0) staying.push([key, units]);
    left -= units;
  }
  return staying;
}

/** Adds units to the piece of their line and key, if there is one. */
function addUnits(pieces: Piece[], added: Piece): void {
  const same = pieces.find(({ line, key }) => line === added.line && key === added.key);
  if (same === undefined) pieces.push(added);
  else same.qty += added.qty;
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

/** Units by which each key grows over what the reservation claims of it now (LP3). */
export function growthOf(parts: readonly ReservationPart[], pieces: readonly Piece[]): [StockKey, number][] {
  const growth = new Map<StockKey, number>();
  const add = (key: StockKey, units: number) => growth.set(key, (growth.get(key) ?? 0) + units);
  for (const { key, qty, fulfilled } of pieces) add(key, qty - fulfilled);
  for (const { key, claimed } of parts.flatMap(({ lines }) => lines)) add(key, -claimed);
  return [...growth].filter(([, units]) => units > 0);
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
      return place && line.qty === piece.qty && line.fulfilled === piece.fulfilled;
    })
  );
}
