/**
 * The events that Holdfast publishes on the stream EVENTS: one table of kinds with the schema of each one's data. Every event is a
 * CloudEvent 1.0 in JSON on `event.<kind>`. The AsyncAPI document is generated from this table.
 *
 * Invariant CE1: the same fact, decision or change of an anomaly has the same id whenever it is published again.
 */
import { z } from 'zod';
import type { Read } from '../messages.ts';
import { anomalyAnswer } from './anomaly.ts';
import { limit } from './pages.ts';

const instant = (what: string) => z.string().meta({ description: `${what}, ISO 8601` });
const units = z.int().nonnegative();
const ofFact = {
  sku: z.string(),
  location: z.string(),
  occurredAt: instant('as of when the fact counts'),
  device: z.string().nullable(),
};
const transferred = z
  .object({
    ...ofFact,
    transfer: z.string(),
    qty: units,
    from: z.string(),
    to: z.string(),
  })
  .meta({ id: 'TransferMoved' });

export const promiseChanged = z
  .object({
    reservation: z.string(),
    line: z.string().nullable().meta({ description: "the caller's name of the line" }),
    sku: z.string(),
    location: z.string(),
    qty: units,
    wanted: instant('when it is wanted').nullable(),
    was: instant('when it was promised').nullable(),
    now: instant('when it is promised now, null if it cannot be said').nullable(),
    cause: z.string(),
  })
  .meta({ id: 'PromiseChanged' });

/** How an anomaly changed. */
export const ANOMALY_CHANGES = ['raised', 'updated', 'acknowledged', 'resolved'] as const;
export type AnomalyChange = (typeof ANOMALY_CHANGES)[number];

const kind = <T extends z.ZodType>(data: T, summary: string) => ({ data, summary });

/** Every kind of event with its data. Add a kind here, and what makes it in actors/outbox/mapping.ts. */
export const EVENTS = {
  'transfer.shipped': kind(
    transferred.extend({ eta: instant('when it should arrive').nullable() }).meta({ id: 'TransferShipped' }),
    'Goods left one location for another',
  ),
  'transfer.received': kind(
    transferred.extend({ damaged: units }).meta({ id: 'TransferReceived' }),
    'Goods of a transfer arrived',
  ),
  'transfer.closed': kind(
    transferred.extend({ reason: z.enum(['lost', 'corrected']) }).meta({ id: 'TransferClosed' }),
    'Units of a transfer will not arrive, or never left',
  ),
  'return.received': kind(
    z
      .object({
        ...ofFact,
        qty: units,
        disposition: z.string(),
        reason: z.string().nullable(),
        reservation: z.string().nullable(),
      })
      .meta({ id: 'ReturnReceived' }),
    'Goods came back from a customer',
  ),
  'promise.changed': kind(promiseChanged, 'A dated promise has another moment now'),
  'anomaly.raised': kind(anomalyAnswer, 'An anomaly is open'),
  'anomaly.updated': kind(anomalyAnswer, 'The figures of an anomaly are new'),
  'anomaly.acknowledged': kind(anomalyAnswer, 'A person has acknowledged an anomaly'),
  'anomaly.resolved': kind(anomalyAnswer, 'An anomaly is resolved, by a person or because its cause is gone'),
} as const;
export type EventKind = keyof typeof EVENTS;
export const EVENT_KINDS = Object.keys(EVENTS) as EventKind[];
export type EventData<Kind extends EventKind> = Read<z.input<(typeof EVENTS)[Kind]['data']>>;

/** What an event is about. With `id` it identifies the event, as CloudEvents asks for. */
export const EVENT_SOURCES = {
  facts: 'urn:holdfast:facts',
  decisions: 'urn:holdfast:decisions',
  anomalies: 'urn:holdfast:anomalies',
} as const;

/** The envelope of an event. @param kind the kind, or undefined for any */
export function envelope(kind?: EventKind) {
  return z.object({
    specversion: z.literal('1.0'),
    id: z.string().meta({ description: 'the same whenever the event is published again' }),
    source: z.enum(Object.values(EVENT_SOURCES)),
    type: kind === undefined ? z.string() : z.literal(eventType(kind)),
    subject: z.string().meta({ description: 'SKU and location, percent-encoded, joined by a slash' }).optional(),
    time: instant('when it happened'),
    datacontenttype: z.literal('application/json'),
    data: kind === undefined ? z.looseObject({}) : EVENTS[kind].data,
  });
}
export const cloudEvent = envelope().meta({ id: 'Event' });
export type CloudEvent = Read<z.output<typeof cloudEvent>>;

export function eventType(kind: EventKind): string {
  return `holdfast.${kind}.v1`;
}

/** Subject of an event. */
export function eventSubject(kind: EventKind): string {
  return `event.${kind}`;
}

/** What an operator may name in place of one kind: `*` for all, and `transfer.*` for all that begin so. */
export const KIND_PATTERNS = [
  '*',
  ...new Set(EVENT_KINDS.map((each) => `${each.slice(0, each.indexOf('.'))}.*`)),
  ...EVENT_KINDS,
] as const;
const PATTERN_RULE = `must be one of ${KIND_PATTERNS.join(', ')}`;
export const kindPattern = z.enum(KIND_PATTERNS, { error: PATTERN_RULE });

/** The subjects of patterns. A pattern that another one covers is left out, because NATS refuses overlapping filters. */
export function subjectsOf(patterns: readonly string[]): string[] {
  if (patterns.includes('*')) return ['event.>'];
  const covered = (pattern: string) => !pattern.endsWith('.*') && patterns.includes(pattern.replace(/\.[^.]*$/, '.*'));
  return [...new Set(patterns)].filter((pattern) => !covered(pattern)).map((pattern) => `event.${pattern}`);
}

/** Most events that one page of GET /v1/events has, and how long it may wait for the first one. */
const MOST_EVENTS = 1_000;
export const MOST_WAIT_SECONDS = 30;
const whole = (rule: string, most: number) =>
  z.coerce.number({ error: rule }).pipe(z.int({ error: rule }).min(0, { error: rule }).max(most, { error: rule }));

export const eventsQuery = z
  .object({
    after: whole('must be a sequence: a whole number from 0', Number.MAX_SAFE_INTEGER)
      .optional()
      .meta({ description: 'only events behind this sequence of the stream; `next` of the page before' }),
    from: z
      .string()
      .refine((text) => !Number.isNaN(Date.parse(text)), { error: 'must be a moment in ISO 8601' })
      .optional()
      .meta({ description: 'only events that were published at or after this moment; not together with `after`' }),
    kind: z
      .string()
      .transform((text) => text.split(','))
      .pipe(z.array(kindPattern))
      .optional()
      .meta({ description: `kinds, with commas: ${KIND_PATTERNS.join(', ')}` }),
    limit: limit(MOST_EVENTS, 100),
    wait: whole(`must be a number of seconds from 0 to ${MOST_WAIT_SECONDS}`, MOST_WAIT_SECONDS)
      .default(0)
      .meta({ description: `how many seconds to wait for the first event, up to ${MOST_WAIT_SECONDS}` }),
  })
  .refine(({ after, from }) => after === undefined || from === undefined, {
    path: ['from'],
    error: 'must not be given together with after',
  });

export const eventsAnswer = z
  .object({
    events: z.array(
      cloudEvent.extend({ sequence: z.string().meta({ description: 'its sequence in the stream EVENTS' }) }),
    ),
    next: z.string().meta({ description: '`after` of the next page. It is never null, because more events may come' }),
  })
  .meta({ id: 'Events' });
export type EventsAnswer = Read<z.output<typeof eventsAnswer>>;
