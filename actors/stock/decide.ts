/**
 * Decide: later steps of a reservation, against the state as it is. Pure: state and time in, a decision or a refusal out. Which location
 * gives what to a new one is decided in sourcing.ts.
 *
 * Refusals, tested in this order:
 *   place:    id used with other content → id-conflict; id known → the same grant again; not enough → shortages
 *   confirm:  id unknown → not-found; released → released; expired, or its time is over → expired; else harmless
 *   release:  id unknown → not-found; else harmless
 */
import { hasEnded, statusOf } from './reservation.ts';
import type { ReservationPart } from './state.ts';

/** May this reservation be confirmed now? */
export function confirmRefusal(parts: readonly ReservationPart[], nowMs: number): 'released' | 'expired' | undefined {
  const status = statusOf(parts);
  if (status === 'released' || status === 'expired') return status;
  if (status === 'held' && parts.some((part) => part.expiresAtMs <= nowMs)) return 'expired';
  return undefined;
}

/** Is there a step left to journal? (Repeating a step is harmless and writes nothing.) */
export function needsStep(parts: readonly ReservationPart[], step: 'confirmed' | 'released' | 'expired'): boolean {
  if (statusOf(parts) === 'fulfilled') return false;
  if (parts.some(hasEnded)) return step === 'released' && parts.some((part) => !hasEnded(part));
  // mutant: confirmed-needs-expiry
  return step === 'released' || parts.some((part) => part.confirmedAtMs === 0);
}
