/**
 * Expiry of holds, ordered by time. One heap and one timer serve all holds, however many there are.
 *
 * A hold that was confirmed or released stays in the heap and is skipped when its time comes.
 */
import FlatQueue from 'flatqueue';
import { LIMITS } from '../../config/limits.ts';
import type { Clock } from '../../streams/clock.ts';
import { hasEnded } from '../stock/reservation.ts';
import type { ReservationPart } from '../stock/state.ts';
import type { PartitionSet } from './partition-set.ts';

/** Pause before retrying a hold whose expiry could not be decided. */
const RETRY_MS = 1_000;

/** Longest delay that a Node.js timer accepts. A longer wait takes several timers. */
const LONGEST_TIMER_MS = 0x7fffffff;

export type Expire = (part: ReservationPart, failed: () => void) => void;

export class Expiry {
  readonly #clock: Clock;
  readonly #expire: Expire;
  readonly #heap = new FlatQueue<ReservationPart>();
  #cancel: (() => void) | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  /** @param expire ends a hold whose time is over, and calls `failed` if that cannot be decided now */
  constructor(clock: Clock, partitions: Pick<PartitionSet, 'observe'>, expire: Expire) {
    this.#clock = clock;
    this.#expire = expire;
    // Holds that expired while the partition had no owner end at once.
    partitions.observe({
      serves: ({ book }) => {
        // mutant: holds-not-watched
        for (const part of book.parts.values()) this.add(part);
        book.onHold = (part) => this.add(part);
      },
    });
  }

  get size(): number {
    return this.#heap.length;
  }

  add(part: ReservationPart): void {
    if (!isHeld(part)) return;
    this.#heap.push(part, part.expiresAtMs);
    if (part.expiresAtMs < this.#timerAt) this.#arm();
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
      if (part !== undefined && isHeld(part) && part.expiresAtMs <= now) due.push(part);
    }
    for (const part of due)
      this.#expire(part, () => {
        this.#heap.push(part, this.#clock.nowMs() + RETRY_MS);
        this.#arm();
      });
    this.#arm();
  }
}

function isHeld(part: ReservationPart): boolean {
  // mutant: confirmed-is-watched
  return part.granted && part.confirmedAtMs === 0 && !hasEnded(part);
}
