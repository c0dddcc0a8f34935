/**
 * The data of the overview's charts: facts per second and latency samples of the last SHOWN_SECONDS. The feed sends the last minute of
 * facts at once; anything older is what this page has received itself.
 *
 * Invariant HI1: seconds without data are gaps, not zeroes.
 */
import { signal } from '@preact/signals';
import type { KpiTopic, TopicMessage } from '../../topics.ts';

export const SHOWN_SECONDS = 300;

interface Sample {
  readonly p50: number | null;
  readonly p99: number | null;
}

const facts = new Map<number, number>();
const latency = new Map<number, Sample>();

/** Columns for a chart: seconds since 1970, then for each line a value or null per second. */
export type Columns = [number[], ...(number | null)[][]];

export const factsColumns = signal<Columns>([[], []]);
export const latencyColumns = signal<Columns>([[], [], []]);

export function takeKpi({ at, data }: TopicMessage<KpiTopic>): void {
  const second = Math.floor(Date.parse(at) / 1_000);
  if (Number.isNaN(second)) return;
  const { factsBySecond, asked } = data;
  // The last second may still grow; the next message writes it again.
  for (const [i, count] of factsBySecond.entries()) facts.set(second - factsBySecond.length + 1 + i, count);
  latency.set(second, { p50: asked.minute.atp.p50Ms, p99: asked.minute.atp.p99Ms });
  forget(facts, second);
  forget(latency, second);
  const seconds = range(facts, second);
  factsColumns.value = [seconds, seconds.map((at) => facts.get(at) ?? null)];
  const sampled = range(latency, second);
  latencyColumns.value = [
    sampled,
    sampled.map((at) => latency.get(at)?.p50 ?? null),
    sampled.map((at) => latency.get(at)?.p99 ?? null),
  ];
}

function forget(kept: Map<number, unknown>, now: number): void {
  for (const second of kept.keys()) if (second <= now - SHOWN_SECONDS || second > now) kept.delete(second);
}

// Includes the seconds without data, so the chart shows them as gaps (HI1).
function range(kept: ReadonlyMap<number, unknown>, now: number): number[] {
  const first = Math.min(...kept.keys(), now);
  return Array.from({ length: now - first + 1 }, (_, i) => first + i);
}
