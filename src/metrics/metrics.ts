/**
 * Metrics: every figure for Prometheus by its name, in a registry of the node's own.
 *
 * Invariants:
 *  M1 Every series with a known label value is there from the start, at 0: a rate over a restart is never missing.
 *  M2 Labels are bounded: types, reasons, outcomes, streams; never a SKU or a reservation. Locations only in the families of
 *     src/metrics/kpi.ts, which bounds them.
 *  M3 Counting is adding to a plain number; it is published when somebody asks (collect).
 */

import { FACT_STREAM_NAMES, type FactStream, JOURNAL_STREAM } from '../../config/topology.ts';
import { MESSAGE_KINDS, type MessageKind } from '../../streams/broker.ts';
import { ANOMALY_KINDS, type AnomalyKind } from '../../streams/contract/anomaly-kinds.ts';
import { PARK_REASONS, type ParkReason } from '../../streams/fact/parked.ts';
import { FACT_TYPES, type FactType } from '../../streams/subjects.ts';
import { PROBLEMS, type ProblemKind } from '../problems.ts';
import { type Family, type FamilyValue, Histogram } from './exposition.ts';
import { FamilyRegistry } from './registry.ts';
import type { StreamBytes } from './storage.ts';

/** Why a message was dropped. `fault` is one of this program. */
export const DROP_REASONS = ['misfit', 'too-large', 'fault'] as const;
export type DropReason = (typeof DROP_REASONS)[number];

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
  journal_stalled_seconds: 'How long nothing has been stored in JOURNAL while decisions wait for it; 0 while it moves.',
  journal_set_aside_records:
    'Records of JOURNAL that the latest take-over passed over, because their writers never owned a partition.',
  parking_stalled_seconds: 'How long the oldest fact that cannot be counted has waited to be stored in PARKED.',
  ready: '1 if this node serves all partitions that it should, as /readyz says; else 0.',
  lease_held: '1 while the lease of this node is confirmed by NATS; without it nothing is decided here.',
  durability_strict:
    '1 if it was proven at start that the servers sync to disk before they acknowledge; 0 if a power cut may lose the newest answers.',
  live_clients: 'Readers of the live feed that are connected to this node.',
  http_body_bytes: 'Bytes of HTTP bodies that have come and are not answered.',
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

/** Errors that nothing has caught. */
export const STRAY_ERRORS = ['rejection', 'exception'] as const;
export type StrayError = (typeof STRAY_ERRORS)[number];

/** Told of what is asked of this node, as it is counted. */
export interface AskedListener {
  atp(seconds: number): void;
  reservation(seconds: number): void;
  outcome(outcome: ReservationOutcome, times: number): void;
  duplicate(times: number): void;
  parked(reason: ParkReason): void;
}

export class Metrics {
  listener: AskedListener | undefined;
  readonly #registry = new FamilyRegistry();
  readonly #applied: Record<FactType, number>;
  readonly #parked: Record<ParkReason, number>;
  readonly #reservations: Record<ReservationOutcome, number>;
  readonly #anomalies: Record<AnomalyKind, number>;
  #streamBytes: () => ReadonlyMap<string, StreamBytes> = () => new Map();
  #openAnomalies: () => ReadonlyMap<string, number> = () => new Map();
  readonly #restarts: Record<MeasuredStream, number>;
  readonly #requests: Record<MeasuredOperation, number>;
  readonly #faults: Record<MeasuredOperation, number>;
  readonly #problems: Record<ProblemKind, number>;
  readonly #unanswered: Record<MeasuredServer, number>;
  /** Seconds of the latest round trip; undefined while the server does not answer. */
  readonly #roundTrips = new Map<MeasuredServer, number | undefined>();
  readonly #lags = Object.fromEntries(STREAMS.map((stream) => [stream, () => 0])) as Record<
    MeasuredStream,
    () => number
  >;
  readonly #intakeStalls = new Map<FactStream, () => number>();
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
  #liveEncoded = 0;
  #liveSkipped = 0;
  readonly #dropped = new Map(MESSAGE_KINDS.map((kind) => [kind, zeros(DROP_REASONS)]));
  readonly #strayErrors: Record<StrayError, number>;

