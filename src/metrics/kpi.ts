/**
 * Exports the KPIs as metrics: the current stock of this node's partitions, and the events in them since the node started.
 *
 * Invariants:
 *  KM1 A node exports only the partitions that it serves, so the sum over nodes is the whole system, even while partitions move.
 *  KM2 No label names a SKU. The first LOCATIONS_NAMED locations by name have a label each. The others are summed under OTHER, a label
 *      that no location can have.
 *  KM3 Gauges show the current state. Counters count what was folded while this node served the partition, so the replay of the log at a
 *      take-over is not counted again.
 */

import type { KpiCounters } from '../../dashboards/kpi/counters.ts';
import type { LocationTotals } from '../../dashboards/kpi/observer.ts';
import { STANDING, type StandingField } from '../../dashboards/kpi/totals.ts';
import { AGE_DAYS } from '../../dashboards/topics.ts';
import { at, present } from '../../streams/assert.ts';
import { ON_HAND_SUM, TOTALLED_BUCKETS } from '../../streams/buckets.ts';
import type { FamilyValue } from './exposition.ts';
import type { Metrics } from './metrics.ts';

/** Number of locations with a label of their own. */
const LOCATIONS_NAMED = 200;
/** The label begins with a space, which no location name does. */
const OTHER = ' other locations';

/** Each bucket with its value of the label `bucket`. */
const BUCKET_LABELS = TOTALLED_BUCKETS.map(
  (bucket) => [bucket, bucket.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] as const,
);
/** Values of the label `age`, the time since the stock key last received units. */
const AGES = [...AGE_DAYS.map((days) => `${days}d`), 'older'];

export interface KpiExport {
  /** Current figures of each location, over the partitions that this node serves (KM1). */
  readonly standing: () => readonly LocationTotals[];
  readonly counted: KpiCounters;
}

export function exportKpi(metrics: Metrics, kpi: KpiExport): void {
  const gauge = (name: string, help: string, read: () => Iterable<FamilyValue>) =>
    metrics.family({ name, help, type: 'gauge', read });
  const counter = (name: string, help: string, read: () => Iterable<FamilyValue>) =>
    metrics.family({ name, help, type: 'counter', read });
  const located = (field: StandingField) => () =>
    named(kpi.standing()).map(({ location, sums }) => ({
      labels: { location },
      value: at(sums, STANDING[field]),
    }));

  gauge(
    'units',
    `Units by bucket: on_hand is ${ON_HAND_SUM}, atp what may be promised now. A bucket below 0 counts as 0.`,
    () =>
      named(kpi.standing()).flatMap(({ location, sums }) =>
        BUCKET_LABELS.map(([bucket, label]) => ({
          labels: { location, bucket: label },
          value: at(sums, STANDING[bucket]),
        })),
      ),
  );
  gauge('stock_keys', 'Stock keys (SKU at location).', located('stockKeys'));
  gauge('stock_outs', 'Stock keys that had stock once and have nothing sellable now.', located('stockOuts'));
  gauge('oversold_units', 'Held and allocated units that are not there.', located('oversold'));
  gauge('negative_stock_keys', 'Stock keys with a bucket below 0.', located('negative'));
  gauge('negative_units', 'How far the buckets below 0 are below it, together.', located('negativeUnits'));
  gauge('aged_units', 'Units on hand by how long ago their stock key last got any.', () =>
    named(kpi.standing()).flatMap(({ location, aged }) =>
      AGES.map((age, index) => ({ labels: { location, age }, value: at(aged, index) })),
    ),
  );

  const { counted } = kpi;
  // The counters do not include the replay at a take-over (KM3).
  counter('sold_units_total', 'Units sold.', () => byLocation(counted.sold, kpi.standing()));
  counter('returned_units_total', 'Units returned, whatever became of them.', () =>
    byLocation(counted.returned, kpi.standing()),
  );
  counter('holds_total', 'Lines of reservations that were granted as holds, and how holds ended.', () =>
    Object.entries(counted.holds).map(([outcome, value]) => ({ labels: { outcome }, value })),
  );
  counter('counts_total', 'Cycle counts: exact ones agreed with the book.', () =>
    Object.entries(counted.counts).map(([outcome, value]) => ({ labels: { outcome }, value })),
  );
  counter('count_variance_units_total', 'Units by which counts differed from the book, either way.', () => [
    { labels: {}, value: counted.varianceUnits },
  ]);
  counter('deliveries_total', 'Parts of receipts that fill a line of a purchase order, in time or late.', () =>
    Object.entries(counted.deliveries).map(([outcome, value]) => ({ labels: { outcome }, value })),
  );
  counter('transfer_damaged_units_total', 'Units of transfers that arrived damaged.', () => [
    { labels: {}, value: counted.transferDamaged },
  ]);
}

/** The first locations by name, and all others summed into one (KM2). */
function named(all: readonly LocationTotals[]): readonly LocationTotals[] {
  if (all.length <= LOCATIONS_NAMED) return all;
  const sorted = [...all].sort((a, b) => (a.location < b.location ? -1 : 1));
  const rest = { location: OTHER, sums: new Float64Array(sorted[0]?.sums.length ?? 0), aged: AGES.map(() => 0) };
  for (const { sums, aged } of sorted.slice(LOCATIONS_NAMED)) {
    for (let i = 0; i < sums.length; i++) (rest.sums[i] as number) += present(sums[i]);
    for (let i = 0; i < aged.length; i++) (rest.aged[i] as number) += present(aged[i]);
  }
  return [...sorted.slice(0, LOCATIONS_NAMED), rest];
}

/** Exports 0 for a location without sales. Otherwise its first sale would create its series, and `rate()` would miss it. */
function byLocation(counted: ReadonlyMap<string, number>, standing: readonly LocationTotals[]): FamilyValue[] {
  const units = new Map(standing.map(({ location }) => [location, 0]));
  for (const [location, value] of counted) units.set(location, value);
  if (units.size <= LOCATIONS_NAMED) return [...units].map(([location, value]) => ({ labels: { location }, value }));
  const sorted = [...units].sort(([a], [b]) => (a < b ? -1 : 1));
  const rest = sorted.slice(LOCATIONS_NAMED).reduce((sum, [, value]) => sum + value, 0);
  return [...sorted.slice(0, LOCATIONS_NAMED), [OTHER, rest] as const].map(([location, value]) => ({
    labels: { location },
    value,
  }));
}
