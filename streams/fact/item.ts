/**
 * The fact `item` says how a SKU is called. It is about no location and moves no stock. Of several facts for one SKU, the book of items
 * keeps the latest (actors/item/book.ts).
 */
import { z } from 'zod';
import { LIMITS } from '../../config/limits.ts';
import { parseInstant } from '../instant.ts';
import { instant, name, text } from './fields.ts';

const NAME_CHARS = 200;
export const ITEM_NAME_RULE = `must be a string of 1 to ${NAME_CHARS} characters, not only blanks, without control characters and line separators`;
const ATTRIBUTES_RULE = `must be an object of at most ${LIMITS.itemAttributes} texts by name, names of 1 to 64 characters, at most ${LIMITS.itemAttributeBytes} bytes in all, without control characters`;
const SEPARATOR = /[\p{Cc}\u2028\u2029]/u;

/** How a SKU is called. Any script is accepted, so whoever shows a name isolates its direction. */
export const itemName = z
  .string({ error: ITEM_NAME_RULE })
  .refine((said) => said.trim() !== '' && isText(said) && [...said].length <= NAME_CHARS, { error: ITEM_NAME_RULE })
  .meta({
    description: `how the SKU is called: ${NAME_CHARS} characters of any script`,
    minLength: 1,
    maxLength: NAME_CHARS,
  });

export const itemAttributes = z
  .record(z.string(), z.string({ error: 'must be a string' }), { error: ATTRIBUTES_RULE })
  .refine(areAttributes, { error: ATTRIBUTES_RULE })
  .meta({ description: 'further texts about the SKU, by name', maxProperties: LIMITS.itemAttributes });

export const itemSchema = z.looseObject({
  id: text(128, "unique for ever: the device's own transaction number and line"),
  type: z.literal('item'),
  sku: name('SKU'),
  occurredAt: instant,
  device: text(128, 'the device that reports').optional(),
  name: itemName,
  attributes: itemAttributes.optional(),
});
export type SentItem = z.infer<typeof itemSchema>;

/** Sorted by name. */
export type ItemAttributes = readonly (readonly [name: string, text: string])[];

export interface ItemFact {
  readonly type: 'item';
  readonly id: string;
  readonly sku: string;
  readonly location?: undefined;
  /** The moment as of which it counts, in microseconds since 1970: occurredAt, unless the clock rule moved it. */
  readonly at: number;
  /** occurredAt of a fact that the clock rule moved to `at`; undefined for any other fact. */
  readonly own?: number | undefined;
  readonly device?: string | undefined;
  readonly name: string;
  readonly attributes: ItemAttributes;
}

export function flatItem({ id, sku, occurredAt, device, name: called, attributes }: SentItem): ItemFact {
  const at = parseInstant(occurredAt) ?? 0;
  return { type: 'item', id, sku, at, device, name: called, attributes: sorted(attributes) };
}

/** What an item says beside the fields of all facts, in a form that does not depend on the order of its attributes. */
export function itemContent({ name: called, attributes }: SentItem): string {
  const each = sorted(attributes).map(([key, said]) => `\u0001${key.length}:${key}${said.length}:${said}`);
  return `${called.length}:${called}${each.join('')}`;
}

function sorted(attributes: Readonly<Record<string, string>> = {}): ItemAttributes {
  return Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
}

function areAttributes(attributes: Readonly<Record<string, string>>): boolean {
  const all = Object.entries(attributes);
  if (all.length > LIMITS.itemAttributes) return false;
  let bytes = 0;
  for (const [key, said] of all) {
    if (key === '' || [...key].length > 64 || !isText(key) || !isText(said)) return false;
    bytes += Buffer.byteLength(key) + Buffer.byteLength(said);
  }
  return bytes <= LIMITS.itemAttributeBytes;
}

function isText(said: string): boolean {
  return said.isWellFormed() && !SEPARATOR.test(said);
}
