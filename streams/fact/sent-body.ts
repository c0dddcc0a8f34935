/**
 * Bodies as they were sent: what was read of them, and the bytes, which are what is stored and parked. Writing a fact anew from what
 * was read would round its long numbers and turn what a double cannot hold into null.
 */
import { at } from '../assert.ts';
import { encodeBody, isMsgpack, JSON_TYPE, MSGPACK_TYPE } from '../codec.ts';
import { jsonElements } from './json-elements.ts';

export type BodyType = typeof JSON_TYPE | typeof MSGPACK_TYPE;

export interface SentBody {
  /** The bytes, decoded. */
  readonly value: unknown;
  readonly bytes: Uint8Array;
  readonly type: BodyType;
}

/** A body of what this program writes itself. */
export function sentAsJson(value: unknown): SentBody {
  return { value, bytes: encodeBody(value, JSON_TYPE), type: JSON_TYPE };
}

/** The elements of a body that holds a list; of JSON the very bytes, of MessagePack each encoded anew. */
export function elementsOf({ value, bytes, type }: SentBody): SentBody[] {
  const values = value as readonly unknown[];
  if (type === MSGPACK_TYPE) return values.map((each) => ({ value: each, bytes: encodeBody(each, type), type }));
  const slices = jsonElements(bytes);
  if (slices.length !== values.length)
    throw new Error(`${values.length} elements were read of a JSON array, but ${slices.length} stand in it`);
  return values.map((each, i) => ({ value: each, bytes: at(slices, i), type }));
}

/** The header that says what the bytes are; none where their first byte says it. */
export function typeHeaders({ bytes, type }: SentBody): { 'Content-Type'?: BodyType } {
  return (isMsgpack(bytes, undefined) ? MSGPACK_TYPE : JSON_TYPE) === type ? {} : { 'Content-Type': type };
}
