/**
 * Stock buckets: the quantities that Holdfast keeps and shows for a stock key. Types, schemas, stored forms, messages between nodes,
 * metrics, the page and the commands follow from this one table, so a new bucket is one row.
 *
 * Invariants:
 *  SB1 Answers, tables and metrics list buckets in the order of the rows.
 *  SB2 Positional forms, in snapshots and between nodes, have the buckets of the first form first. Later buckets are appended in the order
 *      of `since`. A form that ends before a bucket has 0 units of it.
 *  SB3 In a sum over stock keys, a bucket below 0 counts as 0, so that one wrong book takes nothing from other keys. What is below 0 has a
 *      sum of its own. So ATP ≤ sellable ≤ on hand holds for sums too, and on hand less what is below 0 is the net book.
 */

interface StockBucket {
  /** Column heading. */
  readonly label: string;
  /** Name outside of a column, if it differs. */
  readonly alone?: string;
  readonly description: string;
  /** Its units are physically there and count as on hand. */
  readonly onHand?: true;
  /** An adjustment may name it. */
  readonly adjustable?: true;
  /** Facts and decisions move its units, so `explain` keeps a running total. */
  readonly moved?: true;
  /** KPIs sum it over stock keys. */
  readonly totalled?: true;
  /** Version of the rules (config/rules.ts) that introduced the bucket; absent for a bucket of the first form. */
  readonly since?: number;
}

const PHYSICAL = { onHand: true, adjustable: true, moved: true, totalled: true } as const;

const STOCK_BUCKETS = {
  onHand: { label: 'On hand', description: 'units that are physically there, in any condition', totalled: true },
  sellable: { label: 'Sellable', description: 'units that may be sold as they are', ...PHYSICAL },
  damaged: { label: 'Damaged', description: 'units that are there and damaged', ...PHYSICAL },
  inspection: {
    label: 'Inspection',
    alone: 'In inspection',
    description: 'units that are there and wait for inspection',
    ...PHYSICAL,
  },
  held: { label: 'Held', description: 'units that holds claim until they expire', moved: true, totalled: true },
  allocated: { label: 'Allocated', description: 'units that confirmed orders claim', moved: true, totalled: true },
  promised: { label: 'Promised later', description: 'units that dated reservations take from later supply', since: 3 },
  safetyStock: { label: 'Safety', description: 'units that policy withholds from promise' },
  available: { label: 'Available', description: 'sellable less all claims and safety stock; it may be below 0' },
  oversold: { label: 'Oversold', description: 'held and allocated units that are not there; never below 0', since: 3 },
  atp: { label: 'ATP', description: 'units that may be promised now; never below 0', totalled: true },
  inTransit: { label: 'In transit', description: 'units on their way to the location', moved: true, totalled: true },
  onOrder: { label: 'On order', description: 'units ordered for the location', moved: true, totalled: true },
} as const satisfies Readonly<Record<string, StockBucket>>;

type Rows = typeof STOCK_BUCKETS;
export type BucketName = keyof Rows;
type NamesWith<Flag extends keyof StockBucket> = {
  [Name in BucketName]: Rows[Name] extends Record<Flag, unknown> ? Name : never;
}[BucketName];
/** A bucket whose units are physically there. */
export type OnHandBucket = NamesWith<'onHand'>;
export type AdjustableBucket = NamesWith<'adjustable'>;
export type MovedBucket = NamesWith<'moved'>;
export type TotalledBucket = NamesWith<'totalled'>;

export type UnitsOf<Name extends BucketName> = Readonly<Record<Name, number>>;

/** All buckets in the order of the rows (SB1). */
export const BUCKETS = Object.keys(STOCK_BUCKETS) as readonly BucketName[];
export const ON_HAND_BUCKETS = namesWith('onHand');
export const ADJUSTABLE_BUCKETS = namesWith('adjustable');
export const MOVED_BUCKETS = namesWith('moved');
export const TOTALLED_BUCKETS = namesWith('totalled');

/** The sum that makes up on hand, in words. */
export const ON_HAND_SUM = ON_HAND_BUCKETS.map((name) => bucketRow(name).label.toLowerCase()).join(' + ');

export function bucketRow(name: BucketName): StockBucket {
  return STOCK_BUCKETS[name];
}

export function noUnits<Name extends BucketName>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}

/** Units of a bucket that are there: none if the book is below 0 (SB3). */
export function unitsThere(units: number): number {
  return Math.max(0, units);
}

/** How far a bucket is below 0. */
export function unitsBelowZero(units: number): number {
  return Math.max(0, -units);
}

/** Promised units of a stock key that are not there. */
export function oversoldUnits({ sellable, held, allocated }: UnitsOf<'sellable' | 'held' | 'allocated'>): number {
  return Math.max(0, held + allocated - unitsThere(sellable));
}

/** How far the buckets of a stock key are below 0, together. */
export function negativeUnits(units: UnitsOf<OnHandBucket>): number {
  return ON_HAND_BUCKETS.reduce((sum, bucket) => sum + unitsBelowZero(units[bucket]), 0);
}

/** Sums over stock keys, all made of the same parts (SB3). */
export interface StockSums {
  readonly units: UnitsOf<TotalledBucket>;
  readonly oversold: number;
  readonly negativeUnits: number;
}

export function sumOf(keys: readonly UnitsOf<BucketName>[]): StockSums {
  const sums = { units: noUnits(TOTALLED_BUCKETS), oversold: 0, negativeUnits: 0 };
  for (const key of keys) {
    const below = negativeUnits(key);
    for (const bucket of TOTALLED_BUCKETS)
      sums.units[bucket] += bucket === 'onHand' ? key.onHand + below : unitsThere(key[bucket]);
    sums.oversold += oversoldUnits(key);
    sums.negativeUnits += below;
  }
  return sums;
}

/** Splits buckets for positional forms into those of the first form and later ones, by `since` (SB2). */
export function byAge<Name extends BucketName>(names: readonly Name[]): { first: Name[]; later: Name[] } {
  const since = (name: Name) => bucketRow(name).since ?? 0;
  return {
    first: names.filter((name) => since(name) === 0),
    later: names.filter((name) => since(name) > 0).sort((a, b) => since(a) - since(b)),
  };
}

function namesWith<Flag extends keyof StockBucket>(flag: Flag): readonly NamesWith<Flag>[] {
  return BUCKETS.filter((name) => flag in STOCK_BUCKETS[name]) as NamesWith<Flag>[];
}
