/** Bodies: JSON or MessagePack, one semantic. */
import { Packr } from 'msgpackr';

export const JSON_TYPE = 'application/json';
export const MSGPACK_TYPE = 'application/msgpack';
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
