/**
 * Tables of the metric families of a node. Each has a name without its prefix `holdfast_`, a help text, and the values of its label.
 *
 * Invariant: labels are bounded. They are types, reasons, outcomes or streams, never a SKU or a reservation. Locations are labels only in
 * src/metrics/kpi.ts, which bounds them.
 */
import { FACT_STREAM_NAMES, JOURNAL_STREAM } from '../../config/topology.ts';
import { ANOMALY_KINDS } from '../../streams/contract/anomaly-kinds.ts';
import { PARK_REASONS } from '../../streams/fact/parked/parked.ts';
import { FACT_TYPES } from '../../streams/subjects.ts';
import { PROBLEMS, type ProblemKind } from '../error-status.ts';
import { WEBHOOK_OUTCOMES } from '../webhooks/delivery.ts';

export const RESERVATION_OUTCOMES = [
  'held',
  'partial',
  'repeated',
  'refused',
  'conflict',
  'amended',
  'confirmed',
  'released',
  'expired',
  'undecided',
] as const;
export type ReservationOutcome = (typeof RESERVATION_OUTCOMES)[number];

/** Operations by which requests and their faults are counted. */
const OPERATIONS = ['facts', 'atp', 'reservation', 'stock'] as const;
export type MeasuredOperation = (typeof OPERATIONS)[number];

/** Servers that a node depends on. */
export const SERVERS = ['nats', 'redis'] as const;
export type MeasuredServer = (typeof SERVERS)[number];

/** Why the live feed closed a reader's connection. */
const LIVE_ENDINGS = ['left', 'slow', 'silent', 'misused', 'stopping'] as const;
export type LiveEnding = (typeof LIVE_ENDINGS)[number];

const STREAMS = [...FACT_STREAM_NAMES, JOURNAL_STREAM] as const;

/** A label and all its values. Each value has a series from the start. */
const by = <const Value extends string>(label: string, values: readonly Value[], help: string) => ({
  label,
  values,
  help,
});

export const COUNTERS = {
  facts_duplicate_total: 'Facts that had come before and did not count again.',
  events_published_total: 'Events that the stream EVENTS has acknowledged, those that were published again included.',
  self_audit_breaches_total: 'Derived totals that did not equal their parts.',
  live_messages_total: 'Messages sent to readers of the live feed.',
  live_encoded_total: 'Values that were encoded for readers of the live feed, each once for all of them.',
  live_skipped_total: 'Values that a slow reader of the live feed did not get, because newer ones took their place.',
} as const;

export const COUNTERS_BY = {
  webhook_deliveries_total: by(
    'outcome',
    WEBHOOK_OUTCOMES,
    'Attempts to deliver an event to a webhook, and webhooks that were disabled.',
  ),
  facts_applied_total: by('type', FACT_TYPES, 'Facts folded into stock, each once.'),
  facts_parked_total: by('reason', PARK_REASONS, 'Facts set aside because they could not be counted.'),
  reservations_total: by('outcome', RESERVATION_OUTCOMES, 'Reservation requests and expiries by outcome.'),
  follower_restarts_total: by('stream', STREAMS, 'Followers of a stream that were restarted.'),
  anomalies_total: by('kind', ANOMALY_KINDS, 'Anomalies opened, by kind.'),
  requests_total: by('operation', OPERATIONS, 'Readable requests, over HTTP and NATS.'),
  request_faults_total: by(
    'operation',
    OPERATIONS,
    'Requests that got no answer because of the system: undecided, not ready, or a fault (503 and 500).',
  ),
  problems_total: by(
    'problem',
    Object.keys(PROBLEMS) as ProblemKind[],
    'Requests that were answered with a problem, by its type.',
  ),
  server_pings_failed_total: by('server', SERVERS, 'Pings that a server did not answer in time.'),
  live_closed_total: by('reason', LIVE_ENDINGS, 'Connections of the live feed that ended, by reason.'),
  unhandled_errors_total: by(
    'kind',
    ['rejection', 'exception'],
    'Errors of the program that nothing had caught: rejections of promises, and exceptions of timers and callbacks.',
  ),
} as const;

export const GAUGES = {
  outbox_lag_events: 'Events that wait to be published, of the partitions that this node owns.',
  outbox_partitions_behind:
    'Partitions whose events must be read again from the streams, after a take-over or because too many waited.',
  outbox_stalled_seconds: 'How long events could not be published; 0 if they can.',
  snapshot_age_seconds:
    'Age of the oldest snapshot of a partition that has changed since; before its first one, since it was taken over.',
  actors: 'Stock keys (SKU at location) in memory on this node.',
  partitions: 'Partitions of the system, owned or not.',
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

/** Gauges with a label. A series whose figure is undefined is left out. */
export const GAUGES_BY = {
  anomalies_open: by('kind', ANOMALY_KINDS, 'Anomalies that are not resolved, of the partitions that this node owns.'),
  server_up: by('server', SERVERS, '1 if the server answered the latest ping of this node, else 0.'),
  stream_lag_messages: by(
    'stream',
    STREAMS,
    'Messages of a stream that are stored and not folded yet, in the partitions that this node owns.',
  ),
  intake_stalled_seconds: by(
    'stream',
    FACT_STREAM_NAMES,
    'How long no message of a stream has been folded while it has some for this node; 0 while it moves.',
  ),
} as const;

/** 100 µs to 5 s. */
const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
/** 10 ms to 2 minutes. */
const RECOVERY_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
/** An hour to a month. */
const LEAD_SECONDS = [1, 4, 12, 24, 48, 72, 120, 168, 336, 720].map((hours) => hours * 3600);
const BATCH = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

export const HISTOGRAMS = {
  facts_request_seconds: [
    SECONDS,
    'Time from a readable request with facts to the verdict on each, stored and folded.',
  ],
  atp_request_seconds: [SECONDS, 'Time from a readable ATP request to its answer.'],
  reservation_seconds: [SECONDS, 'Time from a readable reservation request to its durable answer.'],
  journal_batch_size: [BATCH, 'Decisions in one journal record.'],
  journal_append_seconds: [SECONDS, 'Time from a journal append to its acknowledgement.'],
  snapshot_seconds: [SECONDS, 'Time to write the snapshot of a partition.'],
  recovery_seconds: [RECOVERY_SECONDS, 'Time from taking partitions over to serving them.'],
  delivery_lead_seconds: [LEAD_SECONDS, 'Time from the purchase to each delivery, by the stamps of their senders.'],
  transfer_lead_seconds: [LEAD_SECONDS, 'Time from shipped to received of transfers, by the stamps of their devices.'],
} as const;
