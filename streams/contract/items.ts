/** Requests and answers about items: how SKUs are called. */
import { z } from 'zod';
import { LIMITS } from '../../config/limits.ts';
import { itemAttributes, itemName } from '../fact/item.ts';
import { cursorOf, limit, nextCursor } from './pages.ts';
import { atpParams } from './stock.ts';

const { sku } = atpParams.shape;
const Q_RULE = 'must be a text of 1 to 200 characters';
const SKUS_RULE = `must be given at most ${LIMITS.itemsListed} times`;

export const itemParams = atpParams;
export const itemBody = z
  .object({ name: itemName, attributes: itemAttributes.optional() }, { error: 'must be an object' })
  .meta({ id: 'ItemBody' });
export const itemsQuery = z.object({
  q: z.string({ error: Q_RULE }).min(1, { error: Q_RULE }).max(400, { error: Q_RULE }).optional().meta({
    description: 'the beginning of a SKU, or beginnings of words of the name, whatever their case and accents',
  }),
  sku: z
    .union([sku, z.array(sku, { error: SKUS_RULE }).max(LIMITS.itemsListed, { error: SKUS_RULE })])
    .optional()
    .meta({ description: 'only these SKUs, without q and cursor; may be repeated' }),
  cursor: cursorOf(z.tuple([z.string()])),
  limit: limit(LIMITS.itemsListed, LIMITS.itemsListedUsual),
});

export const itemAnswer = z
  .object({
    sku: z.string(),
    name: z.string(),
    attributes: z.record(z.string(), z.string()),
    occurredAt: z.string().meta({ description: 'when the fact happened that says so' }),
  })
  .meta({ id: 'Item' });
export const itemsAnswer = z.object({ items: z.array(itemAnswer), next: nextCursor }).meta({ id: 'Items' });

export type ItemAnswer = z.infer<typeof itemAnswer>;
export type ItemsAnswer = z.infer<typeof itemsAnswer>;
