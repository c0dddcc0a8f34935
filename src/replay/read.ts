/**
 * Reads a file of facts without ever holding all of it: bytes → text → rows or lines → entries.
 *
 * Archives, encoding, delimiter and format are recognised by the content, so a file's name does not matter. Options decide where the
 * content does not say, or says it wrong.
 */
import type { Entry } from './entry.ts';
import { MAX_ROW_CHARS, readRows } from './file/csv.ts';
import type { ReadDate } from './file/date-format.ts';
import { decoded } from './file/encoding.ts';
import { FileFault, readError } from './file/errors.ts';
import { readFactsText } from './file/facts-file.ts';
import { COLUMNS, onlineRetailReader } from './file/online-retail.ts';
import { type Source, sourcesOf } from './file/sources.ts';
import { spoiledBy } from './file/spoiled.ts';
import { type TableStart, tableStart } from './file/table.ts';

export const FORMATS = ['online-retail', 'facts'] as const;
export type Format = (typeof FORMATS)[number];

export interface ReadOptions {
  /** Detected from the file if it is not given. */
  readonly format?: Format | undefined;
  /** Location of online-retail rows, and of facts that name none. */
  readonly location?: string | undefined;
  /** Encoding of a file without a byte order mark. */
  readonly encoding?: string | undefined;
  readonly delimiter?: string | undefined;
  readonly date?: ReadDate | undefined;
  /** True to take SKUs that a spreadsheet seems to have spoiled. */
  readonly asIs?: boolean | undefined;
  /** Called with the description of each sale of a file in the format online-retail. */
  readonly described?: ((sku: string, description: string) => void) | undefined;
  /** Called with the number of bytes taken from the file, before decompression. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
  /** Called with what a person should know about a file that can be read. */
  readonly note?: ((text: string) => void) | undefined;
}

/** An entry, and the file it stands in: the path, or the archive's path and the name in it. */
export interface Read {
  readonly file: string;
  readonly entry: Entry;
}

/** Yields the entries in their order. Throws a ReadError that names the file. */
export async function* readFacts(path: string, options: ReadOptions = {}): AsyncGenerator<Read> {
  let file = path;
  try {
    for await (const source of sourcesOf(path, options.onBytes ?? (() => undefined))) {
      file = source.name;
      for await (const entry of readSource(source, options)) yield { file, entry: checked(entry, options) };
      file = path;
    }
  } catch (error) {
    throw readError(file, error);
  }
}

async function* readSource({ name, bytes }: Source, options: ReadOptions): AsyncGenerator<Entry> {
  const text = await begin(decoded(bytes, options.encoding));
  if (text.first.trim() === '') throw new FileFault('is empty');
  const note = (what: string) => options.note?.(`${name} ${what}`);
  const start = tableStart(text.first, COLUMNS, options.delimiter);
  const format = options.format ?? detect(text.first, start, options);
  if (format === 'facts' && (options.delimiter !== undefined || options.date !== undefined))
    throw new FileFault('holds facts in JSON, to which --delimiter and --date-format do not apply');
  const entries =
    format === 'facts'
      ? readFactsText(text.all, text.first.trimStart().startsWith('['))
      : readOnlineRetail(text.all, start, { ...options, note });
  let count = 0;
  for await (const entry of entries) {
    count++;
    yield entry;
  }
  if (count === 0) note('holds no facts');
}

async function* readOnlineRetail(
  pieces: AsyncIterable<string>,
  { delimiter, before }: TableStart,
  options: ReadOptions,
): AsyncGenerator<Entry> {
  let read: ReturnType<typeof onlineRetailReader> | undefined;
  let place = 0;
  for await (const row of readRows(pieces, delimiter)) {
    place++;
    if (place <= before) continue;
    if (read === undefined) read = onlineRetailReader(row, options);
    else if (row.length > 1 || row[0] !== '') yield read(row, place);
  }
}

/** Applies the options that hold for facts of any format. */
function checked(entry: Entry, { location, asIs }: ReadOptions): Entry {
  if (entry.kind !== 'fact') return entry;
  const { sku } = entry.fact;
  const spoiled = typeof sku === 'string' && asIs !== true ? spoiledBy(sku) : undefined;
  if (spoiled !== undefined) {
    const message = `the SKU is "${sku}", which looks like ${spoiled}. Take the file from its origin, or give --as-is if that is the SKU`;
    return { kind: 'refused', place: entry.place, message };
  }
  if (location === undefined || entry.fact.location !== undefined) return entry;
  return { ...entry, fact: { ...entry.fact, location } };
}

function detect(first: string, { known, cells }: TableStart, { delimiter }: ReadOptions): Format {
  if (/^\s*[{[]/.test(first)) return 'facts';
  // A table with another header is shown beside the right one.
  if (known > 0 || cells > 1 || delimiter !== undefined) return 'online-retail';
  const [line = ''] = first.trim().split(/[\r\n]/, 1);
  throw new FileFault(
    `is neither online-retail (its first line would be InvoiceNo,StockCode,…) nor facts (it would begin with { or [). Its first line is "${line.slice(0, 80)}"`,
  );
}

/** Looks at the beginning of the text without consuming it: two lines of a table, and of other text more than blanks. */
async function begin(pieces: AsyncGenerator<string>): Promise<{ first: string; all: AsyncIterable<string> }> {
  let first = '';
  while (!hasBegun(first)) {
    const next = await pieces.next();
    if (next.done === true) break;
    first += next.value;
  }
  async function* all(): AsyncGenerator<string> {
    yield first;
    yield* pieces;
  }
  return { first, all: all() };
}

function hasBegun(text: string): boolean {
  const trimmed = text.trimStart();
  return /^[{[]/.test(trimmed) || /[^\r\n][\r\n]+[^\r\n]+[\r\n]/.test(trimmed) || text.length > MAX_ROW_CHARS;
}
