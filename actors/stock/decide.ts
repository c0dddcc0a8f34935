/**
 * Decide: the later steps of a reservation, against the current state. Pure: state and time go in, a step or a refusal comes out.
 * The choice of locations for a new reservation is made in sourcing.ts.
 *
 * Refusals, tested in this order:
 *   place:    id used with other content → id-conflict; id known → the same grant again; not enough → shortages
 *   confirm:  id unknown → not-found; released → released; expired, or its time is over → expired; otherwise harmless
 *   release:  id unknown → not-found; otherwise harmless
 */
import { hasEnded, statusOf } from './reservation.ts';
import type { ReservationPart } from './state.ts';

/** Why this reservation cannot be confirmed now; undefined if it can. */
export function confirmRefusal(parts: readonly ReservationPart[], nowMs: number): 'released' | 'expired' | undefined {
  const status = statusOf(parts);
  if (status === 'released' || status === 'expired') return status;
  if (status === 'held' && parts.some((part) => part.expiresAtMs <= nowMs)) return 'expired';
  return undefined;
}

/** Whether the step must be journaled. Steps are idempotent, so a repeated one writes nothing. */
export function needsStep(parts: readonly ReservationPart[], step: 'confirmed' | 'released' | 'expired'): boolean {
  if (statusOf(parts) === 'fulfilled') return false;
  if (parts.some(hasEnded)) return step === 'released' && parts.some((part) => !hasEnded(part));
  // mutant: confirmed-needs-expiry
  return step === 'released' || parts.some((part) => part.confirmedAtMs === 0);
}
