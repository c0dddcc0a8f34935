/**
 * Partitions that this node owns and may not serve, each with its reason. The others go on.
 *
 * Invariants:
 *  QU1 The claim is kept: another node would find the same log. It is tried again now and then, since a stream may come back from a
 *      copy, and given to whoever should own it.
 *      When a person has skipped what stood in the way, it is tried again at once.
 *  QU2 A partition whose book did not add up is rebuilt once at once; if it fails again it stays here.
 */

import { present } from '../../streams/assert.ts';
import type { Quarantined } from '../ports/ports.ts';

/** Between two tries of a partition that the log cannot give back (QU1). */
const RETRY_MS = 15_000;

interface Held {
  readonly why: string;
  readonly place: string | undefined;
  readonly retryAt: number;
}

export class Quarantine {
  readonly #held = new Map<number, Held>();
  readonly #monoMs: () => number;
  /** Partitions whose last book did not add up. */
  readonly suspects = new Set<number>();

  /** @param monoMs monotonic milliseconds */
  constructor(monoMs: () => number) {
    this.#monoMs = monoMs;
  }

  get size(): number {
    return this.#held.size;
  }

  keys(): number[] {
    return [...this.#held.keys()];
  }

  /** @param place what reading stopped at, as STREAM.seq */
  put(number: number, why: string, place?: string): void {
    this.#held.set(number, { why, place, retryAt: this.#monoMs() + RETRY_MS });
  }

  /** All are tried again at once: a person has judged something. */
  retry(): void {
    for (const [number, held] of this.#held) this.#held.set(number, { ...held, retryAt: 0 });
  }

  /** Every partition that is held, in ascending order. */
  get list(): Quarantined[] {
    const all = [...this.#held].map(([partition, { why, place }]) => ({ partition, why, place: place ?? null }));
    return all.sort((a, b) => a.partition - b.partition);
  }

  /** Its book does not add up: the first time it is to be rebuilt at once, from something that does (QU2). */
  suspect(number: number, why: string): void {
    const again = this.suspects.has(number);
    this.suspects.add(number);
    this.#held.set(number, { why, place: undefined, retryAt: again ? this.#monoMs() + RETRY_MS : 0 });
  }

  release(number: number): void {
    this.#held.delete(number);
  }

  /** Those that are to be tried again now. */
  due(): number[] {
    const now = this.#monoMs();
    return this.keys().filter((number) => present(this.#held.get(number)).retryAt <= now);
  }

  /** One sentence for each reason, with its partitions. */
  get reasons(): string[] {
    const byReason = new Map<string, number[]>();
    for (const [number, { why }] of this.#held) byReason.set(why, [...(byReason.get(why) ?? []), number]);
    return [...byReason].map(([why, numbers]) => {
      const all = numbers.sort((a, b) => a - b).join(', ');
      return `quarantined, not served: partition${numbers.length === 1 ? '' : 's'} ${all}: ${why}`;
    });
  }
}
