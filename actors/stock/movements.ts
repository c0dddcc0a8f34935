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
 *  MV5 The movements that the clock rule moved are also kept apart, because several facts may share the moment to which they were moved.
 *     Among those, `own` decides which come after a count.
 *  MV6 The book before the latest count = units of the former count + movements after that, up to the latest count, in any order of
 *     arrival. A first count is measured from the empty book. Compaction adds what it removes between the two counts to the former one.
 */
import { compareMoments, compareUtf8 } from '../../streams/fact/order.ts';
import {
  type Correction,
  type CountRegister,
  EMPTY_BOOK,
  type FormerCount,
  type Moment,
  rareOf,
  type StockKey,
} from './state.ts';

const BEGINNING: Moment = { at: Number.NEGATIVE_INFINITY };

/** Records a movement of `delta` units. */
export function move(key: StockKey, moment: Moment, delta: number): void {
  insert(key, moment.at, delta);
  if (moment.own !== undefined) {
    const rare = rareOf(key);
    rare.moved = withMoved(rare.moved, moment.at, moment.own, delta);
  }
  if (key.count === undefined || isAfter(moment, key.count)) key.sellable += delta;
}

/** Sets sellable as of the count's moment, if the count is the latest by (at, own, id). The latest but one is kept too. */
export function registerCount(key: StockKey, count: CountRegister): void {
  const { count: latest, base } = key;
  if (latest === undefined || isLater(count, latest)) {
    // Compacted movements are older than any count that can still arrive (MV3), so they lie between the two counts.
    key.count = withFormer(count, latest === undefined ? EMPTY_BOOK : asFormer(latest), base);
    key.base = 0;
    key.sellable = sellableFromParts(key);
    return;
  }
  const former = formerOf(latest);
  // A former count that is not known may be later than this one.
  // mutant: late-former-count
  if (former.units !== undefined && isLater(count, former)) key.count = { ...latest, former: asFormer(count) };
}

function asFormer({ at, own, id, counted }: CountRegister): FormerCount {
  return { at, own, id, units: counted };
}

export function formerOf({ former = EMPTY_BOOK }: CountRegister): FormerCount {
  return former;
}

/** The count, measured from a former one to which units of compacted movements are added. */
function withFormer(count: CountRegister, former: FormerCount, compacted: number): CountRegister {
  const { units } = former;
  if (former === EMPTY_BOOK && compacted === 0) return count;
  return { ...count, former: units === undefined ? former : { ...former, units: units + compacted } };
}

export interface Variance {
  /** When the latest count was made, in microseconds since 1970. */
  readonly at: number;
  readonly counted: number;
  /** Units before the count, according to the count before it and the movements between the two. */
  readonly book: number;
}

/**
 * The variance of the latest count (MV6). Undefined without a count, and if the count before it is not known. The first count of a book
 * that is not above 0 opens that book, so it differs from nothing.
 */
export function varianceOf(key: StockKey): Variance | undefined {
  if (key.count === undefined) return undefined;
  const { at, own, counted } = key.count;
  const former = formerOf(key.count);
  if (former.units === undefined) return undefined;
  const book = former.units + sumAfter(key, former) - sumAfter(key, { at, own });
  return { at, counted, book: former.id === '' && book <= 0 ? counted : book };
}

/** Records units of a transfer that never left. The transfer's record must include the fact already. */
export function correct(key: StockKey, correction: Correction): void {
  const rare = rareOf(key);
  rare.corrections ??= [];
  // Kept as a fact instead of a movement, so that its moment may still move (MV4).
  rare.corrections.push(correction);
  if (key.count === undefined || isAfter(momentOf(correction), key.count)) key.sellable += correction.qty;
}

/**
 * The units never left, so they count as of the shipment that said they did, and a count of the shelf after that covers them. While no
 * shipment is known, they count as of their own moment.
 */
function momentOf(correction: Correction): Moment {
  const { transfer } = correction;
  // mutant: correction-at-its-own-moment
  return transfer.shipped > 0 ? transfer.latest : correction;
}

/** Sellable stock at a moment according to the book, including movements of that same moment. */
export function bookAsOf(key: StockKey, moment: Moment): number {
  const { count, base } = key;
  const begin = count !== undefined && !isAfter(count, moment) ? count : undefined;
  return (begin?.counted ?? 0) + base + sumAfter(key, begin ?? BEGINNING) - sumAfter(key, moment);
}

