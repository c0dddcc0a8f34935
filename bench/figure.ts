/** A figure: a measured value, and each value that it is compared with. */
import type { LoadResult } from './closed-loop.ts';

export interface Comparison {
  /** A peer, a bare transport or a limit. */
  readonly with: string;
  /** The other side's value in the figure's unit. It is absent if the goal is a limit on the value itself. */
  readonly value?: number;
  /** The value divided by the other side's value. */
  readonly ratio?: number;
  readonly goal?: string;
  readonly met?: boolean;
}
export interface Figure {
  readonly name: string;
  readonly title: string;
  readonly value: number;
  readonly unit: string;
  readonly comparisons: readonly Comparison[];
  readonly notes: readonly string[];
}

/** The goal is a value at least `times` times the other side's. */
export function atLeast(times: number, value: number, other: number, what: string): Comparison {
  const ratio = value / other;
  return { with: what, value: other, ratio, goal: `≥ ${times} ×`, met: ratio >= times };
}

/** The goal is a value at most `times` times the other side's. */
export function atMost(times: number, value: number, other: number, what: string): Comparison {
  const ratio = value / other;
  return { with: what, value: other, ratio, goal: `≤ ${times} ×`, met: ratio <= times };
}

/** A comparison without a goal. */
export function beside(value: number, other: number, what: string): Comparison {
  return { with: what, value: other, ratio: value / other };
}

export function bound(goal: string, met: boolean): Comparison {
  return { with: 'limit', goal, met };
}

export interface Contender {
  readonly name: string;
  run(seconds: number, warmupSeconds: number): Promise<LoadResult>;
}
export interface Raced {
  /** Median over the rounds. */
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly done: number;
  readonly refused: number;
  readonly failed: number;
  readonly rounds: readonly number[];
}

export const ROUNDS = 3;

/** Contenders take turns, so that a busy period of the machine affects all of them. */
export async function race(contenders: readonly Contender[], seconds: number): Promise<Raced[]> {
  const results = contenders.map(() => [] as LoadResult[]);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, contender] of contenders.entries()) {
      results[index]?.push(await contender.run(seconds / ROUNDS, round === 0 ? 1 : 0.3));
    }
  }
  return results.map((each) => {
    const sum = (of: (result: LoadResult) => number) => each.reduce((total, result) => total + of(result), 0);
    const middle = [...each].sort((a, b) => a.perSecond - b.perSecond)[Math.floor(each.length / 2)] as LoadResult;
    const { perSecond, p50Ms, p99Ms } = middle;
    return {
      perSecond,
      p50Ms,
      p99Ms,
      done: sum((result) => result.done),
      refused: sum((result) => result.refused),
      failed: sum((result) => result.failed),
      rounds: each.map((result) => Math.round(result.perSecond)),
    };
  });
}
