/**
 * Messages between nodes, in MessagePack. Each form has a schema, and every message is checked against it. Anyone who can publish can send
 * anything, and during an upgrade nodes of another version send other forms.
 *
 * Invariants:
 *  ME1 A message that is read has the form of its schema. Any other message is a Misfit, whatever its bytes.
 *  ME2 A form states its version in `v`. Holdfast 0.1 sent no version, so a form without one is read as version 1, whose forms are the
 *      same.
 */
import { z } from 'zod';
import { decodeBody, encodeBody, MSGPACK_TYPE } from './codec.ts';

/** Version of all forms between nodes. */
export const MESSAGE_VERSION = 1;
// Optional, because Holdfast 0.1 sends no version (ME2).
export const version = z.literal(MESSAGE_VERSION).optional();

/** A value that is read-only at every depth. */
export type Read<T> = T extends object ? { readonly [K in keyof T]: Read<T[K]> } : T;

/** Most items of a list without a bound of its own. The most bytes of an answer bound such a list earlier. */
const MOST_ITEMS = 10_000_000;
/** Longest reason of a Misfit, in characters. */
const MAX_REASON = 200;

/** A message that does not have the form of its schema. It is dropped and counted; a request is refused. */
export class Misfit extends Error {
  override readonly name = 'Misfit';

  /** Made without a stack, which would say nothing about the sender and costs more than reading a message. */
  constructor(reason: string, options?: ErrorOptions) {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(reason, options);
    Error.stackTraceLimit = limit;
  }
}

export function packMessage(message: unknown): Uint8Array {
  return encodeBody(message, MSGPACK_TYPE);
}

/** Throws a Misfit for anything that does not have the form of the schema (ME1). */
export function readMessage<T extends z.ZodType>(schema: T, bytes: Uint8Array): z.output<T> {
  return fitted(schema, unpackMessage(bytes));
}

/** Decodes bytes without a check of their form. Throws a Misfit if they are not MessagePack. */
export function unpackMessage(bytes: Uint8Array): unknown {
  try {
    return decodeBody(bytes, MSGPACK_TYPE, { undefinedToo: true });
  } catch (cause) {
    throw new Misfit(`it is not MessagePack: ${(cause as Error).message.slice(0, 200)}`, { cause });
  }
}

/**
 * A list that is read up to the first item that does not fit. A schema of arrays would report every wrong item, which takes a tenth of a
 * second for ten thousand items of two bytes.
 */
export function listOf<T extends z.ZodType>(
  item: T,
  most = MOST_ITEMS,
  least = 0,
): z.ZodType<z.output<T>[], z.input<T>[]> {
  const read = z.unknown().transform((value, context) => {
    const wrong = (path: number[], message: string) => {
      context.addIssue({ code: 'custom', path, message });
      return z.NEVER;
    };
    if (!Array.isArray(value) || value.length < least || value.length > most)
      return wrong([], `is no list of ${least} to ${most}`);
    const items = new Array<z.output<T>>(value.length);
    for (let i = 0; i < value.length; i++) {
      const parsed = item.safeParse(value[i]);
      if (!parsed.success) return wrong([i], parsed.error.issues[0]?.message ?? 'does not fit');
      items[i] = parsed.data;
    }
    return items;
  });
  return read as unknown as z.ZodType<z.output<T>[], z.input<T>[]>;
}

/** The value in the form of the schema. Throws a Misfit if it does not fit. */
export function fitted<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new Misfit(`${issue?.path.map(String).join('.') ?? ''} ${issue?.message ?? ''}`.slice(0, MAX_REASON));
}
