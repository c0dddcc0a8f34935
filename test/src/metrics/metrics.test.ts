/** The metrics that Prometheus reads. */
import { expect, it } from 'vitest';
import { Metrics } from '../../../src/metrics/metrics.ts';
import { front, SALE } from '../http/front.ts';
import { NOT_DECIDED } from '../http/memory/memory-ports.ts';

const lines = async (metrics: Metrics, start: string) =>
  (await metrics.render()).split('\n').filter((line) => line.startsWith(start));

it('shows every series of the contract at 0 from the start', async () => {
  const text = await new Metrics().render();
  for (const series of [
    'facts_applied_total{type="adjustment"}',
    'facts_duplicate_total',
    'facts_parked_total{reason="id-conflict"}',
    'reservations_total{outcome="expired"}',
    'atp_request_seconds_count',
    'reservation_seconds_count',
    'journal_batch_size_count',
    'stream_lag_messages{stream="SALES"}',
    'snapshot_seconds_count',
    'snapshot_age_seconds',
    'recovery_seconds_count',
    'actors',
    'partitions_owned',
    'partitions',
    'ready',
    'lease_held',
    'durability_strict',
    'server_up{server="redis"}',
    'server_pings_failed_total{server="nats"}',
    'facts_request_seconds_count',
    'request_faults_total{operation="facts"}',
    'problems_total{problem="undecided"}',
    'anomalies_total{kind="negative_stock"}',
    'anomalies_open{kind="pickup_overdue"}',
  ]) {
    expect(text).toContain(`\nholdfast_${series} 0\n`);
  }
  expect(text).toContain('process_cpu_seconds_total');
  expect(text).toContain('nodejs_eventloop_lag_seconds');
});

it('counts, and publishes the same number however often it is read', async () => {
  const metrics = new Metrics();
  metrics.countBy('facts_applied_total', 'sale', 3);
  metrics.count('facts_duplicate_total');
  metrics.countBy('facts_parked_total', 'too-old');
  metrics.countBy('reservations_total', 'held');
  metrics.gaugeBy('stream_lag_messages', () => (stream) => (stream === 'SALES' ? 7 : 0));
  metrics.gauge('actors', () => 42);
  await metrics.render();
  const text = await metrics.render();
  for (const line of [
    'facts_applied_total{type="sale"} 3',
    'facts_duplicate_total 1',
    'facts_parked_total{reason="too-old"} 1',
    'reservations_total{outcome="held"} 1',
    'stream_lag_messages{stream="SALES"} 7',
    'actors 42',
  ]) {
    expect(text).toContain(`\nholdfast_${line}\n`);
  }
});

it('puts a time into the bucket whose bound it does not exceed', async () => {
  const metrics = new Metrics();
  for (const seconds of [0.0001, 0.00011, 99]) metrics.observe('atp_request_seconds', seconds);
  const buckets = await lines(metrics, 'holdfast_atp_request_seconds_bucket');
  expect(buckets[0]).toBe('holdfast_atp_request_seconds_bucket{le="0.0001"} 1');
  expect(buckets[1]).toBe('holdfast_atp_request_seconds_bucket{le="0.00025"} 2');
  expect(buckets.at(-2)).toBe('holdfast_atp_request_seconds_bucket{le="5"} 2');
  expect(buckets.at(-1)).toBe('holdfast_atp_request_seconds_bucket{le="+Inf"} 3');
  expect(await lines(metrics, 'holdfast_atp_request_seconds_count')).toEqual(['holdfast_atp_request_seconds_count 3']);
});

it('keeps the registries of two nodes in one process apart', async () => {
  const one = new Metrics();
  one.countBy('reservations_total', 'held');
  expect(await lines(new Metrics(), 'holdfast_reservations_total{outcome="held"}')).toEqual([
    'holdfast_reservations_total{outcome="held"} 0',
  ]);
});

it('names no gauge like a counter, which promtool would find', async () => {
  const gauges = (await new Metrics().render()).match(/^# TYPE \S+ gauge$/gm) ?? [];
  expect(gauges.length).toBeGreaterThan(5);
  expect(gauges.filter((line) => /_total gauge$/.test(line))).toEqual([]);
});

it('counts a request with facts that is not decided, and every problem over HTTP', async () => {
  const { app, facts, metrics } = front();
  facts.failure = NOT_DECIDED;
  await app.inject({ method: 'POST', url: '/v1/facts', payload: SALE });
  await app.inject({ method: 'GET', url: '/v1/nothing' });
  await app.inject({ method: 'GET', url: '/v1/facts' });
  const text = await metrics.render();
  for (const line of [
    'request_faults_total{operation="facts"} 1',
    'facts_request_seconds_count 1',
    'problems_total{problem="undecided"} 1',
    'problems_total{problem="not-found"} 1',
    'problems_total{problem="method-not-allowed"} 1',
  ]) {
    expect(text).toContain(`\nholdfast_${line}\n`);
  }
});

it('leaves out how long a server takes that does not answer', async () => {
  const metrics = new Metrics();
  metrics.serverPinged('nats', 0.25);
  metrics.serverPinged('redis', 0.5);
  metrics.serverPinged('redis', undefined);
  const text = await metrics.render();
  expect(text).toContain('holdfast_server_up{server="nats"} 1\nholdfast_server_up{server="redis"} 0\n');
  expect(text).toContain('holdfast_server_round_trip_seconds{server="nats"} 0.25\n');
  expect(text).not.toContain('holdfast_server_round_trip_seconds{server="redis"}');
  expect(text).toContain('holdfast_server_pings_failed_total{server="redis"} 1\n');
});

it('writes any label value so that it can be read, and refuses a second family of a name', async () => {
  const metrics = new Metrics();
  const family = {
    name: 'tried',
    help: 'With a \\ and a\nline.',
    type: 'gauge',
    read: () => [
      { labels: { location: 'a "b" \\ c\nd', bucket: 'held' }, value: 1.5 },
      { labels: {}, value: Number.POSITIVE_INFINITY },
    ],
  } as const;
  metrics.family(family);
  expect(await lines(metrics, '# HELP holdfast_tried')).toEqual(['# HELP holdfast_tried With a \\\\ and a\\nline.']);
  expect(await lines(metrics, 'holdfast_tried')).toEqual([
    'holdfast_tried{location="a \\"b\\" \\\\ c\\nd",bucket="held"} 1.5',
    'holdfast_tried +Inf',
  ]);
  expect(() => metrics.family(family)).toThrow('the metric tried is there already');
});
