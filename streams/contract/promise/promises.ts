/** The list of promises for later: requests and answers. */
import { z } from 'zod';
import { LIMITS } from '../../../config/limits.ts';
import { cursorOf, limit, nextCursor } from '../pages.ts';
import { name } from '../stock.ts';

export const PROMISE_STATES = ['late', 'all'] as const;

export const promisesQuery = z.object({
  state: z
    .enum(PROMISE_STATES, { error: `must be one of ${PROMISE_STATES.join(', ')}` })
    .default('late')
    .meta({ description: '`late`: due later than wanted; `all`: every line that is promised for later' }),
  sku: name.optional(),
  location: name.optional(),
  limit: limit(LIMITS.reservationsListed, LIMITS.reservationsListedUsual),
  cursor: cursorOf(z.tuple([z.string(), z.string(), z.string(), z.int()])),
});

const moment = z.string().nullable();
/** What `promise.changed` says of a promise. */
const promiseChange = z.object({
  reservation: z.string(),
  line: z.string().nullable().meta({ description: "the caller's own name for the line" }),
  sku: z.string(),
  location: z.string(),
  qty: z.int(),
  wanted: moment.meta({ description: 'null for a backorder' }),
  was: moment.meta({ description: 'the moment before; null if none was known' }),
  now: moment.meta({ description: 'the moment that holds now; null if none is known' }),
  cause: z.string().nullable().meta({ description: 'what the moment follows from; null if it never changed' }),
});
export const promisesAnswer = z.object({ promises: z.array(promiseChange), next: nextCursor }).meta({ id: 'Promises' });
export type PromisesAnswer = z.infer<typeof promisesAnswer>;
