/**
 * Decides on the later steps of a reservation: confirm, release, release in part, expire. Pure: how the reservation stands and the time go
 * in; what changes comes out, or undefined if nothing does.
 *
 * Refusals, tested in this order:
 *   place:    id used with other content → id-conflict; released or expired → that; not enough → shortages
 *   confirm:  id unknown → not-found; released → released; expired, or its time is over → expired; otherwise harmless
 *   release:  harmless; an unknown id is cancelled
 *   in part:  id unknown → not-found; the same release again → harmless; released or expired → that; more than is open → more-than-open
 *   amend:    id unknown → not-found; released or expired, or its time is over → that; another version → changed; less than is fulfilled →
 *             less-than-fulfilled; not enough → shortages
 */
import { LIMITS } from '../../config/limits.ts';
import type { PartialRelease } from '../../streams/contract/stock.ts';
import type { StandingLine } from '../../streams/journal/stock-decisions.ts';
import { Refusal } from '../ports/refusal.ts';
import { statusOf, type Whole } from './answer.ts';

/** What a step changes. */
export type Changes = Partial<
  Pick<Whole, 'confirmedAtMs' | 'releasedAtMs' | 'expiredAtMs' | 'lines'> & { readonly releases: readonly string[] }
>;

export function confirm(whole: Whole, nowMs: number): Changes | undefined {
  // mutant: ended-hold-confirmed
  mustBeOpen(whole, nowMs);
  return whole.confirmedAtMs > 0 || hasEnded(whole) ? undefined : { confirmedAtMs: nowMs };
}

export function release(whole: Whole, nowMs: number): Changes | undefined {
  return hasEnded(whole) ? undefined : { releasedAtMs: nowMs };
}

/**
 * Ends what nobody has to end: a hold whose time is over, and a reservation that was fulfilled so long ago that no return can open it
 * again. The latter ended when its last unit was sold, and keeps its status.
 * @param soldAtMs when its last unit was sold, in milliseconds since 1970
 */
export function endInTime(
  whole: Whole & { readonly soldAtMs: number },
  { nowMs, fulfilledMemoryMs }: { readonly nowMs: number; readonly fulfilledMemoryMs: number },
): Changes | undefined {
  const { expiresAtMs, soldAtMs } = whole;
  const status = statusOf(whole);
  if (status === 'fulfilled') return soldAtMs + fulfilledMemoryMs <= nowMs ? { releasedAtMs: soldAtMs } : undefined;
  const over = expiresAtMs <= nowMs && status === 'held';
  // mutant: confirmed-is-due
  return over ? { expiredAtMs: nowMs } : undefined;
}

export function releaseSome(
  whole: Whole & { readonly releases: readonly string[] },
  asked: Omit<PartialRelease, 'id'> & { readonly release: string },
  nowMs: number,
): Changes | undefined {
  // mutant: release-repeated
  if (whole.releases.includes(asked.release)) return undefined;
  mustBeOpen(whole, nowMs);
  if (whole.releases.length >= LIMITS.releasesPerReservation)
    throw new Refusal(
      'too-large',
      `reservation ${whole.id} was released in ${whole.releases.length} parts; release the rest at once`,
    );
  const releases = [...whole.releases, asked.release];
  const lines = asked.lines.reduce<readonly StandingLine[]>((rest, line, index) => {
    const left = without(rest, line);
    if (left === undefined) throw moreThanOpen(whole, line, index);
    return left;
  }, whole.lines);
  // A release of everything that is open is an end. Its lines stay, so that they can be read.
  if (lines.every(({ qty, fulfilled }) => qty === fulfilled)) return { releasedAtMs: nowMs, releases };
  return { lines: lines.filter(({ qty }) => qty > 0), releases };
}

type ReleasedLine = PartialRelease['lines'][number];

function matches(line: StandingLine, { sku, line: name, location }: ReleasedLine): boolean {
  if (sku !== undefined && line.sku !== sku) return false;
  if (name !== undefined && line.name !== name) return false;
  return location === undefined || line.location === location;
}

/** The lines without the released units, or undefined if fewer are open. */
function without(lines: readonly StandingLine[], released: ReleasedLine): readonly StandingLine[] | undefined {
  let left = released.qty;
  const rest = lines.map((line) => {
    const units = matches(line, released) ? Math.min(left, line.qty - line.fulfilled) : 0;
    left -= units;
    return units === 0 ? line : { ...line, qty: line.qty - units };
  });
  return left === 0 ? rest : undefined;
}

function moreThanOpen({ id, lines }: Whole, released: ReleasedLine, index: number): Refusal {
  const open = lines
    .filter((line) => matches(line, released))
    .reduce((sum, { qty, fulfilled }) => sum + qty - fulfilled, 0);
  const message = `lines[${index}] releases ${released.qty}, and ${open} are open in reservation ${id}; nothing has changed`;
  return new Refusal('more-than-open', message);
}

export function hasEnded({ releasedAtMs, expiredAtMs }: Whole): boolean {
  return releasedAtMs > 0 || expiredAtMs > 0;
}

/** Refuses a reservation that has ended, or a hold whose time is over. */
function mustBeOpen(whole: Whole, nowMs: number): void {
  const status = statusOf(whole);
  if (status === 'released' || status === 'expired') throw ended(whole.id, status);
  if (status === 'held' && whole.expiresAtMs <= nowMs) throw ended(whole.id, 'expired');
}

export function ended(id: string, status: 'released' | 'expired'): Refusal {
  const how = status === 'released' ? 'is released' : 'has expired';
  return new Refusal(`already-${status}`, `reservation ${id} ${how}; nothing is held under it`);
}

/** Refuses to change a reservation that has ended. With a new expiry, a hold that is fulfilled may be over. */
export function mustBeChangeable(whole: Whole, nowMs: number, extended: boolean): void {
  if (hasEnded(whole)) throw ended(whole.id, whole.expiredAtMs > 0 ? 'expired' : 'released');
  if (whole.confirmedAtMs > 0 || whole.expiresAtMs > nowMs) return;
  if (!extended || statusOf(whole) === 'held') throw ended(whole.id, 'expired');
}

export function conflict(id: string): Refusal {
  return new Refusal('id-conflict', `reservation ${id} was asked for before with other content; use another id`);
}

export function unknown(id: string): Refusal {
  return new Refusal('not-found', `nothing is known of reservation ${id}`);
}

export function changed(id: string, etag: string): Refusal {
  return new Refusal('changed', `reservation ${id} is at version ${etag}; read it again`);
}
