/** Units on hand by age. Their age is the number of days since units of their stock key last came in. */
import { AGE_DAYS } from '../topics.ts';

const OLDEST_DAYS = AGE_DAYS[AGE_DAYS.length - 1] as number;

export class Ages {
  /** Units by the day, since 1970, of their key's last inbound; 0 if that day is unknown. */
  readonly #byDay = new Map<number, number>();

  /** Adds units on hand; negative units are removed. */
  add(day: number, units: number): void {
    const now = (this.#byDay.get(day) ?? 0) + units;
    if (now === 0) this.#byDay.delete(day);
    else this.#byDay.set(day, now);
  }

  clear(): void {
    this.#byDay.clear();
  }

  /** Adds the units on hand to `to`, which has one entry per bound in AGE_DAYS and one for older stock. */
  read(nowMs: number, to: number[] = noAges()): number[] {
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

export function noAges(): number[] {
  return [...AGE_DAYS.map(() => 0), 0];
}

/** The day of a moment, counted from 1970 in UTC. @param ms milliseconds since 1970 */
export function dayOf(ms: number): number {
  return Math.floor(ms / 86_400_000);
}

/**
 * Collapses all days beyond the oldest age bucket into one, because stock that old stays in that bucket. A day after the recorded one
 * becomes the recorded one.
 */
export function toldApart(day: number, recordedDay: number): number {
  return recordedDay - day > OLDEST_DAYS ? recordedDay - OLDEST_DAYS - 1 : Math.min(day, recordedDay);
}
