/** A part of a reservation as its owner shows it to other nodes: its lines as they are now, after all facts. */
import { at } from '../../streams/assert.ts';
import { type FactUnits, PIECES_PER_LINE, type StandingLine } from '../../streams/journal/stock-decisions.ts';
import { changesSince, factUnits } from '../stock/reservation.ts';
import type { ReservationPart } from '../stock/state.ts';
import { dateOfLine, indexesOf } from './plan.ts';

export interface PartView {
  readonly channel: string;
  readonly purpose: string;
  readonly grantedAtMs: number;
  readonly releasedAtMs: number;
  readonly expiredAtMs: number;
  readonly lines: readonly StandingLine[];
  /** The facts that the lines include. */
  readonly counted: readonly FactUnits[];
  /** Grows with every fact that names the reservation, and whenever a promise moves. */
  readonly moved: number;
  /** When the last unit was sold, in milliseconds since 1970. */
  readonly soldAtMs: number;
}

export function viewOf(part: ReservationPart, partition: number): PartView {
  const { channel, purpose, grantedAtMs, releasedAtMs, expiredAtMs, soldAtMs, epoch, seq } = part;
  // A return may have moved all units of a line to another location.
  const pieces = part.lines
    .filter(({ qty }) => qty > 0)
    .map((each) => ({ each, line: Math.floor(each.index / PIECES_PER_LINE) }))
    .sort((a, b) => a.line - b.line);
  const indexes = indexesOf(pieces);
  const lines = pieces.map(({ each }, i): StandingLine => {
    const { name, key, qty, fulfilled } = each;
    const { sku, location } = key;
    const date = dateOfLine(each);
    const line = { index: at(indexes, i), name, sku: sku.name, location, qty, fulfilled, partition, epoch, seq };
    return date === undefined ? line : { ...line, date };
  });
  return {
    channel,
    purpose,
    grantedAtMs,
    releasedAtMs,
    expiredAtMs,
    lines,
    counted: factUnits(part),
    moved: changesSince(part),
    soldAtMs,
  };
}
