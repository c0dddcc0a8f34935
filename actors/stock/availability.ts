/**
 * Availability: the units of a stock key as answers show them.
 *
 *   available = sellable − held − allocated − safety stock − protected    (may be below 0)
 *   oversold  = max(0, held + allocated − max(0, sellable))               (promised units that are not there: streams/buckets.ts)
 *   ATP       = what may be promised (atp.ts)
 *
 * Sources: ASCM Dictionary, "available-to-promise"; the contract's section "Available to promise".
 */
import { noUnits, ON_HAND_BUCKETS, type OnHandBucket, oversoldUnits } from '../../streams/buckets.ts';
import type { StockAnswer } from '../../streams/contract/stock.ts';
import type { StockBook } from './book.ts';
import { ANYBODY } from './dated/atp.ts';
import { momentAt, type Wanted } from './dated/moments.ts';
import { type Ask, atpBy, backorderableBy, keptAt } from './dated/phased.ts';
import type { SkuEntry, StockKey } from './state.ts';
import { onOrder } from './supply/on-order.ts';
import { inTransit } from './supply/transit.ts';

/** Units of a key that no claim takes. */
export function unclaimed(key: Pick<StockKey, 'sellable' | 'held' | 'allocated'>): number {
  return key.sellable - key.held - key.allocated;
}

function unitsIn(key: StockKey, bucket: OnHandBucket): number {
  return bucket === 'sellable' ? key.sellable : (key.rare?.[bucket] ?? 0);
}

/** Units that are physically there, by bucket. */
export function unitsOnHand(key: StockKey): Record<OnHandBucket, number> {
  const units = noUnits(ON_HAND_BUCKETS);
  for (const bucket of ON_HAND_BUCKETS) units[bucket] = unitsIn(key, bucket);
  return units;
}

export function onHand(key: StockKey): number {
  let sum = 0;
  for (const bucket of ON_HAND_BUCKETS) sum += unitsIn(key, bucket);
  return sum;
}

export interface LocationAtp {
  readonly location: string;
  readonly atp: number;
  /** Only where a policy allows it. */
  readonly backorderable?: number;
}

export interface SkuAtp {
  readonly atp: number;
  readonly backorderable?: number;
  readonly locations: LocationAtp[];
}

/**
 * ATP per location, ordered by location id, and the sums.
 * @param only limits both to the named locations
 * @param by the day or moment by which units are wanted; undefined means now
 */
export function skuAtp(
  book: StockBook,
  entry: SkuEntry | undefined,
  only: readonly string[] | undefined,
  ask: Ask,
  by?: Wanted,
): SkuAtp {
  const locations: LocationAtp[] = [];
  let sum = 0;
  let backorders: number | undefined;
  if (entry === undefined) return { atp: 0, locations };
  const wanted = only === undefined || only.length < 8 ? only : new Set(only);
  for (const key of entry.keys) {
    const { location } = key;
    if (wanted !== undefined && !isAmong(wanted, location)) continue;
    const atp = atpBy(
      book,
      key,
      ask,
      by === undefined ? ask.now : momentAt(by, book.terms.policies.location(location)),
    );
    const backorderable = backorderableBy(book, key, ask);
    sum += atp;
    if (backorderable === undefined) locations.push({ location, atp });
    else {
      backorders = (backorders ?? 0) + backorderable;
      locations.push({ location, atp, backorderable });
    }
  }
  return backorders === undefined ? { atp: sum, locations } : { atp: sum, backorderable: backorders, locations };
}

function isAmong(wanted: readonly string[] | ReadonlySet<string>, location: string): boolean {
  return 'has' in wanted ? wanted.has(location) : wanted.includes(location);
}

export type StockUnits = Omit<StockAnswer, 'version'>;

/** The units of a stock key, by bucket. @param now microseconds since 1970 */
export function stockUnits(book: StockBook, key: StockKey, now: number): StockUnits {
  const policy = book.terms.policies.of(key.sku.name, key.location);
  const { safetyStock } = policy;
  return {
    sku: key.sku.name,
    location: key.location,
    onHand: onHand(key),
    ...unitsOnHand(key),
    held: key.held,
    allocated: key.allocated,
    promised: key.rare?.later?.units ?? 0,
    safetyStock,
    available: unclaimed(key) - safetyStock - keptAt(book, key, policy, ANYBODY),
    oversold: oversoldUnits(key),
    atp: atpBy(book, key, { ...ANYBODY, now }, now),
    inTransit: inTransit(key),
    onOrder: onOrder(key),
  };
}

/** One stock key as `GET /v1/stock` returns it, with the book's version in this turn of the event loop. */
export function stockView(book: StockBook, key: StockKey, now: number): StockAnswer {
  return { ...stockUnits(book, key, now), version: book.version };
}
