/**
 * KPIs as they travel between nodes, by partition, and put together for readers. A partition's figures stand by themselves: whoever has the
 * newest of each partition has the system, wherever partitions are and while they move.
 */
import { FACT_TYPES } from '../../streams/subjects.ts';
import type { Happened, KpiTopic, LocationBrief, LocationFigures, WindowName } from '../topics.ts';
import { AGE_DAYS, WINDOWS } from '../topics.ts';
import type { LocationKpi } from './location.ts';
import type { KpiWatch } from './observer.ts';
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

/** Locations shown in `kpi`. */
export const LOCATIONS_SHOWN = 500;
/** Reasons shown of returns. */
const REASONS_SHOWN = 10;
/** A location that was heard of so lately has other figures by itself: its facts leave the last minute. */
const QUIET_MS = 90_000;

/** How far somebody knows a partition's figures. */
export type Mark = readonly [epoch: number, change: number];

export interface PartitionFigures {
  readonly partition: number;
  readonly mark: Mark;
  readonly sinceMs: number | null;
  /** In the order of WINDOWS. */
  readonly windows: readonly KeptSums[];
  readonly seconds: readonly number[];
  readonly aged: readonly number[];
  /** Of a full answer every location, else those that have changed. */
  readonly full: boolean;
  readonly locations: readonly LocationRow[];
}
type LocationRow = readonly [location: string, standing: readonly number[], heardAtMs: number, factsPerMinute: number];

/** One location within one partition. */
export interface LocationPart {
  readonly sinceMs: number | null;
  readonly standing: readonly number[];
  readonly aged: readonly number[];
  readonly heardAtMs: number;
  readonly windows: readonly KeptSums[];
}

/** @param known what the asker has; undefined: nothing */
export function partitionFigures(
  kpi: KpiWatch,
  partition: number,
  epoch: number,
  nowMs: number,
  known?: Mark,
): PartitionFigures {
  const since = known !== undefined && known[0] === epoch ? known[1] : undefined;
  const aged = noAges();
  const locations: LocationRow[] = [];
  for (const at of kpi.locations.values()) {
    addTo(aged, at.aged(nowMs));
    if (since === undefined || at.changedAt > since || at.heardAtMs > nowMs - QUIET_MS)
      locations.push(rowOf(at, nowMs));
  }
  return {
    partition,
    mark: [epoch, kpi.changes],
    sinceMs: kpi.sinceMs ?? null,
    windows: kpi.whole.read(nowMs).map(keepSums),
    seconds: kpi.seconds.read(nowMs),
    aged,
    full: since === undefined,
    locations,
  };
}

/** Undefined if the partition knows nothing of the location. */
export function locationPart(kpi: KpiWatch, location: string, nowMs: number): LocationPart | undefined {
  const at = kpi.locations.get(location);
  if (at === undefined) return undefined;
  return {
    sinceMs: kpi.sinceMs ?? null,
    standing: Array.from(at.standing),
    aged: at.aged(nowMs),
    heardAtMs: at.heardAtMs,
    windows: at.windows.read(nowMs).map(keepSums),
  };
}

/** Open anomalies, counted. */
export interface OpenAnomalies {
  readonly byKind: Readonly<Record<string, number>>;
  readonly byLocation: ReadonlyMap<string, number>;
}

/** The figures of partitions, kept as they come. */
export class KnownFigures {
  readonly #partitions = new Map<number, { figures: PartitionFigures; readonly locations: Map<string, LocationRow> }>();

  /** What is older than what is known changes nothing. */
  take(figures: PartitionFigures): void {
    const known = this.#partitions.get(figures.partition);
    if (known !== undefined) {
      const [epoch, change] = known.figures.mark;
      if (figures.mark[0] < epoch || (figures.mark[0] === epoch && figures.mark[1] < change)) return;
    }
    if (!figures.full && known === undefined) return;
    const locations = figures.full || known === undefined ? new Map<string, LocationRow>() : known.locations;
    for (const row of figures.locations) locations.set(row[0], row);
    this.#partitions.set(figures.partition, { figures, locations });
  }

  mark(partition: number): Mark | undefined {
    return this.#partitions.get(partition)?.figures.mark;
  }

