/**
 * Decodes the bytes of a file strictly, piece by piece.
 *
 *  EN1 A byte order mark decides. Without one the given encoding does, and without that UTF-16 is recognised by the zero bytes in its
 *      first two characters. Everything else must be UTF-8.
 *  EN2 A byte that the encoding does not have ends the reading with its line and offset. It is never replaced.
 */
import { TextDecoder } from 'node:util';
import { hexOf, NotUtf8, unfinishedBytes, unmarked, utf8Text, wrongByteOf } from '../../../streams/bytes/utf8.ts';
import { FileFault } from './errors.ts';
import { peeked } from './sources.ts';

export const ENCODING_RULE = 'a name of the Encoding Standard, such as utf-8, windows-1252, shift_jis or utf-16le';
const HINT = 'Save it as UTF-8, or name its encoding, such as --encoding windows-1252';

const SINGLE_BYTE = /^(windows-125|iso-8859|koi8|ibm|macintosh|x-mac)/;

/** Windows-1252 from 0x80 to 0x9f. Some releases of Node.js decode these bytes as control characters. */
const WINDOWS_1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

/** True if the text names an encoding that can be decoded. */
export function isEncoding(label: string): boolean {
  try {
    return new TextDecoder(label, { fatal: true }).fatal;
  } catch {
    return false;
  }
}

/**
 * Decodes a file, without its byte order mark.
 * @param label the encoding if the file has no byte order mark (EN1)
 */
export async function* decoded(bytes: AsyncGenerator<Uint8Array>, label?: string): AsyncGenerator<string> {
  const { head, all } = await peeked(bytes);
  const encoding = encodingOf(head, label);
  const decoder = encoding === 'utf-8' ? new Utf8() : new Other(encoding);
  const lines = new Lines();
  let first = true;
  // Text of these encodings is never UTF-8 by chance.
  let unproven = label !== undefined && SINGLE_BYTE.test(encoding);
  try {
    for await (const chunk of all) {
      if (unproven && chunk.some((byte) => byte >= 0x80)) {
        unproven = false;
        if (wrongByteOf(chunk, 0, chunk.length - unfinishedBytes(chunk)) === undefined)
          throw new FileFault(`is UTF-8, although --encoding says ${label}. Leave the option out`);
      }
      const text = decoder.text(chunk);
      lines.add(text);
      if (text === '') continue;
      yield first ? unmarked(text) : text;
      first = false;
    }
    decoder.end();
  } catch (error) {
    if (!(error instanceof WrongByte)) throw error;
    const { byte, offset, before } = error;
    lines.add(before);
    const place = `in line ${lines.current}, at offset ${offset}`;
    const what =
      byte === undefined
        ? `it ends in the middle of a character ${place}`
        : `the byte ${hexOf(byte)} ${place}, is wrong`;
    throw new FileFault(`is not ${encoding.toUpperCase()}: ${what}. ${HINT}`);
  }
}

/** Where decoding ended (EN2). */
class WrongByte extends Error {
  readonly offset: number;
  /** Undefined if the file ends in the middle of a character. */
  readonly byte: number | undefined;
  /** The text of the piece before it. */
  readonly before: string;

  constructor(offset: number, byte: number | undefined, before = '') {
    super();
    this.offset = offset;
    this.byte = byte;
    this.before = before;
  }
}

class Utf8 {
  #held: Uint8Array = new Uint8Array();
  #offset = 0;

  text(chunk: Uint8Array): string {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const whole = bytes.subarray(0, bytes.length - unfinishedBytes(bytes));
    this.#held = bytes.subarray(whole.length);
    try {
      const text = utf8Text(whole);
      this.#offset += whole.length;
      return text;
    } catch (error) {
      if (!(error instanceof NotUtf8)) throw error;
      const { offset } = error;
      throw new WrongByte(this.#offset + offset, whole[offset], utf8Text(whole.subarray(0, offset)));
    }
  }

  end(): void {
    if (this.#held.length > 0) throw new WrongByte(this.#offset, this.#held[0]);
  }
}

/** Any other encoding, by the decoder of the platform. It does not say where it fails, so a second one follows a piece behind. */
class Other {
  readonly #ahead: TextDecoder;
  readonly #behind: TextDecoder;
  #offset = 0;

  constructor(encoding: string) {
    this.#ahead = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
    this.#behind = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  }

  text(chunk: Uint8Array): string {
    try {
      const text = this.#ahead.decode(chunk, { stream: true });
      this.#behind.decode(chunk, { stream: true });
      this.#offset += chunk.length;
      if (this.#ahead.encoding !== 'windows-1252') return text;
      return text.replace(/[\x80-\x9f]/g, (each) => WINDOWS_1252.charAt(each.charCodeAt(0) - 0x80));
    } catch {
      throw this.#locate(chunk);
    }
  }

  #locate(chunk: Uint8Array): WrongByte {
    let before = '';
    let at = 0;
    try {
      for (; at < chunk.length; at++) before += this.#behind.decode(chunk.subarray(at, at + 1), { stream: true });
    } catch {
      // `at` is the byte with which the sequence became wrong.
    }
    return new WrongByte(this.#offset + at, chunk[at], before);
  }

  end(): void {
    try {
      this.#ahead.decode();
    } catch {
      throw new WrongByte(this.#offset, undefined);
    }
  }
}

/** Throws a FileFault for an encoding that is recognised but not supported (EN1). */
function encodingOf(head: Uint8Array, label: string | undefined): string {
  const [a, b, c, d] = head;
  if ((a === 0xff && b === 0xfe && c === 0 && d === 0) || (a === 0 && b === 0 && c === 0xfe && d === 0xff))
    throw new FileFault('is UTF-32, which is not supported. Save the file as UTF-8');
  if (a === 0xef && b === 0xbb && c === 0xbf) return 'utf-8';
  if (a === 0xff && b === 0xfe) return 'utf-16le';
  if (a === 0xfe && b === 0xff) return 'utf-16be';
  if (label !== undefined) return new TextDecoder(label).encoding;
  if (d === undefined || c === undefined) return 'utf-8';
  if (a !== 0 && b === 0 && c !== 0 && d === 0) return 'utf-16le';
  if (a === 0 && b !== 0 && c === 0 && d !== 0) return 'utf-16be';
  return 'utf-8';
}

/** Counts lines, which end with LF, CR LF or CR. */
class Lines {
  /** The line that the text has come to, from 1. */
  current = 1;
  #afterCr = false;

  add(text: string): void {
    if (this.#afterCr && text !== '' && !text.startsWith('\n')) this.current++;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) this.current++;
    for (let at = text.indexOf('\r'); at >= 0 && at < text.length - 1; at = text.indexOf('\r', at + 1))
      if (text.charAt(at + 1) !== '\n') this.current++;
    if (text !== '') this.#afterCr = text.endsWith('\r');
  }
}
