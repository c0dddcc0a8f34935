/**
 * Sums of what happened within windows: a minute, an hour, a day, and all time. Each window but the last is a ring of buckets by the moment
 * that the stream or the journal gave, not by when it was folded.
 *
 * Invariants:
 *  W1 The same happenings, in any order, give the same sums at the same moment: a bucket is taken over by a later one only when it has
 *     left its window, and what comes for one that has left counts for all time only.
 *  W2 A window begins at a whole bucket: its length is between one bucket less than its name says and that.
 */
import { FACT_TYPES } from '../../streams/facts.ts';
import { WINDOWS, type WindowName } from '../topics.ts';

const FIELDS = [
  ...FACT_TYPES,
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
] as const;
export type HappenedField = (typeof FIELDS)[number];
/** Where each figure stands among the sums. New ones are added at the end: what was kept by an older program is shorter. */
export const HAPPENED = Object.fromEntries(FIELDS.map((field, index) => [field, index])) as Readonly<
  Record<HappenedField, number>
>;
export const HAPPENED_LENGTH = FIELDS.length;

/** Bucket length in ms, and buckets. */
const RINGS = [
  [5_000, 12],
  [300_000, 12],
  [3_600_000, 24],
] as const;
/** Reasons of returns kept apart in one bucket; what comes beyond stands under OTHER_REASONS. */
const REASONS_KEPT = 32;
const REASON_LENGTH = 64;
const OTHER_REASONS = 'other';

export interface Sums {
  readonly sums: Float64Array;
  /** Units returned by reason; undefined while none. */
  reasons: Map<string, number> | undefined;
}
interface Bucket extends Sums {
  /** Which one it is: its first moment ÷ bucket length. */
  index: number;
}

type KeptSums = [sums: readonly number[], reasons: readonly [string, number][]];
export type KeptWindows = [all: KeptSums, rings: readonly (readonly [index: number, ...KeptSums][])[]];

export class Windows {
  readonly all: Sums = emptySums();
  readonly #rings: (Bucket | undefined)[][] = RINGS.map(() => []);
  /** Buckets of the moment that was asked for last: those of the shortest ring's bucket, which every other bucket is a multiple of. */
  #found: Sums[] = [];
  #foundIndex = -1;

  /** Adds to every window that holds this moment. */
  add(atMs: number, field: number, units: number): void {
    for (const { sums } of this.#at(atMs)) (sums[field] as number) += units;
  }

  addReturn(atMs: number, units: number, reason: string): void {
    const short = reason.length > REASON_LENGTH ? reason.slice(0, REASON_LENGTH).toWellFormed() : reason;
    for (const each of this.#at(atMs)) {
      (each.sums[HAPPENED.unitsReturned] as number) += units;
      addReason(each, short, units);
    }
  }

  /** Sums of each window as of now, in the order of WINDOWS. */
  read(nowMs: number): Sums[] {
    const read = RINGS.map(([size, count], ring) => {
      const total = emptySums();
      const before = Math.floor(nowMs / size) - count;
      for (const bucket of this.#rings[ring] as (Bucket | undefined)[])
        if (bucket !== undefined && bucket.index > before) addSums(total, bucket);
      return total;
    });
    return [...read, this.all];
  }

  /** Facts of the last minute: what `read` says of it, quicker. */
  factsPerMinute(nowMs: number): number {
    const [size, count] = RINGS[0];
    const before = Math.floor(nowMs / size) - count;
    let facts = 0;
    for (const bucket of this.#rings[0] as (Bucket | undefined)[]) {
      if (bucket === undefined || bucket.index <= before) continue;
      for (let type = 0; type < FACT_TYPES.length; type++) facts += bucket.sums[type] as number;
    }
    return facts;
  }

  keep(): KeptWindows {
    const rings = this.#rings.map((ring) =>
      ring
        .filter((bucket) => bucket !== undefined)
        .map((bucket): [number, ...KeptSums] => [bucket.index, ...keepSums(bucket)]),
    );
    return [keepSums(this.all), rings];
  }

  static load([all, rings]: KeptWindows): Windows {
    const windows = new Windows();
    addKept(windows.all, all);
    for (const [ring, buckets] of rings.entries()) {
      const count = RINGS[ring]?.[1] ?? 0;
      for (const [index, ...kept] of buckets) {
        const bucket = { index, ...emptySums() };
        addKept(bucket, kept);
        (windows.#rings[ring] as (Bucket | undefined)[])[index % count] = bucket;
      }
    }
    return windows;
  }

  #at(atMs: number): readonly Sums[] {
    const shortest = Math.floor(atMs / RINGS[0][0]);
    if (shortest !== this.#foundIndex) {
      this.#found = this.#find(atMs);
      this.#foundIndex = shortest;
    }
    return this.#found;
  }

  #find(atMs: number): Sums[] {
    const found: Sums[] = [this.all];
    for (const [ring, [size, count]] of RINGS.entries()) {
      const index = Math.floor(atMs / size);
      const buckets = this.#rings[ring] as (Bucket | undefined)[];
      const slot = index % count;
      const there = buckets[slot];
      if (there?.index === index) found.push(there);
      else if (there === undefined || there.index < index) {
        const bucket: Bucket = { index, ...emptySums() };
        buckets[slot] = bucket;
        found.push(bucket);
      }
    }
    return found;
  }
}

/** Seconds of each window that have passed, in the order of WINDOWS. @param sinceMs the system's first fact; undefined before it */
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
  const known = to.reasons.get(reason);
  if (known === undefined && to.reasons.size >= REASONS_KEPT)
    to.reasons.set(OTHER_REASONS, (to.reasons.get(OTHER_REASONS) ?? 0) + units);
  else to.reasons.set(reason, (known ?? 0) + units);
}

export function keepSums({ sums, reasons }: Sums): KeptSums {
  return [Array.from(sums), reasons === undefined ? [] : [...reasons]];
}

export function addKept(to: Sums, [sums, reasons]: KeptSums): void {
  addSums(to, { sums, reasons: new Map(reasons) });
}
