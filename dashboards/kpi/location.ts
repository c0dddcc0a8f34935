/** One location's figures within one partition: how its stock keys stand, by age of what is on hand, and what happened. */
import { AGE_DAYS } from '../topics.ts';
import { STANDING_LENGTH } from './totals.ts';
import { Windows } from './windows.ts';

const OLDEST_DAYS = AGE_DAYS[AGE_DAYS.length - 1] as number;

export class LocationKpi {
  readonly location: string;
  readonly standing = new Float64Array(STANDING_LENGTH);
  windows = new Windows();
  /** When the stream took this location's latest fact, in milliseconds; 0 if none was heard. */
  heardAtMs = 0;
  /** Number of the partition's fold that changed it last. */
  changedAt = 0;
  /** Units on hand of stock keys by the day, since 1970, of their last inbound; 0: unknown or longer ago than is told apart. */
  readonly #byDay = new Map<number, number>();

  constructor(location: string) {
    this.location = location;
  }

  /** Adds units on hand, or takes them away. */
  age(day: number, units: number): void {
    const now = (this.#byDay.get(day) ?? 0) + units;
    if (now === 0) this.#byDay.delete(day);
    else this.#byDay.set(day, now);
  }

  /** Units on hand by age, one more than AGE_DAYS; added to what is given. */
  aged(nowMs: number, to: number[] = [...AGE_DAYS.map(() => 0), 0]): number[] {
    const today = dayOf(nowMs);
    for (const [day, units] of this.#byDay) {
      const age = Math.max(0, today - day);
      let index = 0;
      while (index < AGE_DAYS.length && age > (AGE_DAYS[index] as number)) index += 1;
      (to[index] as number) += units;
    }
    return to;
  }
}

/** The day of a moment in milliseconds, counted from 1970 in UTC. */
export function dayOf(ms: number): number {
  return Math.floor(ms / 86_400_000);
}

/** A day that ages alike: what is so old when it is recorded never gets younger, so such days are one. */
export function toldApart(day: number, recordedDay: number): number {
  return recordedDay - day > OLDEST_DAYS ? recordedDay - OLDEST_DAYS - 1 : Math.min(day, recordedDay);
}
