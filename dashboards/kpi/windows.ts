/**
 * Sums of events over sliding windows: the last minute, hour and day, and all time. Each window is a series of buckets. An event belongs to
 * the bucket of the moment at which the stream or the journal recorded it, however late it is folded. Reading a window adds up the
 * buckets that are still inside it. All time is a single bucket.
 *
 * Invariants:
 *  KW1 The same events, in any order, give the same sums at the same moment. A bucket is dropped only once it has left its window, and an
 *     event that comes after its bucket has left counts only in the longer windows.
 *  KW2 A window begins at a whole bucket, so it is up to one bucket shorter than its name says.
 *  KW3 A bucket holds only figures that are not zero. A location has about fifty buckets in each partition, and most of them hold one or
 *     two sales.
 */
import { decodeBody, encodeBody, MSGPACK_TYPE } from '../../streams/codec.ts';
import { STOCK_FACT_TYPES } from '../../streams/subjects.ts';
import { WINDOWS, type WindowName } from '../topics.ts';

const FIELDS = [
  'sale',
  'receipt',
  'transfer',
  'return',
  'count',
  'adjustment',
  'unitsSold',
  'unitsReturned',
  'holdsGranted',
  'holdsConfirmed',
  'holdsReleased',
  'holdsExpired',
  'transfersReceived',
  'leadSeconds',
  'leads',
  'unitsDamaged',
  'counted',
  'exact',
  'varianceUnits',
  'purchase',
  'deliveries',
  'deliveryLeadSeconds',
  'deliveryLeads',
  'deliveriesLate',
  'deliveryLateSeconds',
] as const;
export type HappenedField = (typeof FIELDS)[number];
/** The position of each figure among the sums. Add new figures at the end, because sums kept by an older version are shorter. */
export const HAPPENED = Object.fromEntries(FIELDS.map((field, index) => [field, index])) as Readonly<
  Record<HappenedField, number>
>;
export const HAPPENED_LENGTH = FIELDS.length;
const FACT_FIELDS: ReadonlySet<number> = new Set(STOCK_FACT_TYPES.map((type) => HAPPENED[type]));

/** Bucket length in milliseconds and number of buckets, for each window except all time. */
const RINGS = [
  [5_000, 12],
  [300_000, 12],
  [3_600_000, 24],
] as const;
const ALL_TIME = [Number.POSITIVE_INFINITY, 1] as const;
/** Most reasons of returns counted separately in one bucket. Further reasons count as OTHER_REASONS. */
const REASONS_KEPT = 32;
const REASON_LENGTH = 64;
const OTHER_REASONS = 'other';

export interface Sums {
  readonly sums: Float64Array;
  /** Units returned, by reason; undefined while there are none. */
  reasons: Map<string, number> | undefined;
}
export type KeptSums = readonly [sums: readonly number[], reasons: readonly (readonly [string, number])[]];
type KeptRing = [cells: readonly number[], reasons: readonly [index: number, readonly [string, number][]][]];
/** Holdfast 0.1 kept the rings without encoding them. */
export type KeptWindows = Uint8Array | readonly KeptRing[];

export class Windows {
  readonly #rings: readonly Ring[] = [...RINGS, ALL_TIME].map(([size, count]) => new Ring(size, count));

  /** The last encoding, until something is added. Most locations do not change between two snapshots. */
  #kept: Uint8Array | undefined;

