/**
 * The files that a path leads to, unpacked: the file itself, what its gzip holds, or each file in a zip archive. They are recognised by
 * their first bytes, so names do not matter. Nothing is ever held whole.
 */
import { createReadStream } from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { FileFault } from './errors.ts';
import { filesInZip } from './zip.ts';

export interface Source {
  /** The path; for a file in an archive, the archive's path and the name in it. */
  readonly name: string;
  readonly bytes: AsyncGenerator<Uint8Array>;
}

const GZIP = [0x1f, 0x8b];
const ZIPS = [
  [0x50, 0x4b, 0x03, 0x04],
  [0x50, 0x4b, 0x05, 0x06],
];
/** What people try, and is no text. */
const OTHERS: readonly (readonly [readonly number[], string])[] = [
  ...ZIPS.map((bytes) => [bytes, 'is a zip archive within another file. Unpack it'] as const),
  [[0xd0, 0xcf, 0x11, 0xe0], 'is a workbook of a spreadsheet. Save its sheet as CSV in UTF-8'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'is packed with zstd. Unpack it'],
  [[0xfd, 0x37, 0x7a, 0x58], 'is packed with xz. Unpack it'],
  [[0x37, 0x7a, 0xbc, 0xaf], 'is packed with 7-Zip. Unpack it'],
  [[0x42, 0x5a, 0x68], 'is packed with bzip2. Unpack it'],
];
const HEAD_BYTES = 4;

/** @param onBytes is called with numbers of bytes taken from the path, before they are unpacked */
export async function* sourcesOf(path: string, onBytes: (bytes: number) => void): AsyncGenerator<Source> {
  const { head, all } = await peeked(storedBytes(path));
  if (!ZIPS.some((bytes) => beginsWith(head, bytes))) {
    yield { name: path, bytes: unpacked(counted(all, onBytes)) };
    return;
  }
  // A zip archive has its list at its end, so it is not read from the beginning.
  await all.return(undefined);
  for await (const { name, bytes } of filesInZip(path)) yield { name, bytes: unpacked(counted(bytes, onBytes)) };
}

/** Looks at the first bytes without consuming them: at least HEAD_BYTES, if there are so many. */
export async function peeked(
  bytes: AsyncGenerator<Uint8Array>,
): Promise<{ head: Uint8Array; all: AsyncGenerator<Uint8Array> }> {
  let head: Uint8Array = new Uint8Array();
  while (head.length < HEAD_BYTES) {
    const next = await bytes.next();
    if (next.done === true) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  async function* all(): AsyncGenerator<Uint8Array> {
    yield head;
    yield* bytes;
  }
  return { head, all: all() };
}

async function* storedBytes(path: string): AsyncGenerator<Uint8Array> {
  for await (const chunk of createReadStream(path)) yield chunk as Buffer;
}

async function* counted(
  bytes: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    onBytes(chunk.length);
    yield chunk;
  }
}

async function* unpacked(stored: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { head, all } = await peeked(stored);
  if (beginsWith(head, GZIP)) {
    yield* readable(gunzipped(all));
    return;
  }
  yield* readable(all);
}

async function* gunzipped(bytes: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip();
  // The gunzip stream carries the error of either side to the reader below.
  pipeline(Readable.from(bytes), gunzip, () => undefined);
  for await (const chunk of gunzip) yield chunk as Uint8Array;
}

async function* readable(bytes: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { head, all } = await peeked(bytes);
  const other = OTHERS.find(([mark]) => beginsWith(head, mark));
  if (other !== undefined) throw new FileFault(other[1]);
  yield* all;
}

function beginsWith(head: Uint8Array, mark: readonly number[]): boolean {
  return mark.every((byte, i) => head[i] === byte);
}
