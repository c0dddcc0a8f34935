/**
 * Facts are what devices report. One zod schema per type serves HTTP, NATS and the OpenAPI document. parseFact turns a sent value into
 * the flat form that the stock machine folds, and hashes its content so that a resend can be distinguished from a different fact.
 *
 * Invariants:
 *  FA1 JSON and MessagePack of the same fact parse to the same Fact and the same content hash.
 *  FA2 A fact is refused only because it cannot be read, never for business reasons.
 *  FA3 The content hash covers every field that Holdfast knows. Unknown fields stay in the stream but are not content, so a device that
 *     adds "attempt": 2 to a resend has sent the same fact.
 */

import { z } from 'zod';
import { RULES_VERSION } from '../../config/rules.ts';
import { ADJUSTABLE_BUCKETS, type AdjustableBucket, bucketRow } from '../buckets.ts';
import { isTooDeep } from '../codec.ts';
import { type Hash64, hash64 } from '../hash.ts';
import { INSTANT_RULE, parseDateOrInstant, parseInstant } from '../instant.ts';
import { isName, isStoredName, NAME_RULE } from '../names.ts';
import { FACT_TYPES } from '../subjects.ts';
import { isPlainFact } from './plain-fact.ts';

export const MAX_QTY = 1_000_000_000;

function name(what: string) {
  return z
    .string({ error: `must be a string: ${NAME_RULE}` })
    .refine(isStoredName, { error: `must be ${NAME_RULE}` })
    .meta({ description: `${what}: ${NAME_RULE}`, minLength: 1, maxLength: 64 });
}

function text(max: number, what: string) {
  const rule = `must be a string of 1 to ${max} characters`;
  return z
    .string({ error: rule })
    .refine(
      (value) => value.length > 0 && value.length <= max * 2 && value.isWellFormed() && [...value].length <= max,
      {
        error: rule,
      },
    )
    .meta({ description: what, minLength: 1, maxLength: max });
}

function whole(min: number, max: number, what: string) {
  const rule = `must be a whole number from ${min} to ${max}`;
  return z.int({ error: rule }).min(min, { error: rule }).max(max, { error: rule }).meta({ description: what });
}

const instant = z
  .string({ error: `must be ${INSTANT_RULE}` })
  .refine((value) => parseInstant(value) !== undefined, { error: `must be ${INSTANT_RULE}` })
  .meta({ description: INSTANT_RULE, format: 'date-time' });

const dateOrInstant = z
  .string({ error: `must be a date or ${INSTANT_RULE}` })
  .refine((value) => parseDateOrInstant(value) !== undefined, { error: `must be a date or ${INSTANT_RULE}` })
  .meta({ description: `a date, which means the end of that day in UTC, or ${INSTANT_RULE}` });

const MONEY_RULE = 'must be a number or a decimal string such as "12.50"';
const money = z
  .custom<string | number>(
    (value) =>
      (typeof value === 'number' && Number.isFinite(value)) || (typeof value === 'string' && DECIMAL.test(value)),
    { error: MONEY_RULE },
  )
  .meta({ description: 'a decimal string, or a number, in the currency of the field `currency`' });
const DECIMAL = /^-?\d{1,15}(\.\d{1,9})?$/;
const currency = z
  .string({ error: 'must be an ISO 4217 code such as GBP' })
  .regex(/^[A-Z]{3}$/, { error: 'must be an ISO 4217 code such as GBP' });

const qty = whole(1, MAX_QTY, 'whole base units');
const damaged = whole(0, MAX_QTY, 'whole base units that arrived damaged, beside qty');
const channel = text(64, 'sales channel');
const reference = (what: string) => text(128, what);

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
  qty,
  damaged: damaged.optional(),
  purchaseOrder: reference('purchase order').optional(),
  unitCost: money.optional(),
});
export const transferSchema = z.looseObject({
  ...common,
  type: z.literal('transfer'),
  phase: z.enum(['shipped', 'received'], { error: 'must be shipped or received' }),
  transfer: reference("the transfer's id"),
  qty,
  from: name('origin'),
  to: name('destination'),
  damaged: damaged.optional(),
  eta: dateOrInstant.optional(),
});
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

/** One fact of any type, as devices send it. */
export const factSchema = z
  .discriminatedUnion(
    'type',
    [saleSchema, receiptSchema, transferSchema, returnSchema, countSchema, adjustmentSchema],
    {
      error: (issue) =>
        issue.code === 'invalid_union' ? `must be one of ${FACT_TYPES.join(', ')}` : 'must be an object',
    },
  )
  .meta({ id: 'Fact' });

