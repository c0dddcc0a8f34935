/**
 * Holds by the time they expire: one heap and one timer for all, whatever their number.
 *
 * A hold that ended otherwise is left in the heap and passed over when its time comes.
 */
import FlatQueue from 'flatqueue';
import { LIMITS } from '../../config/limits.ts';
import type { Clock } from '../../streams/clock.ts';
import { hasEnded } from '../stock/reservation.ts';
import type { ReservationPart } from '../stock/state.ts';

/** Longest wait of one timer: what Node.js takes. */
const LONGEST_TIMER_MS = 0x7fffffff;

export class Expiry {
  readonly #clock: Clock;
  readonly #expire: (due: readonly ReservationPart[]) => void;
  readonly #heap = new FlatQueue<ReservationPart>();
  #cancel: (() => void) | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  /** @param expire is given holds whose time is over */
  constructor(clock: Clock, expire: (due: readonly ReservationPart[]) => void) {
    this.#clock = clock;
    this.#expire = expire;
  }

  get size(): number {
    return this.#heap.length;
  }

  watch(part: ReservationPart): void {
    if (!isHeld(part)) return;
    this.#heap.push(part, part.expiresAtMs);
    if (part.expiresAtMs < this.#timerAt) this.#arm();
  }

  /** The hold could not be expired now (its decision was dropped): try again later. */
  retry(part: ReservationPart, afterMs: number): void {
    this.#heap.push(part, this.#clock.nowMs() + afterMs);
    this.#arm();
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
      if (part !== undefined && isHeld(part)) due.push(part);
    }
    if (due.length > 0) this.#expire(due);
    this.#arm();
  }
}

function isHeld(part: ReservationPart): boolean {
  return part.granted && part.confirmedAtMs === 0 && !hasEnded(part);
}
