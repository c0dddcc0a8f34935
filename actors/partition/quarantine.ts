/**
 * Partitions that this node owns but may not serve, each with its reason. The other partitions go on.
 *
 * Invariants:
 *  QU1 The claim is kept, because another node would find the same log. The partition is retried every 15 s, because a stream may be
 *      restored from a copy, and it is handed to another node that should own it.
 *      When a person has skipped the message in the way, all are retried at once.
 *  QU2 A partition whose book was suspect is rebuilt at once the first time. If that fails, it stays here and is retried like the others.
 */

import { present } from '../../streams/assert.ts';
import type { Quarantined } from '../ports/ports.ts';

/** Time between two tries of a partition that cannot be rebuilt from the log (QU1). */
const RETRY_MS = 15_000;

interface Held {
  readonly why: string;
  readonly place: string | undefined;
  readonly retryAt: number;
}

export class Quarantine {
  readonly #held = new Map<number, Held>();
  readonly #monoMs: () => number;
  /** Partitions whose last book failed an audit, or may hold half of a fold that threw. */
  readonly suspects = new Set<number>();

  /** @param monoMs the monotonic clock, in milliseconds */
  constructor(monoMs: () => number) {
    this.#monoMs = monoMs;
  }

  get size(): number {
    return this.#held.size;
  }

  keys(): number[] {
    return [...this.#held.keys()];
  }

  /** @param place the message at which reading stopped, as STREAM.seq */
  put(number: number, why: string, place?: string): void {
    this.#held.set(number, { why, place, retryAt: this.#monoMs() + RETRY_MS });
  }

  /** Makes all due at once, because a person has judged something. */
  retry(): void {
    for (const [number, held] of this.#held) this.#held.set(number, { ...held, retryAt: 0 });
  }

  /** All quarantined partitions, in ascending order. */
  get list(): Quarantined[] {
    const all = [...this.#held].map(([partition, { why, place }]) => ({ partition, why, place: place ?? null }));
    return all.sort((a, b) => a.partition - b.partition);
  }

  /** Quarantines a partition whose book cannot be trusted. The first time, it is due at once (QU2). */
  suspect(number: number, why: string): void {
    const again = this.suspects.has(number);
    this.suspects.add(number);
    this.#held.set(number, { why, place: undefined, retryAt: again ? this.#monoMs() + RETRY_MS : 0 });
  }

  release(number: number): void {
    this.#held.delete(number);
  }

  /** Partitions that are to be retried now. */
  due(): number[] {
    const now = this.#monoMs();
    return this.keys().filter((number) => present(this.#held.get(number)).retryAt <= now);
  }

  /** One sentence per reason, with its partitions. */
  get reasons(): string[] {
    const byReason = new Map<string, number[]>();
    for (const [number, { why }] of this.#held) byReason.set(why, [...(byReason.get(why) ?? []), number]);
    return [...byReason].map(([why, numbers]) => {
      const all = numbers.sort((a, b) => a - b).join(', ');
      return `quarantined, not served: partition${numbers.length === 1 ? '' : 's'} ${all}: ${why}`;
    });
  }
}