/** Folds movements older than `before` into base. @param before the oldest moment for which a count can still arrive */
export function compact(key: StockKey, before: number): boolean {
  const all = key.movements;
  let end = 0;
  while (end < all.length && (all[end] as number) < before) end += 2;
  if (end === 0) return false;
  const { count } = key;
  const sums = () => [sumAfter(key, count ?? BEGINNING), count === undefined ? 0 : sumAfter(key, formerOf(count))];
  const [after = 0, afterFormer = 0] = sums();
  key.movements = all.slice(end);
  if (key.rare !== undefined) key.rare.moved = from(key.rare.moved, before);
  const [left = 0, leftOfFormer = 0] = sums();
  const folded = after - left;
  key.base += folded;
  const between = afterFormer - leftOfFormer - folded;
  if (count !== undefined && between !== 0) key.count = withFormer(count, formerOf(count), between);
  return true;
}

/** Sellable, recomputed from its parts (MV1). */
export function sellableFromParts(key: StockKey): number {
  return (key.count?.counted ?? 0) + key.base + sumAfter(key, key.count ?? BEGINNING);
}

/** Lets movements and a count that are later than `latest` count as of it, in their order. @returns whether there are any */
export function moveBack(key: StockKey, latest: number): boolean {
  const all = key.movements;
  let end = all.length;
  while (end > 0 && (all[end - 2] as number) > latest) end -= 2;
  const { count } = key;
  if (end === all.length && (count === undefined || count.at <= latest)) return false;
  key.movements = all.slice(0, end);
  for (let i = end; i < all.length; i += 2) move(key, { at: latest, own: all[i] as number }, all[i + 1] as number);
  if (count !== undefined && count.at > latest) {
    const { former } = count;
    const isMoved = former !== undefined && former.at > latest;
    key.count = { ...count, at: latest, own: count.at };
    if (isMoved) key.count = { ...key.count, former: { ...former, at: latest, own: former.at } };
  }
  key.sellable = sellableFromParts(key);
  return true;
}

/** Which of two facts is the later one. At the same moment it is the one with the greater id. */
export function isLater(fact: Moment & Pick<CountRegister, 'id'>, than: Moment & Pick<CountRegister, 'id'>): boolean {
  // mutant: last-arrived-count
  if (!isSame(fact, than)) return isAfter(fact, than);
  return compareUtf8(fact.id, than.id) > 0;
}

function isSame(one: Moment, other: Moment): boolean {
  return one.at === other.at && one.own === other.own;
}

/** Whether something happened after something else. */
export function isAfter(moment: Moment, than: Moment): boolean {
  return compareMoments(moment, than) > 0;
}

function sumAfter({ movements, rare }: StockKey, { at, own = at }: Moment): number {
  let sum = 0;
  for (let i = movements.length - 2; i >= 0 && (movements[i] as number) > at; i -= 2) sum += movements[i + 1] as number;
  const moved = rare?.moved ?? [];
  // Of the movements at this very moment, only some that were moved there can come after it (MV5).
  for (let i = moved.length - 3; i >= 0 && (moved[i] as number) >= at; i -= 3)
    if (moved[i] === at && (moved[i + 1] as number) > own) sum += moved[i + 2] as number;
  for (const correction of rare?.corrections ?? [])
    if (isAfter(momentOf(correction), { at, own })) sum += correction.qty;
  return sum;
}

/** The moved movements, or sales, with one more. */
export function withMoved(all: readonly number[], at: number, own: number, delta: number): readonly number[] {
  let i = all.length;
  while (i > 0 && isAfter({ at: all[i - 3] as number, own: all[i - 2] as number }, { at, own })) i -= 3;
  if (i > 0 && all[i - 3] === at && all[i - 2] === own) return all.with(i - 1, (all[i - 1] as number) + delta);
  return all.toSpliced(i, 0, at, own, delta);
}

function from(moved: readonly number[], before: number): readonly number[] {
  let end = 0;
  while (end < moved.length && (moved[end] as number) < before) end += 3;
  return end === 0 ? moved : moved.slice(end);
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
