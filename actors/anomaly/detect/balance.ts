/**
 * Detects negative_stock (the book's sellable units are below 0) and shortfall (promised units are not there: the key is oversold).
 *
 * Both follow from the book alone. The change that causes one opens it, and the change that ends it clears it, so one threshold is enough.
 * A stock key that goes back and forth opens a new episode each time.
 */
import { oversoldUnits } from '../../../streams/buckets.ts';
import type { Severity } from '../../../streams/contract/anomaly-kinds.ts';
import type { StockKey } from '../../stock/state.ts';
import { causeOf, counted, type DetectorContext, whereOf } from './context.ts';

/** Judges a key after a change. @param at when it happened @param recordedAt when it was stored; both in microseconds since 1970 */
export function judgeBalance(context: DetectorContext, key: StockKey, at: number, recordedAt: number): void {
  judgeNegative(context, key, at, recordedAt);
  judgeShortfall(context, key, at, recordedAt);
}

function judgeNegative({ alarms, parameters }: DetectorContext, key: StockKey, at: number, recordedAt: number): void {
  const below = -key.sellable;
  if (below < parameters.negativeUnits) {
    if (below <= 0 && alarms.any('negative_stock')) alarms.clear('negative_stock', causeOf(key));
    return;
  }
  const { sellable } = key;
  const severity: Severity = below >= parameters.negativeCriticalUnits ? 'critical' : 'warning';
  alarms.raise('negative_stock', causeOf(key), {
    sku: key.sku.name,
    location: key.location,
    at,
    episode: recordedAt,
    severity,
    tell: () => ({
      says: `The book says ${sellable} sellable: something came that was not booked, or was sold that is not there.`,
      figures: { sellable },
    }),
  });
}

function judgeShortfall({ alarms, parameters }: DetectorContext, key: StockKey, at: number, recordedAt: number): void {
  // A negative book without promises is not oversold, so it is negative_stock only.
  const short = oversoldUnits(key);
  if (short < parameters.shortfallUnits) {
    if (short === 0 && alarms.any('shortfall')) alarms.clear('shortfall', causeOf(key));
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
