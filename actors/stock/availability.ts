/**
 * Availability: how many units of a stock key may be promised.
 *
 *   available = sellable − held − allocated − safety stock        (may be below 0)
 *   oversold  = max(0, held + allocated − max(0, sellable))       (promised units that are not there: streams/buckets.ts)
 *   ATP       = max(0, available)                                 (what may be promised now)
 *   ATP by d  = max(0, available + inbound promised by d)         (inbound covers a deficit first)
 *
 * Sources: ASCM Dictionary, "available-to-promise"; the contract's section "Available to promise".
 */
import { noUnits, ON_HAND_BUCKETS, type OnHandBucket, oversoldUnits } from '../../streams/buckets.ts';
import type { StockAnswer } from '../../streams/contract/stock.ts';
import type { SkuEntry, StockKey } from './state.ts';
import { onOrder } from './supply/on-order.ts';
import { openSupply } from './supply/open-supply.ts';
import { inTransit } from './supply/transit.ts';

/** The period in which inbound supply counts. `now` and `by` are in microseconds since 1970. */
export interface PromiseWindow {
  readonly now: number;
  readonly by: number;
  /** Assumed duration of a transfer whose shipment names no eta, in microseconds. */
  readonly laneTime: number;
}

/** Units withheld by policy. Always 0, because there are no policies yet. */
export const SAFETY_STOCK = 0;

export function available(key: Pick<StockKey, 'sellable' | 'held' | 'allocated'>): number {
  return key.sellable - key.held - key.allocated - SAFETY_STOCK;
}

/** Units that a new promise may take: available, less the grants that the journal has not stored yet. */
export function free(key: StockKey): number {
  // mutant: pending-promised-again
  return available(key) - key.pending;
}

export function atp(key: StockKey, horizon?: PromiseWindow): number {
  const inbound = horizon === undefined ? 0 : inboundBy(key, horizon);
  return Math.max(0, available(key) + inbound);
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

/** Inbound units due by the date. Overdue supply does not count until it gets a new date. */
export function inboundBy(key: StockKey, { now, by, laneTime }: PromiseWindow): number {
  let sum = 0;
  for (const { due, qty } of openSupply(key, () => laneTime)) if (due >= now && due <= by) sum += qty;
  return sum;
}

export interface LocationAtp {
  readonly location: string;
  readonly atp: number;
}

/** ATP per location, in the order in which the locations became known, and their sum. `only` limits both to the named locations. */
export function skuAtp(
  entry: SkuEntry | undefined,
  only: readonly string[] | undefined,
  horizon?: PromiseWindow,
): { atp: number; locations: LocationAtp[] } {
  const locations: LocationAtp[] = [];
  let sum = 0;
  if (entry === undefined) return { atp: 0, locations };
  const wanted = only === undefined || only.length < 8 ? only : new Set(only);
  for (const key of entry.keys) {
    if (wanted !== undefined && !isAmong(wanted, key.location)) continue;
    const units = atp(key, horizon);
    sum += units;
    locations.push({ location: key.location, atp: units });
  }
  return { atp: sum, locations };
}

function isAmong(wanted: readonly string[] | ReadonlySet<string>, location: string): boolean {
  return 'has' in wanted ? wanted.has(location) : wanted.includes(location);
}

export type StockUnits = Omit<StockAnswer, 'version'>;

/** The units of a stock key, by bucket. */
export function stockUnits(key: StockKey): StockUnits {
  return {
    sku: key.sku.name,
    location: key.location,
    onHand: onHand(key),
    ...unitsOnHand(key),
    held: key.held,
    allocated: key.allocated,
    // No reservation has a date yet.
    promised: 0,
    safetyStock: SAFETY_STOCK,
    available: available(key),
    oversold: oversoldUnits(key),
    atp: atp(key),
    inTransit: inTransit(key),
    onOrder: onOrder(key),
  };
}

/** One stock key as `GET /v1/stock` returns it. @param version of the book, in this turn of the event loop */
export function stockView(key: StockKey, version: string): StockAnswer {
  return { ...stockUnits(key), version };
}
