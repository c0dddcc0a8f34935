/**
 * The locations that one partition hears of, and their clocks. A location's own time and its business time are derived from its facts, so
 * detectors judge live facts and replayed ones alike.
 *
 * Invariants:
 *  PL1 A location's own time is wall time minus the least lag of any of its facts. Live, that is about the wall clock. During a replay it
 *      follows the replayed facts, and for a silent location it advances at the pace of the wall. So a replay makes nothing overdue or
 *      silent, and a late fact does not set time back.
 *  PL2 Business time is the number of the location's sale lines in this partition. Nights, holidays and slow months take no business time,
 *      and a rush on all SKUs does not look like a rush on one.
 */
import type { StockFact } from '../../../streams/fact/fact.ts';

const DAY = 86_400_000_000;
/** The most by which a device with a fast clock can advance its location's time, in microseconds. */
const AHEAD = 300_000_000;
/** Weight of a new day in the length of a usual day. */
const DAILY_WEIGHT = 0.2;

/** Returns and sales that a location's share of returns begins with. */
type Prior = Pick<LocationClock, 'returns' | 'returnLines'>;

export class LocationClock {
  readonly name: string;
  readonly index: number;
  /** Least lag of its facts, in microseconds. */
  lag = Number.POSITIVE_INFINITY;
  /** Business time (PL2). */
  lines = 0;
  /** The latest day of its sales, since 1970, and the business time at which that day began. */
  day = 0;
  linesAtDay = 0;
  /** Number of complete business days, and the usual length of one in sale lines. */
  days = 0;
  dailyLines = 0;
  /** Returns and sales, starting at the prior. Their ratio is the location's share of returns. */
  returns: number;
  returnLines: number;

  constructor(name: string, index: number, prior: Prior) {
    this.name = name;
    this.index = index;
    this.returns = prior.returns;
    this.returnLines = prior.returnLines;
  }

  /** Business time of today so far, at least a quarter of a usual day, because the first baskets of a morning prove nothing. */
  get today(): number {
    return Math.max(this.lines - this.linesAtDay, this.dailyLines / 4);
  }

  /** Counts a sale line. A late one advances business time but never the day. */
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

/** Two more numbers follow in state of earlier versions, which are not read. */
type Kept = readonly [string, number | null, ...number[]];

export class LocationClocks {
  readonly all: LocationClock[] = [];
  readonly #byName = new Map<string, LocationClock>();
  readonly #prior: Prior;
  /** Least lag of any location here, used for a location that was never heard. */
  #lag = Number.POSITIVE_INFINITY;

  constructor(prior: Prior) {
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
   * Takes the times of a fact of this location, in microseconds since 1970. How long a fact was on its way is not known if its device's
   * clock is ahead, so such a fact changes no lag.
   * @returns lateness of the fact against the location's least lag, in microseconds; never below 0
   */
  heard(place: LocationClock, { at, own }: StockFact, recordedAt: number): number {
    if (own !== undefined) return 0;
    const lag = Math.max(-AHEAD, recordedAt - at);
    if (lag < place.lag) place.lag = lag;
    if (lag < this.#lag) this.#lag = lag;
    return lag - place.lag;
  }

  /** The location's own time (PL1) at a wall time, in microseconds since 1970. */
  timeOf(place: LocationClock, wall: number): number {
    const lag = place.lag === Number.POSITIVE_INFINITY ? this.#lag : place.lag;
    return lag === Number.POSITIVE_INFINITY ? wall : wall - lag;
  }

  /** Lets a day after a moment, in microseconds, be that of it. */
  moveBack(latest: number): void {
    for (const place of this.all) place.day = Math.min(place.day, Math.floor(latest / DAY));
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
      [place.lines, place.day, place.linesAtDay, place.days, place.dailyLines, place.returns, place.returnLines] =
        numbers as [number, number, number, number, number, number, number];
    }
  }
}
