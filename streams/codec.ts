/** Bodies: JSON or MessagePack, one semantic. */
import { Packr } from 'msgpackr';

export const JSON_TYPE = 'application/json';
export const MSGPACK_TYPE = 'application/msgpack';
/** Arrays and objects in each other in what is taken; more: 400, or parked. */
export const MAX_DEPTH = 64;
const packr = new Packr({ useRecords: false, int64AsType: 'number' });

/** Decodes a body; throws if it is none. Without a content type the first byte tells: JSON begins with `{`, `[`, a blank or a byte order mark. */
export function decodeBody(bytes: Uint8Array, contentType: string | undefined): unknown {
  if (isMsgpack(bytes, contentType)) return packr.unpack(bytes);
  return JSON.parse(textOf(bytes));
}

export function isMsgpack(bytes: Uint8Array, contentType: string | undefined): boolean {
  if (contentType !== undefined && contentType !== '') return contentType.startsWith(MSGPACK_TYPE);
  const first = bytes[0];
  // A byte order mark. Its first byte alone would be MessagePack's -17, which is no body.
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

/** Whether a value is nested deeper than MAX_DEPTH: whoever encoded it again would exhaust the stack. */
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

/** The strict decoder is slow on short bodies; a quick one, which marks what is no UTF-8, says whether it is needed. */
function textOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  return bytes[0] === BYTE_ORDER_MARK || text.includes(REPLACEMENT) ? decoder.decode(bytes) : text;
}

const BYTE_ORDER_MARK = 0xef;
const REPLACEMENT = '\ufffd';
const decoder = new TextDecoder('utf-8', { fatal: true });
