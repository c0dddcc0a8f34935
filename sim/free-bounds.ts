/** The most units of a SKU that were free at any time since a moment. No correct ATP answer exceeds it (I9). */
import type { Witness } from './witness/witness.ts';

interface Since {
  readonly atMs: number;
  readonly free: number;
}

/** How much history is kept. */
const KEPT_MS = 60_000;

export class FreeBounds {
  readonly #history = new Map<string, Since[]>();

  constructor(witness: Witness, locations: readonly string[], nowMs: () => number) {
    witness.onChange = (sku) => {
      const free = locations.reduce((sum, location) => sum + Math.max(0, witness.free(sku, location)), 0);
      const history = this.#history.get(sku) ?? [];
      history.push({ atMs: nowMs(), free });
      while (history.length > 1 && (history[1] as Since).atMs < nowMs() - KEPT_MS) history.shift();
      this.#history.set(sku, history);
    };
  }

  most(sku: string, sinceMs: number): number {
    const history = this.#history.get(sku) ?? [];
    let most = 0;
    for (let i = history.length - 1; i >= 0; i--) {
      const { atMs, free } = history[i] as Since;
      most = Math.max(most, free);
      // This value was in force at `sinceMs`.
      if (atMs < sinceMs) break;
    }
    return most;
  }
}
