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
import { ANOMALY_KINDS, type AnomalyKind } from '../streams/anomalies.ts';
import { FACT_TYPES, type FactType } from '../streams/facts.ts';
import { PARK_REASONS, type ParkReason } from '../streams/parked.ts';
import { PROBLEMS, type ProblemKind } from './problems.ts';

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
  partitions: 'Partitions of the system, whoever owns them.',
  partitions_owned: 'Partitions that this node owns and serves.',
  partitions_quarantined:
    'Partitions that this node owns and does not serve, because the log has lost what was acknowledged or the book does not add up.',
  seen_ids: 'Fact ids remembered within the idempotency horizon.',
  reservations_remembered:
    'Reservations in memory, counted in each partition that they touch: held, allocated, and ended ones that a repeat may still ask for.',
  journal_waiting: 'Decisions that wait for the journal.',
  ready: '1 if this node serves all partitions that it should, as /readyz says; else 0.',
  lease_held: '1 while the lease of this node is confirmed by NATS; without it nothing is decided here.',
  durability_strict:
    '1 if it was proven at start that the servers sync to disk before they acknowledge; 0 if a power cut may lose the newest answers.',
  live_clients: 'Readers of the live feed that are connected to this node.',
} as const;
export type GaugeName = keyof typeof GAUGES;

/** What a caller asks for, as faults are counted by. */
export const OPERATIONS = ['facts', 'atp', 'reservation', 'stock'] as const;
export type MeasuredOperation = (typeof OPERATIONS)[number];

/** Servers that a node stands on. */
export const SERVERS = ['nats', 'redis'] as const;
export type MeasuredServer = (typeof SERVERS)[number];

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
  readonly #anomalies: Record<AnomalyKind, number>;
  #openAnomalies: () => ReadonlyMap<string, number> = () => new Map();
  readonly #restarts: Record<MeasuredStream, number>;
  readonly #requests: Record<MeasuredOperation, number>;
  readonly #faults: Record<MeasuredOperation, number>;
  readonly #problems: Record<ProblemKind, number>;
  readonly #unanswered: Record<MeasuredServer, number>;
  /** Seconds of the latest round trip; undefined while the server does not answer. */
  readonly #roundTrips = new Map<MeasuredServer, number | undefined>();
  readonly #lags = zeros(STREAMS) as Record<MeasuredStream, number | (() => number)>;
  readonly #gauges = new Map<GaugeName, () => number>();
  #duplicates = 0;
  #breaches = 0;
  readonly #facts: Histogram;
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
    this.#anomalies = this.#counters('anomalies_total', 'Anomalies opened, by kind.', 'kind', ANOMALY_KINDS);
    this.#anomalyGauge();
    this.#counter('self_audit_breaches_total', 'Derived totals that did not equal their parts.', () => this.#breaches);
    this.#requests = this.#counters(
      'requests_total',
      'Readable requests, over HTTP and NATS.',
      'operation',
      OPERATIONS,
    );
    this.#faults = this.#counters(
      'request_faults_total',
      'Requests that got no answer because of the system: undecided, not ready, or a fault (503 and 500).',
      'operation',
      OPERATIONS,
    );
    this.#problems = this.#counters(
      'problems_total',
      'Requests that were answered with a problem, by its type.',
      'problem',
      Object.keys(PROBLEMS) as ProblemKind[],
    );
    this.#unanswered = this.#counters(
      'server_pings_failed_total',
      'Pings that a server did not answer in time.',
      'server',
      SERVERS,
    );
    this.#servers();
    this.#facts = this.#histogram(
      'facts_request_seconds',
      'Time from a readable request with facts to the verdict on each, stored and folded.',
      SECONDS,
    );
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

  factsSeconds(seconds: number): void {
    this.#facts.observe(seconds);
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

  anomalyOpened(kind: AnomalyKind): void {
    this.#anomalies[kind] += 1;
  }

  /** Says where the anomalies that are not resolved are counted by kind. */
  anomaliesOpen(read: () => ReadonlyMap<string, number>): void {
    this.#openAnomalies = read;
  }

  selfAuditBreach(): void {
    this.#breaches += 1;
  }

  request(operation: MeasuredOperation): void {
    this.#requests[operation] += 1;
  }

  /** A request that the system, not the caller, is to blame for. */
  requestFault(operation: MeasuredOperation): void {
    this.#faults[operation] += 1;
  }

  problem(kind: ProblemKind): void {
    this.#problems[kind] += 1;
  }

  /** @param seconds of the round trip; undefined if there was no answer in time */
  serverPinged(server: MeasuredServer, seconds: number | undefined): void {
    if (seconds === undefined) this.#unanswered[server] += 1;
    this.#roundTrips.set(server, seconds);
  }

  /** Which program this is, and the name of the node: joined to other series by their instance. */
  build(version: string, node: string): void {
    new Gauge({
      name: 'holdfast_build_info',
      help: 'Always 1; its labels say which version runs, and the name of the node.',
      labelNames: ['version', 'node'],
      registers: [this.#registry],
    }).set({ version, node }, 1);
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

  /** A server is up when its latest ping was answered; how long one that is away would take is not known, so its series is left out. */
  #servers(): void {
    const roundTrips = this.#roundTrips;
    new Gauge({
      name: 'holdfast_server_up',
      help: '1 if the server answered the latest ping of this node, else 0.',
      labelNames: ['server'],
      registers: [this.#registry],
      collect() {
        for (const server of SERVERS) this.set({ server }, roundTrips.get(server) === undefined ? 0 : 1);
      },
    });
    new Gauge({
      name: 'holdfast_server_round_trip_seconds',
      help: 'Round trip of the latest ping to a server that answers.',
      labelNames: ['server'],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [server, seconds] of roundTrips) if (seconds !== undefined) this.set({ server }, seconds);
      },
    });
  }

  #anomalyGauge(): void {
    const read = () => this.#openAnomalies();
    new Gauge({
      name: 'holdfast_anomalies_open',
      help: 'Anomalies that are not resolved, of the partitions that this node owns.',
      labelNames: ['kind'],
      registers: [this.#registry],
      collect() {
        const counts = read();
        for (const kind of ANOMALY_KINDS) this.set({ kind }, counts.get(kind) ?? 0);
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
