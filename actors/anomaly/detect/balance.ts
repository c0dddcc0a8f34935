/**
 * Detects negative_stock (a bucket of the book is below 0), shortfall (more units are held and allocated than are there), and promise_late
 * (lines are due later than they are wanted). All are functions of the book, so one threshold is enough. A key that goes back and forth between two looks has not changed.
 */
import { ON_HAND_BUCKETS, type OnHandBucket, oversoldUnits } from '../../../streams/buckets.ts';
import type { StockKey } from '../../stock/state.ts';
import { causeOf, counted, type DetectorContext, whereOf } from './context.ts';

/** Judges a key after a change. @param at when it happened @param recordedAt when it was stored; both in microseconds since 1970 */
export function judgeBalance(context: DetectorContext, key: StockKey, at: number, recordedAt: number): void {
  judgeNegative(context, key, at, recordedAt);
  judgeShortfall(context, key, at, recordedAt);
  judgePromises(context, key, at, recordedAt);
}

function judgePromises({ alarms }: DetectorContext, key: StockKey, at: number, recordedAt: number): void {
  const { late = 0, units = 0 } = key.rare?.later ?? {};
  if (late === 0) {
    if (alarms.any('promise_late')) alarms.clear('promise_late', causeOf(key));
    return;
  }
  alarms.raise('promise_late', causeOf(key), {
    ...whereOf(key),
    at,
    episode: recordedAt,
    severity: 'critical',
    tell: () => ({
      says: `${counted(late, 'unit')} of ${units} that are promised for later will come later than they are wanted.`,
      figures: { late, promised: units, sellable: key.sellable },
    }),
  });
}

function judgeNegative(context: DetectorContext, key: StockKey, at: number, recordedAt: number): void {
  for (const bucket of ON_HAND_BUCKETS) judgeBucket(context, key, bucket, at, recordedAt);
}

function judgeBucket(
  { alarms, parameters }: DetectorContext,
  key: StockKey,
  bucket: OnHandBucket,
  at: number,
  recordedAt: number,
): void {
  const units = bucket === 'sellable' ? key.sellable : (key.rare?.[bucket] ?? 0);
  // Each bucket is a cause of its own. That of sellable is as it was before there were others.
  const cause = () => (bucket === 'sellable' ? causeOf(key) : `${causeOf(key)}\u0001${bucket}`);
  if (-units < parameters.negativeUnits) {
    if (alarms.any('negative_stock')) alarms.clear('negative_stock', cause());
    return;
  }
  alarms.raise('negative_stock', cause(), {
    ...whereOf(key),
    at,
    episode: recordedAt,
    // Nobody was promised these units. Those that were are a shortfall.
    severity: 'warning',
    tell: () => ({
      says: `The book says ${units} ${bucket}: more has left than the book knew of.`,
      figures: { [bucket]: units },
    }),
  });
}

function judgeShortfall({ alarms, parameters }: DetectorContext, key: StockKey, at: number, recordedAt: number): void {
  // A negative book without promises is not oversold, so it is negative_stock only.
  const short = oversoldUnits(key);
  if (short < parameters.shortfallUnits) {
    if (alarms.any('shortfall')) alarms.clear('shortfall', causeOf(key));
    return;
  }
  const { held, allocated, sellable } = key;
  const promised = held + allocated;
  alarms.raise('shortfall', causeOf(key), {
    ...whereOf(key),
    at,
    episode: recordedAt,
    severity: 'critical',
    tell: () => ({
      says: `${counted(promised, 'unit')} promised, ${counted(Math.max(0, sellable), 'unit')} there: ${short} too many.`,
      figures: { short, held, allocated, sellable },
    }),
  });
}
