/**
 * What one partition hears of each source (a location, or a device at one), gathered for the partition that judges the source as a whole:
 * facts of a location are spread over all partitions by their SKUs, and silence of one of them is no silence.
 *
 * Lateness is measured here, fact by fact, against the least lag of the source's location (places.ts, PL1): in a replay nothing is late
 * that comes in its order.
 */
import { ANOMALY_BOUNDS } from '../../../config/anomalies.ts';
import type { Fact } from '../../../streams/fact/fact.ts';
import type { DetectorContext } from './context.ts';
import type { LocationClock } from './location-clock.ts';

const MINUTE = 60_000_000;
/** One late device is no late location. */
const NOT_JUDGED = -1;
/** Minutes told of one source at once; those beyond are left out: the pattern of a week does not need them. */
const MINUTES_TOLD = 2_000;

/** What was heard of a source since it was last told. */
export interface Heard {
  readonly location: string;
  readonly device: string | undefined;
  /** Facts whose lateness counts: of a location, those that name no device. */
  facts: number;
  late: number;
  /** Greatest lateness of a fact, in microseconds. */
  lateness: number;
  /** Minutes since 1970, of the source's own time, in which it was heard. */
  readonly minutes: number[];
  /** Latest own time, and the lag that makes it from the wall's; microseconds. */
  at: number;
  lag: number;
  recordedAt: number;
}

export class Sightings {
  readonly #context: DetectorContext;
  #heard = new Map<string, Heard>();

  constructor(context: DetectorContext) {
    this.#context = context;
  }

  hear(fact: Fact, recordedAt: number): void {
    const { clocks } = this.#context;
    const place = clocks.of(fact.location);
    const lateness = clocks.heard(place, fact.at, recordedAt);
    this.#add(fact.location, undefined, place, fact.device === undefined ? lateness : NOT_JUDGED, recordedAt);
    if (fact.device !== undefined) this.#add(fact.location, fact.device, place, lateness, recordedAt);
  }

  /** `lateness` below 0: told of with the device that it came from, and of no account here. */
  #add(location: string, device: string | undefined, place: LocationClock, lateness: number, recordedAt: number): void {
    const name = device === undefined ? location : `${location}\u0001${device}`;
    let heard = this.#heard.get(name);
    if (heard === undefined) {
      if (this.#heard.size >= ANOMALY_BOUNDS.sources) return;
      heard = { location, device, facts: 0, late: 0, lateness: 0, minutes: [], at: 0, lag: 0, recordedAt };
      this.#heard.set(name, heard);
    }
    if (lateness !== NOT_JUDGED) heard.facts += 1;
    if (lateness >= this.#context.parameters.lateMs * 1000) heard.late += 1;
    heard.lateness = Math.max(heard.lateness, lateness);
    const at = recordedAt - place.lag;
    heard.lag = place.lag;
    heard.at = Math.max(heard.at, at);
    heard.recordedAt = Math.max(heard.recordedAt, recordedAt);
    const minute = Math.floor(at / MINUTE);
    if (heard.minutes.at(-1) !== minute && heard.minutes.length < MINUTES_TOLD) heard.minutes.push(minute);
  }

  /** What was heard since the last time. */
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
