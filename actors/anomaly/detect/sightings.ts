/**
 * Gathers what one partition hears of each source (a location, or a device at one) for the home partition that judges the source. Facts of
 * a location are spread over all partitions by SKU, so silence in one partition proves nothing.
 *
 * Lateness is measured here, fact by fact, against the least lag of the source's location (location-clock.ts, PL1). So facts that are
 * replayed in order are not late. A purchase counts however late it comes, so its lateness says nothing.
 */
import { ANOMALY_BOUNDS } from '../../../config/anomalies.ts';
import type { StockFact } from '../../../streams/fact/fact.ts';
import type { DetectorContext } from './context.ts';
import type { LocationClock } from './location-clock.ts';

const MINUTE = 60_000_000;
const DAY = 86_400_000_000;
/** Lateness of a fact that is not judged. Its location ignores that of a device, because a late device does not make the location late. */
const NOT_JUDGED = -1;
/** Most minutes reported of one source at once. The rest are dropped, because the pattern of a week does not need them. */
const MINUTES_TOLD = 2_000;

/** Everything heard of a source since the last report. */
export interface Heard {
  readonly location: string;
  readonly device: string | undefined;
  /** Facts whose lateness counts. For a location these are the facts that name no device. */
  facts: number;
  late: number;
  /** Greatest lateness of a fact, in microseconds. */
  lateness: number;
  /** Minutes of the source's own time, since 1970, in which it was heard. */
  readonly minutes: number[];
  /** Latest own time, and the lag by which own time is behind the wall, both in microseconds. */
  at: number;
  lag: number;
  recordedAt: number;
  /** What the facts whose lateness counts say of its clock. Nodes of 0.2 and before do not tell it. */
  clock?: ClockReading | undefined;
}

/** A source's clock, compared with the times at which its facts were stored; in microseconds. */
export interface ClockReading {
  /** How far it was ahead by the latest fact; 0 if it was not. */
  readonly ahead: number;
  /** Least time by which a fact of the latest day was stored after it happened. Below 0, the clock is ahead. */
  readonly lag: number;
  readonly recordedAt: number;
}

/** The reading after one more fact. Days are those on which facts were stored. */
function read(before: ClockReading | undefined, { at, own }: StockFact, recordedAt: number): ClockReading {
  const ahead = own === undefined ? 0 : own - recordedAt;
  const lag = recordedAt - (own ?? at);
  if (before === undefined || dayOf(recordedAt) > dayOf(before.recordedAt)) return { ahead, lag, recordedAt };
  return {
    ahead: recordedAt < before.recordedAt ? before.ahead : ahead,
    lag: dayOf(recordedAt) < dayOf(before.recordedAt) ? before.lag : Math.min(lag, before.lag),
    recordedAt: Math.max(recordedAt, before.recordedAt),
  };
}

/** The day of a moment, in days since 1970. */
export function dayOf(at: number): number {
  return Math.floor(at / DAY);
}

export class Sightings {
  readonly #context: DetectorContext;
  #heard = new Map<string, Heard>();

  constructor(context: DetectorContext) {
    this.#context = context;
  }

  hear(fact: StockFact, recordedAt: number): void {
    const { clocks } = this.#context;
    const place = clocks.of(fact.location);
    const lateness = fact.type === 'purchase' ? NOT_JUDGED : clocks.heard(place, fact, recordedAt);
    const location = this.#add(
      fact.location,
      undefined,
      place,
      fact.device === undefined ? lateness : NOT_JUDGED,
      recordedAt,
    );
    const source =
      fact.device === undefined ? location : this.#add(fact.location, fact.device, place, lateness, recordedAt);
    if (source !== undefined) source.clock = read(source.clock, fact, recordedAt);
  }

  /** Adds one sighting. NOT_JUDGED as `lateness` means that the fact counts for the lateness of its device instead. */
  #add(
    location: string,
    device: string | undefined,
    place: LocationClock,
    lateness: number,
    recordedAt: number,
  ): Heard | undefined {
    const name = device === undefined ? location : `${location}\u0001${device}`;
    let heard = this.#heard.get(name);
    if (heard === undefined) {
      if (this.#heard.size >= ANOMALY_BOUNDS.sources) return undefined;
      heard = { location, device, facts: 0, late: 0, lateness: 0, minutes: [], at: 0, lag: 0, recordedAt };
      this.#heard.set(name, heard);
    }
    if (lateness !== NOT_JUDGED) heard.facts += 1;
    if (lateness >= this.#context.parameters.lateMs * 1000) heard.late += 1;
    heard.lateness = Math.max(heard.lateness, lateness);
    const at = this.#context.clocks.timeOf(place, recordedAt);
    heard.lag = recordedAt - at;
    heard.at = Math.max(heard.at, at);
    heard.recordedAt = Math.max(heard.recordedAt, recordedAt);
    const minute = Math.floor(at / MINUTE);
    if (heard.minutes.at(-1) !== minute && heard.minutes.length < MINUTES_TOLD) heard.minutes.push(minute);
    return heard;
  }

  /** Returns the sightings since the last call, and starts over. */
  take(): Heard[] {
    const heard = [...this.#heard.values()];
    this.#heard = new Map();
    return heard;
  }

  keep(): unknown[] {
    return [...this.#heard];
  }

  load(kept: readonly unknown[]): void {
    this.#heard = new Map(kept as [string, Heard][]);
  }
}
