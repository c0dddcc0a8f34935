/**
 * Messages that nodes tell each other: MessagePack, each form with a schema. Whoever can publish can send anything, and during an upgrade
 * nodes of another version do.
 *
 * Invariants:
 *  ME1 A message that is read has the form of its schema; any other one is a Misfit, whatever its bytes.
 *  ME2 A form says its version in `v`. Holdfast 0.1 said none: what has none is read as version 1, whose forms are the same.
 */
import { z } from 'zod';
import { decodeBody, encodeBody, MSGPACK_TYPE } from './codec.ts';
import { msgpackFault } from './msgpack-shape.ts';

/** Version of all forms between nodes. */
export const MESSAGE_VERSION = 1;
export const version = z.literal(MESSAGE_VERSION).optional();

/** A value that is only read, all the way down. */
export type Read<T> = T extends object ? { readonly [K in keyof T]: Read<T[K]> } : T;

const MAX_DEPTH = 32;
/** Of what is wrong with a message so much is told. */
const MAX_REASON = 200;

/** A message without the form that it must have. It is dropped and counted; a request is refused. */
export class Misfit extends Error {
  override readonly name = 'Misfit';
}

export function packMessage(message: unknown): Uint8Array {
  return encodeBody(message, MSGPACK_TYPE);
}

/** Throws a Misfit for anything that has not the form of the schema (ME1). */
export function readMessage<T extends z.ZodType>(schema: T, bytes: Uint8Array): z.output<T> {
  const fault = msgpackFault(bytes, MAX_DEPTH, true);
  if (fault !== undefined) throw new Misfit(`it is not MessagePack: ${fault}`);
  let value: unknown;
  try {
    value = decodeBody(bytes, MSGPACK_TYPE);
  } catch (cause) {
    throw new Misfit('it is not MessagePack', { cause });
  }
  return fitted(schema, value);
}

/** A value of the form of the schema; else a Misfit. */
export function fitted<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new Misfit(`${issue?.path.map(String).join('.') ?? ''} ${issue?.message ?? ''}`.slice(0, MAX_REASON));
}
