/**
 * Sums over a set of stock keys, made of the parts that SB3 names. Each fold updates them incrementally. It subtracts a changed key's
 * figures as they were before, and adds those after it.
 *
 * Invariant ST1: between any two folds, the sums equal a scan of the book (sumOf in streams/buckets.ts).
 */
import { unclaimed } from '../../actors/stock/availability.ts';
import type { KeyFigures } from '../../actors/stock/changes.ts';
import { NO_RARE_UNITS, RARE_BUCKETS } from '../../actors/stock/state.ts';
import {
  byAge,
  oversoldUnits,
  TOTALLED_BUCKETS,
  type TotalledBucket,
  unitsBelowZero,
  unitsThere,
} from '../../streams/buckets.ts';
import type { StockTotals } from '../topics.ts';

/** Nodes of 0.1 send max(0, −available) as `shortfall`. Its position stays theirs, and nothing reads or writes it. */
const COUNTS = ['stockKeys', 'stockOuts', 'negative', 'shortfall', 'oversold', 'negativeUnits'] as const;
export type StandingField = TotalledBucket | (typeof COUNTS)[number];

const { first, later } = byAge(TOTALLED_BUCKETS);
const FIELDS: readonly StandingField[] = [...first, ...COUNTS, ...later];

/** The position of each figure among the sums. Nodes send the sums in this order. */
export const STANDING = Object.fromEntries(FIELDS.map((field, index) => [field, index])) as Readonly<
  Record<StandingField, number>
>;
export const STANDING_LENGTH = FIELDS.length;

const {
  onHand: ON_HAND,
  sellable: SELLABLE,
  held: HELD,
  allocated: ALLOCATED,
  atp: ATP,
  inTransit: IN_TRANSIT,
  onOrder: ON_ORDER,
} = STANDING;
const { stockKeys: STOCK_KEYS, stockOuts: STOCK_OUTS, oversold: OVERSOLD } = STANDING;
const { negative: NEGATIVE, negativeUnits: NEGATIVE_UNITS } = STANDING;

/**
 * Adds a key to sums, or subtracts it. Both use the same figures, so the sums stay equal to a scan (ST1).
 * @param sign 1 adds, −1 subtracts
 * @param hadStock true if the key ever had stock, because only then is it a stock-out
 * @returns units of the key in the sum of on hand
 */
export function addKey(sums: Float64Array, key: KeyFigures, sign: 1 | -1, hadStock: boolean): number {
  const { sellable, held, allocated, rare } = key;
  const free = unclaimed(key);
  const oversold = oversoldUnits(key);
  let onHand = unitsThere(sellable);
  let below = unitsBelowZero(sellable);
  add(sums, SELLABLE, sign * onHand);
  if (rare !== NO_RARE_UNITS) {
    for (const bucket of RARE_BUCKETS) {
      const there = unitsThere(rare[bucket]);
      onHand += there;
      below += unitsBelowZero(rare[bucket]);
      add(sums, STANDING[bucket], sign * there);
    }
  }
  add(sums, ON_HAND, sign * onHand);
  add(sums, HELD, sign * held);
  add(sums, ALLOCATED, sign * allocated);
  add(sums, STOCK_KEYS, sign);
  if (key.inTransit !== 0) add(sums, IN_TRANSIT, sign * key.inTransit);
  if (key.onOrder !== 0) add(sums, ON_ORDER, sign * key.onOrder);
  if (free > 0) add(sums, ATP, sign * free);
  if (oversold > 0) add(sums, OVERSOLD, sign * oversold);
  if (below > 0) {
    add(sums, NEGATIVE, sign);
    add(sums, NEGATIVE_UNITS, sign * below);
  }
  if (sellable <= 0 && hadStock) add(sums, STOCK_OUTS, sign);
  return onHand;
}

/** The sums by name, as readers get them. */
export function standingOf(sums: ArrayLike<number>): StockTotals {
  const at = (field: StandingField) => (sums[STANDING[field]] as number | undefined) ?? 0;
  return {
    units: Object.fromEntries(TOTALLED_BUCKETS.map((bucket) => [bucket, at(bucket)])) as StockTotals['units'],
    stockKeys: at('stockKeys'),
    stockOuts: at('stockOuts'),
    oversold: at('oversold'),
    negative: at('negative'),
    negativeUnits: at('negativeUnits'),
  };
}

function add(sums: Float64Array, index: number, units: number): void {
  (sums[index] as number) += units;
}
