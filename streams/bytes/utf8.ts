/** Decodes strict UTF-8. Wrong bytes are never replaced. They are an error that names the first of them. */
import { isUtf8 } from 'node:buffer';

const CONTINUATION_MASK = 0xc0;
const CONTINUATION = 0x80;

/** The bytes are not UTF-8. */
export class NotUtf8 extends Error {
  override readonly name = 'NotUtf8';
  /** Place of the first wrong byte, from 0: the beginning of the sequence that encodes no character. */
  readonly offset: number;

  constructor(bytes: Uint8Array, offset: number) {
    super(`the byte ${hexOf(bytes[offset])} at offset ${offset} is not UTF-8`);
    this.offset = offset;
  }
}

/** Decodes the bytes; a byte order mark stays in the text. Throws NotUtf8. */
export function utf8Text(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  // A replacement character shows that the decoder has met a wrong byte, or that the text holds one of its own.
  const wrong = text.includes('\ufffd') ? wrongByteOf(bytes) : undefined;
  if (wrong !== undefined) throw new NotUtf8(bytes, wrong);
  return text;
}

/** Offset of the first byte in a range that is not UTF-8; undefined if all of it is. */
export function wrongByteOf(bytes: Uint8Array, from = 0, to = bytes.length): number | undefined {
  let at = from;
  while (at < to && (bytes[at] as number) < 0x80) at++;
  if (at === to || isUtf8(bytes.subarray(at, to))) return undefined;
  for (;;) {
    const length = lengthAt(bytes, at, to);
    if (length === 0) return at;
    at += length;
  }
}

/** Number of bytes at the end that begin a character whose other bytes are still to come. */
export function unfinishedBytes(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] as number;
    if ((byte & CONTINUATION_MASK) !== CONTINUATION) return wantedLength(byte) > back ? back : 0;
  }
  return 0;
}

/** Text without a byte order mark at its beginning. */
export function unmarked(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

export function hexOf(byte: number | undefined): string {
  return `0x${(byte ?? 0).toString(16).toUpperCase().padStart(2, '0')}`;
}

/** Bytes of the character that begins at `at`; 0 if none does (table 3-7 of the Unicode standard). */
function lengthAt(bytes: Uint8Array, at: number, to: number): number {
  const first = bytes[at] as number;
  const length = wantedLength(first);
  if (at + length > to) return 0;
  for (let i = 1; i < length; i++) if (((bytes[at + i] as number) & CONTINUATION_MASK) !== CONTINUATION) return 0;
  const second = bytes[at + 1] ?? 0;
  // A longer form than needed, a surrogate, or beyond U+10FFFF.
  if ((first === 0xe0 && second < 0xa0) || (first === 0xed && second > 0x9f)) return 0;
  return (first === 0xf0 && second < 0x90) || (first === 0xf4 && second > 0x8f) ? 0 : length;
}

function wantedLength(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}
