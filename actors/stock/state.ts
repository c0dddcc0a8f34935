/**
 * State of the stock machine: stock keys, and the reservations that claim units of them.
 *
 * An actor is a StockKey, plain data of a few hundred bytes. Its behaviour is in the pure functions beside this file: decide (requests),
 * evolve (facts and decisions), availability (answers) and invariants (checks).
 */

import { noUnits, ON_HAND_BUCKETS, type OnHandBucket } from '../../streams/buckets.ts';
import type { Hash64 } from '../../streams/hash.ts';
import type { Attempt, FactUnits, Shortage, Standing, StandingDate } from '../../streams/journal/stock-decisions.ts';
import type { Timeline } from './dated/atp.ts';

const NO_CONTENT: Hash64 = { hi: 0, lo: 0 };

/** Shared by all keys without movements, because most of a million actors are quiet. */
const NO_MOVEMENTS: readonly number[] = [];

/** When a movement or a count happened, in microseconds since 1970. */
export interface Moment {
  readonly at: number;
  /** occurredAt of what the clock rule moved to `at`. It is later than `at`, and orders all that was moved there. */
  readonly own?: number | undefined;
}

/** The count that sellable is based on, which is the latest by (at, own, id). */
export interface CountRegister extends Moment {
  readonly id: string;
  readonly counted: number;
  /** Absent while it is the empty book, so that a key with one count pays nothing. A key with two counts pays about 120 bytes. */
  readonly former?: FormerCount | undefined;
}

/** The latest count but one. The variance of the latest count is measured from it (MV6). */
export interface FormerCount extends Moment {
  readonly id: string;
  /**
   * Units that it found, plus the compacted movements between it and the latest count. Undefined if the key comes from a snapshot of an
   * earlier version, which kept neither.
   */
  readonly units: number | undefined;
}

/** Before its first count, a book begins empty. */
export const EMPTY_BOOK: FormerCount = { at: Number.NEGATIVE_INFINITY, id: '', units: 0 };
export const UNKNOWN_FORMER: FormerCount = { ...EMPTY_BOOK, units: undefined };

/** A fact of a transfer, as far as its record keeps it. Times are in microseconds since 1970. */
export interface Leg extends Moment {
  /** '' if it comes from a snapshot of an earlier version, which did not keep it. */
  readonly id: string;
  readonly key: StockKey;
  readonly eta: number | undefined;
  /** Where the shipment began, by which its lane is known. Undefined for other facts, and in snapshots of 0.2 and before. */
  readonly from: string | undefined;
}

/** All that the facts under one transfer id say about one SKU. What is in transit and lost is derived (availability.ts). */
export class TransferRecord {
  readonly id: string;
  /** Greater than 0 as soon as a shipment is known. */
  shipped = 0;
  /** Units received at any location, including damaged ones. */
  arrived = 0;
  /** Latest occurredAt of an arrival. Undefined without one, and for arrivals from a snapshot of an earlier version. */
  arrivedAt: number | undefined = undefined;
  /** Units that were closed as lost, of which some may have turned up since. */
  closedLost = 0;
  /** Derived from the corrections at the stock keys. Invariant N7 checks it. */
  corrected = 0;
  /** The latest shipment by (occurredAt, id), with its destination. Until one is known, the latest other fact, with its location. */
  latest: Leg;
  /** The due date, in microseconds since 1970, for which an owner has declared it overdue. Another due date counts again. */
  overdueFor: number | undefined = undefined;

  constructor(id: string, latest: Leg) {
    this.id = id;
    this.latest = latest;
  }
}

/** One line of a purchase order about one SKU, as the latest fact has it. Times are in microseconds since 1970. */
export class PurchaseLine implements Moment {
  readonly order: PurchaseRecord;
  readonly name: string | undefined;
  /** Of the latest fact by (at, own, id). Before any fact it is earlier than all. */
  at = Number.NEGATIVE_INFINITY;
  own: number | undefined = undefined;
  id = '';
  key: StockKey;
  /** Units ordered in all. */
  qty = 0;
  /** When they are promised. */
  due = 0;
  vendor: string | undefined = undefined;
  /** Units that have not arrived. Derived from the record (supply/purchases.ts); invariant N9 checks it. */
  open = 0;
  /** The due date for which an owner has declared it overdue. Another due date counts again. */
  overdueFor: number | undefined = undefined;

  constructor(order: PurchaseRecord, name: string | undefined, key: StockKey) {
    this.order = order;
    this.name = name;
    this.key = key;
  }
}

/** All that facts say about one SKU under one purchase order. */
export class PurchaseRecord {
  readonly id: string;
  /** Sorted by due date, then name. */
  lines: PurchaseLine[] = [];
  /** Units of receipts that name the purchase order, at any location, including damaged ones. */
  received = 0;
  /** The earliest occurredAt of a purchase, in microseconds since 1970; infinite until one is known. */
  orderedAt = Number.POSITIVE_INFINITY;

  constructor(id: string) {
    this.id = id;
  }
}

