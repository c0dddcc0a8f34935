/**
 * Locations as one partition hears of them, and time by what they report.
 *
 * Invariants:
 *  PL1 A location's own time is the wall's, less the least lag at which a fact of it ever came. Live, that is the wall clock; while old
 *      facts are replayed it goes with them, and for a location that fell silent it goes on at the wall's pace. So a replay makes
 *      nothing overdue or silent, and a late fact does not set time back.
 *  PL2 Business time is the count of sale lines of the location here: nights, holidays and slow months pass in no time, and a
 *      rush of everything is no rush of one SKU.
 */
const DAY = 86_400_000_000;
/** A device whose clock is ahead drags the location's time by no more than this, in microseconds. */
const AHEAD = 300_000_000;
/** Weight of a new day in what is usual. */
const DAILY_WEIGHT = 0.2;

export class LocationClock {
  readonly name: string;
  readonly index: number;
  /** Least lag of its facts, in microseconds. */
  lag = Number.POSITIVE_INFINITY;
  /** Business time (PL2). */
  lines = 0;
  /** The day, since 1970, that its sales have come to, and its business time when that began. */
  day = 0;
  linesAtDay = 0;
  /** Business days that were seen, and the usual length of one in lines. */
  days = 0;
  dailyLines = 0;
  /** Returns and sales, from the prior on: their ratio is the location's share of returns. */
  returns: number;
  returnLines: number;
  /** Sum of counts' squared differences per unit on the book, and of counts, from the prior on. */
  countSquares: number;
  counts: number;

  constructor(
    name: string,
    index: number,
    prior: { returns: number; returnLines: number; squares: number; counts: number },
  ) {
    this.name = name;
    this.index = index;
    this.returns = prior.returns;
    this.returnLines = prior.returnLines;
    this.countSquares = prior.squares;
    this.counts = prior.counts;
  }

  /** Business time of today so far, at least a quarter of a usual day: the first baskets of a morning tell nothing. */
  get today(): number {
    return Math.max(this.lines - this.linesAtDay, this.dailyLines / 4);
  }

  /** A sale line of that moment; late ones move business time, but no day. */
  sold(at: number): void {
    const day = Math.floor(at / DAY);
    if (day > this.day) {
      if (this.day > 0) {
        const lines = this.lines - this.linesAtDay;
        this.days += 1;
        this.dailyLines += Math.max(DAILY_WEIGHT, 1 / this.days) * (lines - this.dailyLines);
      }
      this.day = day;
      this.linesAtDay = this.lines;
    }
    this.lines += 1;
  }
}

type Kept = readonly [string, number | null, ...number[]];

export class LocationClocks {
  readonly all: LocationClock[] = [];
  readonly #byName = new Map<string, LocationClock>();
  readonly #prior: { returns: number; returnLines: number; squares: number; counts: number };
  /** Least lag of any location here: the time of one that was never heard. */
  #lag = Number.POSITIVE_INFINITY;

  constructor(prior: { returns: number; returnLines: number; squares: number; counts: number }) {
    this.#prior = prior;
  }

  of(name: string): LocationClock {
    let place = this.#byName.get(name);
    if (place === undefined) {
      place = new LocationClock(name, this.all.length, this.#prior);
      this.all.push(place);
      this.#byName.set(name, place);
    }
    return place;
  }

  /**
   * A fact of the place came. Both in microseconds since 1970.
   * @returns how much later it came than the place's facts can, in microseconds; never below 0
   */
  heard(place: LocationClock, at: number, recordedAt: number): number {
    const lag = Math.max(-AHEAD, recordedAt - at);
    if (lag < place.lag) place.lag = lag;
    if (lag < this.#lag) this.#lag = lag;
    return lag - place.lag;
  }

  /** The place's own time (PL1) at a moment of the wall, in microseconds. */
  timeOf(place: LocationClock, wall: number): number {
    const lag = place.lag === Number.POSITIVE_INFINITY ? this.#lag : place.lag;
    return lag === Number.POSITIVE_INFINITY ? wall : wall - lag;
  }

  keep(): unknown[] {
    return this.all.map(
      (p): Kept => [
        p.name,
        Number.isFinite(p.lag) ? p.lag : null,
        p.lines,
        p.day,
        p.linesAtDay,
        p.days,
        p.dailyLines,
        p.returns,
        p.returnLines,
        p.countSquares,
        p.counts,
      ],
    );
  }

  load(kept: readonly unknown[]): void {
    this.all.length = 0;
    this.#byName.clear();
    this.#lag = Number.POSITIVE_INFINITY;
    for (const [name, lag, ...numbers] of kept as Kept[]) {
      const place = this.of(name);
      place.lag = lag ?? Number.POSITIVE_INFINITY;
      this.#lag = Math.min(this.#lag, place.lag);
      [
        place.lines,
        place.day,
        place.linesAtDay,
        place.days,
        place.dailyLines,
        place.returns,
        place.returnLines,
        place.countSquares,
        place.counts,
      ] = numbers as [number, number, number, number, number, number, number, number, number];
    }
  }
}
