/**
 * State of the stock machine: stock keys, and the reservations that claim from them.
 *
 * An actor is a StockKey, plain data of a few hundred bytes; its behaviour is the pure functions beside this file:
 * decide (requests), evolve (facts and decisions), availability (answers), invariants (checks).
 */

import { noUnits, ON_HAND_BUCKETS, type OnHandBucket } from '../../streams/buckets.ts';
import type { Hash64 } from '../../streams/hash.ts';
import type { Shortage } from '../../streams/journal/stock-decisions.ts';

/** Shared by all keys that have none: most of a million actors are quiet. */
const NO_MOVEMENTS: readonly number[] = [];

/** The register that sellable is relative to: the last count by (at, id). */
export interface CountRegister {
  readonly at: number;
  readonly id: string;
  readonly counted: number;
}

/** One transfer as its destination sees it. */
export interface Transit {
  shipped: number;
  /** Received, damaged ones too. */
  arrived: number;
  /** Latest shipment by occurredAt: its stamp, and when it is due, in microseconds; undefined if no eta was given. */
  shippedAt: number;
  eta: number | undefined;
}

export type SeldomBucket = Exclude<OnHandBucket, 'sellable'>;
export const SELDOM_BUCKETS = ON_HAND_BUCKETS.filter((bucket) => bucket !== 'sellable');

/** What few stock keys have; kept apart to keep the many small. */
export interface SeldomState extends Record<SeldomBucket, number> {
  transit: Map<string, Transit> | undefined;
}

export const NO_RARE_UNITS: Readonly<Record<SeldomBucket, number>> = noUnits(SELDOM_BUCKETS);

export function emptySeldom(): SeldomState {
  return { ...NO_RARE_UNITS, transit: undefined };
}

/** One SKU at one location: an actor. */
export class StockKey {
  readonly sku: SkuEntry;
  readonly location: string;
  /** Derived: counted + movements after the count; checked against its parts by invariant N1. */
  sellable = 0;
  /** Sum of the movements that compaction took out of `movements` and that no count has covered. */
  base = 0;
  /** Movements of sellable in order of occurredAt: [at, delta, at, delta …], one entry per instant. */
  movements: readonly number[] = NO_MOVEMENTS;
  count: CountRegister | undefined = undefined;
  /** Derived: units of live holds and allocations here; checked by invariant N3. */
  held = 0;
  allocated = 0;
  /** Units granted by decisions that are on their way to the journal: not stored, not told, but not to be promised again. */
  pending = 0;
  rare: SeldomState | undefined = undefined;

  constructor(sku: SkuEntry, location: string) {
    this.sku = sku;
    this.location = location;
  }
}

/** One SKU with its locations, in the order they were first heard of. */
export class SkuEntry {
  readonly name: string;
  page = 0;
  /** Replaced, not pushed to, while they are few: an array that grows keeps room for sixteen more. */
  keys: StockKey[] = [];
  /** By location; made when there are many. */
  index: Map<string, StockKey> | undefined = undefined;

  constructor(name: string) {
    this.name = name;
  }

  // On the prototype: a field would cost every item eight bytes.
  get kind(): 'sku' {
    return 'sku';
  }
}

export interface PartLine {
  readonly index: number;
  readonly key: StockKey;
  readonly qty: number;
  /** Units that sales have fulfilled. */
  fulfilled: number;
  /** Units now standing in the key's held or allocated on account of this line. */
  claimed: number;
}

/** What sales took on account of a reservation, by SKU and location. */
export interface Sold {
  readonly sku: string;
  readonly location: string;
  qty: number;
}

/** The lines of one reservation in this partition. Its status is derived, see reservation.ts. */
export class ReservationPart {
  readonly id: string;
  page = 0;
  granted = false;
  content: Hash64 = { hi: 0, lo: 0 };
  channel = '';
  purpose = '';
  coordinator = 0;
  participants: readonly number[] = [];
  shortages: readonly Shortage[] = [];
  epoch = 0;
  seq = 0;
  grantedAtMs = 0;
  expiresAtMs = 0;
  confirmedAtMs = 0;
  releasedAtMs = 0;
  expiredAtMs = 0;
  lines: PartLine[] = [];
  sold: Sold[] | undefined = undefined;
  /** Latest occurredAt of a sale that names it, in milliseconds. */
  soldAtMs = 0;
  /** Where `claimed` of the lines stands. */
  bucket: 'held' | 'allocated' = 'held';

  constructor(id: string) {
    this.id = id;
  }

  get kind(): 'part' {
    return 'part';
  }
}

/** At the home of an id: where the reservation's lines are, when they are not here alone. */
export class CoordinatorEntry {
  readonly id: string;
  page = 0;
  readonly content: Hash64;
  readonly participants: readonly number[];
  readonly shortages: readonly Shortage[];
  readonly expiresAtMs: number;
  confirmedAtMs = 0;
  endedAtMs = 0;

  constructor(
    id: string,
    content: Hash64,
    participants: readonly number[],
    shortages: readonly Shortage[],
    expiresAtMs: number,
  ) {
    this.id = id;
    this.content = content;
    this.participants = participants;
    this.shortages = shortages;
    this.expiresAtMs = expiresAtMs;
  }

  get kind(): 'home' {
    return 'home';
  }
}
