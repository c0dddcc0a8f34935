/** KPIs as they travel between nodes, by partition, and the values for readers that are built from them (known-figures.ts). */
import { present } from '../../streams/assert.ts';
import { STOCK_FACT_TYPES } from '../../streams/subjects.ts';
import type { Activity, LocationTopic, WindowName } from '../topics.ts';
import { WINDOWS } from '../topics.ts';
import { noAges } from './ages.ts';
import type { VendorRow } from './inbound/vendors.ts';
import type { LocationKpi } from './location.ts';
import type { KpiObserver } from './observer.ts';
import { STANDING, STANDING_LENGTH, standingOf } from './totals.ts';
import {
  addKept,
  emptySums,
  HAPPENED,
  type HappenedField,
  type KeptSums,
  keepSums,
  type Sums,
  windowSeconds,
} from './windows.ts';

/** Most reasons of returns shown. */
const REASONS_SHOWN = 10;

/** How much of a partition's figures a reader already has. */
export type Cursor = readonly [epoch: number, change: number];

export interface PartitionFigures {
  readonly partition: number;
  readonly mark: Cursor;
  readonly sinceMs: number | null;
  /** In the order of WINDOWS. */
  readonly windows: readonly KeptSums[];
  readonly seconds: readonly number[];
  readonly aged: readonly number[];
  readonly vendors: readonly VendorRow[];
  /** True if `locations` holds every location, false if only the changed ones. */
  readonly full: boolean;
  readonly locations: readonly LocationRow[];
}
export type LocationRow = readonly [
  location: string,
  standing: readonly number[],
  heardAtMs: number,
  factsPerMinute: number,
];

/** One location within one partition. */
export interface LocationPart {
  readonly sinceMs: number | null;
  readonly standing: readonly number[];
  readonly aged: readonly number[];
  readonly heardAtMs: number;
  readonly windows: readonly KeptSums[];
}

/** @param known cursor of the figures that the asker already has; undefined if it has none */
export function partitionFigures(
  kpi: KpiObserver,
  partition: number,
  epoch: number,
  nowMs: number,
  known?: Cursor,
): PartitionFigures {
  const since = known !== undefined && known[0] === epoch ? known[1] : undefined;
  const locations = kpi.changedSince(since, nowMs).map(rowOf);
  return {
    partition,
    mark: [epoch, kpi.changes],
    sinceMs: kpi.sinceMs ?? null,
    windows: kpi.whole.read(nowMs).map(keepSums),
    seconds: kpi.seconds.read(nowMs),
    aged: kpi.ages.read(nowMs),
    vendors: kpi.vendors.read(),
    full: since === undefined,
    locations,
  };
}

/** Undefined if the partition knows nothing of the location. */
export function locationPart(kpi: KpiObserver, location: string, nowMs: number): LocationPart | undefined {
  const at = kpi.locations.get(location);
  if (at === undefined) return undefined;
  return {
    sinceMs: kpi.sinceMs ?? null,
    standing: Array.from(at.standing),
    aged: at.ages.read(nowMs),
    heardAtMs: at.heardAtMs,
    windows: at.windows.read(nowMs).map(keepSums),
  };
}

/** A location's figures, merged from its parts in all partitions. */
export function locationTopic(
  location: string,
  parts: readonly LocationPart[],
  openAnomalies: number,
  nowMs: number,
): LocationTopic {
  const standing = new Float64Array(STANDING_LENGTH);
  const aged = noAges();
  for (const part of parts) {
    addTo(standing, part.standing);
    addTo(aged, part.aged);
  }
  return {
    ...standingOf(standing),
    location,
    openAnomalies,
    heardAt: isoOf(Math.max(0, ...parts.map((part) => part.heardAtMs))),
    windows: windowsOf(parts, present(standing[STANDING.onHand]), nowMs),
    ageing: aged,
  };
}

function rowOf(at: LocationKpi): LocationRow {
  return [at.location, Array.from(at.standing), at.heardAtMs, at.factsPerMinute];
}

export function windowsOf(
  parts: readonly { readonly sinceMs: number | null; readonly windows: readonly KeptSums[] }[],
  onHand: number,
  nowMs: number,
): Readonly<Record<WindowName, Activity>> {
  const begins = parts.map((part) => part.sinceMs).filter((since) => since !== null);
  const seconds = windowSeconds(nowMs, begins.length === 0 ? undefined : Math.min(...begins));
  return Object.fromEntries(
    WINDOWS.map((window, index) => {
      const sums = emptySums();
      for (const part of parts) {
        const kept = part.windows[index];
        if (kept !== undefined) addKept(sums, kept);
      }
      return [window, happened(sums, seconds[window], onHand)];
    }),
  ) as Record<WindowName, Activity>;
}

function happened({ sums, reasons }: Sums, seconds: number, onHand: number): Activity {
  const at = (field: HappenedField) => present(sums[HAPPENED[field]]);
  const ended = at('holdsConfirmed') + at('holdsReleased') + at('holdsExpired');
  const sold = at('unitsSold');
  return {
    seconds,
    facts: Object.fromEntries(STOCK_FACT_TYPES.map((type) => [type, at(type)])) as Activity['facts'],
    unitsSold: sold,
    unitsReturned: at('unitsReturned'),
    returnRate: ratio(at('unitsReturned'), sold),
    returnReasons: Object.fromEntries([...(reasons ?? [])].sort((a, b) => b[1] - a[1]).slice(0, REASONS_SHOWN)),
    holds: {
      granted: at('holdsGranted'),
      confirmed: at('holdsConfirmed'),
      released: at('holdsReleased'),
      expired: at('holdsExpired'),
      conversion: ratio(at('holdsConfirmed'), ended),
    },
    transfers: {
      received: at('transfersReceived'),
      leadSeconds: ratio(at('leadSeconds'), at('leads')),
      unitsDamaged: at('unitsDamaged'),
    },
    deliveries: {
      received: at('deliveries'),
      leadSeconds: ratio(at('deliveryLeadSeconds'), at('deliveryLeads')),
      late: at('deliveriesLate'),
      lateSeconds: ratio(at('deliveryLateSeconds'), at('deliveriesLate')),
    },
    counts: {
      counted: at('counted'),
      accuracy: ratio(at('exact'), at('counted')),
      varianceUnits: at('varianceUnits'),
    },
    sellThrough: ratio(sold, sold + onHand),
  };
}

/** Null where there is nothing to divide by. */
function ratio(part: number, whole: number): number | null {
  return whole > 0 ? part / whole : null;
}

export function isoOf(ms: number): string | null {
  return ms === 0 ? null : new Date(ms).toISOString();
}

export function addTo(total: { [index: number]: number; readonly length: number }, part: ArrayLike<number>): void {
  for (let i = 0; i < total.length; i++) (total[i] as number) += part[i] ?? 0;
}
