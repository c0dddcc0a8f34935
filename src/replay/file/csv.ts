/** Rows of a CSV text that arrives in pieces. This is the one file that imports csv-parse. */
import { pipeline, Readable } from 'node:stream';
import { type CsvError, parse } from 'csv-parse';
import { FileFault } from './errors.ts';

/**
 * The longest row, in characters. A longer one, for example after a quote that is never closed, ends the reading with
 * an error.
 */
export const MAX_ROW_CHARS = 1024 * 1024;
/** A file may have any of them, and all of them. */
const LINE_ENDS = ['\r\n', '\n', '\r'];

/** Yields every row unchanged, including the header. A blank line is a row of one empty cell. */
export async function* readRows(pieces: AsyncIterable<string>, delimiter: string): AsyncGenerator<string[]> {
  const parser = parse({
    delimiter,
    record_delimiter: LINE_ENDS,
    relax_column_count: true,
    relax_quotes: true,
    max_record_size: MAX_ROW_CHARS,
  });
  // The parser carries the error of either side to the reader below.
  pipeline(Readable.from(pieces), parser, () => undefined);
  let rows = 0;
  try {
    for await (const row of parser) {
      rows++;
      yield row as string[];
    }
  } catch (error) {
    const { code } = error as CsvError;
    if (code !== 'CSV_QUOTE_NOT_CLOSED' && code !== 'CSV_MAX_RECORD_SIZE') throw error;
    if (code === 'CSV_QUOTE_NOT_CLOSED') throw new FileFault(`has a quote in row ${rows + 1} that is never closed`);
    const long = `is longer than ${MAX_ROW_CHARS} characters`;
    throw new FileFault(
      `cannot be read from row ${rows + 1} on, which ${long}. A quote in it is probably never closed`,
    );
  }
}
