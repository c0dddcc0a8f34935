/** Bodies in JSON or MessagePack. Both mean the same. */
import { Packr } from 'msgpackr';
import { msgpackFault } from './bytes/msgpack-shape.ts';
import { unmarked, utf8Text } from './bytes/utf8.ts';

export const JSON_TYPE = 'application/json';
export const MSGPACK_TYPE = 'application/msgpack';
/** Deepest accepted nesting of arrays and objects. A deeper body gets 400, or is parked if it is already stored. */
export const MAX_DEPTH = 64;
const packr = new Packr({ useRecords: false, int64AsType: 'number' });

export interface DecodeOptions {
  /** True to accept `undefined` in MessagePack, which nodes of this program write for an absent field. */
  readonly undefinedToo?: boolean;
  /** True to skip the check of the shape, as Holdfast 0.1 did for facts over NATS. */
  readonly unchecked?: boolean;
}

/**
 * Decodes a body, and throws if it is malformed. Without a content type the first byte decides. JSON begins with `{`, `[`, whitespace or a
 * byte order mark. MessagePack from outside is decoded here only, after a check of its shape and depth. Text is UTF-8 in both; the error
 * names the first byte that is not.
 */
export function decodeBody(
  bytes: Uint8Array,
  contentType: string | undefined,
  { undefinedToo = false, unchecked = false }: DecodeOptions = {},
): unknown {
  if (!isMsgpack(bytes, contentType)) return JSON.parse(unmarked(utf8Text(bytes)));
  const fault = unchecked ? undefined : msgpackFault(bytes, MAX_DEPTH, undefinedToo);
  if (fault !== undefined) throw new Error(fault);
  return packr.unpack(bytes);
}

export function isMsgpack(bytes: Uint8Array, contentType: string | undefined): boolean {
  if (contentType !== undefined && contentType !== '') return contentType.startsWith(MSGPACK_TYPE);
  const first = bytes[0];
  // A byte order mark. Its first byte alone would be MessagePack's -17, which is not a body.
  if (first === BYTE_ORDER_MARK && bytes[1] === 0xbb && bytes[2] === 0xbf) return false;
  return (
    first !== undefined &&
    first !== 0x7b &&
    first !== 0x5b &&
    first !== 0x20 &&
    first !== 0x0a &&
    first !== 0x0d &&
    first !== 0x09
  );
}

/** True if a value is nested deeper than MAX_DEPTH. To encode such a value again could exhaust the stack. */
export function isTooDeep(value: unknown): boolean {
  return isDeeper(value, MAX_DEPTH);
}

function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depth === 0) return true;
  if (Array.isArray(value)) return value.some((item) => isDeeper(item, depth - 1));
  for (const key in value) {
    if (isDeeper((value as Record<string, unknown>)[key], depth - 1)) return true;
  }
  return false;
}

export function encodeBody(value: unknown, contentType: string): Uint8Array {
  return contentType === MSGPACK_TYPE ? packr.pack(value) : Buffer.from(JSON.stringify(value));
}

const BYTE_ORDER_MARK = 0xef;
