/**
 * Defines the gauges of a node. Every scrape reads each gauge, so its cost must not grow with the number of stock keys. Gauges sum over
 * partitions, never over their contents.
 */
import type { Engine } from '../../../actors/engine/engine.ts';
import type { Ownership } from '../../../actors/ownership/ownership.ts';
import type { PartitionSet } from '../../../actors/partition/partition-set.ts';
import { JOURNAL_STREAM } from '../../../config/topology.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import type { Durability } from '../durability.ts';

type Measured = Pick<Engine, 'readiness' | 'snapshotAgeSeconds' | 'lag'> & {
  readonly progress: Pick<Engine['progress'], 'journalMs' | 'parkingMs' | 'intakeMs'>;
  readonly writers: { readonly latest: { readonly aside: { readonly records: number } } };
  readonly partitions: Pick<PartitionSet, 'values'> & { readonly quarantine: { readonly size: number } };
  readonly factIds: { readonly size: number };
  readonly journal: { readonly inFlight: number };
};

export function measure(
  engine: Measured,
  ownership: Pick<Ownership, 'leased'>,
  { level }: Durability,
  metrics: Metrics,
): void {
  const sum = (of: (book: { keyCount: number; parts: ReadonlyMap<string, unknown> }) => number) => () => {
    let units = 0;
    for (const { book } of engine.partitions.values()) units += of(book);
    return units;
  };
  metrics.gauge(
    'actors',
    sum((book) => book.keyCount),
  );
  metrics.gauge(
    'reservations_remembered',
    sum((book) => book.parts.size),
  );
  metrics.gauge('partitions', () => engine.readiness.partitions);
  metrics.gauge('partitions_owned', () => engine.readiness.owned);
  metrics.gauge('partitions_quarantined', () => engine.partitions.quarantine.size);
  metrics.gauge('ready', () => (engine.readiness.ready ? 1 : 0));
  metrics.gauge('lease_held', () => (ownership.leased ? 1 : 0));
  metrics.gauge('durability_strict', () => (level === 'relaxed' ? 0 : 1));
  metrics.gauge('snapshot_age_seconds', () => engine.snapshotAgeSeconds);
  metrics.gauge('seen_ids', () => engine.factIds.size);
  metrics.gauge('journal_waiting', () => engine.journal.inFlight);
  metrics.gauge('journal_set_aside_records', () => engine.writers.latest.aside.records);
  metrics.gauge('journal_stalled_seconds', () => engine.progress.journalMs / 1000);
  metrics.gauge('parking_stalled_seconds', () => engine.progress.parkingMs / 1000);
  metrics.gaugeBy('stream_lag_messages', () => (stream) => (stream === JOURNAL_STREAM ? 0 : engine.lag(stream)));
  metrics.gaugeBy('intake_stalled_seconds', () => (stream) => engine.progress.intakeMs(stream) / 1000);
}

export function measureOutbox(
  outbox: { readonly waiting: number; readonly behind: number; readonly troubledMs: number },
  metrics: Metrics,
): void {
  metrics.gauge('outbox_lag_events', () => outbox.waiting);
  metrics.gauge('outbox_partitions_behind', () => outbox.behind);
  metrics.gauge('outbox_stalled_seconds', () => outbox.troubledMs / 1000);
}