  /** Adds to every window that still holds this moment. */
  add(atMs: number, field: number, units: number): void {
    this.#kept = undefined;
    for (const ring of this.#rings) ring.add(atMs, field, units);
  }

  addReturn(atMs: number, units: number, reason: string): void {
    this.#kept = undefined;
    const short = reason.length > REASON_LENGTH ? reason.slice(0, REASON_LENGTH).toWellFormed() : reason;
    for (const ring of this.#rings) {
      ring.add(atMs, HAPPENED.unitsReturned, units);
      ring.addReason(atMs, short, units);
    }
  }

  /** The sums of each window at `nowMs`, in the order of WINDOWS. */
  read(nowMs: number): Sums[] {
    return this.#rings.map((ring) => ring.read(nowMs));
  }

  /** Facts of the last minute, as `read` would count them but faster. */
  factsPerMinute(nowMs: number): number {
    return this.#rings[0]?.facts(nowMs) ?? 0;
  }

  keep(): Uint8Array {
    if (this.#kept === undefined) {
      const rings = this.#rings.map((ring) => ring.keep());
      // A copy, because what the encoder returns is a part of a buffer that many messages share and that would stay as long as this does.
      this.#kept = new Uint8Array(encodeBody(rings, MSGPACK_TYPE));
    }
    return this.#kept;
  }

  /** Throws if it cannot be read. */
  static load(kept: KeptWindows): Windows {
    const windows = new Windows();
    const rings = kept instanceof Uint8Array ? (decodeBody(kept, MSGPACK_TYPE) as KeptRing[]) : kept;
    for (const [i, ring] of windows.#rings.entries()) ring.load(rings[i] ?? [[], []]);
    return windows;
  }
}

/** The buckets of one window. The buckets that are added to are near the end. */
class Ring {
  readonly #size: number;
  readonly #count: number;
  /** Triples of bucket index, field and sum, one per figure that is not zero (KW3), in an array without spare capacity. */
  #cells: number[] = [];
  /** Units returned, by index of the bucket and by reason. */
  #reasons: Map<number, Map<string, number>> | undefined;
  #newest = Number.NEGATIVE_INFINITY;

  constructor(size: number, count: number) {
    this.#size = size;
    this.#count = count;
  }

  add(atMs: number, field: number, units: number): void {
    const index = Math.floor(atMs / this.#size);
    const cells = this.#cells;
    for (let i = cells.length - 3; i >= 0; i -= 3) {
      if (cells[i] === index && cells[i + 1] === field) {
        (cells[i + 2] as number) += units;
        return;
      }
    }
    if (index <= this.#newest - this.#count) return;
    if (index > this.#newest) this.#begin(index);
    // Copied, because push would allocate spare capacity.
    this.#cells = [...this.#cells, index, field, units];
  }

  addReason(atMs: number, reason: string, units: number): void {
    const index = Math.floor(atMs / this.#size);
    if (index <= this.#newest - this.#count) return;
    this.#reasons ??= new Map();
    let reasons = this.#reasons.get(index);
    if (reasons === undefined) {
      reasons = new Map();
      this.#reasons.set(index, reasons);
    }
    countReason(reasons, reason, units);
  }

  read(nowMs: number): Sums {
    const total = emptySums();
    const before = Math.floor(nowMs / this.#size) - this.#count;
    const cells = this.#cells;
    for (let i = 0; i < cells.length; i += 3)
      if ((cells[i] as number) > before) (total.sums[cells[i + 1] as number] as number) += cells[i + 2] as number;
    for (const [index, reasons] of this.#reasons ?? [])
      if (index > before) for (const [reason, units] of reasons) addReason(total, reason, units);
    return total;
  }

  facts(nowMs: number): number {
    const before = Math.floor(nowMs / this.#size) - this.#count;
    const cells = this.#cells;
    let facts = 0;
    for (let i = 0; i < cells.length; i += 3)
      if ((cells[i] as number) > before && FACT_FIELDS.has(cells[i + 1] as number)) facts += cells[i + 2] as number;
    return facts;
  }

  keep(): KeptRing {
    return [this.#cells, Array.from(this.#reasons ?? [], ([index, reasons]) => [index, [...reasons]])];
  }

  load([cells, reasons]: KeptRing): void {
    this.#cells = [...cells];
    for (let i = 0; i < cells.length; i += 3) this.#newest = Math.max(this.#newest, cells[i] as number);
    if (reasons.length > 0) this.#reasons = new Map(reasons.map(([index, kept]) => [index, new Map(kept)]));
  }

  /** Begins a bucket, and drops those that have left the window (KW1). */
  #begin(index: number): void {
    this.#newest = index;
    const oldest = index - this.#count;
    if ((this.#cells[0] ?? index) <= oldest) {
      const kept: number[] = [];
      for (let i = 0; i < this.#cells.length; i += 3)
        if ((this.#cells[i] as number) > oldest) kept.push(...this.#cells.slice(i, i + 3));
      this.#cells = kept;
    }
    for (const each of this.#reasons?.keys() ?? []) if (each <= oldest) this.#reasons?.delete(each);
    if (this.#reasons?.size === 0) this.#reasons = undefined;
  }
}

/** The length of each window so far, in seconds (KW2). @param sinceMs when the first fact was taken; undefined before it */
export function windowSeconds(nowMs: number, sinceMs: number | undefined): Readonly<Record<WindowName, number>> {
  const age = sinceMs === undefined ? 0 : Math.max(0, nowMs - sinceMs);
  const lengths = RINGS.map(([size, count]) => Math.min(age, nowMs - (Math.floor(nowMs / size) - count + 1) * size));
  return Object.fromEntries(
    WINDOWS.map((window, index) => [window, Math.round(lengths[index] ?? age) / 1000]),
  ) as Record<WindowName, number>;
}

export function emptySums(): Sums {
  return { sums: new Float64Array(HAPPENED_LENGTH), reasons: undefined };
}

export function addSums(
  total: Sums,
  part: { readonly sums: ArrayLike<number>; readonly reasons: Sums['reasons'] },
): void {
  for (let i = 0; i < HAPPENED_LENGTH; i++) (total.sums[i] as number) += (part.sums[i] as number | undefined) ?? 0;
  if (part.reasons !== undefined) for (const [reason, units] of part.reasons) addReason(total, reason, units);
}

function addReason(to: Sums, reason: string, units: number): void {
  to.reasons ??= new Map();
  countReason(to.reasons, reason, units);
}

function countReason(reasons: Map<string, number>, reason: string, units: number): void {
  const known = reasons.get(reason);
  if (known === undefined && reasons.size >= REASONS_KEPT)
    reasons.set(OTHER_REASONS, (reasons.get(OTHER_REASONS) ?? 0) + units);
  else reasons.set(reason, (known ?? 0) + units);
}

export function keepSums({ sums, reasons }: Sums): KeptSums {
  return [Array.from(sums), reasons === undefined ? [] : [...reasons]];
}

export function addKept(to: Sums, [sums, reasons]: KeptSums): void {
  addSums(to, { sums, reasons: new Map(reasons) });
}
