/** Folds decisions on promises over time: new moments of lines, and supply that is overdue. Total, without policy. */
import type { Overdue, Repromised } from '../../../streams/journal/promise-decisions.ts';
import type { StockBook } from '../book.ts';
import { settle, unclaim } from '../reservation.ts';
import { rareOf } from '../state.ts';

/** A line that a change of the reservation has replaced keeps what the change said. */
export function applyMoves(book: StockBook, { sku, location, moves, cause, more }: Repromised): void {
  const key = book.key(sku, location);
  book.change(key);
  if (more || key.rare !== undefined) rareOf(key).remaking = more;
  for (const { reservation, index, was, now } of moves) {
    const part = book.parts.get(reservation);
    if (part === undefined) continue;
    const lines = [...part.lines, ...(part.next?.lines ?? [])];
    const dates = lines.flatMap((line) => (line.index === index && line.key === key && line.date) || []);
    book.pages.touch(part);
    unclaim(book, part);
    for (const date of dates) {
      date.due = now;
      // A later decision may be on its way already.
      if (date.moving === now) date.moving = undefined;
      date.changes += 1;
      date.last = { was, cause };
    }
    settle(book, part);
  }
}

export function applyOverdue(book: StockBook, { sku, location, supplies }: Overdue): void {
  const key = book.findKey(sku, location);
  if (key === undefined) return;
  book.change(key);
  const { transfers, purchases } = key.sku;
  for (const { source, order, line, due } of supplies) {
    const lines = source === 'purchase' ? purchases?.get(order)?.lines : undefined;
    const record = source === 'transfer' ? transfers?.get(order) : lines?.find(({ name = '' }) => name === line);
    if (record !== undefined) record.overdueFor = due;
  }
}
