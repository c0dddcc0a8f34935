/**
 * The sellable bucket of one stock key: its movements, the corrections of its transfers, and the count that overrides all that came before
 * it.
 *
 * Facts arrive late and out of order. Each movement is kept with its moment, so a count can replace the total as of its own
 * moment. Compaction folds the movements that no count can affect any more into one number.
 *
 * Invariants:
 *  MV1 sellable = (count ? counted + movements after the count : base + all movements), in any order of arrival. With a
 *     count, base holds only compacted movements after it, so sellable = counted + base + movements after the count. Corrections count
 *     like movements, at the moment that their transfer gives them.
 *  MV2 Movements are sorted by `at`, with one entry per instant.
 *  MV3 Compaction changes no answer, because it folds only movements older than any count that can still arrive.
 *  MV4 A correction is never compacted, because a later shipment moves its moment. So the fold does not depend on the order of facts.
 */
import { type Correction, type CountRegister, rareOf, type StockKey } from './state.ts';

/** Records a movement of `delta` units that happened at `at`. */
export function move(key: StockKey, at: number, delta: number): void {
  insert(key, at, delta);
  if (key.count === undefined || at > key.count.at) key.sellable += delta;
}

/**
 * Sets sellable as of the count's moment, if the count is the latest by (at, id).
 * @returns whether the count is the latest now
 */
export function registerCount(key: StockKey, count: CountRegister): boolean {
  if (key.count !== undefined && !isLater(count, key.count)) return false;
  key.count = count;
  // Compacted movements are older than any count that can still arrive (MV3), so the new count covers them.
  key.base = 0;
  key.sellable = sellableFromParts(key);
  return true;
}

/** Records units of a transfer that never left. The transfer's record must include the fact already. */
export function correct(key: StockKey, correction: Correction): void {
  const rare = rareOf(key);
  rare.corrections ??= [];
  // Kept as a fact instead of a movement, so that its moment may still move (MV4).
  rare.corrections.push(correction);
  if (key.count === undefined || momentOf(correction) > key.count.at) key.sellable += correction.qty;
}

/**
 * The units never left, so they count as of the shipment that said they did, and a count of the shelf after that covers them. While no
 * shipment is known, they count as of their own moment.
 */
function momentOf({ transfer, at }: Correction): number {
  // mutant: correction-at-its-own-moment
  return transfer.shipped > 0 ? transfer.latest.at : at;
}

/** Sellable stock at a moment according to the book, including movements of that same moment. */
export function bookAsOf(key: StockKey, at: number): number {
  const all = key.movements;
  const from = key.count !== undefined && key.count.at <= at ? key.count.at : Number.NEGATIVE_INFINITY;
  let sum = key.count !== undefined && key.count.at <= at ? key.count.counted + key.base : key.base;
  for (let i = 0; i < all.length; i += 2) {
    const moment = all[i] as number;
    if (moment > from && moment <= at) sum += all[i + 1] as number;
  }
  return sum + correctedBetween(key, from, at);
}

/** Folds movements older than `before` into base. @param before the oldest moment for which a count can still arrive */
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

/** Sellable, recomputed from its parts (MV1). */
export function sellableFromParts(key: StockKey): number {
  const cut = key.count === undefined ? Number.NEGATIVE_INFINITY : key.count.at;
  return (
    (key.count?.counted ?? 0) +
    key.base +
    sumAfter(key.movements, cut) +
    correctedBetween(key, cut, Number.POSITIVE_INFINITY)
  );
}

function correctedBetween({ rare }: StockKey, after: number, upTo: number): number {
  let sum = 0;
  for (const correction of rare?.corrections ?? []) {
    const moment = momentOf(correction);
    if (moment > after && moment <= upTo) sum += correction.qty;
  }
  return sum;
}

/** Which of two facts is the later one. At the same moment it is the one with the greater id. */
export function isLater(fact: Pick<CountRegister, 'at' | 'id'>, than: Pick<CountRegister, 'at' | 'id'>): boolean {
  // mutant: last-arrived-count
  if (fact.at !== than.at) return fact.at > than.at;
  return compareUtf8(fact.id, than.id) > 0;
}

/** Compares by UTF-8 bytes, which is code point order. JavaScript compares UTF-16 units instead. */
function compareUtf8(a: string, b: string): number {
  let i = 0;
  while (i < a.length && i < b.length && a.charCodeAt(i) === b.charCodeAt(i)) i += 1;
  if (i === a.length || i === b.length) return a.length - b.length;
  const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
  // A surrogate encodes a code point above U+FFFF, which is greater than that of any other unit.
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

/** Arrays of up to this many numbers keep their exact size, because an array that grows by push reserves room for sixteen more. */
const FEW = 4;

function insert(key: StockKey, at: number, delta: number): void {
  const all = key.movements as number[];
  const length = all.length;
  if (length === 0) {
    key.movements = [at, delta];
  } else if (at > (all[length - 2] as number)) {
    // concat returns an array of exact size; a spread literal reserves room for sixteen more.
    if (length < FEW) key.movements = all.concat(at, delta);
    else all.push(at, delta);
  } else insertBetween(all, at, delta);
}

// A binary search keeps movements sorted, with one entry per instant (MV2).
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
