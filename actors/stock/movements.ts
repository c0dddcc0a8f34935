/**
 * Movements of one stock key's sellable bucket, and the count that cuts them off.
 *
 * Invariants:
 *  MV1 sellable = (count ? counted + movements after the count : base + all movements), in any order of arrival. With a
 *     count, base holds only compacted movements after it, so: sellable = counted + base + movements after it.
 *  MV2 movements are sorted by `at`, one entry an instant.
 *  MV3 compaction changes no answer: it folds only movements older than any count that can still come.
 */
import type { CountRegister, StockKey } from './state.ts';

/** Books a movement of `delta` units that happened at `at`. */
export function move(key: StockKey, at: number, delta: number): void {
  insert(key, at, delta);
  if (key.count === undefined || at > key.count.at) key.sellable += delta;
}

/**
 * A count sets sellable as of its moment if it is the last one by (at, id).
 * Returns whether it is the last one now.
 */
export function registerCount(key: StockKey, count: CountRegister): boolean {
  if (key.count !== undefined && !isLater(count, key.count)) return false;
  key.count = count;
  // Whatever was compacted is older than any count that can still come (MV3), so the new count covers it.
  key.base = 0;
  key.sellable = count.counted + sumAfter(key.movements, count.at);
  return true;
}

/** What the book says the sellable stock was at a moment, the movements of that very moment included. */
export function bookAsOf(key: StockKey, at: number): number {
  const all = key.movements;
  const from = key.count !== undefined && key.count.at <= at ? key.count.at : Number.NEGATIVE_INFINITY;
  let sum = key.count !== undefined && key.count.at <= at ? key.count.counted + key.base : key.base;
  for (let i = 0; i < all.length; i += 2) {
    const moment = all[i] as number;
    if (moment > from && moment <= at) sum += all[i + 1] as number;
  }
  return sum;
}

/** Folds movements older than `before`, the oldest moment of which a count can still come, into base. */
export function compact(key: StockKey, before: number): boolean {
  const all = key.movements;
  let end = 0;
  while (end < all.length && (all[end] as number) < before) end += 2;
  if (end === 0) return false;
  const cut = key.count === undefined ? Number.NEGATIVE_INFINITY : key.count.at;
  for (let i = 0; i < end; i += 2) if ((all[i] as number) > cut) key.base += all[i + 1] as number;
  key.movements = all.slice(end);
  return true;
}

/** Sellable, computed from its parts (MV1). */
export function sellableFromParts(key: StockKey): number {
  const cut = key.count === undefined ? Number.NEGATIVE_INFINITY : key.count.at;
  return (key.count?.counted ?? 0) + key.base + sumAfter(key.movements, cut);
}

function isLater(count: CountRegister, than: CountRegister): boolean {
  // mutant: last-arrived-count
  if (count.at !== than.at) return count.at > than.at;
  return compareUtf8(count.id, than.id) > 0;
}

/** Order of UTF-8 bytes, which is the order of code points; JavaScript's own compares UTF-16 units. */
function compareUtf8(a: string, b: string): number {
  let i = 0;
  while (i < a.length && i < b.length && a.charCodeAt(i) === b.charCodeAt(i)) i += 1;
  if (i === a.length || i === b.length) return a.length - b.length;
  const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
  // A surrogate stands for a code point above U+FFFF, greater than any other unit.
  const [high, low] = [isSurrogate(x), isSurrogate(y)];
  return high === low ? x - y : high ? 1 : -1;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

function sumAfter(all: readonly number[], at: number): number {
  let sum = 0;
  for (let i = all.length - 2; i >= 0 && (all[i] as number) > at; i -= 2) sum += all[i + 1] as number;
  return sum;
}

/** Few movements stand in an array of just their size: one that grows by push keeps room for sixteen more. */
const FEW = 4;

function insert(key: StockKey, at: number, delta: number): void {
  const all = key.movements as number[];
  const length = all.length;
  if (length === 0) {
    key.movements = [at, delta];
  } else if (at > (all[length - 2] as number)) {
    // concat makes an array of just its size; a spread literal keeps room for sixteen more.
    if (length < FEW) key.movements = all.concat(at, delta);
    else all.push(at, delta);
  } else insertBetween(all, at, delta);
}

// MV2.
function insertBetween(all: number[], at: number, delta: number): void {
  let low = 0;
  let high = all.length / 2;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((all[middle * 2] as number) < at) low = middle + 1;
    else high = middle;
  }
  if (all[low * 2] === at) all[low * 2 + 1] = (all[low * 2 + 1] as number) + delta;
  else all.splice(low * 2, 0, at, delta);
}
