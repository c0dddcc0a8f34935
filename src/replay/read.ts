/**
 * Reads a file of facts, gzip or plain, without ever holding all of it: bytes → text → rows or lines → entries.
 *
 * Gzip is recognised by its first bytes and the format by its first characters, so a file's name does not matter.
 */
import { createReadStream } from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { readRows } from './csv.ts';
import type { Entry } from './entry.ts';
import { readFactsText } from './facts-file.ts';
import { HeaderError, looksLikeOnlineRetail, onlineRetailReader } from './online-retail.ts';

export const FORMATS = ['online-retail', 'facts'] as const;
export type Format = (typeof FORMATS)[number];

export interface ReadOptions {
  /** Detected from the file if it is not given. */
  readonly format?: Format | undefined;
  /** Location of online-retail rows, and of facts that name none. */
  readonly location?: string | undefined;
  /** Called with the number of bytes taken from the file, before decompression. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** The file cannot be read, or not to its end. The message says which file and what is wrong. */
export class ReadError extends Error {
  override readonly name = 'ReadError';
}

/** Yields the file's entries in their order. */
export async function* readFacts(path: string, options: ReadOptions = {}): AsyncGenerator<Entry> {
  try {
    const text = await begin(decode(unzipped(bytesOf(path, options.onBytes))));
    const format = options.format ?? detect(text.first);
    if (format === undefined) {
      if (text.first.trim() === '') return;
      throw new ReadError(
        `is neither online-retail (its first line would be InvoiceNo,StockCode,…) nor facts (it would begin with { or [)`,
      );
    }
    if (format === 'online-retail') yield* readOnlineRetail(text.all, options.location);
    else yield* located(readFactsText(text.all, text.first.trimStart().startsWith('[')), options.location);
  } catch (error) {
    throw new ReadError(`${path} ${saying(error)}`, { cause: error });
  }
}

async function* readOnlineRetail(pieces: AsyncIterable<string>, location: string | undefined): AsyncGenerator<Entry> {
  let read: ReturnType<typeof onlineRetailReader> | undefined;
  let place = 0;
  for await (const row of readRows(pieces)) {
    place++;
    if (read === undefined) read = onlineRetailReader(row, location);
    else if (row.length > 1 || row[0] !== '') yield read(row, place);
  }
}

async function* located(entries: AsyncIterable<Entry>, location: string | undefined): AsyncGenerator<Entry> {
  for await (const entry of entries) {
    if (location === undefined || entry.kind !== 'fact' || entry.fact.location !== undefined) yield entry;
    else yield { ...entry, fact: { ...entry.fact, location } };
  }
}

function detect(first: string): Format | undefined {
  if (looksLikeOnlineRetail(first)) return 'online-retail';
  return /^\s*[{[]/.test(first) ? 'facts' : undefined;
}

async function* bytesOf(path: string, onBytes: ((bytes: number) => void) | undefined): AsyncGenerator<Buffer> {
  for await (const chunk of createReadStream(path)) {
    onBytes?.((chunk as Buffer).length);
    yield chunk as Buffer;
  }
}

async function* unzipped(bytes: AsyncGenerator<Buffer>): AsyncGenerator<Uint8Array> {
  const first = await bytes.next();
  if (first.done === true) return;
  const source = rejoin(first.value, bytes);
  if (first.value[0] !== 0x1f || first.value[1] !== 0x8b) yield* source;
  else {
    const gunzip = createGunzip();
    // The gunzip stream carries the error of either side to the reader below.
    pipeline(Readable.from(source), gunzip, () => undefined);
    for await (const chunk of gunzip) yield chunk as Uint8Array;
  }
}

async function* decode(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8');
  for await (const chunk of bytes) {
    const text = decoder.decode(chunk, { stream: true });
    if (text !== '') yield text;
  }
  const rest = decoder.decode();
  if (rest !== '') yield rest;
}

/**
 * Looks at the beginning of the text without consuming it: leading blanks and at least 16 characters more, if there
 * are that many.
 */
async function begin(pieces: AsyncGenerator<string>): Promise<{ first: string; all: AsyncIterable<string> }> {
  let first = '';
  while (first.trimStart().length < 16) {
    const next = await pieces.next();
    if (next.done === true) break;
    first += next.value;
  }
  return { first, all: rejoin(first, pieces) };
}

async function* rejoin<T>(first: T, rest: AsyncIterable<T>): AsyncGenerator<T> {
  yield first;
  yield* rest;
}

function saying(error: unknown): string {
  if (error instanceof ReadError) return error.message;
  if (error instanceof HeaderError) return `has another header: ${error.message}`;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'does not exist';
  if (code === 'EISDIR') return 'is a folder; name the files in it';
  if (code === 'EACCES') return 'may not be read by this user';
  if (code?.startsWith('Z_') === true) return `is damaged or cut short: gzip says "${message}"`;
  if (code?.startsWith('CSV_') === true) return `cannot be read as CSV: ${message}`;
  return `cannot be read: ${message}`;
}
