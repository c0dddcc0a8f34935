/**
 * Requests and answers for operators about explanations and readiness. They check, type and document like those of
 * streams/contract/stock.ts, but callers cannot ask them over NATS.
 */
import { z } from 'zod';
import { LIMITS } from '../../config/limits.ts';
import { MOVED_BUCKETS } from '../buckets.ts';
import type { Read } from '../messages.ts';
import { cursorOf, limit, nextCursor } from './pages.ts';
import { allUnitsBy, stockAnswer, unitsBy } from './stock.ts';

export const explainQuery = z.object({
  limit: limit(LIMITS.explainSteps, LIMITS.explainStepsUsual),
  cursor: cursorOf(z.tuple([z.int(), z.int(), z.string(), z.int()])),
});

/** `detail` holds the fact's or decision's own fields, such as type, quantity, reason and reservation. */
export const explainStep = z.object({
  at: z.string(),
  what: z.string(),
  id: z.string(),
  detail: z.string(),
  change: z.object(unitsBy(MOVED_BUCKETS)).partial(),
  // A node of 0.2 has no units on order.
  total: z
    .object({ ...allUnitsBy(MOVED_BUCKETS), onOrder: unitsBy(['onOrder']).onOrder.default(0) })
    .meta({ description: 'running totals after this step' }),
});
export type ExplainStep = Read<z.output<typeof explainStep>>;
/** `notes` says what the steps leave out, such as parked facts. */
export const explainAnswer = z
  .object({
    sku: z.string(),
    location: z.string(),
    name: z.string().optional().meta({ description: 'how the SKU is called, if it has an item' }),
    asOf: z.string(),
    steps: z.array(explainStep),
    stock: stockAnswer,
    adds: z
      .boolean()
      .meta({ description: 'whether all steps, those of other pages too, end in the stock shown; false is a fault' }),
    notes: z.array(z.string()),
    next: nextCursor,
  })
  .meta({ id: 'Explanation' });

export const healthAnswer = z.object({ status: z.literal('alive'), name: z.string() }).meta({ id: 'Health' });
const ownership = {
  owned: z.int().meta({ description: 'how many partitions are served here' }),
  partitions: z.int().meta({ description: 'how many there are in all' }),
  name: z.string().meta({ description: "this node's name" }),
  owns: z
    .array(z.object({ partition: z.int(), epoch: z.int() }))
    .meta({ description: 'the partitions served here, and the epoch in which this node decides for each' }),
};
export const readinessAnswer = z.object({ ready: z.literal(true), ...ownership }).meta({ id: 'Readiness' });
export const notReadyAnswer = z
  .object({
    type: z.literal('not-ready'),
    title: z.string(),
    status: z.literal(503),
    detail: z.string(),
    reasons: z.array(z.string()),
    quarantined: z
      .array(z.object({ partition: z.int(), why: z.string(), place: z.string().nullable() }))
      .meta({ description: 'partitions owned and not served here, and the STREAM.seq that reading stops at' }),
    ...ownership,
  })
  .meta({ id: 'NotReady' });

/** An explanation as callers see it. */
export type Explanation = Read<z.output<typeof explainAnswer>>;
