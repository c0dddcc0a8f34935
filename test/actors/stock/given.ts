/** Short notation for facts, decisions and books, for the tables of the stock machine. All times are on one day, in UTC. */

import { NO_TERMS, type PromiseTerms } from '../../../actors/policy/terms.ts';
import { statusOf, type Whole } from '../../../actors/reservation/answer.ts';
import { viewOf as viewOfPart } from '../../../actors/reservation/view.ts';
import { type StockUnits, stockUnits } from '../../../actors/stock/availability.ts';
import { StockBook } from '../../../actors/stock/book.ts';
import { ANYBODY } from '../../../actors/stock/dated/atp.ts';
import { atpBy, supplyOf } from '../../../actors/stock/dated/phased.ts';
import { applyDecision, applyFact } from '../../../actors/stock/evolve.ts';
import { audit } from '../../../actors/stock/invariants.ts';
import { varianceOf } from '../../../actors/stock/movements.ts';
import type { ReservationPart, StockKey } from '../../../actors/stock/state.ts';
import { parseFact, type StockFact } from '../../../streams/fact/fact.ts';
import { parseInstant } from '../../../streams/instant.ts';
import type {
  Granted,
  ReservationDecision,
  Standing,
  StandingLine,
  Stepped,
} from '../../../streams/journal/stock-decisions.ts';

/** A period in which supply counts, in microseconds. */
export interface Period {
  readonly now: number;
  readonly by: number;
  /** Duration of a transfer without an eta. */
  readonly laneTime: number;
}

function termsOf({ laneTime }: Period): PromiseTerms {
  return { ...NO_TERMS, laneTime, generation: laneTime };
}

/** Units on their way to a key that are due in the period. */
export function inboundBy(book: StockBook, key: StockKey, period: Period): number {
  book.terms = termsOf(period);
  const due = supplyOf(book, key).filter((supply) => supply.due >= period.now && supply.due <= period.by);
  return due.reduce((units, { qty }) => units + qty, 0);
}

/** What a key may promise by the end of a period. */
export function atpIn(book: StockBook, key: StockKey, period: Period): number {
  book.terms = termsOf(period);
  return atpBy(book, key, { ...ANYBODY, now: period.now }, period.by);
}

/** Every stock key of a book in buckets, when all supply is overdue. */
export function unitsOf(book: StockBook): StockUnits[] {
  return [...book.skus.values()].flatMap(({ keys }) => keys.map((key) => stockUnits(book, key, 1e15)));
}

export type Input = StockFact | Granted | Stepped | ReservationDecision;
type More = Readonly<Record<string, unknown>>;

let facts = 0;

/** A fact as a device sends it, parsed. `at` is a time of day or a full instant. */
export function fact(type: string, at: string, fields: More): StockFact {
  facts += 1;
  const parsed = parseFact({
    id: `fact-${facts}`,
    type,
    sku: 'mug',
    location: 'dc',
    occurredAt: moment(at),
    ...fields,
  });
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.fact as StockFact;
}

export const sale = (at: string, qty: number, more: More = {}) => fact('sale', at, { qty, ...more });
export const receipt = (at: string, qty: number, more: More = {}) => fact('receipt', at, { qty, ...more });
export const count = (at: string, counted: number, more: More = {}) => fact('count', at, { counted, ...more });
export const back = (at: string, qty: number, disposition: string, more: More = {}) =>
  fact('return', at, { qty, disposition, ...more });
export const adjustment = (at: string, delta: number, more: More = {}) =>
  fact('adjustment', at, { delta, reason: 'test', ...more });
/** Ordered for dc, under purchase order p1, for the next day. */
export const purchase = (at: string, qty: number, more: More = {}) =>
  fact('purchase', at, { purchaseOrder: 'p1', promisedAt: '2026-11-25', qty, ...more });
/** Leaves dc for shop. */
export const shipped = (at: string, qty: number, more: More = {}) =>
  fact('transfer', at, { phase: 'shipped', transfer: 't1', from: 'dc', to: 'shop', qty, ...more });
/** Arrives at shop from dc. */
export const received = (at: string, qty: number, more: More = {}) =>
  fact('transfer', at, { phase: 'received', transfer: 't1', from: 'dc', to: 'shop', location: 'shop', qty, ...more });
/** Is closed as lost or as corrected, at dc. */
export const closed = (at: string, reason: 'lost' | 'corrected', qty: number, more: More = {}) =>
  fact('transfer', at, { phase: 'closed', reason, transfer: 't1', from: 'dc', to: 'shop', qty, ...more });

function moment(at: string): string {
  return at.includes('T') ? at : `2026-11-24T${at}:00Z`;
}

export function micros(at: string): number {
  return parseInstant(moment(at)) as number;
}

export interface LineOf {
  readonly qty: number;
  readonly sku?: string;
  readonly location?: string;
  readonly partition?: number;
}

