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
 * How long reservations are remembered after their end. A return opens a fulfilled one again if it happened within the horizon after the
 * sale. It may be stored one horizon later, so a fulfilled reservation is remembered for two.
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

function forgetReservations({ book, number }: Partition, rules: Forgetting): number {
  const memories = reservationMemories(rules);
  const endedBefore = rules.nowMs - memories.ended;
  const fulfilledBefore = rules.nowMs - memories.fulfilled;
  let forgotten = 0;
  for (const part of book.parts.values()) {
    const ended = endedAtMs(part);
    if (ended === 0 || ended >= (hasEnded(part) ? endedBefore : fulfilledBefore)) continue;
    book.removePart(part);
    forgotten += 1;
  }
  for (const home of book.coordinatorEntries.values()) {
    // A fulfilled reservation is forgotten with its lines. Only a home that holds them all knows of it.
    const gone =
      home.placed && home.participants.length === 1 && home.participants[0] === number && !book.parts.has(home.id);
    if (gone || coordinatorEndedAtMs(home) < endedBefore) book.removeCoordinatorEntry(home);
  }
  return forgotten;
}
