/**
 * Facts are what devices report. One zod schema per type (schemas.ts) serves HTTP, NATS and the OpenAPI document. parseFact turns a sent value into
 * the flat form that the stock machine folds, and hashes its content so that a resend can be distinguished from a different fact.
 *
 * Invariants:
 *  FA1 JSON and MessagePack of the same fact parse to the same Fact and the same content hash.
 *  FA2 A fact is refused only because it cannot be read, never for business reasons.
 *  FA3 The content hash covers every field that Holdfast knows. Unknown fields stay in the stream but are not content, so a device that
 *     adds "attempt": 2 to a resend has sent the same fact. A field that is null or '' is absent, and hashed as absent.
 *  FA4 A fact is read as the version of its rule did. Rules from before version 3 know no reservation of a return and no quantity of 0, and
 *     read null and '' as they stand. Those from before version 4 know no items and no purchases, so a receipt names none to them.
 */

import type { z } from 'zod';
import { RULES_VERSION } from '../../config/rules.ts';
import { ADJUSTABLE_BUCKETS, type AdjustableBucket, bucketRow } from '../buckets.ts';
import { isTooDeep } from '../codec.ts';
import { type Hash64, hash64 } from '../hash.ts';
import { parseDateOrInstant, parseInstant } from '../instant.ts';
import { isName, NAME_RULE } from '../names.ts';
import { FACT_TYPES, type FactType } from '../subjects.ts';
import { amount, free, later } from './canonical.ts';
import { misplacedField, withoutAbsent } from './counting-fields.ts';
import { ARRIVED_RULE, QTY_RULE } from './fields.ts';
import { flatItem, type ItemFact, itemContent } from './item.ts';
import { isPlainFact } from './plain-fact.ts';
import { CLOSED_AS, type DISPOSITIONS, factSchema, type SentFact, type transferSchema } from './schemas.ts';

