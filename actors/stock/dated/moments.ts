/** The moment that a `by` means at a location. */
import { endOfDay, isDate, parseInstant } from '../../../streams/instant.ts';
import type { LocationTerms } from '../../policy/policy.ts';

/** A day or a moment by which something is wanted. A day ends at midnight of the location's time zone. */
export interface Wanted {
  /** A moment in microseconds since 1970, or the end of the day in UTC. */
  readonly utc: number;
  /** Undefined for a moment. */
  readonly day: string | undefined;
}

/** @param text a date or an instant, which its schema has checked */
export function wantedBy(text: string): Wanted {
  return isDate(text) ? { utc: endOfDay(text), day: text } : { utc: parseInstant(text) ?? 0, day: undefined };
}

/** Microseconds since 1970. */
export function momentAt({ utc, day }: Wanted, { timezone }: LocationTerms): number {
  return day === undefined || timezone === undefined ? utc : endOfDay(day, timezone);
}
