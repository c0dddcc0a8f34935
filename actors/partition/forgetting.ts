/** Forgetting: drops ids and movements older than the idempotency horizon, and reservations that ended long ago. */

import { at } from '../../streams/assert.ts';
import type { FactIds } from '../idempotency/fact-ids.ts';
import { compact } from '../stock/movements.ts';
import { coordinatorEndedAtMs, endedAtMs } from '../stock/reservation.ts';
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
  return forgetReservations(partition, rules.nowMs - rules.reservationMemoryMs);
}

function forgetReservations(partition: Partition, beforeMs: number): number {
  const { book } = partition;
  let forgotten = 0;
  for (const part of book.parts.values()) {
    const ended = endedAtMs(part);
    if (ended === 0 || ended >= beforeMs) continue;
    book.removePart(part);
    forgotten += 1;
  }
  for (const coordinator of book.coordinatorEntries.values()) {
    if (coordinatorEndedAtMs(coordinator) < beforeMs) book.removeCoordinatorEntry(coordinator);
  }
  return forgotten;
}