interface Common {
  readonly id: string;
  readonly sku: string;
  readonly location: string;
  /** The moment as of which it counts, in microseconds since 1970: occurredAt, unless the clock rule moved it. */
  readonly at: number;
  /** occurredAt of a fact that the clock rule moved to `at`; undefined for any other fact. */
  readonly own?: number | undefined;
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
  /** What it counts against; undefined if it names none, or if rules from before version 4 read it. */
  readonly purchaseOrder?: string | undefined;
}
export interface Transfer extends Common {
  readonly type: 'transfer';
  /** `lost` and `corrected` are sent as phase `closed` with that reason. */
  readonly phase: 'shipped' | 'received' | (typeof CLOSED_AS)[number];
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
/** What is ordered under one purchase order and line. A later one replaces it. */
export interface Purchase extends Common {
  readonly type: 'purchase';
  readonly purchaseOrder: string;
  readonly line?: string | undefined;
  /** Units ordered in all. */
  readonly qty: number;
  /** Microseconds since 1970. */
  readonly promisedAt: number;
  readonly vendor?: string | undefined;
}
/** A fact in the form that the stock machine folds. It has a location. */
export type StockFact = Sale | Receipt | Transfer | Return | Count | Adjustment | Purchase;
/** A fact in the form that the books fold. */
export type Fact = StockFact | ItemFact;

export function isStockFact(fact: Fact): fact is StockFact {
  return fact.type !== 'item';
}

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

/** The part of a rule (actors/idempotency/rules.ts) by which a fact is read. */
export interface ReadingRule {
  /** Version of the rules (config/rules.ts). */
  readonly version: number;
  /** What `uom`, `unit` and `pack` may say, in lower case; ONE_PIECE if absent. */
  readonly pieces?: readonly string[] | undefined;
}
const NEWEST: ReadingRule = { version: RULES_VERSION };

/** Reads a decoded JSON or MessagePack value as a fact. A stored fact is read by the rule in force at its sequence. */
export function parseFact(value: unknown, rule: ReadingRule = NEWEST): ParsedFact | UnreadableFact {
  const { version } = rule;
  // Facts are passed on as they were sent, with fields that no schema has checked (BO2).
  if (version >= 2 && isTooDeep(value)) return { ok: false, field: '', message: 'the fact is nested too deep' };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return checked(value, version);
  const sent = value as Readonly<Record<string, unknown>>;
  if (version < 4 && LATER_TYPES.has(sent.type))
    return wrongField('type', `must be one of ${EARLIER_TYPES.join(', ')}`);
  if (version < 3) return checked(withoutLater(sent), version);
  const misplaced = misplacedField(sent, rule.pieces);
  if (misplaced !== undefined) return wrongField(misplaced.field, misplaced.rule);
  return isPlainFact(sent) ? parsed(sent as SentFact, version) : checked(withoutAbsent(sent), version);
}

/** Types that rules before version 4 cannot read (FA4). */
const LATER_TYPES: ReadonlySet<unknown> = new Set<FactType>(['purchase', 'item']);
const EARLIER_TYPES = FACT_TYPES.filter((type) => !LATER_TYPES.has(type));

/** The fact as rules before version 3 read it (FA4). */
function withoutLater(sent: Readonly<Record<string, unknown>>): unknown {
  if (sent.type !== 'return' || sent.reservation === undefined) return sent;
  const { reservation: _, ...rest } = sent;
  return rest;
}

function checked(value: unknown, version: number): ParsedFact | UnreadableFact {
  if (isPlainFact(value)) return parsed(value as SentFact, version);
  // These checks refuse only facts that cannot be read (FA2).
  const result = factSchema.safeParse(value);
  if (!result.success) return unreadable(result.error.issues[0]);
  const sent = result.data;
  const wrong =
    (version >= 2 ? unseenName(sent) : undefined) ??
    (sent.type === 'transfer' ? wrongTransfer(sent, version) : undefined) ??
    (sent.type === 'adjustment' ? laterBucket(sent, version) : undefined) ??
    ('qty' in sent && sent.qty === 0 && sent.type !== 'purchase' ? nothingMoved(sent, version) : undefined);
  return wrong ?? parsed(sent, version);
}

/** Only what arrives may have no sellable unit, because all of it may be damaged. */
function nothingMoved(sent: SentFact, version: number): UnreadableFact | undefined {
  const arrives = sent.type === 'receipt' || (sent.type === 'transfer' && sent.phase === 'received');
  if (version >= 3 && arrives && (sent.damaged ?? 0) > 0) return undefined;
  return wrongField('qty', arrives ? ARRIVED_RULE : QTY_RULE);
}

function wrongField(field: string, rule: string): UnreadableFact {
  return { ok: false, field, message: `${field} ${rule}` };
}

/**
 * Counts are exempt, because a count may correct the stock of a name that is already stored. Whether it is stored is not checked here,
 * because the same facts must give the same result in any order.
 */
function unseenName(sent: SentFact): UnreadableFact | undefined {
  if (sent.type === 'count') return undefined;
  const names = sent.type === 'transfer' || sent.type === 'item' ? NAMES_OF[sent.type] : NAMES;
  const field = names.find((each) => !isName((sent as z.infer<typeof transferSchema>)[each]));
  return field === undefined ? undefined : wrongField(field, `must be ${NAME_RULE}`);
}
const NAMES = ['sku', 'location'] as const;
const NAMES_OF = { transfer: [...NAMES, 'from', 'to'], item: ['sku'] } as const;

function parsed(sent: SentFact, version: number): ParsedFact {
  // The hash is of the parsed fields, so it does not depend on the encoding (FA1).
  return { ok: true, fact: flatten(sent, version), content: hash64(canonical(sent)) };
}

function unreadable(issue: z.core.$ZodIssue | undefined): UnreadableFact {
  const field = issue === undefined ? '' : issue.path.join('.');
  const message = issue === undefined ? 'cannot be read' : issue.message;
  return { ok: false, field, message: field === '' ? `the fact ${message}` : `${field} ${message}` };
}

function wrongTransfer(sent: z.infer<typeof transferSchema>, version: number): UnreadableFact | undefined {
  const { phase, reason } = sent;
  if (phase === 'closed') {
    if (version < 3) return wrongField('phase', 'must be shipped or received');
    if (!isClosing(reason)) return wrongField('reason', `must be ${CLOSED_AS.join(' or ')} when phase is closed`);
    if ((sent.damaged ?? 0) > 0) return wrongField('damaged', 'must be 0 or absent when phase is closed');
  }
  const isFrom = phase === 'shipped' || (phase === 'closed' && reason === 'corrected');
  const end = isFrom ? 'from' : phase === 'received' && version < 3 ? 'to' : undefined;
  if (end === undefined || sent.location === sent[end]) return undefined;
  return wrongField('location', `must equal ${end} when phase is ${phase}${phase === 'closed' ? ` as ${reason}` : ''}`);
}

function isClosing(reason: unknown): reason is (typeof CLOSED_AS)[number] {
  return CLOSED_AS.some((each) => each === reason);
}

/** Rules from before a bucket cannot read a fact that names it, so a stored fact keeps its verdict. */
function laterBucket(
  { bucket }: Extract<SentFact, { type: 'adjustment' }>,
  version: number,
): UnreadableFact | undefined {
  const since = (name: AdjustableBucket) => bucketRow(name).since ?? 0;
  if (bucket === undefined || since(bucket) <= version) return undefined;
  const known = ADJUSTABLE_BUCKETS.filter((name) => since(name) <= version);
  return wrongField('bucket', `must be one of ${known.join(', ')}`);
}

function flatten(sent: SentFact, version: number): Fact {
  if (sent.type === 'item') return flatItem(sent);
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
      return {
        type: 'receipt',
        id,
        sku,
        location,
        at,
        device,
        qty: sent.qty,
        damaged: sent.damaged ?? 0,
        purchaseOrder: version >= 4 ? sent.purchaseOrder : undefined,
      };
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
        phase: phase === 'closed' ? (sent.reason as (typeof CLOSED_AS)[number]) : phase,
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
    case 'purchase': {
      const { purchaseOrder, line, qty: ordered, vendor } = sent;
      const promisedAt = parseDateOrInstant(sent.promisedAt) ?? 0;
      return {
        type: 'purchase',
        id,
        sku,
        location,
        at,
        device,
        purchaseOrder,
        line,
        qty: ordered,
        promisedAt,
        vendor,
      };
    }
  }
}

