/** Builds a reservation as callers see it from its parts, which several owners may hold. */

import { at } from '../../streams/assert.ts';
import type { ReservationAnswer } from '../../streams/contract/stock.ts';
import { formatInstant } from '../../streams/instant.ts';
import type { Shortage } from '../../streams/journal/stock-decisions.ts';
import { isFulfilled, type ReservationStatus, statusOf } from '../stock/reservation.ts';
import type { ReservationPart } from '../stock/state.ts';

/** One part of a reservation, in the form that nodes exchange. */
export interface PartAnswer {
  readonly status: ReservationStatus;
  readonly fulfilled: boolean;
  readonly expiresAtMs: number;
  readonly confirmed: boolean;
  readonly shortages: readonly Shortage[];
  readonly lines: readonly { index: number; sku: string; qty: number; location: string; version: string }[];
}

export function partAnswer(part: ReservationPart): PartAnswer {
  return {
    status: statusOf([part]),
    fulfilled: isFulfilled(part),
    expiresAtMs: part.expiresAtMs,
    confirmed: part.confirmedAtMs > 0,
    shortages: part.shortages,
    lines: part.lines.map(({ index, key, qty }) => ({
      index,
      sku: key.sku.name,
      qty,
      location: key.location,
      version: `${part.epoch}.${part.seq}`,
    })),
  };
}

/**
 * Combines all parts of a reservation into one answer.
 * @param shortages shortages of the whole reservation; needed across owners, because each part knows only its own
 */
export function answerOf(id: string, parts: readonly PartAnswer[], shortages?: readonly Shortage[]): ReservationAnswer {
  const lines = parts.flatMap((part) => part.lines).sort((a, b) => a.index - b.index);
  const short = shortages ?? parts[0]?.shortages ?? [];
  const first = at(parts, 0);
  return {
    id,
    status: wholeStatus(parts),
    expiresAt: first.confirmed ? null : formatInstant(first.expiresAtMs * 1000),
    lines: lines.map(({ sku, qty, location, version }) => ({ sku, qty, location, version })),
    ...(short.length > 0 ? { shortages: short.map((each) => ({ ...each })) } : {}),
  };
}

function wholeStatus(parts: readonly PartAnswer[]): ReservationStatus {
  if (parts.every((part) => part.fulfilled)) return 'fulfilled';
  // If a confirmation came too late for one part, the others were released. Its caller was told that the reservation expired.
  for (const status of ['expired', 'released'] as const)
    if (parts.some((part) => part.status === status)) return status;
  return parts.every((part) => part.confirmed) ? 'allocated' : 'held';
}
