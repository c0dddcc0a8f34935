/**
 * Statistics of the requests to this node since it started, over windows: rates, latencies and outcomes. The figures of all nodes are
 * merged by addition.
 *
 * Invariants:
 *  RS1 Recording adds to plain numbers and allocates only a new bucket every few seconds.
 *  RS2 Latencies are counted in buckets of an eighth of an octave. A percentile is reported as its bucket's upper bound, so below
 *      19 s it is at most 9 % above the true one.
 */
import { at, present } from '../../streams/assert.ts';
import { PARK_REASONS, type ParkReason } from '../../streams/fact/parked/parked.ts';
import type { Asked, Latency } from '../topics.ts';

/** Windows of `asked`, in wire order. The last one never advances, so it covers all time since the start. */
const ASKED_WINDOWS = ['minute', 'hour', 'all'] as const;
const RINGS = [
  [5_000, 12],
  [300_000, 12],
  [Number.POSITIVE_INFINITY, 1],
] as const;

const SHORTEST_MS = 0.01;
const PER_OCTAVE = 8;
/** The last bucket begins at about 18 s and also counts every longer time. */
const TIMES = 21 * PER_OCTAVE;

interface Bucket {
  index: number;
  readonly atp: Uint32Array;
  readonly reservations: Uint32Array;
  readonly counts: Float64Array;
}

/** One window as it travels. `atp` and `reservations` alternate bucket numbers and counts; `counts` are in an order fixed for all nodes. */
export type RequestStatsPart = readonly [
  seconds: number,
  atp: readonly number[],
  reservations: readonly number[],
  counts: readonly number[],
];

/** The caller supplies the names of the outcomes, in the same order on every node. */
export class RequestStats {
  readonly #outcomes: readonly string[];
  readonly #rings: Bucket[][] = RINGS.map(() => []);
  readonly #now: () => number;
  readonly #sinceMs: number;

  /** @param now monotonic milliseconds */
  constructor(outcomes: readonly string[], now: () => number) {
    this.#outcomes = outcomes;
    this.#now = now;
    this.#sinceMs = now();
  }

  atp(seconds: number): void {
    const time = bucketOf(seconds * 1000);
    this.#each((bucket) => {
      (bucket.atp[time] as number) += 1;
    });
  }

  reservation(seconds: number): void {
    const time = bucketOf(seconds * 1000);
    this.#each((bucket) => {
      (bucket.reservations[time] as number) += 1;
    });
  }

  outcome(outcome: string, times: number): void {
    this.#count(this.#outcomes.indexOf(outcome), times);
  }

  duplicate(times: number): void {
    this.#count(this.#outcomes.length, times);
  }

  parked(reason: ParkReason): void {
    this.#count(this.#outcomes.length + 1 + PARK_REASONS.indexOf(reason));
  }

  /** The windows as of now. */
  read(): RequestStatsPart[] {
    const now = this.#now();
    return RINGS.map(([size, count], ring) => {
      const before = indexOf(now, size) - count;
      const atp = new Float64Array(TIMES);
      const reservations = new Float64Array(TIMES);
      const counts = new Float64Array(this.#countsLength);
      for (const bucket of at(this.#rings, ring)) {
        if (bucket === undefined || bucket.index <= before) continue;
        addTo(atp, bucket.atp);
        addTo(reservations, bucket.reservations);
        addTo(counts, bucket.counts);
      }
      const age = now - this.#sinceMs;
      const length = size === Number.POSITIVE_INFINITY ? age : Math.min(age, now - (before + 1) * size);
      return [length / 1000, sparse(atp), sparse(reservations), Array.from(counts)];
    });
  }

  get #countsLength(): number {
    return this.#outcomes.length + 1 + PARK_REASONS.length;
  }

  // Adds in place, so that counting a request allocates no memory (RS1).
  #count(index: number, times = 1): void {
    this.#each((bucket) => {
      (bucket.counts[index] as number) += times;
    });
  }

  #each(add: (bucket: Bucket) => void): void {
    const now = this.#now();
    for (const [ring, [size, count]] of RINGS.entries()) {
      const index = indexOf(now, size);
      const buckets = at(this.#rings, ring);
      let bucket = buckets[index % count];
      if (bucket?.index !== index) {
        bucket = {
          index,
          atp: new Uint32Array(TIMES),
          reservations: new Uint32Array(TIMES),
          counts: new Float64Array(this.#countsLength),
        };
        buckets[index % count] = bucket;
      }
      add(bucket);
    }
  }
}

