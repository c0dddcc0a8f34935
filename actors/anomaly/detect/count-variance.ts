/**
 * Detects count_variance: the latest count differs from the count before it and the movements between the two by more than counts usually
 * do. It is a function of the book, so one threshold is enough, and a late fact that explains the difference ends it.
 *
 * Model: each unit on the book is wrong independently (lost, miscounted), so the variance of a difference grows with the book. The score is
 * z = difference ÷ √(countVariance · (book + 1)). DeHoratius and Raman (Inventory Record Inaccuracy, Management Science 54(4), 2008) find the
 * same growth.
 */
import { varianceOf } from '../../stock/movements.ts';
import type { StockKey } from '../../stock/state.ts';
import { causeOf, type DetectorContext, rounded, counted as spoken, whereOf } from './context.ts';

/** Judges a key after a change. An alarm about a count whose variance is not known stays until the next count. */
export function judgeVariance({ alarms, parameters }: DetectorContext, key: StockKey): void {
  const variance = varianceOf(key);
  if (variance === undefined) return;
  const { at, counted, book } = variance;
  const difference = counted - book;
  const z = Math.abs(difference) / Math.sqrt(parameters.countVariance * (Math.max(0, book) + 1));
  if (z < parameters.countZ || Math.abs(difference) < parameters.countUnits) {
    if (alarms.any('count_variance')) alarms.clear('count_variance', causeOf(key));
    return;
  }
  const cause = causeOf(key);
  // The variance of another count is another occurrence, also for a person who has resolved the one before.
  if (alarms.get('count_variance', cause)?.episode !== at) alarms.clear('count_variance', cause);
  alarms.raise('count_variance', cause, {
    ...whereOf(key),
    at,
    episode: at,
    severity: 'warning',
    tell: () => ({
      says: `Counted ${counted} where the book had ${book}: ${spoken(difference, 'unit')}, ${rounded(z)} times what counts usually differ by.`,
      figures: { counted, book, variance: difference, z: rounded(z) },
    }),
  });
}
