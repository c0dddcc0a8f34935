/**
 * A page of an explanation: which steps it holds, and where the next one begins.
 *
 * Invariants:
 *  EP1 Steps have one order: by moment; of one moment counts, then other facts, then decisions; then by id. A cursor is a place in it, so that
 *      a fact that comes late moves no other step to another page.
 *  EP2 Of any number of steps at most twice a page are kept; what is older than the page is given back at once, in any order.
 */
/** Moment in microseconds, rank within it, id, and a number that tells steps of one id apart. */
export type Place = readonly [at: number, rank: number, id: string, n: number];

export interface ExplainedKey {
  readonly sku: string;
  readonly location: string;
}

/** At most so many steps, the newest before a place. */
export interface ExplainPage {
  readonly limit: number;
  readonly before: Place | undefined;
}

export interface Placed {
  readonly place: Place;
}

/** Negative if a comes before b (EP1). */
export function comparePlaces(a: Place, b: Place): number {
  return a[0] - b[0] || a[1] - b[1] || (a[2] < b[2] ? -1 : a[2] > b[2] ? 1 : 0) || a[3] - b[3];
}

/** Keeps the newest of what is added before a place. */
export class Newest<T extends Placed> {
  readonly #limit: number;
  readonly #before: Place | undefined;
  readonly #older: (entry: T) => void;
  #kept: T[] = [];
  /** What is not behind it is older than the page. */
  #floor: Place | undefined;

  /** @param older is told of what is not on the page, because so many newer ones are */
  constructor(limit: number, before: Place | undefined, older: (entry: T) => void) {
    this.#limit = limit;
    this.#before = before;
    this.#older = older;
  }

  /** Whether something is older than the page. */
  get goesOn(): boolean {
    return this.#floor !== undefined;
  }

  isNewer(place: Place): boolean {
    return this.#before !== undefined && comparePlaces(place, this.#before) >= 0;
  }

  /** False if it is surely older than the page: no more need be made of it than `older` takes. */
  mayKeep(place: Place): boolean {
    return this.#floor === undefined || comparePlaces(place, this.#floor) > 0;
  }

  add(entry: T): void {
    if (!this.mayKeep(entry.place)) return this.#older(entry);
    this.#kept.push(entry);
    // EP2.
    if (this.#kept.length >= 2 * this.#limit) this.#cut(this.#limit);
  }

  /** The page, oldest first. @param fits of the newest of these entries so many at most */
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
