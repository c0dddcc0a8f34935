/**
 * Metrics: every figure for Prometheus, in a registry of its own. The one file that imports prom-client.
 *
 * Invariants:
 *  M1 Every series with a known label value is there from the start, at 0: a rate over a restart is never missing.
 *  M2 Labels are bounded: types, reasons, outcomes, streams; never a SKU or a reservation. Locations only in the families of
 *     src/kpi-metrics.ts, which bounds them.
 *  M3 Counting is adding to a plain number; it is published when somebody asks (collect).
 */
import {
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type MetricObjectWithValues,
  type MetricValue,
  type MetricValueWithName,
  Registry,
} from 'prom-client';
import { FACT_STREAM_NAMES, JOURNAL_STREAM } from '../config/topology.ts';
import { FACT_TYPES, type FactType } from '../streams/facts.ts';
import { PARK_REASONS, type ParkReason } from '../streams/parked.ts';

export const RESERVATION_OUTCOMES = [
  'held',
  'partial',
  'repeated',
  'refused',
  'conflict',
  'confirmed',
  'released',
  'expired',
  'undecided',
] as const;
export type ReservationOutcome = (typeof RESERVATION_OUTCOMES)[number];

const STREAMS = [...FACT_STREAM_NAMES, JOURNAL_STREAM] as const;
export type MeasuredStream = (typeof STREAMS)[number];

const GAUGES = {
  snapshot_age_seconds:
    'Age of the oldest snapshot of a partition that has changed since; before its first one, since it was taken over.',
  actors: 'Stock keys (SKU at location) in memory on this node.',
  partitions_owned: 'Partitions that this node owns.',
  partitions_quarantined:
    'Partitions that this node owns and does not serve, because the log has lost what was acknowledged or the book does not add up.',
  seen_ids: 'Fact ids remembered within the idempotency horizon.',
  reservations_live: 'Reservations in memory that are held or allocated.',
  journal_waiting: 'Decisions that wait for the journal.',
  live_clients: 'Readers of the live feed that are connected to this node.',
} as const;
export type GaugeName = keyof typeof GAUGES;

/** 100 µs to 5 s. */
const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
/** 10 ms to 2 minutes. */
const RECOVERY_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
/** An hour to a month. */
const LEAD_SECONDS = [1, 4, 12, 24, 48, 72, 120, 168, 336, 720].map((hours) => hours * 3600);
const BATCH = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/** Why the live feed closed a reader's connection. */
export const LIVE_ENDINGS = ['left', 'slow', 'silent', 'misused', 'stopping'] as const;
export type LiveEnding = (typeof LIVE_ENDINGS)[number];

/** A figure with labels that is read when somebody asks. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly read: () => Iterable<FamilyValue>;
}
export interface FamilyValue {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Told of what is asked of this node, as it is counted. */
export interface AskedListener {
  atp(seconds: number): void;
  reservation(seconds: number): void;
  outcome(outcome: ReservationOutcome, times: number): void;
  duplicate(times: number): void;
  parked(reason: ParkReason): void;
}

