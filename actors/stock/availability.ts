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
import { type KeyPolicy, NO_POLICIES, NO_POLICY, type Policies } from '../policy/policy.ts';
import type { SkuEntry, StockKey, TransferRecord } from './state.ts';

/** The period in which inbound supply counts. `now` and `by` are in microseconds since 1970. */
export interface PromiseWindow {
  readonly now: number;
  readonly by: number;
  /** Assumed duration of a transfer whose shipment names no eta, in microseconds. */
  readonly laneTime: number;
}

export function available(
  key: Pick<StockKey, 'sellable' | 'held' | 'allocated'>,
  { safetyStock }: KeyPolicy = NO_POLICY,
): number {
  return key.sellable - key.held - key.allocated - safetyStock;
}

function policyOf({ sku, location }: StockKey, policies: Policies): KeyPolicy {
  return policies.of(sku.name, location);
}

/** Units that a new promise may take: available, less the grants that the journal has not stored yet. */
export function free(key: StockKey, policies: Policies = NO_POLICIES): number {
  const units = available(key, policyOf(key, policies));
  // mutant: pending-promised-again
  return units - key.pending;
}

export function atp(key: StockKey, horizon?: PromiseWindow, policies: Policies = NO_POLICIES): number {
  const inbound = horizon === undefined ? 0 : inboundBy(key, horizon);
  return Math.max(0, available(key, policyOf(key, policies)) + inbound);
}

/** Units in transit to this key. */
export function inTransit(key: StockKey): number {
  let sum = 0;
  if (key.rare?.inbound !== undefined) for (const transfer of key.rare.inbound) sum += unitsInTransit(transfer);
  return sum;
}

export function unitsInTransit(transfer: TransferRecord): number {
  return missing(transfer) - unitsLost(transfer);
}

/** Units that were closed as lost and did not turn up since. */
export function unitsLost(transfer: TransferRecord): number {
  // mutant: found-units-stay-lost
  return Math.min(transfer.closedLost, missing(transfer));
}

/** Units that were received or corrected beyond what is known to have been shipped. */
export function unitsOver({ shipped, arrived, corrected }: TransferRecord): number {
  return Math.max(0, arrived + corrected - shipped);
}

/** Units that were shipped and of which nothing else is known but a loss. */
function missing({ shipped, arrived, corrected }: TransferRecord): number {
  return Math.max(0, shipped - arrived - corrected);
}

/** When the transfer is due. @param laneTime assumed duration of a transfer without an eta, in microseconds */
export function dueOf({ latest }: TransferRecord, laneTime: number): number {
  return latest.eta ?? latest.at + laneTime;
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

/** Inbound units due by the date. An overdue transfer does not count until it gets a new date. */
export function inboundBy(key: StockKey, horizon: PromiseWindow): number {
  let sum = 0;
  for (const transfer of key.rare?.inbound ?? []) {
    const due = dueOf(transfer, horizon.laneTime);
    if (due >= horizon.now && due <= horizon.by) sum += unitsInTransit(transfer);
  }
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
  policies: Policies = NO_POLICIES,
): { atp: number; locations: LocationAtp[] } {
  const locations: LocationAtp[] = [];
  let sum = 0;
  if (entry === undefined) return { atp: 0, locations };
  const wanted = only === undefined || only.length < 8 ? only : new Set(only);
  for (const key of entry.keys) {
    if (wanted !== undefined && !isAmong(wanted, key.location)) continue;
    const units = atp(key, horizon, policies);
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
export function stockUnits(key: StockKey, policies: Policies = NO_POLICIES): StockUnits {
  const policy = policyOf(key, policies);
  return {
    sku: key.sku.name,
    location: key.location,
    onHand: onHand(key),
    ...unitsOnHand(key),
    held: key.held,
    allocated: key.allocated,
    // No reservation has a date yet.
    promised: 0,
    safetyStock: policy.safetyStock,
    available: available(key, policy),
    oversold: oversoldUnits(key),
    atp: atp(key, undefined, policies),
    inTransit: inTransit(key),
    // No fact records a purchase order yet.
    onOrder: 0,
  };
}

/** What a book says of all its keys. */
interface KeysBook {
  readonly version: string;
  readonly policies: Policies;
}

/** One stock key as `GET /v1/stock` returns it. @param book the key's book, whose version is that of this turn of the event loop */
export function stockView(key: StockKey, { version, policies }: KeysBook): StockAnswer {
  return { ...stockUnits(key, policies), version };
}
