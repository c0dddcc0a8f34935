/**
 * Ends of reservations whose time is over, ordered by time. One heap and one timer serve them all, however many there are.
 *
 * A hold that was confirmed or released stays in the heap and is skipped when its time comes.
 */
import FlatQueue from 'flatqueue';
import { LIMITS } from '../../config/limits.ts';
import type { Clock } from '../../streams/clock.ts';
import { dueAtMs } from '../stock/reservation.ts';
import type { ReservationPart } from '../stock/state.ts';
import type { PartitionSet } from './partition-set.ts';

/** Longest delay that a Node.js timer accepts. A longer wait takes several timers. */
const LONGEST_TIMER_MS = 0x7fffffff;

export type Expire = (part: ReservationPart, again: (afterMs: number) => void) => void;

export class Expiry {
  readonly #clock: Clock;
  readonly #memoryMs: () => number;
  readonly #expire: Expire;
  readonly #heap = new FlatQueue<ReservationPart>();
  #cancel: (() => void) | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  /**
   * @param memoryMs how long a fulfilled reservation is remembered
   * @param expire ends a reservation whose time is over, and calls `again` if it has to be asked again later
   */
  constructor(clock: Clock, partitions: Pick<PartitionSet, 'observe'>, memoryMs: () => number, expire: Expire) {
    this.#clock = clock;
    this.#memoryMs = memoryMs;
    this.#expire = expire;
    // What was due while the partition had no owner ends at once.
    partitions.observe({
      serves: ({ book }) => {
        // mutant: holds-not-watched
        for (const part of book.parts.values()) this.add(part);
        book.onTimed = (part) => this.add(part);
      },
    });
  }

  get size(): number {
    return this.#heap.length;
  }

  /** Watches a part that will be due. */
  add(part: ReservationPart, notBeforeMs = 0): void {
    const dueMs = Math.max(notBeforeMs, dueAtMs(part, this.#memoryMs()));
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.#heap.push(part, dueMs);
    if (dueMs < this.#timerAt) this.#arm();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#heap.clear();
  }

  #arm(): void {
    this.#cancel?.();
    const next = this.#heap.peekValue();
    this.#timerAt = next ?? Number.POSITIVE_INFINITY;
    if (next === undefined) return;
    const wait = Math.min(LONGEST_TIMER_MS, Math.max(0, next - this.#clock.nowMs()));
    this.#cancel = this.#clock.after(wait, () => this.#pop());
  }

  #pop(): void {
    const now = this.#clock.nowMs();
    const due: ReservationPart[] = [];
    while (due.length < LIMITS.expiriesPerTurn) {
      const at = this.#heap.peekValue();
      if (at === undefined || at > now) break;
      const part = this.#heap.pop();
      // A hold that was extended is in the heap again, with its new time.
      if (part !== undefined && dueAtMs(part, this.#memoryMs()) <= now) due.push(part);
    }
    for (const part of due) this.#expire(part, (afterMs) => this.add(part, this.#clock.nowMs() + afterMs));
    this.#arm();
  }
}
