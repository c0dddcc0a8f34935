/** Instants of every kind, and their text computed with Date. */
import fc from 'fast-check';

export const FIRST = Date.UTC(1900, 0, 2) * 1000;
export const LAST = Date.UTC(2200, 11, 30) * 1000;
export const instantOf = fc.oneof(
  fc.integer({ min: FIRST, max: LAST }),
  fc.integer({ min: FIRST / 1000, max: LAST / 1000 }).map((ms) => ms * 1000),
);
export const offsetOf = fc.integer({ min: -(23 * 60 + 59), max: 23 * 60 + 59 });

/** The instant as text in an offset of this many minutes, computed with Date. */
export function textOf(micros: number, offset: number): string {
  const ms = Math.floor(micros / 1000);
  const local = new Date(ms + offset * 60_000).toISOString().slice(0, -1);
  const two = (value: number) => String(value).padStart(2, '0');
  const sign = offset < 0 ? '-' : '+';
  const zone = `${sign}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  return `${local}${String(micros - ms * 1000).padStart(3, '0')}${zone}`;
}
