/**
 * What a fact that could not be counted says of itself, as far as it can be read, so that people can find it among many others.
 *
 * Invariants:
 *  ID1 Copies with the same id and content have the same identity, whatever their encoding. A fact without a readable id has none.
 *  ID2 Every field is bounded and well-formed text, because any publisher may have written it.
 */
import { decodeBody } from '../../codec.ts';
import { type Hash64, hash64 } from '../../hash.ts';
import { decodeToken, storedFact } from '../../subjects.ts';
import { parseFact } from '../fact.ts';

/** The fields, with the most characters that each may have. A longer one counts as unreadable (ID2). */
const FIELDS = { id: 128, type: 16, sku: 64, location: 64, device: 128, occurredAt: 64 } as const;
export type NamedField = keyof typeof FIELDS;
export const NAMED_FIELDS = Object.keys(FIELDS) as NamedField[];

export interface FactIdentity extends Partial<Readonly<Record<NamedField, string>>> {
  /** Hash of the content. Undefined if the fact has no readable id. */
  readonly content: Hash64 | undefined;
}

/** @param subject subject under which the fact is stored. It names what the body does not say */
export function identityOf(bytes: Uint8Array, contentType: string | undefined, subject: string): FactIdentity {
  let value: unknown;
  try {
    value = decodeBody(bytes, contentType);
  } catch {
    value = undefined;
  }
  const said: Partial<Record<NamedField, string>> = {};
  const fields = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  const place = placeOf(subject);
  for (const name of NAMED_FIELDS) {
    const field = textOf(fields[name], FIELDS[name]) ?? textOf(place[name], FIELDS[name]);
    if (field !== undefined) said[name] = field;
  }
  if (said.id === undefined) return { ...said, content: undefined };
  const parsed = parseFact(value);
  // The parsed content does not depend on the encoding (ID1). The bytes stand for the content of a fact that has an id and cannot be read.
  return { ...said, content: parsed.ok ? parsed.content : hash64(Buffer.from(bytes).toString('latin1')) };
}

/** The identity as a header's value. */
export function identityText(identity: FactIdentity): string {
  const fields = new URLSearchParams();
  for (const name of NAMED_FIELDS) {
    const field = identity[name];
    if (field !== undefined) fields.set(name, field);
  }
  const { content } = identity;
  if (content !== undefined) fields.set('content', `${content.hi.toString(16)}.${content.lo.toString(16)}`);
  return fields.toString();
}

/** The inverse of identityText. Any text gives an identity, because anyone may have written it. */
export function readIdentity(text: string): FactIdentity {
  const fields = new URLSearchParams(text);
  const said: Partial<Record<NamedField, string>> = {};
  for (const name of NAMED_FIELDS) {
    const field = textOf(fields.get(name), FIELDS[name]);
    if (field !== undefined) said[name] = field;
  }
  const [, hi, lo] = /^([0-9a-f]{1,8})\.([0-9a-f]{1,8})$/.exec(fields.get('content') ?? '') ?? [];
  const content =
    said.id === undefined || hi === undefined || lo === undefined
      ? undefined
      : { hi: Number.parseInt(hi, 16), lo: Number.parseInt(lo, 16) };
  return { ...said, content };
}

function textOf(field: unknown, most: number): string | undefined {
  if (typeof field !== 'string' || field === '' || field.length > 2 * most || !field.isWellFormed()) return undefined;
  // Counting characters costs more than all the rest, and few texts need it.
  return field.length <= most || [...field].length <= most ? field : undefined;
}

function placeOf(subject: string): Partial<Record<NamedField, string>> {
  const { fact } = storedFact(subject, 0);
  // The subject of a bundle names neither.
  if (fact === undefined || 'hash' in fact) return {};
  const location = fact.type === 'item' ? undefined : decodeToken(fact.location);
  const sku = decodeToken(fact.sku);
  return {
    type: fact.type,
    ...(location === undefined ? {} : { location }),
    ...(sku === undefined ? {} : { sku }),
  };
}
