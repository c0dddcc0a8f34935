/**
 * Detects count_variance: a count that differs from the book by more than counts at this location usually do.
 *
 * Model: each unit on the book is wrong independently (lost, miscounted), so the variance of a difference grows with the book. The score is
 * z = difference ÷ √(s · (book + 1)), where s is the location's mean of difference² ÷ (book + 1) with a prior. DeHoratius and Raman
 * (Inventory Record Inaccuracy, Management Science 54(4), 2008) find the same growth. A difference beyond the threshold is clipped to it
 * before it enters s (Huber), so that one loss does not hide the next. A later count within the lower threshold ends the alarm.
 *
 * The first count of a key whose book is not above 0 opens that book, so there is nothing to differ from.
 */
import type { Count } from '../../../streams/fact/fact.ts';
import type { ChangeSet } from '../../stock/changes.ts';
import { isAfter } from '../../stock/movements.ts';
import type { StockKey } from '../../stock/state.ts';
import { causeOf, counted, type DetectorContext, rounded, whereOf } from './context.ts';

/** @param found the book as the count found it; a new book, or one with a later count, is not judged */
export function judgeCount(
  context: DetectorContext,
  key: StockKey,
  count: Count,
  found: ChangeSet['counted'],
  recordedAt: number,
): void {
  if (found === undefined) return;
  const { register, book } = found;
  if (register === undefined ? book <= 0 : isAfter(register, count)) return;
  const { alarms, parameters, clocks } = context;
  const place = clocks.of(count.location);
  const difference = count.counted - book;
  const units = Math.max(0, book) + 1;
  const scale = Math.sqrt((place.countSquares / place.counts) * units);
  const z = Math.abs(difference) / scale;
  const told = Math.min(Math.abs(difference), parameters.countZ * scale);
  place.countSquares += (told * told) / units;
  place.counts += 1;
  if (z >= parameters.countZ && Math.abs(difference) >= parameters.countUnits) {
    alarms.raise('count_variance', causeOf(key), {
      ...whereOf(key),
      at: count.at,
      episode: recordedAt,
      severity: 'warning',
      tell: () => ({
        says: `Counted ${count.counted} where the book had ${book}: ${counted(difference, 'unit')}, ${rounded(z)} times what counts here differ by.`,
        figures: { counted: count.counted, book, variance: difference, z: rounded(z) },
      }),
    });
  } else if (z <= parameters.countClearZ || Math.abs(difference) < parameters.countUnits) {
    alarms.clear('count_variance', causeOf(key));
  }
}
