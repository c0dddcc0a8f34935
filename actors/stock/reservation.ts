/**
 * A reservation's life, derived from its recorded steps: granted, confirmed, released, expired, sold.
 *
 * Invariants:
 *  RV1 Status depends only on the recorded steps, not on the order in which they arrive. A sale may arrive before the grant
 *     that it fulfils is replayed.
 *  RV2 A line claims qty − fulfilled while the reservation is live. The claim is in held until the reservation is confirmed,
 *     and in allocated after that.
 *  RV3 A sale at another location than the line's still fulfils the line, because the customer has the goods. Sales at the
 *     line's own location count first. Units sold beyond all lines change no line.
 */
import { assert } from '../../streams/assert.ts';
import type { CoordinatorEntry, PartLine, ReservationPart } from './state.ts';

export type ReservationStatus = 'held' | 'allocated' | 'released' | 'expired' | 'fulfilled';

/**
 * Status of these parts as one reservation. Fulfilled takes precedence over how the claim ended, because the goods have left.
 * Released, expired, allocated and held follow in this order.
 */
export function statusOf(parts: readonly ReservationPart[]): ReservationStatus {
  // The checks read only recorded steps, so the order of arrival does not matter (RV1).
  if (parts.every(isFulfilled)) return 'fulfilled';
  if (parts.some((part) => part.releasedAtMs > 0)) return 'released';
  if (parts.some((part) => part.expiredAtMs > 0)) return 'expired';
  return parts.every((part) => part.confirmedAtMs > 0) ? 'allocated' : 'held';
}

export function isFulfilled(part: ReservationPart): boolean {
  return part.granted && part.lines.length > 0 && part.lines.every((line) => line.fulfilled >= line.qty);
}

export function hasEnded(part: ReservationPart): boolean {
  return part.releasedAtMs > 0 || part.expiredAtMs > 0;
}

/** When the part ended, in milliseconds since 1970; 0 while it is still open. */
export function endedAtMs(part: ReservationPart): number {
  if (!part.granted) return part.soldAtMs;
  if (hasEnded(part)) return Math.max(part.releasedAtMs, part.expiredAtMs, part.soldAtMs);
  return isFulfilled(part) ? part.soldAtMs : 0;
}

/** When the reservation of a coordinator entry ended or expires, in milliseconds since 1970; infinite if it is confirmed and open. */
export function coordinatorEndedAtMs({ endedAtMs: ended, confirmedAtMs, expiresAtMs }: CoordinatorEntry): number {
  if (ended > 0) return ended;
  return confirmedAtMs > 0 ? Number.POSITIVE_INFINITY : expiresAtMs;
}

/** Makes lines and keys agree with the recorded steps (RV2, RV3). The caller must have touched the keys' pages. */
export function settle(part: ReservationPart): void {
  spreadSold(part);
  const live = part.granted && !hasEnded(part);
  const bucket = part.confirmedAtMs > 0 ? 'allocated' : 'held';
  for (const line of part.lines) {
    const claim = live ? line.qty - line.fulfilled : 0;
    assert(claim >= 0, 'N4');
    // mutant: released-still-claimed
    line.key[part.bucket] -= line.claimed;
    line.key[bucket] += claim;
    assert(line.key[part.bucket] >= 0, 'N3');
    line.claimed = claim;
  }
  part.bucket = bucket;
}

function spreadSold(part: ReservationPart): void {
  if (part.sold === undefined) return;
  for (const line of part.lines) line.fulfilled = 0;
  const rest = new Map<string, number>();
  for (const sold of part.sold) {
    const left = take(
      part.lines,
      sold.qty,
      (line) => line.key.sku.name === sold.sku && line.key.location === sold.location,
    );
    rest.set(sold.sku, (rest.get(sold.sku) ?? 0) + left);
  }
  for (const [sku, qty] of rest) take(part.lines, qty, (line) => line.key.sku.name === sku);
}

/** Fulfils matching lines in order and returns the units left over. */
function take(lines: readonly PartLine[], qty: number, matches: (line: PartLine) => boolean): number {
  let left = qty;
  for (const line of lines) {
    if (left === 0) break;
    if (!matches(line)) continue;
    const taken = Math.min(left, line.qty - line.fulfilled);
    line.fulfilled += taken;
    left -= taken;
  }
  return left;
}
