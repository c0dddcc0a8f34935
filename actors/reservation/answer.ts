/** Builds a reservation as callers see it, from what its home says and from the lines of its participants. */

import type { ReservationAnswer } from '../../streams/contract/stock.ts';
import { formatInstant } from '../../streams/instant.ts';
import type { Attempt, Shortage, StandingLine } from '../../streams/journal/stock-decisions.ts';
import { END_OF_TIME } from '../stock/dated/atp.ts';
import type { ReservationStatus } from '../stock/reservation.ts';

/** How long the lines of an ended reservation are shown. */
const LINES_SHOWN_MS = 3_600_000;

/** A reservation as a whole, at one moment. */
export interface Whole {
  readonly id: string;
  readonly attempt: Attempt;
  readonly expiresAtMs: number;
  readonly confirmedAtMs: number;
  readonly releasedAtMs: number;
  readonly expiredAtMs: number;
  readonly shortages: readonly Shortage[];
  readonly lines: readonly StandingLine[];
  /** Grows with every fact that names the reservation. */
  readonly moved: number;
}

export function statusOf({ lines, releasedAtMs, expiredAtMs, confirmedAtMs }: Whole): ReservationStatus {
  if (lines.length > 0 && lines.every((line) => line.fulfilled >= line.qty)) return 'fulfilled';
  if (expiredAtMs > 0) return 'expired';
  if (releasedAtMs > 0) return 'released';
  return confirmedAtMs > 0 ? 'allocated' : 'held';
}

/** Version of a reservation, for callers that guard a change. Facts that fulfil it change it too, until it has ended. */
export function etagOf({ attempt, moved, releasedAtMs, expiredAtMs }: Whole): string {
  return `${attempt[0]}.${attempt[1]}.${releasedAtMs > 0 || expiredAtMs > 0 ? 0 : moved}`;
}

export function answerOf(whole: Whole, nowMs: number): ReservationAnswer {
  const { id, shortages, confirmedAtMs, expiresAtMs, releasedAtMs, expiredAtMs } = whole;
  const ended = Math.max(releasedAtMs, expiredAtMs);
  const shown = ended === 0 || nowMs < ended + LINES_SHOWN_MS;
  const lines = shown ? [...whole.lines].sort((a, b) => a.index - b.index) : [];
  return {
    id,
    status: statusOf(whole),
    expiresAt: confirmedAtMs > 0 ? null : formatInstant(expiresAtMs * 1000),
    lines: lines.map(({ name, sku, qty, fulfilled, location, epoch, seq, date }) => ({
      ...(name === undefined ? {} : { line: name }),
      sku,
      qty,
      fulfilled,
      location,
      version: `${epoch}.${seq}`,
      ...(date === undefined || date.due === 0 ? {} : { promisedBy: momentText(date.due) }),
    })),
    ...(shortages.length > 0
      ? { shortages: shortages.map(({ sku, requested, available }) => ({ sku, requested, available })) }
      : {}),
    etag: etagOf(whole),
  };
}

/** A moment of a promise as answers show it; null if none is known. @param micros microseconds since 1970, or END_OF_TIME */
export function momentText(micros: number): string | null {
  return micros === END_OF_TIME ? null : formatInstant(micros);
}

/** The answer for an id that was cancelled before it was placed. */
export function cancelledAnswer(id: string, attempt: Attempt): ReservationAnswer {
  return { id, status: 'released', expiresAt: null, lines: [], known: false, etag: `${attempt[0]}.${attempt[1]}.0` };
}
