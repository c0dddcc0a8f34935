/** How servers look from a node: pings that are answered, refused or hang. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Metrics } from '../../../src/metrics/metrics.ts';
import { pingServers } from '../../../src/metrics/server-pings.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const figures = async (metrics: Metrics) =>
  (await metrics.render()).split('\n').filter((line) => /^holdfast_server_(up|pings)/.test(line));

it('counts a ping that is refused and one that hangs, one on its way at a time, until it is ended', async () => {
  const metrics = new Metrics();
  let sent = 0;
  const hangs = () => {
    sent += 1;
    return new Promise(() => undefined);
  };
  const end = pingServers({ nats: hangs, redis: () => Promise.reject(new Error('away')) }, metrics);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(sent).toBe(1);
  expect(await figures(metrics)).toEqual([
    'holdfast_server_pings_failed_total{server="nats"} 2',
    'holdfast_server_pings_failed_total{server="redis"} 3',
    'holdfast_server_up{server="nats"} 0',
    'holdfast_server_up{server="redis"} 0',
  ]);
  end();
  await vi.advanceTimersByTimeAsync(60_000);
  expect((await figures(metrics))[1]).toBe('holdfast_server_pings_failed_total{server="redis"} 3');
});

it('says that a server is up again when it answers', async () => {
  const metrics = new Metrics();
  let away = true;
  const ping = () => (away ? Promise.reject(new Error('away')) : Promise.resolve());
  const end = pingServers({ nats: ping, redis: ping }, metrics);
  await vi.advanceTimersByTimeAsync(0);
  expect(await figures(metrics)).toContain('holdfast_server_up{server="nats"} 0');
  away = false;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(await figures(metrics)).toContain('holdfast_server_up{server="nats"} 1');
  expect(await metrics.render()).toContain('holdfast_server_round_trip_seconds{server="nats"} ');
  end();
});
