/**
 * Decodes untrusted bodies, in JSON or MessagePack, for HTTP and NATS alike.
 *
 * Invariants:
 *  BO1 Reading a body ends in a value or in a Refusal, whatever its bytes.
 *  BO2 Reading cannot exhaust the stack. A schema bounds the depth of the values that it accepts. A value that is passed on unchanged is
 *      checked with isTooDeep (streams/codec.ts) first.
 */
import { Refusal } from '../../actors/ports/refusal.ts';
import { decodeBody, isMsgpack, JSON_TYPE, MSGPACK_TYPE } from '../../streams/codec.ts';
import type { BodyType } from '../../streams/fact/sent-body.ts';

const MSGPACK_NAMES = new Set([MSGPACK_TYPE, 'application/x-msgpack', 'application/vnd.msgpack']);

/** The form that a content type names; undefined for an unsupported one. Parameters such as charset are ignored. */
export function formOf(contentType: string): BodyType | undefined {
  const semicolon = contentType.indexOf(';');
  const type = (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
  if (type === JSON_TYPE) return JSON_TYPE;
  return MSGPACK_NAMES.has(type) ? MSGPACK_TYPE : undefined;
}

/** Detects the form of a body without a content type by its first byte. */
export function sniffedForm(bytes: Uint8Array): BodyType {
  return isMsgpack(bytes, undefined) ? MSGPACK_TYPE : JSON_TYPE;
}

/** Decodes a body. An empty body is undefined (BO1). */
export function readBody(bytes: Uint8Array, form: BodyType): unknown {
  if (bytes.length === 0) return undefined;
  const name = form === JSON_TYPE ? 'JSON' : 'MessagePack';
  try {
    return decodeBody(bytes, form);
  } catch (error) {
    const reason = error instanceof Error ? error.message.slice(0, 200) : 'it cannot be read';
    throw new Refusal('malformed', `the body is not ${name}: ${reason}`);
  }
}