interface Common {
  readonly id: string;
  readonly sku: string;
  readonly location: string;
  /** occurredAt in microseconds since 1970. */
  readonly at: number;
  /** Not folded into stock. Detectors identify sources by it. */
  readonly device?: string | undefined;
}
export interface Sale extends Common {
  readonly type: 'sale';
  readonly qty: number;
  readonly reservation: string | undefined;
  /** In the canonical form of `amount`, for detectors. */
  readonly unitPrice?: string | undefined;
  readonly currency?: string | undefined;
}
export interface Receipt extends Common {
  readonly type: 'receipt';
  readonly qty: number;
  readonly damaged: number;
}
export interface Transfer extends Common {
  readonly type: 'transfer';
  readonly phase: 'shipped' | 'received';
  readonly transfer: string;
  readonly qty: number;
  readonly damaged: number;
  readonly from: string;
  readonly to: string;
  /** Microseconds since 1970. */
  readonly eta: number | undefined;
}
export interface Return extends Common {
  readonly type: 'return';
  readonly qty: number;
  readonly disposition: (typeof DISPOSITIONS)[number];
  /** Why it came back, if the device reports it. */
  readonly reason?: string | undefined;
  /** The reservation whose units it opens again, if they were sold at most `within` microseconds before. */
  readonly reservation?: string | undefined;
  readonly within?: number | undefined;
}
export interface Count extends Common {
  readonly type: 'count';
  readonly counted: number;
}
export interface Adjustment extends Common {
  readonly type: 'adjustment';
  readonly delta: number;
  readonly bucket: AdjustableBucket;
}
/** A fact in the form that the stock machine folds. */
export type Fact = Sale | Receipt | Transfer | Return | Count | Adjustment;

export interface ParsedFact {
  readonly ok: true;
  readonly fact: Fact;
  /** Hash of every field that Holdfast knows, in canonical form (FA3). */
  readonly content: Hash64;
}
export interface UnreadableFact {
  readonly ok: false;
  /** The first wrong field, such as `qty`; '' if the fact as a whole is wrong. */
  readonly field: string;
  /** Names the field and says what is allowed. */
  readonly message: string;
}

/**
 * Reads a decoded JSON or MessagePack value as a fact.
 * @param version of the rules (config/rules.ts). A stored fact is read by the rules in force at its sequence
 */
export function parseFact(value: unknown, version: number = RULES_VERSION): ParsedFact | UnreadableFact {
  if (version >= 2 && isTooDeep(value)) return { ok: false, field: '', message: 'the fact is nested too deep' };
  const known = version >= 3 ? value : withoutReservation(value);
  if (isPlainFact(known)) return parsed(known as SentFact);
  // These checks refuse only facts that cannot be read (FA2).
  const result = factSchema.safeParse(known);
  if (!result.success) return unreadable(result.error.issues[0]);
  const sent = result.data;
  const wrong =
    (version >= 2 ? unseenName(sent) : undefined) ??
    (sent.type === 'transfer' ? misplacedTransfer(sent) : undefined) ??
    (sent.type === 'adjustment' ? laterBucket(sent, version) : undefined);
  return wrong ?? parsed(sent);
}

/** Before version 3, a return's reservation was an unknown field. */
function withoutReservation(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('reservation' in value)) return value;
  const { reservation: _unknown, ...rest } = value as Record<string, unknown>;
  return rest.type === 'return' ? rest : value;
}

/**
 * Counts are exempt, because a count may correct the stock of a name that is already stored. Whether it is stored is not checked here,
 * because the same facts must give the same result in any order.
 */
function unseenName(sent: SentFact): UnreadableFact | undefined {
  if (sent.type === 'count') return undefined;
  const names = sent.type === 'transfer' ? NAMES_OF_TRANSFER : NAMES;
  const field = names.find((each) => !isName((sent as z.infer<typeof transferSchema>)[each]));
  return field === undefined ? undefined : { ok: false, field, message: `${field} must be ${NAME_RULE}` };
}
const NAMES = ['sku', 'location'] as const;
const NAMES_OF_TRANSFER = [...NAMES, 'from', 'to'] as const;

function parsed(sent: SentFact): ParsedFact {
  // The hash is of the parsed fields, so it does not depend on the encoding (FA1).
  return { ok: true, fact: flatten(sent), content: hash64(canonical(sent)) };
}

type SentFact = z.infer<typeof factSchema>;

function unreadable(issue: z.core.$ZodIssue | undefined): UnreadableFact {
  const field = issue === undefined ? '' : issue.path.join('.');
  const message = issue === undefined ? 'cannot be read' : issue.message;
  return { ok: false, field, message: field === '' ? `the fact ${message}` : `${field} ${message}` };
}

function misplacedTransfer(sent: z.infer<typeof transferSchema>): UnreadableFact | undefined {
  const end = sent.phase === 'shipped' ? 'from' : 'to';
  if (sent.location === sent[end]) return undefined;
  return { ok: false, field: 'location', message: `location must equal ${end} when phase is ${sent.phase}` };
}

