/**
 * negative_stock: the book says that less than nothing may be sold. shortfall: more is promised than is there.
 *
 * Both follow from the book alone: they are opened with the change that made them so and cleared with the one that ends it, so one threshold
 * does; a stock key that goes to and fro opens a new episode each time.
 */
import type { Severity } from '../../../streams/contract/anomaly-kinds.ts';
import { available } from '../../stock/availability.ts';
import type { StockKey } from '../../stock/state.ts';
import { causeOf, counted, type DetectorContext, whereOf } from './context.ts';

/** Looks at a key after a change. @param at of the change, @param recordedAt when it was stored; microseconds since 1970 */
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
  const severity: Severity = below >= parameters.negativeCriticalUnits ? 'critical' : 'warning';
  alarms.raise('negative_stock', causeOf(key), {
    ...whereOf(key),
    at,
    episode: recordedAt,
    severity,
    says: `The book says ${-below} sellable: something came that was not booked, or was sold that is not there.`,
    figures: { sellable: key.sellable },
  });
}

function judgeShortfall({ alarms, parameters }: DetectorContext, key: StockKey, at: number, recordedAt: number): void {
  const promised = key.held + key.allocated;
  // A negative book without promises is the other kind's.
  const short = Math.min(promised, -available(key));
  if (short < parameters.shortfallUnits) {
    if (short <= 0 && alarms.any('shortfall')) alarms.clear('shortfall', causeOf(key));
    return;
  }
  alarms.raise('shortfall', causeOf(key), {
    ...whereOf(key),
    at,
    episode: recordedAt,
    severity: 'critical',
    says: `${counted(promised, 'unit')} promised, ${counted(Math.max(0, key.sellable), 'unit')} there: ${short} too many.`,
    figures: { short, held: key.held, allocated: key.allocated, sellable: key.sellable },
  });
}