/** U+0001 separates the fields unambiguously, because names have no control characters and free text is length-prefixed. */
function canonical(sent: SentFact): string {
  const ids = `${sent.type}\u0001${sent.id.length}\u0001${sent.id}\u0001${sent.sku}`;
  const when = `${parseInstant(sent.occurredAt)}\u0001${free(sent.device)}`;
  if (sent.type === 'item') return `${ids}\u0001${when}\u0001${itemContent(sent)}`;
  const head = `${ids}\u0001${sent.location}\u0001${when}\u0001${free(sent.currency)}`;
  switch (sent.type) {
    case 'sale':
      return `${head}\u0001${sent.qty}\u0001${amount(sent.unitPrice)}\u0001${free(sent.channel)}\u0001${free(sent.transaction)}\u0001${free(sent.reservation)}`;
    case 'receipt':
      return `${head}\u0001${sent.qty}\u0001${sent.damaged ?? 0}\u0001${free(sent.purchaseOrder)}\u0001${amount(sent.unitCost)}`;
    case 'transfer':
      return `${head}\u0001${sent.phase}\u0001${free(sent.transfer)}\u0001${sent.qty}\u0001${sent.damaged ?? 0}\u0001${sent.from}\u0001${sent.to}\u0001${sent.eta === undefined ? '' : parseDateOrInstant(sent.eta)}${sent.phase === 'closed' ? `\u0001${sent.reason}` : ''}`;
    case 'return':
      return `${head}\u0001${sent.qty}\u0001${sent.disposition}\u0001${free(sent.reason)}\u0001${free(sent.transaction)}${later(sent.reservation)}`;
    case 'count':
      return `${head}\u0001${sent.counted}`;
    case 'adjustment':
      return `${head}\u0001${sent.delta}\u0001${free(sent.reason)}\u0001${sent.bucket ?? 'sellable'}`;
    case 'purchase':
      return `${head}\u0001${free(sent.purchaseOrder)}\u0001${free(sent.line)}\u0001${sent.qty}\u0001${parseDateOrInstant(sent.promisedAt)}\u0001${free(sent.vendor)}\u0001${amount(sent.unitCost)}`;
  }
}
