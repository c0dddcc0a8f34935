import { expect, test } from 'vitest';
import { EMPTY_LIVE_LINE, foldLive, formatLive, type LiveSnapshot } from '../../../src/up/status-line.ts';

const at = (seconds: number, more: Partial<LiveSnapshot> = {}): LiveSnapshot => ({
  atMs: seconds * 1000,
  facts: seconds * 100,
  atpRequests: seconds * 200,
  reservations: seconds * 40,
  atpMsP99: 2.34,
  lagMessages: 3,
  ...more,
});
const line = (...snapshots: LiveSnapshot[]) => snapshots.reduce(foldLive, EMPTY_LIVE_LINE);

test('says rates over the last seconds, latency and lag', () => {
  expect(formatLive(line(at(1), at(2), at(3)))).toBe(
    'facts 100/s   ATP 200/s   reservations 40/s   p99 2.3 ms   lag 3',
  );
});
test('forgets what is older than its window, so that a stop shows', () => {
  const stopped = [4, 5, 6, 7, 8].map((seconds) => at(seconds, { facts: 300 }));
  expect(formatLive(line(at(1), at(2), at(3), ...stopped))).toContain('facts 0/s');
});
test('begins anew when a counter went back', () => {
  const folded = line(at(1), at(2), at(3, { facts: 0 }));
  expect(folded.window.length).toBe(1);
  expect(formatLive(folded)).toContain('facts –/s');
});
test('keeps to the width, and shortens large numbers', () => {
  const text = formatLive(line(at(1), at(2, { facts: 12_445_678, lagMessages: 65_000 })));
  expect(text).toContain('facts 12.4M/s');
  expect(text).toContain('lag 65.0k');
  expect(formatLive(line(at(1)), 10)).toHaveLength(10);
  expect(formatLive(EMPTY_LIVE_LINE)).toBe('no figures yet');
});
test('bounds what it keeps', () => {
  let folded = EMPTY_LIVE_LINE;
  for (let i = 1; i < 1000; i++) folded = foldLive(folded, at(i));
  expect(folded.window.length).toBeLessThan(10);
});
