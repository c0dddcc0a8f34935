/** The facts of each type as devices send them, one zod schema each. streams/fact/fact.ts reads them. */
import { z } from 'zod';
import { ADJUSTABLE_BUCKETS } from '../buckets.ts';
import { FACT_TYPES } from '../subjects.ts';
import {
  arrived,
  channel,
  currency,
  damaged,
  dateOrInstant,
  instant,
  MAX_QTY,
  money,
  name,
  qty,
  reference,
  text,
  whole,
} from './fields.ts';
import { itemSchema } from './item.ts';

const common = {
  id: text(128, "unique for ever: the device's own transaction number and line"),
  sku: name('SKU'),
  location: name('location'),
  occurredAt: instant,
  device: text(128, 'the device that reports').optional(),
  currency: currency.optional(),
};

export const saleSchema = z.looseObject({
  ...common,
  type: z.literal('sale'),
  qty,
  unitPrice: money.optional(),
  channel: channel.optional(),
  transaction: reference('transaction of the till or shop').optional(),
  reservation: reference('the reservation that this sale fulfils').optional(),
});
export const receiptSchema = z.looseObject({
  ...common,
  type: z.literal('receipt'),
  qty: arrived,
  damaged: damaged.optional(),
  purchaseOrder: reference('purchase order').optional(),
  unitCost: money.optional(),
});
export const transferSchema = z.looseObject({
  ...common,
  type: z.literal('transfer'),
  phase: z.enum(['shipped', 'received', 'closed'], { error: 'must be shipped, received or closed' }),
  transfer: reference("the transfer's id"),
  qty: arrived,
  from: name('origin'),
  to: name('destination'),
  damaged: damaged.optional(),
  eta: dateOrInstant.optional(),
  // Other phases may have a reason of any form, which says nothing here, so that stored facts keep their verdict.
  reason: z
    .unknown()
    .meta({ description: 'of phase closed: `lost`, or `corrected` if the units never left' })
    .optional(),
});
export const CLOSED_AS = ['lost', 'corrected'] as const;
export const DISPOSITIONS = ['restock', 'inspect', 'damaged', 'scrap', 'vendor'] as const;
export const returnSchema = z.looseObject({
  ...common,
  type: z.literal('return'),
  qty,
  disposition: z.enum(DISPOSITIONS, { error: `must be one of ${DISPOSITIONS.join(', ')}` }),
  reason: text(1000, 'why it came back').optional(),
  transaction: reference('transaction of the sale or the return').optional(),
  reservation: reference('the reservation of a parcel that was stopped, which needs its units again').optional(),
});
export const countSchema = z.looseObject({
  ...common,
  type: z.literal('count'),
  counted: whole(0, MAX_QTY, 'units counted'),
});
export const adjustmentSchema = z.looseObject({
  ...common,
  type: z.literal('adjustment'),
  delta: whole(-MAX_QTY, MAX_QTY, 'units added (or, below 0, taken away)').refine((value) => value !== 0, {
    error: `must be a whole number from ${-MAX_QTY} to ${MAX_QTY}, but not 0`,
  }),
  reason: text(1000, 'why'),
  bucket: z.enum(ADJUSTABLE_BUCKETS, { error: `must be one of ${ADJUSTABLE_BUCKETS.join(', ')}` }).optional(),
});

export const purchaseSchema = z.looseObject({
  ...common,
  type: z.literal('purchase'),
  purchaseOrder: reference('purchase order'),
  line: reference('line of the purchase order, if one SKU has several').optional(),
  qty: whole(0, MAX_QTY, 'units ordered in all, received ones included; 0 cancels'),
  promisedAt: dateOrInstant,
  vendor: reference('the supplier').optional(),
  unitCost: money.optional(),
});

/** One fact of any type, as devices send it. */
export const factSchema = z
  .discriminatedUnion(
    'type',
    [
      saleSchema,
      receiptSchema,
      transferSchema,
      returnSchema,
      countSchema,
      adjustmentSchema,
      purchaseSchema,
      itemSchema,
    ],
    {
      error: (issue) =>
        issue.code === 'invalid_union' ? `must be one of ${FACT_TYPES.join(', ')}` : 'must be an object',
    },
  )
  .meta({ id: 'Fact' });

export type SentFact = z.infer<typeof factSchema>;
