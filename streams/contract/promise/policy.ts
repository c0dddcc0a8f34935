/**
 * Requests and answers about policies. They check, type and document like those of streams/contract/stock.ts, but callers cannot ask them
 * over NATS.
 */
import { z } from 'zod';
import { LIMITS } from '../../../config/limits.ts';
import { MAX_QTY } from '../../fact/fields.ts';
import { isStoredName, NAME_RULE } from '../../names.ts';

const NAMES = `must be ${NAME_RULE}`;
/** `*` is a name too, and stands for all where a policy is set. */
export const name = z
  .string({ error: NAMES })
  .refine(isStoredName, { error: NAMES })
  .meta({ minLength: 1, maxLength: 64 });

export function whole(min: number, max: number) {
  const rule = `must be a whole number from ${min} to ${max}`;
  return z.int({ error: rule }).min(min, { error: rule }).max(max, { error: rule });
}

export function list<T extends z.ZodType>(item: T, most: number) {
  const rule = `must be a list of at most ${most}`;
  return z.array(item, { error: rule }).max(most, { error: rule });
}

function said(most: number, what: string) {
  const rule = `must be a string of 1 to ${most} characters`;
  return z
    .string({ error: rule })
    .trim()
    .min(1, { error: rule })
    .max(most, { error: rule })
    .refine((text) => text.isWellFormed(), { error: rule })
    .optional()
    .meta({ description: what });
}
export const author = { by: said(128, 'who changes it'), why: said(1_000, 'why') };

/** Values by name. @param what the names are */
export function byName<T extends z.ZodType>(key: z.ZodString, value: T, what: string, most: number) {
  return z
    .record(key, value, {
      error: ({ code }) =>
        code === 'invalid_key' ? `is no name of ${what}` : `must be an object of values by ${what}`,
    })
    .refine((values) => Object.keys(values).length <= most, { error: `must name at most ${most}` });
}

const CHANNEL_RULE = 'must be a string of 1 to 64 characters';
const group = z
  .string({ error: CHANNEL_RULE })
  .min(1, { error: CHANNEL_RULE })
  .max(64, { error: CHANNEL_RULE })
  .refine((text) => text.isWellFormed(), { error: CHANNEL_RULE });
const byGroup = (least: number) => byName(group, whole(least, MAX_QTY), 'a channel or purpose', LIMITS.policyGroups);

const reorder = z
  .object(
    { min: whole(0, MAX_QTY), max: whole(0, MAX_QTY), pack: whole(1, MAX_QTY).default(1) },
    { error: 'must be an object' },
  )
  .refine(({ min, max }) => min <= max, { path: ['min'], error: 'must be at most max' });

const fields = {
  safetyStock: whole(0, MAX_QTY).optional().meta({ description: 'units withheld from every promise' }),
  protect: byGroup(0).optional().meta({ description: 'units kept for a channel or purpose, away from all others' }),
  cap: byGroup(0)
    .optional()
    .meta({ description: 'the most that a channel or purpose may have at once: held, allocated and promised' }),
  backorder: byGroup(0)
    .optional()
    .meta({ description: 'units that may be promised without a date, beyond all that is there and on its way' }),
  priority: byGroup(1).optional().meta({ description: 'who comes first when supply falls short: 1 before 2' }),
  substitutes: list(name, LIMITS.policySubstitutes).optional().meta({ description: 'SKUs that a refusal names' }),
  vendorManaged: z.boolean({ error: 'must be true or false' }).optional(),
  channels: list(group, LIMITS.policyGroups)
    .optional()
    .meta({ description: 'channels served from here; all if it is left out' }),
  reorder: reorder.optional(),
};

export const policyParams = z.object({ sku: name, location: name });
export const policyBody = z
  .object({ sku: name.optional(), location: name.optional(), ...fields, ...author }, { error: 'must be an object' })
  .meta({ id: 'PolicyChange' });
export const policyAnswer = z.object({ sku: z.string(), location: z.string(), ...fields }).meta({ id: 'Policy' });

export const historyQuery = z.object({
  history: z
    .literal('1', { error: 'must be 1' })
    .optional()
    .meta({ description: '1 for the changes, the newest first' }),
});
export const authorQuery = z.object(author);
/** What every change says of itself. */
export const change = {
  etag: z.string(),
  at: z.string(),
  by: z.string().optional(),
  why: z.string().optional(),
};
export const policyHistory = z
  .object({
    history: z.array(
      z.object({ ...change, policy: policyAnswer.nullable().meta({ description: 'null if it was removed' }) }),
    ),
  })
  .meta({ id: 'PolicyHistory' });

const level = z.object({ sku: z.string(), location: z.string() });
export const effectiveAnswer = z
  .object({
    ...policyAnswer.shape,
    levels: z
      .record(z.string(), level)
      .meta({ description: 'by field, the level that it comes from; a field without one has its default' }),
  })
  .meta({ id: 'EffectivePolicy' });

export const removedAnswer = z.object({ removed: z.literal(true), etag: z.string() }).meta({ id: 'Removed' });

export type PolicyAnswer = z.infer<typeof policyAnswer>;
export type PolicyHistory = z.infer<typeof policyHistory>;
export type EffectiveAnswer = z.infer<typeof effectiveAnswer>;
export type RemovedAnswer = z.infer<typeof removedAnswer>;