  constructor() {
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
    this.#read('anomalies_open', 'Anomalies that are not resolved, of the partitions that this node owns.', () => {
      const counts = this.#openAnomalies();
      return ANOMALY_KINDS.map((kind) => ({ labels: { kind }, value: counts.get(kind) ?? 0 }));
    });
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
    this.#read('server_up', '1 if the server answered the latest ping of this node, else 0.', () =>
      SERVERS.map((server) => ({ labels: { server }, value: this.#roundTrips.get(server) === undefined ? 0 : 1 })),
    );
    // How long one that is away would take is not known: its series is left out.
    this.#read('server_round_trip_seconds', 'Round trip of the latest ping to a server that answers.', () =>
      [...this.#roundTrips].flatMap(([server, value]) => (value === undefined ? [] : [{ labels: { server }, value }])),
    );
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
      'live_encoded_total',
      'Values that were encoded for readers of the live feed, each once for all of them.',
      () => this.#liveEncoded,
    );
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
    this.#registry.add({
      name: 'messages_dropped_total',
      help: 'Messages that came to nothing, by what they were about: of another form than they must have, too large to be sent, or met by a fault.',
      type: 'counter',
      read: () =>
        [...this.#dropped].flatMap(([about, counts]) =>
          DROP_REASONS.map((why) => ({ labels: { about, why }, value: counts[why] })),
        ),
    });
    this.#strayErrors = this.#counters(
      'unhandled_errors_total',
      'Errors of the program that nothing had caught: rejections of promises, and exceptions of timers and callbacks.',
      'kind',
      STRAY_ERRORS,
    );
    this.#read(
      'stream_lag_messages',
      'Messages of a stream that are stored and not folded yet, in the partitions that this node owns.',
      () => STREAMS.map((stream) => ({ labels: { stream }, value: this.#lags[stream]() })),
    );
    this.#read('stream_bytes', 'Bytes that a stream holds.', () =>
      [...this.#streamBytes()].map(([stream, { bytes }]) => ({ labels: { stream }, value: bytes })),
    );
    this.#read('stream_max_bytes', 'The most that a stream may hold; 0: as much as the server has room for.', () =>
      [...this.#streamBytes()].map(([stream, { maxBytes }]) => ({ labels: { stream }, value: maxBytes ?? 0 })),
    );
    this.#read(
      'intake_stalled_seconds',
      'How long no message of a stream has been folded while it has some for this node; 0 while it moves.',
      () => FACT_STREAM_NAMES.map((stream) => ({ labels: { stream }, value: this.#intakeStalls.get(stream)?.() ?? 0 })),
    );
    for (const name of Object.keys(GAUGES) as GaugeName[])
      this.#read(name, GAUGES[name], () => [{ labels: {}, value: this.#gauges.get(name)?.() ?? 0 }]);
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

  liveEncoded(): void {
    this.#liveEncoded += 1;
  }

  liveSkipped(): void {
    this.#liveSkipped += 1;
  }

  liveClosed(reason: LiveEnding): void {
    this.#liveClosed[reason] += 1;
  }

  /** Adds a figure whose labels are known only when it is read; whoever adds it bounds them. */
  family(family: Family): void {
    this.#registry.add(family);
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

  messageDropped(about: MessageKind, why: DropReason): void {
    (this.#dropped.get(about) as Record<DropReason, number>)[why] += 1;
  }

  strayError(kind: StrayError): void {
    this.#strayErrors[kind] += 1;
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
    this.#read('build_info', 'Always 1; its labels say which version runs, and the name of the node.', () => [
      { labels: { version, node }, value: 1 },
    ]);
  }

  /** Says where a gauge is read, each time somebody asks. */
  gauge(name: GaugeName, read: () => number): void {
    this.#gauges.set(name, read);
  }

  /** Where it is told how full each stream is. */
  streamBytes(read: () => ReadonlyMap<string, StreamBytes>): void {
    this.#streamBytes = read;
  }

  /** Says where a stream's lag in messages is read. */
  lag(stream: MeasuredStream, read: () => number): void {
    this.#lags[stream] = read;
  }

  /** Says where it is read for how long a stream's intake has stood still, in seconds. */
  intakeStalled(stream: FactStream, read: () => number): void {
    this.#intakeStalls.set(stream, read);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The text that Prometheus reads. */
  render(): Promise<string> {
    return this.#registry.render();
  }

  #counters<Label extends string>(
    name: string,
    help: string,
    label: string,
    values: readonly Label[],
  ): Record<Label, number> {
    const counts = zeros(values);
    const read = () => values.map((value) => ({ labels: { [label]: value }, value: counts[value] }));
    this.#registry.add({ name, help, type: 'counter', read });
    return counts;
  }

  #counter(name: string, help: string, read: () => number): void {
    this.#registry.add({ name, help, type: 'counter', read: () => [{ labels: {}, value: read() }] });
  }

  #histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    const histogram = new Histogram(bounds);
    this.#registry.add({ name, help, type: 'histogram', read: () => histogram.read() });
    return histogram;
  }

  #read(name: string, help: string, read: () => Iterable<FamilyValue>): void {
    this.#registry.add({ name, help, type: 'gauge', read });
  }
}

function zeros<Label extends string>(values: readonly Label[]): Record<Label, number> {
  return Object.fromEntries(values.map((value) => [value, 0])) as Record<Label, number>;
}