/** Rules from before a bucket cannot read a fact that names it, so a stored fact keeps its verdict. */
function laterBucket({ bucket }: z.infer<typeof adjustmentSchema>, version: number): UnreadableFact | undefined {
  const since = (name: AdjustableBucket) => bucketRow(name).since ?? 0;
  if (bucket === undefined || since(bucket) <= version) return undefined;
  const known = ADJUSTABLE_BUCKETS.filter((name) => since(name) <= version);
  return { ok: false, field: 'bucket', message: `bucket must be one of ${known.join(', ')}` };
}

function flatten(sent: SentFact): Fact {
  const at = parseInstant(sent.occurredAt) ?? 0;
  const { id, sku, location, device } = sent;
  switch (sent.type) {
    case 'sale':
      return {
        type: 'sale',
        id,
        sku,
        location,
        at,
        device,
        qty: sent.qty,
        reservation: sent.reservation,
        unitPrice: sent.unitPrice === undefined ? undefined : amount(sent.unitPrice),
        currency: sent.currency,
      };
    case 'receipt':
      return { type: 'receipt', id, sku, location, at, device, qty: sent.qty, damaged: sent.damaged ?? 0 };
    case 'transfer': {
      const eta = sent.eta === undefined ? undefined : parseDateOrInstant(sent.eta);
      const { phase, transfer, from, to } = sent;
      return {
        type: 'transfer',
        id,
        sku,
        location,
        at,
        device,
        phase,
        transfer,
        qty: sent.qty,
        damaged: sent.damaged ?? 0,
        from,
        to,
        eta,
      };
    }
    case 'return':
      return {
        type: 'return',
        id,
        sku,
        location,
        at,
        device,
        qty: sent.qty,
        disposition: sent.disposition,
        reason: sent.reason,
        reservation: sent.reservation,
      };
    case 'count':
      return { type: 'count', id, sku, location, at, device, counted: sent.counted };
    case 'adjustment':
      return {
        type: 'adjustment',
        id,
        sku,
        location,
        at,
        device,
        delta: sent.delta,
        bucket: sent.bucket ?? 'sellable',
      };
  }
}

/** U+0001 separates the fields unambiguously, because names have no control characters and free text is length-prefixed. */
function canonical(sent: SentFact): string {
  const head = `${sent.type}\u0001${sent.id.length}\u0001${sent.id}\u0001${sent.sku}\u0001${sent.location}\u0001${parseInstant(sent.occurredAt)}\u0001${free(sent.device)}\u0001${free(sent.currency)}`;
  switch (sent.type) {
    case 'sale':
      return `${head}\u0001${sent.qty}\u0001${amount(sent.unitPrice)}\u0001${free(sent.channel)}\u0001${free(sent.transaction)}\u0001${free(sent.reservation)}`;
    case 'receipt':
      return `${head}\u0001${sent.qty}\u0001${sent.damaged ?? 0}\u0001${free(sent.purchaseOrder)}\u0001${amount(sent.unitCost)}`;
    case 'transfer':
      return `${head}\u0001${sent.phase}\u0001${free(sent.transfer)}\u0001${sent.qty}\u0001${sent.damaged ?? 0}\u0001${sent.from}\u0001${sent.to}\u0001${sent.eta === undefined ? '' : parseDateOrInstant(sent.eta)}`;
    case 'return':
      return `${head}\u0001${sent.qty}\u0001${sent.disposition}\u0001${free(sent.reason)}\u0001${free(sent.transaction)}${sent.reservation === undefined ? '' : `\u0001${free(sent.reservation)}`}`;
    case 'count':
      return `${head}\u0001${sent.counted}`;
    case 'adjustment':
      return `${head}\u0001${sent.delta}\u0001${free(sent.reason)}\u0001${sent.bucket ?? 'sellable'}`;
  }
}

function free(value: string | undefined): string {
  return value === undefined ? '' : `${value.length}:${value}`;
}

/** The canonical form of an amount, without exponent, redundant zeros or negative zero. */
export function amount(value: string | number | undefined): string {
  if (value === undefined) return '';
  if (Number.isSafeInteger(value)) return String(value);
  const written = String(value);
  if (CANONICAL.test(written)) return written;
  const [, sign, whole = '', fraction = '', exponent = '0'] = AMOUNT.exec(written) ?? [];
  const digits = whole + fraction;
  const point = whole.length + Number(exponent);
  const units = digits.slice(0, Math.max(0, point)).padEnd(point, '0').replace(/^0+/, '');
  const rest = `${'0'.repeat(Math.max(0, -point))}${digits.slice(Math.max(0, point))}`.replace(/0+$/, '');
  const plain = `${units === '' ? '0' : units}${rest === '' ? '' : `.${rest}`}`;
  return plain === '0' ? plain : `${sign}${plain}`;
}

/** Amounts that are already canonical, as nearly every price is. */
const CANONICAL = /^(?:0|[1-9]\d*)(?:\.\d*[1-9])?$/;
/** A decimal string, or a number as JavaScript writes it. */
const AMOUNT = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/;
