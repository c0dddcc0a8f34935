/**
 * Requests and answers about parked facts. They check, type and document like those of streams/contract/stock.ts, but callers cannot ask
 * them over NATS.
 */
import { z } from 'zod';
import { LIMITS } from '../../config/limits.ts';
import type { Read } from '../messages.ts';
import { limit } from './pages.ts';

export const PARKED_STATES = ['waiting', 'resubmitted', 'dismissed'] as const;
export type ParkedState = (typeof PARKED_STATES)[number];

const AFTER_RULE = 'must be a whole number from 0';
const SEQ_RULE = 'must be a whole number from 1';
const STATE_RULE = `must be one of ${PARKED_STATES.join(', ')}`;
const DECIDED_RULE = 'must be waiting or dismissed';

const wholeText = (min: number, error: string) => z.coerce.number({ error }).pipe(z.int({ error }).min(min, { error }));
const seq = z.int({ error: SEQ_RULE }).min(1, { error: SEQ_RULE });
const exactly = (what: string) =>
  z
    .string({ error: 'must be a string' })
    .max(128, { error: 'must be a string of at most 128 characters' })
    .optional()
    .meta({ description: `only facts with this ${what}; an empty text: only those that name none` });
const said = (max: number, what: string) => {
  const error = `must be a string of 1 to ${max} characters`;
  return z.string({ error }).trim().min(1, { error }).max(max, { error }).meta({ description: what });
};

const filter = {
  reason: z.string({ error: 'must be a string' }).max(64, { error: 'must be a reason' }).optional(),
  device: exactly('device'),
  sku: exactly('SKU'),
  location: exactly('location'),
};
const state = z.enum(PARKED_STATES, { error: STATE_RULE }).optional();

export const parkedQuery = z.object({
  ...filter,
  state: state.meta({ description: 'waiting, resubmitted or dismissed; all unless given' }),
  after: wholeText(0, AFTER_RULE).default(0).meta({ description: '`next` of the page before; default 0' }),
  limit: limit(1_000, 100),
});
export const parkedGroupsQuery = z.object({
  ...filter,
  state: z
    .enum(PARKED_STATES, { error: STATE_RULE })
    .default('waiting')
    .meta({ description: 'waiting, resubmitted or dismissed; default waiting' }),
  limit: limit(1_000, 200),
});
export const parkedParams = z.object({ seq: wholeText(1, SEQ_RULE) });

const by = said(128, 'who decides');
const why = said(1_000, 'why');

/** Strict, because an unknown field would widen what is decided about. */
const selection = {
  seqs: z
    .array(seq, { error: 'must be a list of sequences' })
    .min(1, { error: 'must name at least one' })
    .max(LIMITS.parkedSeqs, { error: `must name at most ${LIMITS.parkedSeqs}` })
    .optional()
    .meta({ description: 'sequences of parked facts, as the list shows them' }),
  ...filter,
  after: z
    .int({ error: AFTER_RULE })
    .min(0, { error: AFTER_RULE })
    .optional()
    .meta({ description: '`next` of the answer before' }),
  by,
  why,
};
const SELECTS = ['seqs', 'reason', 'device', 'sku', 'location', 'state'] as const;
const NOTHING_SELECTED = { error: `must be given, or one of ${SELECTS.slice(1).join(', ')}`, path: ['seqs'] };
const selects = (request: Partial<Record<(typeof SELECTS)[number], unknown>>) =>
  SELECTS.some((name) => request[name] !== undefined);

export const parkedResubmission = z
  .object({
    ...selection,
    state: z
      .enum(['waiting', 'dismissed'], { error: DECIDED_RULE })
      .optional()
      .meta({ description: 'waiting, or dismissed to submit dismissed facts after all; default waiting' }),
  })
  .refine(selects, NOTHING_SELECTED)
  .meta({ id: 'ParkedResubmission' });
export const parkedDismissal = z
  .object({
    ...selection,
    state: z.literal('waiting', { error: 'must be waiting: only such facts can be dismissed' }).optional(),
  })
  .refine(selects, NOTHING_SELECTED)
  .meta({ id: 'ParkedDismissal' });
export const resubmitQuery = z.object({
  by: by.optional(),
  why: why.optional(),
  state: z
    .enum(['waiting', 'dismissed'], { error: DECIDED_RULE })
    .optional()
    .meta({ description: 'dismissed, to submit a dismissed fact after all' }),
});

const named = z.string().optional();
export const parkedFact = z
  .object({
    seq: z.int(),
    parkedAt: z.string(),
    reason: z.string(),
    message: z.string(),
    state: z.enum(PARKED_STATES).meta({ description: 'shared by all copies with the same id and content' }),
    decided: z
      .object({ by: z.string().optional(), why: z.string().optional(), at: z.string() })
      .optional()
      .meta({ description: 'who resubmitted or dismissed it, and why' }),
    id: named,
    type: named,
    sku: named,
    location: named,
    device: named,
    occurredAt: named,
    source: z.string().meta({ description: 'where it came from: a stored message of a stream, or HTTP' }),
    contentType: z.string(),
    bytes: z
      .string()
      .meta({ description: 'the bytes as they came, base64; in a list the first of them', contentEncoding: 'base64' }),
    length: z.int().meta({ description: 'how many bytes came' }),
    cut: z.boolean().meta({ description: '`bytes` holds fewer; GET /v1/parked/{seq} has all that are still there' }),
  })
  .meta({ id: 'ParkedFact' });
export const parkedAnswer = z
  .object({
    parked: z.array(parkedFact),
    next: z.int().nullable().meta({ description: '`after` of the next page; null if this was the last' }),
  })
  .meta({ id: 'ParkedFacts' });
export const parkedGroupsAnswer = z
  .object({
    groups: z.array(
      z.object({
        reason: z.string(),
        device: z.string().optional(),
        facts: z.int(),
        since: z.string().meta({ description: 'when the oldest of them was parked' }),
      }),
    ),
    facts: z.int().meta({ description: 'in all groups, those beyond `limit` too' }),
  })
  .meta({ id: 'ParkedGroups' });
export const parkedWorkAnswer = z
  .object({
    facts: z.int().meta({ description: 'how many facts this request has resubmitted or dismissed' }),
    left: z
      .array(z.object({ code: z.string(), message: z.string(), facts: z.int(), seq: z.int() }))
      .optional()
      .meta({ description: 'why selected facts still wait, with the first of each kind' }),
    next: z.int().optional().meta({ description: 'more facts are selected: ask again with this as `after`' }),
  })
  .meta({ id: 'ParkedWork' });
export const resubmittedAnswer = z.object({ seq: z.int(), resubmitted: z.literal(true) }).meta({ id: 'Resubmitted' });

export type ParkedFact = Read<z.output<typeof parkedFact>>;
export type ParkedAnswer = Read<z.output<typeof parkedAnswer>>;
export type ParkedGroups = Read<z.output<typeof parkedGroupsAnswer>>;
export type ParkedWork = Read<z.output<typeof parkedWorkAnswer>>;