/** Units of a transfer that never left the stock key. Its own moment counts only until a shipment is known (movements.ts). */
export interface Correction extends Moment {
  readonly transfer: TransferRecord;
  readonly qty: number;
}

export type RareBucket = Exclude<OnHandBucket, 'sellable'>;
export const RARE_BUCKETS = ON_HAND_BUCKETS.filter((bucket) => bucket !== 'sellable');

/** State that few stock keys have. It is kept apart so that the other keys stay small. */
export interface RareState extends Record<RareBucket, number> {
  /** Those of the key's movements that the clock rule moved, in order: [at, own, delta, at, own, delta …]. */
  moved: readonly number[];
  /** Transfers with units in transit to this key. Derived from the SKU's transfers; invariant N7 checks it. */
  inbound: Set<TransferRecord> | undefined;
  corrections: Correction[] | undefined;
  /** Lines of purchase orders with open units for this key. Derived from the SKU's purchases; invariant N9 checks it. */
  ordered: Set<PurchaseLine> | undefined;
  /** What is promised from here for later. Undefined while nothing is. Derived from the live reservations; invariant N3 checks it. */
  later: Later | undefined;
  /** Whether its promises are being made again, and some of the decisions are stored. */
  remaking: boolean;
  /** Units by group. Undefined until a policy needs them. Derived from the live reservations; invariant N10 checks it. */
  groups: Map<string, GroupCount> | undefined;
  /** Units due later of decisions that are not journaled yet: [due, units, due, units …] by due. */
  pendingLater: number[] | undefined;
  /** What the key gets and owes after now (phased.ts). Undefined if it must be made again. */
  timeline: { readonly items: Timeline; readonly generation: number } | undefined;
}

/** What a key has promised for later. */
export interface Later {
  /** The lines that are due later, with their reservations. */
  readonly lines: Map<PartLine, ReservationPart>;
  /** [due, units, due, units …] by due. A line that a decision on its way to the journal moves is due at its new moment. */
  readonly dues: number[];
  units: number;
  /** Units of lines that are due later than they are wanted. */
  late: number;
  /** Units of backorders. */
  backordered: number;
}

/** Units of one group at a key: those of stored decisions, and those of decisions that are not journaled yet. */
export interface GroupCount {
  stored: number;
  pending: number;
}

/** Units by which a key grows through a decision that the journal has not stored yet. */
export interface PendingUnits {
  readonly key: StockKey;
  readonly units: number;
  /** 0 for now; otherwise microseconds since 1970. */
  readonly due: number;
  readonly channel: string;
  readonly purpose: string;
  /** Units by which the groups grow. A reservation that changes its channel brings all of its units to the new one. */
  readonly groupUnits: number;
}

export const NO_RARE_UNITS: Readonly<Record<RareBucket, number>> = noUnits(RARE_BUCKETS);

/** The rare state of a key, which is created if it has none. */
export function rareOf(key: StockKey): RareState {
  key.rare ??= {
    ...NO_RARE_UNITS,
    moved: NO_MOVEMENTS,
    inbound: undefined,
    corrections: undefined,
    later: undefined,
    remaking: false,
    groups: undefined,
    pendingLater: undefined,
    timeline: undefined,
    ordered: undefined,
  };
  return key.rare;
}

/** One SKU at one location: an actor. */
export class StockKey {
  readonly sku: SkuEntry;
  readonly location: string;
  /** Derived from the count, base, movements and corrections (MV1). Invariant N1 checks it against them. */
  sellable = 0;
  /** Sum of the movements that compaction removed from `movements` and that no count covers. */
  base = 0;
  /** Movements of sellable in order of occurredAt: [at, delta, at, delta …], one entry per instant. */
  movements: readonly number[] = NO_MOVEMENTS;
  count: CountRegister | undefined = undefined;
  /** `held` and `allocated` are derived from the live reservations here. Invariant N3 checks them. */
  held = 0;
  allocated = 0;
  /** Units due now of decisions that are not journaled yet. They are neither stored nor answered, but cannot be promised again. */
  pending = 0;
  rare: RareState | undefined = undefined;

  constructor(sku: SkuEntry, location: string) {
    this.sku = sku;
    this.location = location;
  }
}

/** One SKU with its locations, in the order in which they became known. */
export class SkuEntry {
  readonly name: string;
  page = 0;
  /** Replaced instead of pushed to while they are few, because an array that grows reserves room for sixteen more. */
  keys: StockKey[] = [];
  /** Keys by location; undefined while there are few. */
  index: Map<string, StockKey> | undefined = undefined;
  /** Transfers by id; undefined while there are none. */
  transfers: Map<string, TransferRecord> | undefined = undefined;
  /** Purchases by purchase order; undefined while there are none. */
  purchases: Map<string, PurchaseRecord> | undefined = undefined;

  constructor(name: string) {
    this.name = name;
  }

  // A getter on the prototype, because a field would cost eight bytes per item.
  get kind(): 'sku' {
    return 'sku';
  }
}

