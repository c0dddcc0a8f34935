/** Units on hand by age: how many days ago the stock of their key last came in. */
import { AGE_DAYS } from '../topics.ts';

const OLDEST_DAYS = AGE_DAYS[AGE_DAYS.length - 1] as number;

export class Ages {
  /** By the day, since 1970, of the last inbound; 0: unknown or longer ago than is told apart. */
  readonly #byDay = new Map<number, number>();

  /** Adds units on hand, or takes them away. */
  add(day: number, units: number): void {
    const now = (this.#byDay.get(day) ?? 0) + units;
    if (now === 0) this.#byDay.delete(day);
    else this.#byDay.set(day, now);
  }

  clear(): void {
    this.#byDay.clear();
  }

  /** Units on hand by age, one more than AGE_DAYS; added to what is given. */
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

/** The day of a moment in milliseconds, counted from 1970 in UTC. */
export function dayOf(ms: number): number {
  return Math.floor(ms / 86_400_000);
}

/** A day that ages alike: what is so old when it is recorded never gets younger, so such days are one. */
export function toldApart(day: number, recordedDay: number): number {
  return recordedDay - day > OLDEST_DAYS ? recordedDay - OLDEST_DAYS - 1 : Math.min(day, recordedDay);
}
