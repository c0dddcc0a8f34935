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
// ME2.
export const version = z.literal(MESSAGE_VERSION).optional();

/** A value that is only read, all the way down. */
export type Read<T> = T extends object ? { readonly [K in keyof T]: Read<T[K]> } : T;

const MAX_DEPTH = 32;
/** Items of a list without a bound of its own: what an answer may have of bytes bounds it before. */
const MOST_ITEMS = 10_000_000;
/** Of what is wrong with a message so much is told. */
const MAX_REASON = 200;

/** A message without the form that it must have. It is dropped and counted; a request is refused. */
export class Misfit extends Error {
  override readonly name = 'Misfit';

  /** Without a stack: it says nothing of who sent the message, and costs more than reading one. */
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

/** Throws a Misfit for anything that has not the form of the schema (ME1). */
export function readMessage<T extends z.ZodType>(schema: T, bytes: Uint8Array): z.output<T> {
  return fitted(schema, unpackMessage(bytes));
}

/** What the bytes hold, whose form is not checked yet. Throws a Misfit for what is no MessagePack. */
export function unpackMessage(bytes: Uint8Array): unknown {
  const fault = msgpackFault(bytes, MAX_DEPTH, true);
  if (fault !== undefined) throw new Misfit(`it is not MessagePack: ${fault}`);
  try {
    return decodeBody(bytes, MSGPACK_TYPE);
  } catch (cause) {
    throw new Misfit('it is not MessagePack', { cause });
  }
}

/**
 * A list that is read to the first item that does not fit: a schema of arrays would tell of every one, and ten thousand wrong items of two
 * bytes take a tenth of a second.
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

/** A value of the form of the schema; else a Misfit. */
export function fitted<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new Misfit(`${issue?.path.map(String).join('.') ?? ''} ${issue?.message ?? ''}`.slice(0, MAX_REASON));
}