/** Gauges of prom-client whose names end like counters, which `promtool check metrics` finds. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

export class Metrics {
  readonly contentType: string;
  listener: AskedListener | undefined;
  readonly #registry = new Registry();
  readonly #applied: Record<FactType, number>;
  readonly #parked: Record<ParkReason, number>;
  readonly #reservations: Record<ReservationOutcome, number>;
  readonly #restarts: Record<MeasuredStream, number>;
  readonly #lags = zeros(STREAMS) as Record<MeasuredStream, number | (() => number)>;
  readonly #gauges = new Map<GaugeName, () => number>();
  #duplicates = 0;
  #breaches = 0;
  readonly #atp: Histogram;
  readonly #reservation: Histogram;
  readonly #batch: Histogram;
  readonly #append: Histogram;
  readonly #snapshot: Histogram;
  readonly #recovery: Histogram;
  readonly #transferLead: Histogram;
  readonly #liveClosed: Record<LiveEnding, number>;
  #liveMessages = 0;
  #liveSkipped = 0;

  constructor() {
    this.contentType = this.#registry.contentType;
    collectDefaultMetrics({ register: this.#registry });
    for (const name of MISNAMED) this.#registry.removeSingleMetric(name);
    this.#applied = this.#counters('facts_applied_total', 'Facts folded into stock, each once.', 'type', FACT_TYPES);
    this.#counter(
      'facts_duplicate_total',
      'Facts that had come before and did not count again.',
      () => this.#duplicates,
    );
    this.#parked = this.#counters(
      'facts_parked_total',
      'Facts set aside because they could not be counted.',
      'reason',
      PARK_REASONS,
    );
    this.#reservations = this.#counters(
      'reservations_total',
      'Reservation requests and expiries by outcome.',
      'outcome',
      RESERVATION_OUTCOMES,
    );
    this.#restarts = this.#counters(
      'follower_restarts_total',
      'Followers of a stream that were started anew.',
      'stream',
      STREAMS,
    );
    this.#counter('self_audit_breaches_total', 'Derived totals that did not equal their parts.', () => this.#breaches);
    this.#atp = this.#histogram('atp_request_seconds', 'Time from a readable ATP request to its answer.', SECONDS);
    this.#reservation = this.#histogram(
      'reservation_seconds',
      'Time from a readable reservation request to its durable answer.',
      SECONDS,
    );
    this.#batch = this.#histogram('journal_batch_size', 'Decisions in one journal record.', BATCH);
    this.#append = this.#histogram(
      'journal_append_seconds',
      'Time from a journal append to its acknowledgement.',
      SECONDS,
    );
    this.#snapshot = this.#histogram('snapshot_seconds', 'Time to write the snapshot of a partition.', SECONDS);
    this.#recovery = this.#histogram(
      'recovery_seconds',
      'Time from taking partitions over to serving them.',
      RECOVERY_SECONDS,
    );
    this.#transferLead = this.#histogram(
      'transfer_lead_seconds',
      'Time from shipped to received of transfers, by the stamps of their devices.',
      LEAD_SECONDS,
    );
    this.#counter('live_messages_total', 'Messages sent to readers of the live feed.', () => this.#liveMessages);
    this.#counter(
      'live_skipped_total',
      'Values that a slow reader of the live feed did not get, because newer ones took their place.',
      () => this.#liveSkipped,
    );
    this.#liveClosed = this.#counters(
      'live_closed_total',
      'Connections of the live feed that ended, by reason.',
      'reason',
      LIVE_ENDINGS,
    );
    this.#lag();
    for (const name of Object.keys(GAUGES) as GaugeName[]) this.#namedGauge(name);
  }

  factApplied(type: FactType, times = 1): void {
    this.#applied[type] += times;
  }

  factDuplicate(times = 1): void {
    this.#duplicates += times;
    this.listener?.duplicate(times);
  }

  factParked(reason: ParkReason): void {
    this.#parked[reason] += 1;
    this.listener?.parked(reason);
  }

  reservation(outcome: ReservationOutcome, times = 1): void {
    this.#reservations[outcome] += times;
    this.listener?.outcome(outcome, times);
  }

  atpSeconds(seconds: number): void {
    this.#atp.observe(seconds);
    this.listener?.atp(seconds);
  }

  reservationSeconds(seconds: number): void {
    this.#reservation.observe(seconds);
    this.listener?.reservation(seconds);
  }

  journalBatch(decisions: number): void {
    this.#batch.observe(decisions);
  }

  journalAppendSeconds(seconds: number): void {
    this.#append.observe(seconds);
  }

  snapshotSeconds(seconds: number): void {
    this.#snapshot.observe(seconds);
  }

  recoverySeconds(seconds: number): void {
    this.#recovery.observe(seconds);
  }

  followerRestart(stream: MeasuredStream): void {
    this.#restarts[stream] += 1;
  }

  transferLeadSeconds(seconds: number): void {
    this.#transferLead.observe(seconds);
  }

  liveMessage(): void {
    this.#liveMessages += 1;
  }

  liveSkipped(): void {
    this.#liveSkipped += 1;
  }

  liveClosed(reason: LiveEnding): void {
    this.#liveClosed[reason] += 1;
  }

  /** Adds a figure whose labels are known only when it is read; whoever adds it bounds them. */
  family(family: Family): void {
    new ReadFamily(family, this.#registry);
  }

  selfAuditBreach(): void {
    this.#breaches += 1;
  }

  /** Says where a gauge is read, each time somebody asks. */
  gauge(name: GaugeName, read: () => number): void {
    this.#gauges.set(name, read);
  }

  /** Says where a stream's lag in messages is read. */
  lag(stream: MeasuredStream, read: () => number): void {
    this.#lags[stream] = read;
  }

  /** The text that Prometheus reads. */
  render(): Promise<string> {
    return this.#registry.metrics();
  }

  #counters<Label extends string>(
    name: string,
    help: string,
    label: string,
    values: readonly Label[],
  ): Record<Label, number> {
    const counts = zeros(values);
    new Counter({
      name: `holdfast_${name}`,
      help,
      labelNames: [label],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const value of values) this.inc({ [label]: value }, counts[value]);
      },
    });
    return counts;
  }

  #counter(name: string, help: string, read: () => number): void {
    new Counter({
      name: `holdfast_${name}`,
      help,
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    return new PlainHistogram(`holdfast_${name}`, help, buckets, this.#registry);
  }

  #lag(): void {
    const lags = this.#lags;
    new Gauge({
      name: 'holdfast_stream_lag_messages',
      help: 'Messages of a stream that are stored and not folded yet, in the partitions that this node owns.',
      labelNames: ['stream'],
      registers: [this.#registry],
      collect() {
        for (const stream of STREAMS) {
          const lag = lags[stream];
          this.set({ stream }, typeof lag === 'number' ? lag : lag());
        }
      },
    });
  }

  #namedGauge(name: GaugeName): void {
    const gauges = this.#gauges;
    new Gauge({
      name: `holdfast_${name}`,
      help: GAUGES[name],
      registers: [this.#registry],
      collect() {
        this.set(gauges.get(name)?.() ?? 0);
      },
    });
  }
}

/** A histogram without labels that counts in plain numbers: prom-client's own hashes its labels at each observation. */
class PlainHistogram extends Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  readonly #name: string;
  readonly #help: string;
  #sum = 0;

  constructor(name: string, help: string, buckets: number[], registry: Registry) {
    super({ name, help, buckets, registers: [registry] });
    this.#name = name;
    this.#help = help;
    this.#bounds = buckets;
    this.#counts = new Float64Array(buckets.length + 1);
  }

  override observe(value: unknown): void {
    const observed = value as number;
    let bucket = 0;
    while (bucket < this.#bounds.length && observed > (this.#bounds[bucket] as number)) bucket += 1;
    (this.#counts[bucket] as number) += 1;
    this.#sum += observed;
  }

  override async get(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
    const values: MetricValueWithName<string>[] = [];
    let count = 0;
    for (let bucket = 0; bucket <= this.#bounds.length; bucket++) {
      count += this.#counts[bucket] as number;
      values.push({ metricName: `${this.#name}_bucket`, labels: { le: this.#bounds[bucket] ?? '+Inf' }, value: count });
    }
    values.push({ metricName: `${this.#name}_sum`, labels: {}, value: this.#sum });
    values.push({ metricName: `${this.#name}_count`, labels: {}, value: count });
    return {
      name: this.#name,
      help: this.#help,
      type: 'histogram' as never,
      aggregator: 'sum',
      values,
      collect: () => {},
    };
  }
}

/** Passes on what is read, without prom-client's table of labels, which would keep those that are gone. */
class ReadFamily extends Gauge {
  readonly #family: Family;

  constructor(family: Family, registry: Registry) {
    super({ name: `holdfast_${family.name}`, help: family.help, registers: [registry] });
    this.#family = family;
  }

  override async get(): Promise<MetricObjectWithValues<MetricValue<string>>> {
    const { name, help, type, read } = this.#family;
    const values = [...read()].map(({ labels, value }) => ({ labels, value }));
    return { name: `holdfast_${name}`, help, type: type as never, aggregator: 'sum', values, collect: () => {} };
  }
}

function zeros<Label extends string>(values: readonly Label[]): Record<Label, number> {
  return Object.fromEntries(values.map((value) => [value, 0])) as Record<Label, number>;
}
