/** Stock keys with supply, dated promises and a policy, in days. Day 0 is now. */
import { NO_POLICY } from '../../../../actors/policy/policy.ts';
import { NO_TERMS } from '../../../../actors/policy/terms.ts';
import { StockBook } from '../../../../actors/stock/book.ts';
import { END_OF_TIME } from '../../../../actors/stock/dated/atp.ts';
import { atpBy, backorderableBy } from '../../../../actors/stock/dated/phased.ts';
import { applyDecision, applyFact } from '../../../../actors/stock/evolve.ts';
import { audit } from '../../../../actors/stock/invariants.ts';
import type { StockKey } from '../../../../actors/stock/state.ts';
import type { Standing } from '../../../../streams/journal/stock-decisions.ts';

export const DAY = 86_400_000_000;
export const NOW = Date.UTC(2026, 11, 1) * 1000;

export interface PromisedUnits {
  readonly qty: number;
  /** The day on which it is due; undefined is the end of time. */
  readonly day: number | undefined;
  readonly group?: string;
  /** The day on which it is wanted, if that is another one. */
  readonly wanted?: number;
  readonly id?: string;
}

export interface Instance {
  readonly sellable: number;
  readonly safetyStock?: number;
  readonly supply?: readonly { readonly qty: number; readonly day: number }[];
  readonly promises?: readonly PromisedUnits[];
  readonly protect?: Readonly<Record<string, number>>;
  readonly cap?: Readonly<Record<string, number>>;
  readonly backorder?: Readonly<Record<string, number>>;
  readonly priority?: Readonly<Record<string, number>>;
}

export function moment(day: number | undefined): number {
  return day === undefined ? END_OF_TIME : NOW + day * DAY;
}

const units = (record: Readonly<Record<string, number>> = {}) => new Map(Object.entries(record));

/** The book of an instance, whose one key is `mug` at `dc`. */
export function phasedBook({ sellable, safetyStock = 0, supply = [], promises = [], ...groups }: Instance): StockBook {
  const book = new StockBook(0);
  const policy = {
    ...NO_POLICY,
    safetyStock,
    protect: units(groups.protect),
    cap: units(groups.cap),
    backorder: units(groups.backorder),
    priority: units(groups.priority),
  };
  book.terms = { ...NO_TERMS, policies: { ...NO_TERMS.policies, of: () => policy } };
  const fact = { sku: 'mug', at: NOW - DAY };
  applyFact(book, { ...fact, type: 'adjustment', id: 'stock', location: 'dc', delta: sellable, bucket: 'sellable' });
  for (const [i, { qty, day }] of supply.entries()) {
    const ends = { location: 'far', from: 'far', to: 'dc' };
    const transfer = { ...fact, ...ends, type: 'transfer', id: `t${i}`, transfer: `t${i}`, phase: 'shipped' } as const;
    applyFact(book, { ...transfer, qty, damaged: 0, eta: moment(day) });
  }
  for (const [i, promise] of promises.entries()) applyDecision(book, standingOf(promise, i));
  return book;
}

/** The decision by which a promise was made, the i-th of all. */
export function standingOf({ qty, day, group = 'web', wanted = day, id }: PromisedUnits, i: number): Standing {
  const line = { name: undefined, sku: 'mug', location: 'dc', qty, fulfilled: 0, partition: 0, epoch: 1, seq: i };
  const date = { wanted: moment(wanted), due: moment(day), changes: 0 };
  return {
    kind: 'stands',
    id: id ?? `r${i}`,
    attempt: [1, i + 1],
    content: { hi: 0, lo: 0 },
    channel: group,
    purpose: 'order',
    atMs: i,
    grantedAtMs: i + 1,
    expiresAtMs: 1e15,
    confirmedAtMs: 0,
    releasedAtMs: 0,
    expiredAtMs: 0,
    home: 0,
    participants: [0],
    following: [],
    parts: [[0, 1]],
    lines: [day === 0 ? { index: 0, ...line } : { index: 0, ...line, date }],
    counted: [],
    shortages: [],
    releases: [],
  };
}

export function keyIn(book: StockBook): StockKey {
  return book.key('mug', 'dc');
}

/** ATP(channel, day) of an instance, whose invariants hold. */
export function atpOf(instance: Instance, channel: string | undefined, day: number): number {
  const book = phasedBook(instance);
  const breach = audit(book)[0];
  if (breach !== undefined) throw new Error(`${breach.invariant} ${breach.what}`);
  return atpOn(book, channel, day);
}

/** ATP on each of the first days. */
export function atpsOf(instance: Instance, channel: string, days: number): number[] {
  const book = phasedBook(instance);
  return Array.from({ length: days }, (_, day) => atpOn(book, channel, day));
}

function atpOn(book: StockBook, channel: string | undefined, day: number): number {
  return atpBy(book, keyIn(book), { channel, purpose: undefined, now: NOW }, moment(day));
}

export function backorderableOf(instance: Instance, channel: string): number | undefined {
  const book = phasedBook(instance);
  return backorderableBy(book, keyIn(book), { channel, purpose: undefined, now: NOW });
}