/** A quantity of a reservation's line at one location. */
export interface PartLine {
  /** Answers are in the order of indexes (streams/journal/stock-decisions.ts). */
  readonly index: number;
  /** The caller's own name for the line. */
  readonly name: string | undefined;
  readonly key: StockKey;
  /** Units by the latest decision, including those that were fulfilled then. 0 for a line that only a return has made. */
  readonly granted: number;
  readonly base: number;
  /** Units now. A return moves units that it opens again to its own location. */
  qty: number;
  /** Units that sales have fulfilled, and no return has opened again. */
  fulfilled: number;
  /** Units of the key's held, allocated or promised that this line claims now. */
  claimed: number;
  /** Absent for a line that is due now because no date was asked for. */
  date?: LineDate | undefined;
}

/** When a line is wanted and when it is due, as far as decisions have said. */
export interface LineDate extends StandingDate {
  /** The moment that a decision on its way to the journal gives the line. */
  moving: number | undefined;
}

/** Units that sales took for a reservation at one place, according to one source. */
export interface Sold {
  readonly sku: string;
  readonly location: string;
  /** Tills report facts. Other sources report the same units again, so the larger of the two counts. */
  readonly source: 'till';
  qty: number;
  /** The sales in order of occurredAt: [at, qty, at, qty …]. A return is judged by them. */
  moments: readonly number[];
  /** The other sales, which the clock rule has moved to their moments: [at, own, qty …]. */
  moved?: readonly number[] | undefined;
}

/** A return of units that were sold for a reservation. */
export interface Returned {
  readonly sku: string;
  readonly location: string;
  readonly at: number;
  /** What its device said, if the clock rule has moved it. */
  readonly own?: number | undefined;
  readonly qty: number;
  /** How long after a sale a return opens units again, in microseconds; infinite if the horizon is off. */
  readonly within: number;
}

/** Lines, and the facts that their `base` includes. */
export interface Terms {
  lines: PartLine[];
  counted: readonly FactUnits[];
}

export const NO_ATTEMPT: Attempt = [0, 0];
const NONE: readonly never[] = [];

/** The lines of one reservation in this partition. What follows from it is derived in reservation.ts. */
export class ReservationPart implements Terms {
  readonly id: string;
  page = 0;
  granted = false;
  /** Only of a grant in the form of version 0.1. The home has it otherwise. */
  content: Hash64 = NO_CONTENT;
  channel = '';
  purpose = '';
  coordinator = 0;
  participants: readonly number[] = NONE;
  shortages: readonly Shortage[] = NONE;
  /** Version of the lines. */
  epoch = 0;
  seq = 0;
  /** The attempt that made the lines. */
  attempt: Attempt = NO_ATTEMPT;
  /** The latest attempt seen. An attempt before it, or one that was undone, changes nothing any more. */
  latest: Attempt = NO_ATTEMPT;
  grantedAtMs = 0;
  expiresAtMs = 0;
  confirmedAtMs = 0;
  releasedAtMs = 0;
  expiredAtMs = 0;
  lines: PartLine[] = [];
  counted: readonly FactUnits[] = NONE;
  /** Lines of an attempt whose outcome is not known here. Beside the lines, they claim what these do not. */
  next: (Terms & { readonly attempt: Attempt }) | undefined = undefined;
  sold: Sold[] | undefined = undefined;
  returned: Returned[] | undefined = undefined;
  /** Latest occurredAt of a sale that names the reservation, in milliseconds. */
  soldAtMs = 0;
  /** The bucket of the keys that includes what the lines claim. */
  bucket: 'held' | 'allocated' = 'held';

  constructor(id: string) {
    this.id = id;
  }

  get kind(): 'part' {
    return 'part';
  }
}

/**
 * A reservation at its home, the partition of its id: which partitions hold its lines, and how it stands. It also remembers an id that was
 * cancelled before it was placed.
 */
export class CoordinatorEntry {
  readonly id: string;
  page = 0;
  /** The attempt whose outcome stands; NO_ATTEMPT while the first one has only begun. */
  attempt: Attempt = NO_ATTEMPT;
  content: Hash64 = NO_CONTENT;
  participants: readonly number[] = NONE;
  shortages: readonly Shortage[] = NONE;
  expiresAtMs = 0;
  confirmedAtMs = 0;
  releasedAtMs = 0;
  expiredAtMs = 0;
  /** Ids of partial releases. */
  releases: readonly string[] = NONE;
  /** False while the first attempt has only begun. */
  placed = false;
  /** What the home has still to do with other owners: undo an attempt that has only begun, or make participants follow its outcome. */
  open:
    | { readonly attempt: Attempt; readonly participants: readonly number[]; readonly outcome: Standing | undefined }
    | undefined = undefined;

  constructor(id: string) {
    this.id = id;
  }

  /** False if the id was cancelled before it was placed. */
  get known(): boolean {
    return this.participants.length > 0;
  }

  get kind(): 'home' {
    return 'home';
  }
}
