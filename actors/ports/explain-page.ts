/**
 * One page of an explanation, read from the newest step backwards. Callers add steps in any order; the page keeps the newest ones
 * before its cursor and hands every older step back, so that its effect can still be summed.
 *
 * Invariants:
 *  EP1 Steps have one total order: by moment; within a moment counts, then other facts, then decisions; then by id. A cursor is a place in
 *      that order, so a late fact moves no other step to another page.
 *  EP2 At most twice a page of steps is kept, however many are added. Steps older than the page are handed back as soon as they are cut, in
 *      any order.
 */
/** Moment in microseconds, rank within it, id, and a number that distinguishes steps of one id. */
export type Place = readonly [at: number, rank: number, id: string, n: number];

export interface ExplainedKey {
  readonly sku: string;
  readonly location: string;
}

/** Asks for the newest steps before a place, at most `limit` of them. */
export interface ExplainPage {
  readonly limit: number;
  readonly before: Place | undefined;
}

export interface Placed {
  readonly place: Place;
}

/** Negative if `a` comes before `b` (EP1). */
export function comparePlaces(a: Place, b: Place): number {
  return a[0] - b[0] || a[1] - b[1] || (a[2] < b[2] ? -1 : a[2] > b[2] ? 1 : 0) || a[3] - b[3];
}

/** Keeps the newest of the added entries before a place. */
export class Newest<T extends Placed> {
  readonly #limit: number;
  readonly #before: Place | undefined;
  readonly #older: (entry: T) => void;
  #kept: T[] = [];
  /** Entries at or before this place are older than the page. */
  #floor: Place | undefined;

  /** @param older called with each entry that is older than the page */
  constructor(limit: number, before: Place | undefined, older: (entry: T) => void) {
    this.#limit = limit;
    this.#before = before;
    this.#older = older;
  }

  /** Whether an entry older than the page exists. */
  get goesOn(): boolean {
    return this.#floor !== undefined;
  }

  isNewer(place: Place): boolean {
    return this.#before !== undefined && comparePlaces(place, this.#before) >= 0;
  }

  /** False if an entry at this place is certainly older than the page, so the caller need build only the part that `older` uses. */
  mayKeep(place: Place): boolean {
    return this.#floor === undefined || comparePlaces(place, this.#floor) > 0;
  }

  add(entry: T): void {
    if (!this.mayKeep(entry.place)) {
      this.#older(entry);
      return;
    }
    this.#kept.push(entry);
    // Cutting at twice the page bounds the memory, and sorts only once per page (EP2).
    if (this.#kept.length >= 2 * this.#limit) this.#cut(this.#limit);
  }

  /**
   * The page, oldest first.
   * @param fits the number of entries, counted from the newest, that fit into the answer; one is always kept
   */
  end(fits: (newestFirst: readonly T[]) => number): readonly T[] {
    this.#cut(this.#limit);
    this.#cut(Math.max(1, fits([...this.#kept].reverse())));
    return this.#kept;
  }

  #cut(limit: number): void {
    this.#kept.sort((a, b) => comparePlaces(a.place, b.place));
    const older = this.#kept.splice(0, Math.max(0, this.#kept.length - limit));
    for (const entry of older) this.#older(entry);
    this.#floor = older.at(-1)?.place ?? this.#floor;
  }
}