/** Merges the figures of several nodes. */
export function mergeRequestStats(
  nodes: readonly (readonly RequestStatsPart[])[],
  outcomes: readonly string[],
): Readonly<Record<(typeof ASKED_WINDOWS)[number], Asked>> {
  const merged = ASKED_WINDOWS.map((_, window) => {
    const atp = new Float64Array(TIMES);
    const reservations = new Float64Array(TIMES);
    const counts = new Float64Array(outcomes.length + 1 + PARK_REASONS.length);
    let seconds = 0;
    for (const node of nodes) {
      const part = node[window];
      if (part === undefined) continue;
      seconds = Math.max(seconds, part[0]);
      addSparse(atp, part[1]);
      addSparse(reservations, part[2]);
      addTo(counts, part[3]);
    }
    const parked = Object.fromEntries(
      PARK_REASONS.map((reason, index) => [reason, at(counts, outcomes.length + 1 + index)]),
    ) as Record<ParkReason, number>;
    return {
      seconds,
      atp: latencyOf(atp, seconds),
      reservations: {
        ...latencyOf(reservations, seconds),
        outcomes: Object.fromEntries(outcomes.map((outcome, index) => [outcome, at(counts, index)])),
      },
      factsDuplicate: at(counts, outcomes.length),
      factsParked: parked,
    };
  });
  const [minute, hour, all] = merged as [Asked, Asked, Asked];
  return { minute, hour, all };
}

function latencyOf(times: Float64Array, seconds: number): Latency {
  const requests = times.reduce((sum, count) => sum + count, 0);
  return {
    requests,
    perSecond: seconds > 0 ? requests / seconds : 0,
    p50Ms: percentile(times, requests, 0.5),
    p99Ms: percentile(times, requests, 0.99),
  };
}

/** The nearest-rank percentile, as the upper bound of its bucket; null without requests (RS2). */
function percentile(times: Float64Array, requests: number, part: number): number | null {
  if (requests === 0) return null;
  let left = Math.ceil(requests * part);
  for (let bucket = 0; bucket < TIMES; bucket++) {
    left -= present(times[bucket]);
    if (left <= 0) return Number((SHORTEST_MS * 2 ** (bucket / PER_OCTAVE)).toPrecision(3));
  }
  return null;
}

/** The first bucket whose upper bound is not below the time. */
function bucketOf(ms: number): number {
  if (ms <= SHORTEST_MS) return 0;
  return Math.min(TIMES - 1, Math.ceil(Math.log2(ms / SHORTEST_MS) * PER_OCTAVE));
}

function indexOf(now: number, size: number): number {
  return size === Number.POSITIVE_INFINITY ? 0 : Math.floor(now / size);
}

function addTo(total: Float64Array, part: ArrayLike<number>): void {
  for (let i = 0; i < total.length; i++) (total[i] as number) += part[i] ?? 0;
}

function sparse(counts: Float64Array): number[] {
  const kept: number[] = [];
  for (let i = 0; i < counts.length; i++) if (counts[i] !== 0) kept.push(i, present(counts[i]));
  return kept;
}

function addSparse(total: Float64Array, part: readonly number[]): void {
  for (let i = 0; i < part.length; i += 2) {
    const bucket = Math.min(total.length - 1, present(part[i]));
    (total[bucket] as number) += present(part[i + 1]);
  }
}
