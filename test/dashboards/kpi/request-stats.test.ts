/** Statistics of requests to nodes: windows, percentiles, and their sum over nodes. */
import { expect, it } from 'vitest';
import { mergeRequestStats, RequestStats } from '../../../dashboards/kpi/request-stats.ts';

const OUTCOMES = ['held', 'refused'];

function node(): RequestStats & { at: (ms: number) => void } {
  let now = 1_000_000;
  const windows = new RequestStats(OUTCOMES, () => now);
  return Object.assign(windows, {
    at: (ms: number) => {
      now = 1_000_000 + ms;
    },
  });
}

it('knows nothing before it is asked', () => {
  const { minute, all } = mergeRequestStats([node().read()], OUTCOMES);
  expect(minute.atp).toEqual({ requests: 0, perSecond: 0, p50Ms: null, p99Ms: null });
  expect(all.reservations.outcomes).toEqual({ held: 0, refused: 0 });
});

it('gives percentiles within a tenth of the true ones, over two nodes together', () => {
  const [one, two] = [node(), node()];
  for (let i = 1; i <= 500; i++) {
    one.atp(i / 1e6);
    two.atp((i + 500) / 1e6);
  }
  const { all } = mergeRequestStats([one.read(), two.read()], OUTCOMES);
  expect(all.atp.requests).toBe(1_000);
  expect(all.atp.p50Ms).toBeGreaterThanOrEqual(0.499);
  expect(all.atp.p50Ms).toBeLessThan(0.55);
  expect(all.atp.p99Ms).toBeGreaterThanOrEqual(0.989);
  expect(all.atp.p99Ms).toBeLessThan(1.09);
});

it('lets what is older than a window leave it', () => {
  const one = node();
  one.outcome('held', 1);
  one.reservation(0.004);
  one.at(58_000);
  one.outcome('refused', 2);
  one.parked('too-old');
  one.duplicate(3);
  const early = mergeRequestStats([one.read()], OUTCOMES);
  expect(early.hour.reservations.outcomes).toEqual({ held: 1, refused: 2 });
  one.at(90_000);
  const { minute, hour, all } = mergeRequestStats([one.read()], OUTCOMES);
  expect(minute.reservations.outcomes).toEqual({ held: 0, refused: 2 });
  expect(minute.seconds).toBeGreaterThanOrEqual(55);
  expect(minute.seconds).toBeLessThanOrEqual(60);
  expect(hour.reservations).toMatchObject({ requests: 1, outcomes: { held: 1, refused: 2 } });
  expect(all).toMatchObject({ seconds: 90, factsDuplicate: 3, factsParked: { 'too-old': 1, invalid: 0 } });
  one.at(2 * 3_600_000);
  const late = mergeRequestStats([one.read()], OUTCOMES);
  expect(late.hour.reservations.outcomes).toEqual({ held: 0, refused: 0 });
  expect(late.all.reservations.outcomes).toEqual({ held: 1, refused: 2 });
});
