/** Rows of a CSV text that arrives in pieces. This is the one file that imports csv-parse. */
import { pipeline, Readable } from 'node:stream';
import { parse } from 'csv-parse';

/**
 * The longest row, in characters. A longer one, for example after a quote that is never closed, ends the reading with
 * an error.
 */
const MAX_ROW_CHARS = 1024 * 1024;

/** Yields every row unchanged, including the header. A blank line is a row of one empty cell. */
export async function* readRows(pieces: AsyncIterable<string>): AsyncGenerator<string[]> {
  const parser = parse({ relax_column_count: true, relax_quotes: true, max_record_size: MAX_ROW_CHARS });
  // The parser carries the error of either side to the reader below.
  pipeline(Readable.from(pieces), parser, () => undefined);
  for await (const row of parser) yield row as string[];
}
