/** Forgetting: drops ids and movements older than the idempotency horizon, and reservations that ended long ago. */

import { at } from '../../streams/assert.ts';
import type { FactIds } from '../idempotency/fact-ids.ts';
import { compact } from '../stock/movements.ts';
import { coordinatorEndedAtMs, endedAtMs, hasEnded } from '../stock/reservation.ts';
import type { Partition } from './partition.ts';

/** Slack beyond the horizon, because facts that were accepted just before it may still be on their way. */
const SLACK_MS = 3_600_000;

export interface Forgetting {
  readonly nowMs: number;
  /** The widest idempotency horizon that is in force or to come; infinite if it is off. */
  readonly horizonMs: number;
  readonly reservationMemoryMs: number;
  /** True if no stream has facts left for this node. Only then is it known how old the next fact can be. */
  readonly caughtUp: boolean;
}

/** Forgets what the rules allow. @returns the number of reservations forgotten */
export function maintain(partition: Partition, factIds: FactIds, rules: Forgetting): number {
  const { book } = partition;
  if (rules.horizonMs !== Number.POSITIVE_INFINITY && rules.caughtUp) {
    const before = (rules.nowMs - rules.horizonMs - SLACK_MS) * 1000;
    let forgot = factIds.forgetBefore(partition.number, before) > 0;
    for (const entry of book.skus.values()) {
      for (const key of entry.keys) {
        if (key.movements.length < 2 || at(key.movements, 0) >= before) continue;
        book.pages.touch(entry);
        forgot = compact(key, before) || forgot;
      }
    }
    if (forgot) partition.remembersMs = Math.min(partition.remembersMs, rules.horizonMs);
  }
  return forgetReservations(partition, rules);
}

/**
 * How long reservations are remembered: ended ones after their end, fulfilled ones after their last sale. A return opens a fulfilled one
 * again if it happened within the horizon after the sale. It may be stored one horizon later, so only after two does the home record its end.
 */
export function reservationMemories({
  reservationMemoryMs,
  horizonMs,
}: Pick<Forgetting, 'reservationMemoryMs' | 'horizonMs'>): { readonly ended: number; readonly fulfilled: number } {
  return {
    ended: Math.max(reservationMemoryMs, horizonMs + SLACK_MS),
    fulfilled: Math.max(reservationMemoryMs, 2 * horizonMs + SLACK_MS),
  };
}

function forgetReservations({ book }: Partition, rules: Forgetting): number {
  const { ended, fulfilled } = reservationMemories(rules);
  const endedBefore = rules.nowMs - ended;
  let forgotten = 0;
  for (const part of book.parts.values()) {
    // The lines of one reservation are forgotten together, so each part waits for the end that the home records for all.
    if (part.granted && !hasEnded(part)) continue;
    const endMs = endedAtMs(part);
    // What was sold for an unknown reservation is remembered as long as if it were known.
    if (endMs === 0 || endMs >= (hasEnded(part) ? endedBefore : rules.nowMs - fulfilled)) continue;
    book.removePart(part);
    forgotten += 1;
  }
  // The end of a fulfilled hold is recorded later than the hold would have expired.
  for (const home of book.coordinatorEntries.values())
    if (coordinatorEndedAtMs(home, fulfilled) < endedBefore) book.removeCoordinatorEntry(home);
  return forgotten;
}
