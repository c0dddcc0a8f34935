/**
 * A closed loop with a fixed number of callers, each with one request at a time. Latencies of requests that end before the warm-up does are
 * not measured.
 *
 * A closed loop measures how much a system can do, not how long callers wait at a given rate. Its latencies are those of a saturated
 * system.
 */
export interface LoadOptions {
  readonly callers: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
}
/** `refused` is a refusal that is part of the contract. `failed` is a missing or an unexpected answer. */
export type Outcome = 'done' | 'refused' | 'failed';

export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Totals including the warm-up, so that they equal what the system must have counted. */
  readonly done: number;
  readonly refused: number;
  readonly failed: number;
}

const MOST_LATENCIES = 2_000_000;

export async function closedLoop(options: LoadOptions, ask: (caller: number) => Promise<Outcome>): Promise<LoadResult> {
  const latencies = new Float64Array(MOST_LATENCIES);
  const counts = { done: 0, refused: 0, failed: 0 };
  let measured = 0;
  const from = performance.now() + options.warmupSeconds * 1000;
  const until = from + options.seconds * 1000;
  const caller = async (number: number) => {
    for (;;) {
      const began = performance.now();
      if (began >= until) return;
      const outcome = await ask(number);
      counts[outcome] += 1;
      const ended = performance.now();
      if (ended >= from && ended < until && outcome === 'done') {
        if (measured < MOST_LATENCIES) latencies[measured] = ended - began;
        measured += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: options.callers }, (_, number) => caller(number)));
  const sorted = latencies.subarray(0, Math.min(measured, MOST_LATENCIES)).sort();
  const quantile = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
  return { perSecond: measured / options.seconds, p50Ms: quantile(0.5), p99Ms: quantile(0.99), ...counts };
}