export function granted(id: string, lines: readonly LineOf[], more: Partial<Granted> = {}): Granted {
  const participants = [...new Set(lines.map((line) => line.partition ?? 0))];
  return {
    kind: 'granted',
    id,
    content: { hi: 1, lo: 2 },
    channel: 'web',
    purpose: 'order',
    atMs: 1000,
    expiresAtMs: 9000,
    coordinator: participants[0] ?? 0,
    participants,
    parts: participants.map((partition) => [partition, 1] as const),
    lines: lines.map((line, index) => ({ index, sku: 'mug', location: 'dc', partition: 0, seq: 1, ...line })),
    shortages: [],
    ...more,
  };
}

export function step(kind: Stepped['kind'], id: string, atMs = 2000): Stepped {
  return { kind, id, atMs, parts: [[0, 1]] };
}

/** How a reservation stands, after an attempt. */
export function stands(
  id: string,
  attempt: number,
  lines: readonly Partial<StandingLine>[],
  more: Partial<Standing> = {},
): Standing {
  const parts = [...new Set(lines.map((line) => line.partition ?? 0))];
  return {
    kind: 'stands',
    id,
    attempt: [1, attempt],
    content: { hi: 1, lo: 2 },
    channel: 'web',
    purpose: 'order',
    atMs: 1000 + attempt,
    grantedAtMs: 1000,
    expiresAtMs: 9000,
    confirmedAtMs: 0,
    releasedAtMs: 0,
    expiredAtMs: 0,
    home: 0,
    participants: parts,
    following: [],
    parts: [...new Set([0, ...parts])].map((partition) => [partition, 1] as const),
    lines: lines.map((line, index) => ({
      index: index * 8192,
      name: undefined,
      sku: 'mug',
      location: 'dc',
      qty: 1,
      fulfilled: 0,
      partition: 0,
      epoch: 1,
      seq: attempt,
      ...line,
    })),
    counted: [],
    shortages: [],
    releases: [],
    ...more,
  };
}

/** The status that a home would answer, if these were all parts of a reservation. */
export function statusOfParts(parts: readonly ReservationPart[]): string {
  const views = parts.filter(({ granted: is }) => is).map((part) => viewOfPart(part, 0));
  const latest = (of: 'releasedAtMs' | 'expiredAtMs') => Math.max(0, ...parts.map((part) => part[of]));
  const confirmedAtMs = parts.every((part) => part.confirmedAtMs > 0) ? 1 : 0;
  const releasedAtMs = latest('releasedAtMs');
  return statusOf({
    lines: views.flatMap(({ lines }) => lines),
    releasedAtMs,
    // Only in version 0.1 could one part be released and another expired.
    expiredAtMs: releasedAtMs > 0 ? 0 : latest('expiredAtMs'),
    confirmedAtMs,
  } as unknown as Whole);
}

/** Folds the inputs, asserting every invariant after each. */
export function bookOf(inputs: readonly Input[], partition = 0): StockBook {
  const book = new StockBook(partition);
  for (const input of inputs) foldChecked(book, input);
  return book;
}

export function foldChecked(book: StockBook, input: Input): void {
  if ('type' in input) applyFact(book, input);
  else applyDecision(book, input);
  const breaches = audit(book);
  if (breaches.length > 0) throw new Error(`${JSON.stringify(input)} broke ${JSON.stringify(breaches)}`);
}

/** The figures from which a view's other figures follow. */
export interface Figures {
  readonly sellable?: number;
  readonly damaged?: number;
  readonly inspection?: number;
  readonly held?: number;
  readonly allocated?: number;
  readonly inTransit?: number;
  readonly onOrder?: number;
}

/** The whole view by the contract's formulas. Figures not named are 0. */
export function viewOf(sku: string, location: string, figures: Figures): StockUnits {
  const all = { sellable: 0, damaged: 0, inspection: 0, held: 0, allocated: 0, inTransit: 0, onOrder: 0, ...figures };
  const available = all.sellable - all.held - all.allocated;
  const onHand = all.sellable + all.damaged + all.inspection;
  const oversold = Math.max(0, all.held + all.allocated - Math.max(0, all.sellable));
  const derived = { onHand, available, oversold, atp: Math.max(available, 0) };
  return { sku, location, ...all, ...derived, promised: 0, safetyStock: 0 };
}

/** Every view of a book, by SKU and location. */
export function viewsOf(book: StockBook): StockUnits[] {
  return unitsOf(book).sort((a, b) => order(`${a.sku}/${a.location}`, `${b.sku}/${b.location}`));
}

/** The variance of the last count at each place of a book, as `sku/location counted book`. */
export function variancesIn(book: StockBook): string[] {
  const found = [...book.skus.values()].flatMap(({ name, keys }) =>
    keys.flatMap((key) => {
      const variance = varianceOf(key);
      return variance === undefined ? [] : [`${name}/${key.location} ${variance.counted} ${variance.book}`];
    }),
  );
  return found.sort();
}

export function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Every order of up to six things. For more, every rotation in both directions. */
export function ordersOf<T>(things: readonly T[]): T[][] {
  if (things.length > 6) {
    const queue = things.map((_, i) => [...things.slice(i), ...things.slice(0, i)]);
    return [...queue, ...queue.map((turn) => turn.toReversed())];
  }
  if (things.length <= 1) return [[...things]];
  return things.flatMap((first, i) => ordersOf(things.toSpliced(i, 1)).map((rest) => [first, ...rest]));
}
