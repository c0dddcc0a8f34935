/** Formats text in aligned columns for a terminal. */
import { printable } from '../../../streams/names.ts';

/** A column. Columns of numbers should align right. */
export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** The titles and then the rows, each on a line that ends with a newline. */
export function table(columns: readonly Column[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = rows.map((row) => columns.map((_, index) => printable(String(row[index] ?? ''))));
  const all = [columns.map(({ title }) => title), ...cells];
  const widths = columns.map((_, index) => Math.max(...all.map((row) => width(row[index] ?? ''))));
  return all
    .map((row) => {
      const padded = row.map((cell, index) => {
        const blanks = ' '.repeat((widths[index] ?? 0) - width(cell));
        return columns[index]?.align === 'right' ? blanks + cell : cell + blanks;
      });
      return `${padded.join('  ').trimEnd()}\n`;
    })
    .join('');
}

function width(text: string): number {
  return [...text].length;
}