  /** Every location that anything is known of. */
  briefs(open: OpenAnomalies): LocationBrief[] {
    const rows = new Map<string, { standing: Float64Array; heardAtMs: number; factsPerMinute: number }>();
    for (const { locations } of this.#partitions.values()) {
      for (const [location, standing, heardAtMs, factsPerMinute] of locations.values()) {
        let row = rows.get(location);
        if (row === undefined) {
          row = { standing: new Float64Array(STANDING_LENGTH), heardAtMs: 0, factsPerMinute: 0 };
          rows.set(location, row);
        }
        addTo(row.standing, standing);
        row.heardAtMs = Math.max(row.heardAtMs, heardAtMs);
        row.factsPerMinute += factsPerMinute;
      }
    }
    return [...rows].map(([location, { standing, heardAtMs, factsPerMinute }]) => ({
      ...standingOf(standing),
      location,
      openAnomalies: open.byLocation.get(location) ?? 0,
      heardAt: isoOf(heardAtMs),
      factsPerMinute,
    }));
  }

  topic(asked: KpiTopic['asked'], open: OpenAnomalies, nowMs: number): KpiTopic {
    const briefs = this.briefs(open);
    const standing = new Float64Array(STANDING_LENGTH);
    for (const { locations } of this.#partitions.values())
      for (const [, sums] of locations.values()) addTo(standing, sums);
    const all = [...this.#partitions.values()].map(({ figures }) => figures);
    const aged = noAges();
    const seconds = new Array<number>(all[0]?.seconds.length ?? 60).fill(0);
    for (const figures of all) {
      addTo(aged, figures.aged);
      addTo(seconds, figures.seconds);
    }
    return {
      ...standingOf(standing),
      windows: windowsOf(all, standing[STANDING.onHand] as number, nowMs),
      asked,
      ageing: aged,
      openAnomalies: open.byKind,
      locations: briefs.sort(byNeed).slice(0, LOCATIONS_SHOWN),
      locationCount: briefs.length,
      factsBySecond: seconds,
    };
  }
}

/** A location, put together from its parts in the partitions. */
export function locationTopic(
  location: string,
  parts: readonly LocationPart[],
  openAnomalies: number,
  nowMs: number,
): LocationFigures {
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
    windows: windowsOf(parts, standing[STANDING.onHand] as number, nowMs),
    ageing: aged,
  };
}

function rowOf(at: LocationKpi, nowMs: number): LocationRow {
  return [at.location, Array.from(at.standing), at.heardAtMs, at.windows.factsPerMinute(nowMs)];
}

/** Those that need a person first. */
function byNeed(a: LocationBrief, b: LocationBrief): number {
  return (
    b.openAnomalies - a.openAnomalies ||
    b.negative - a.negative ||
    b.stockOuts - a.stockOuts ||
    (a.location < b.location ? -1 : a.location > b.location ? 1 : 0)
  );
}

function windowsOf(
  parts: readonly { readonly sinceMs: number | null; readonly windows: readonly KeptSums[] }[],
  onHand: number,
  nowMs: number,
): Readonly<Record<WindowName, Happened>> {
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
  ) as Record<WindowName, Happened>;
}

function happened({ sums, reasons }: Sums, seconds: number, onHand: number): Happened {
  const at = (field: HappenedField) => sums[HAPPENED[field]] as number;
  const ended = at('holdsConfirmed') + at('holdsReleased') + at('holdsExpired');
  const sold = at('unitsSold');
  return {
    seconds,
    facts: Object.fromEntries(FACT_TYPES.map((type) => [type, at(type)])) as Happened['facts'],
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
    counts: {
      counted: at('counted'),
      accuracy: ratio(at('exact'), at('counted')),
      varianceUnits: at('varianceUnits'),
    },
    sellThrough: ratio(sold, sold + Math.max(0, onHand)),
  };
}

/** Null where there is nothing to divide by. */
function ratio(part: number, whole: number): number | null {
  return whole > 0 ? part / whole : null;
}

function noAges(): number[] {
  return [...AGE_DAYS.map(() => 0), 0];
}

function isoOf(ms: number): string | null {
  return ms === 0 ? null : new Date(ms).toISOString();
}

function addTo(total: { [index: number]: number; readonly length: number }, part: ArrayLike<number>): void {
  for (let i = 0; i < total.length; i++) (total[i] as number) += (part[i] as number | undefined) ?? 0;
}
