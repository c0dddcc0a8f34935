/** The first lines of a table: which character separates its cells, and whether its header has the columns that are needed. */
import { FileFault } from './errors.ts';

const DELIMITERS: Readonly<Record<string, string>> = { comma: ',', semicolon: ';', tab: '\t', pipe: '|' };
export const DELIMITER_RULE = 'comma, semicolon, tab or pipe, or that character itself';
/** Spreadsheets understand this line, and write it. */
const SEPARATOR_LINE = /^sep=([,;\t|])(?:\r\n?|\n)/i;
const MOST_NAMES = 30;
const MOST_NAME_CHARS = 40;

/** Reads `--delimiter`; undefined if the text is none. */
export function parseDelimiter(text: string): string | undefined {
  if (text === '\\t') return '\t';
  return DELIMITERS[text] ?? Object.values(DELIMITERS).find((each) => each === text);
}

export interface TableStart {
  readonly delimiter: string;
  /** Rows before the header. */
  readonly before: 0 | 1;
  /** How many of the columns the header seems to name. */
  readonly known: number;
  /** Cells of the header, at least 1. */
  readonly cells: number;
}

/**
 * Looks at the beginning of a text.
 * @param text at least its first two lines, if it has them
 * @param delimiter the one that was asked for; otherwise it is the one that finds the most columns, and then the most cells
 */
export function tableStart(text: string, columns: readonly string[], delimiter: string | undefined): TableStart {
  const separator = SEPARATOR_LINE.exec(text);
  const [header = ''] = text.slice(separator?.[0].length ?? 0).split(/[\r\n]/, 1);
  const asked = delimiter ?? separator?.[1];
  const starts = (asked === undefined ? Object.values(DELIMITERS) : [asked]).map((each) => {
    const cells = header.split(each).map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'));
    const known = columns.filter((column) => cells.includes(column)).length;
    return { delimiter: each, before: separator === null ? (0 as const) : (1 as const), known, cells: cells.length };
  });
  return starts.reduce((best, each) =>
    each.known > best.known || (each.known === best.known && each.cells > best.cells) ? each : best,
  );
}

/** Places of the columns in the header. Throws a FileFault that shows the header beside the columns if one is missing or named twice. */
export function columnPlaces<Column extends string>(
  header: readonly string[],
  columns: readonly Column[],
): Record<Column, number> {
  const names = header.map((name) => name.trim());
  const missing = columns.filter((column) => !names.includes(column));
  const twice = columns.filter((column) => names.indexOf(column) !== names.lastIndexOf(column));
  if (missing.length > 0 || twice.length > 0) {
    const faults = [
      ...(missing.length > 0 ? [`without ${missing.join(', ')}`] : []),
      ...(twice.length > 0 ? [`with ${twice.join(', ')} twice`] : []),
    ];
    throw new FileFault(`has another header, ${faults.join(' and ')}:\n${beside(names, columns)}`);
  }
  return Object.fromEntries(columns.map((column) => [column, names.indexOf(column)])) as Record<Column, number>;
}

/** Two columns of text: what is expected, and what was found. */
function beside(found: readonly string[], expected: readonly string[]): string {
  const others = found.filter((name) => !expected.includes(name));
  const rows = [
    ['expected', 'found'],
    ...expected.map((name) => [name, found.includes(name) ? name : '-']),
    ...others.slice(0, MOST_NAMES).map((name) => ['', name === '' ? '""' : name.slice(0, MOST_NAME_CHARS)]),
  ];
  if (others.length > MOST_NAMES) rows.push(['', `and ${others.length - MOST_NAMES} more`]);
  const width = Math.max(...rows.map(([name = '']) => name.length));
  return rows.map(([name = '', other]) => `  ${name.padEnd(width)}  ${other}`).join('\n');
}
