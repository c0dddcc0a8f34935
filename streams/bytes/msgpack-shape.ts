/**
 * Checks the shape of MessagePack bytes before they are decoded. The bytes come from outside, and the decoder would run extensions of its
 * own library (record definitions, regular expressions, references).
 *
 * Invariant: bytes without a fault hold exactly one value of nil, booleans, numbers, well-formed strings, binaries, arrays, maps and
 * timestamps. It is nested no deeper than asked, and every length is covered by bytes that are there.
 */
import { NotUtf8, wrongByteOf } from './utf8.ts';

const TIMESTAMP = 0xff;
/** An extension of one byte. With type 0 it encodes `undefined`. */
const UNDEFINED = 0xd4;

/**
 * The fault, in words that continue "the body is not MessagePack:"; undefined if there is none.
 * @param undefinedToo true to accept `undefined`, which nodes of this program write for an absent field
 * @param bounds of the elements of an array, to which the beginning of the first and the end of each are added
 */
export function msgpackFault(
  bytes: Uint8Array,
  maxDepth: number,
  undefinedToo = false,
  bounds: number[] = [],
): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.length;
  const outer: number[] = [];
  let left = 1;
  let at = 0;
  for (;;) {
    if (left === 0) {
      const back = outer.pop();
      if (back === undefined) return at === end ? undefined : `${end - at} bytes after its end`;
      left = back;
      if (outer.length === 1) bounds.push(at);
      continue;
    }
    left -= 1;
    const token = bytes[at];
    if (token === undefined) return 'it ends too early';
    const head = HEADS[token] as Head;
    if (head.kind === 'none') return 'it holds the byte 0xc1, which means nothing';
    const body = at + 1 + head.lengthBytes;
    if (body > end) return 'it ends too early';
    const length = head.lengthBytes === 0 ? head.fixed : readLength(view, at + 1, head.lengthBytes);
    at = body;
    if (head.kind === 'array' || head.kind === 'map') {
      if (outer.length >= maxDepth) return `it is nested deeper than ${maxDepth}`;
      outer.push(left);
      left = head.kind === 'map' ? length * 2 : length;
      // Every item takes at least one byte, so a false count ends here and not after billions of iterations.
      if (left > end - at) return 'it ends too early';
      if (outer.length === 1) bounds.push(at);
      continue;
    }
    if (undefinedToo && token === UNDEFINED && bytes[at] === 0) {
      at += 2;
      if (at > end) return 'it ends too early';
      if (outer.length === 1) bounds.push(at);
      continue;
    }
    if (head.kind === 'ext') {
      if (bytes[at] !== TIMESTAMP || (length !== 4 && length !== 8 && length !== 12)) {
        return `it holds the extension type ${at < end ? view.getInt8(at) : '?'}, which is not supported`;
      }
      at += 1;
    }
    if (at + length > end) return 'it ends too early';
    const wrong = head.kind === 'text' ? wrongByteOf(bytes, at, at + length) : undefined;
    if (wrong !== undefined) return new NotUtf8(bytes, wrong).message;
    at += length;
    if (outer.length === 1) bounds.push(at);
  }
}

/** The elements of an array, each with its bytes. @param bytes a MessagePack array without fault */
export function msgpackElements(bytes: Uint8Array): Uint8Array[] {
  const bounds: number[] = [];
  msgpackFault(bytes, Number.POSITIVE_INFINITY, true, bounds);
  return bounds.slice(1).map((end, i) => bytes.subarray(bounds[i], end));
}

interface Head {
  readonly kind: 'none' | 'plain' | 'text' | 'array' | 'map' | 'ext';
  /** Length if lengthBytes is 0, in bytes of a scalar, text or extension, items of an array, or pairs of a map. */
  readonly fixed: number;
  readonly lengthBytes: 0 | 1 | 2 | 4;
}

/** Indexed by first byte, as in the table of formats of the MessagePack specification. */
const HEADS: readonly Head[] = Array.from({ length: 256 }, (_, token): Head => headOf(token));

function headOf(token: number): Head {
  if (token <= 0x7f || token >= 0xe0) return fixed('plain', 0);
  if (token <= 0x8f) return fixed('map', token & 0x0f);
  if (token <= 0x9f) return fixed('array', token & 0x0f);
  if (token <= 0xbf) return fixed('text', token & 0x1f);
  switch (token) {
    case 0xc1:
      return fixed('none', 0);
    case 0xc4:
    case 0xc5:
    case 0xc6:
      return sized('plain', token - 0xc4);
    case 0xc7:
    case 0xc8:
    case 0xc9:
      return sized('ext', token - 0xc7);
    case 0xca:
      return fixed('plain', 4);
    case 0xcb:
      return fixed('plain', 8);
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
      return fixed('ext', 1 << (token - 0xd4));
    case 0xd9:
    case 0xda:
    case 0xdb:
      return sized('text', token - 0xd9);
    case 0xdc:
    case 0xdd:
      return sized('array', token - 0xdc + 1);
    case 0xde:
    case 0xdf:
      return sized('map', token - 0xde + 1);
    default:
      return fixed('plain', scalarBytes(token));
  }
}

/** 0 for nil, false and true; 1 to 8 for unsigned and signed integers of 8 to 64 bits. */
function scalarBytes(token: number): number {
  if (token < 0xcc) return 0;
  return 1 << ((token - 0xcc) & 3);
}

function fixed(kind: Head['kind'], length: number): Head {
  return { kind, fixed: length, lengthBytes: 0 };
}

/** @param power the length is stored in 2^power bytes */
function sized(kind: Head['kind'], power: number): Head {
  return { kind, fixed: 0, lengthBytes: (1 << power) as 1 | 2 | 4 };
}

function readLength(view: DataView, at: number, lengthBytes: number): number {
  if (lengthBytes === 1) return view.getUint8(at);
  return lengthBytes === 2 ? view.getUint16(at) : view.getUint32(at);
}
