/**
 * Bodies as they were sent, with the decoded value and the original bytes. The bytes are stored and parked, because encoding a decoded
 * fact again would round its long numbers and turn numbers that a double cannot hold into null.
 */
import { at } from '../assert.ts';
import { msgpackElements } from '../bytes/msgpack-shape.ts';
import { encodeBody, isMsgpack, JSON_TYPE, MSGPACK_TYPE } from '../codec.ts';
import { jsonElements } from './json-elements.ts';

export type BodyType = typeof JSON_TYPE | typeof MSGPACK_TYPE;

export interface SentBody {
  /** The bytes, decoded. */
  readonly value: unknown;
  readonly bytes: Uint8Array;
  readonly type: BodyType;
}

/** A body that this program writes itself. */
export function sentAsJson(value: unknown): SentBody {
  return { value, bytes: encodeBody(value, JSON_TYPE), type: JSON_TYPE };
}

/** The elements of a body that holds a list, with their original bytes. */
export function elementsOf({ value, bytes, type }: SentBody): SentBody[] {
  const values = value as readonly unknown[];
  const slices = type === MSGPACK_TYPE ? msgpackElements(bytes) : jsonElements(bytes);
  if (slices.length !== values.length)
    throw new Error(`${values.length} elements were read of a list, but ${slices.length} stand in it`);
  return values.map((each, i) => ({ value: each, bytes: at(slices, i), type }));
}

/** The Content-Type header, unless the first byte already shows the type. */
export function typeHeaders({ bytes, type }: SentBody): { 'Content-Type'?: BodyType } {
  return (isMsgpack(bytes, undefined) ? MSGPACK_TYPE : JSON_TYPE) === type ? {} : { 'Content-Type': type };
}
