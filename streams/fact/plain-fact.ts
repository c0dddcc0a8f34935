/**
 * Recognises facts in the form that nearly all devices send, without the schema, which takes most of the time of reading a fact.
 *
 * Invariant: a fact that is plain here passes the schema of streams/fact/fact.ts unchanged. A fact that is not plain may still pass and
 * goes through the schema. This file makes reading faster and changes nothing else.
 */
import { ADJUSTABLE_BUCKETS, byAge } from '../buckets.ts';
import { parseDateOrInstant, parseInstant } from '../instant.ts';

const NAME = /^[A-Za-z0-9_-]{1,64}$/;
const ID = /^[ -~]{1,128}$/;
const TEXT = /^[ -~]{1,64}$/;
const AMOUNT = /^\d{1,15}(\.\d{1,9})?$/;
const CURRENCY = /^[A-Z]{3}$/;
const MOST_UNITS = 1_000_000_000;
const DISPOSITIONS: ReadonlySet<unknown> = new Set(['restock', 'inspect', 'damaged', 'scrap', 'vendor']);
/** Only the first buckets, because whether a later one may be named depends on the version of the rules. */
const BUCKETS: ReadonlySet<unknown> = new Set([undefined, ...byAge(ADJUSTABLE_BUCKETS).first]);

type Sent = Readonly<Record<string, unknown>>;

export function isPlainFact(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const sent = value as Sent;
  const { occurredAt } = sent;
  return (
    matches(ID, sent.id) &&
    matches(NAME, sent.sku) &&
    matches(NAME, sent.location) &&
    typeof occurredAt === 'string' &&
    parseInstant(occurredAt) !== undefined &&
    lacksOr(TEXT, sent.device) &&
    lacksOr(CURRENCY, sent.currency) &&
    isPlainOfType(sent)
  );
}

function isPlainOfType(sent: Sent): boolean {
  switch (sent.type) {
    case 'sale':
      return (
        isUnits(sent.qty, 1) &&
        isPlainAmount(sent.unitPrice) &&
        lacksOr(TEXT, sent.channel) &&
        lacksOr(TEXT, sent.transaction) &&
        lacksOr(TEXT, sent.reservation)
      );
    case 'receipt':
      return (
        isUnits(sent.qty, 1) &&
        (sent.damaged === undefined || isUnits(sent.damaged, 0)) &&
        lacksOr(TEXT, sent.purchaseOrder) &&
        isPlainAmount(sent.unitCost)
      );
    case 'return':
      return (
        isUnits(sent.qty, 1) &&
        DISPOSITIONS.has(sent.disposition) &&
        lacksOr(TEXT, sent.reason) &&
        lacksOr(TEXT, sent.transaction) &&
        lacksOr(TEXT, sent.reservation)
      );
    case 'count':
      return isUnits(sent.counted, 0);
    case 'adjustment':
      return (
        isUnits(sent.delta, -MOST_UNITS) && sent.delta !== 0 && matches(TEXT, sent.reason) && BUCKETS.has(sent.bucket)
      );
    case 'purchase':
      return (
        matches(TEXT, sent.purchaseOrder) &&
        lacksOr(TEXT, sent.line) &&
        isUnits(sent.qty, 0) &&
        typeof sent.promisedAt === 'string' &&
        parseDateOrInstant(sent.promisedAt) !== undefined &&
        lacksOr(TEXT, sent.vendor) &&
        isPlainAmount(sent.unitCost)
      );
    default:
      return false;
  }
}

function matches(form: RegExp, value: unknown): boolean {
  return typeof value === 'string' && form.test(value);
}

function lacksOr(form: RegExp, value: unknown): boolean {
  return value === undefined || matches(form, value);
}

function isPlainAmount(value: unknown): boolean {
  return value === undefined || (typeof value === 'number' ? Number.isFinite(value) : matches(AMOUNT, value));
}

function isUnits(value: unknown, least: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= MOST_UNITS;
}
