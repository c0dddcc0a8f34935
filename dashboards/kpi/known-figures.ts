/**
 * Merges the figures of all partitions for readers. Each partition's figures are complete in themselves, so the newest figures of every
 * partition give the whole system, wherever the partitions are and even while they move.
 *
 * Invariant KF1: the sums of a location equal the sum of its newest rows in all partitions. Only locations with a new row are added up
 * again, because thousands of locations in each of many partitions are too many to add up every second.
 */
import { at } from '../../streams/assert.ts';
import type { KpiTopic, LocationBrief } from '../topics.ts';
import { noAges } from './ages.ts';
import { addTo, type Cursor, isoOf, type LocationRow, type PartitionFigures, windowsOf } from './figures.ts';
import { vendorFigures } from './inbound/vendors.ts';
import { STANDING, STANDING_LENGTH, standingOf } from './totals.ts';

/** Most locations shown in `kpi`. */
export const LOCATIONS_SHOWN = 500;

/** Numbers of open anomalies. */
export interface OpenAnomalies {
  readonly byKind: Readonly<Record<string, number>>;
  readonly byLocation: ReadonlyMap<string, number>;
}

interface KnownPartition {
  readonly figures: PartitionFigures;
  readonly locations: Map<string, LocationRow>;
}

/** A location's rows in all partitions. */
interface LocationSum {
  readonly location: string;
  readonly standing: Float64Array;
  readonly heardAtMs: number;
  readonly factsPerMinute: number;
  /** The form for readers, made on first use. It stays valid because a sum never changes. */
  brief?: Omit<LocationBrief, 'openAnomalies'>;
}

export class KnownFigures {
  readonly #partitions = new Map<number, KnownPartition>();
  readonly #sums = new Map<string, LocationSum>();
  /** Locations whose sums are out of date. */
  readonly #changed = new Set<string>();

  /** Takes a partition's figures. Figures older than the known ones change nothing. */
  take(figures: PartitionFigures): void {
    const known = this.#partitions.get(figures.partition);
    if (known !== undefined) {
      const [epoch, change] = known.figures.mark;
      if (figures.mark[0] < epoch || (figures.mark[0] === epoch && figures.mark[1] < change)) return;
    }
    if (!figures.full && known === undefined) return;
    const locations = known?.locations ?? new Map<string, LocationRow>();
    if (figures.full) {
      for (const location of locations.keys()) this.#changed.add(location);
      locations.clear();
    }
    for (const row of figures.locations) {
      locations.set(row[0], row);
      this.#changed.add(row[0]);
    }
    this.#partitions.set(figures.partition, { figures, locations });
  }

  mark(partition: number): Cursor | undefined {
    return this.#partitions.get(partition)?.figures.mark;
  }

  /** Every known location. */
  briefs(open: OpenAnomalies): LocationBrief[] {
    return Array.from(this.#added().values(), (sum) => briefOf(sum, open));
  }

  topic(asked: KpiTopic['asked'], open: OpenAnomalies, nowMs: number): KpiTopic {
    const sums = [...this.#added().values()];
    const standing = new Float64Array(STANDING_LENGTH);
    for (const sum of sums) addTo(standing, sum.standing);
    const all = Array.from(this.#partitions.values(), ({ figures }) => figures);
    const aged = noAges();
    const seconds = new Array<number>(all[0]?.seconds.length ?? 60).fill(0);
    for (const figures of all) {
      addTo(aged, figures.aged);
      addTo(seconds, figures.seconds);
    }
    return {
      ...standingOf(standing),
      windows: windowsOf(all, at(standing, STANDING.onHand), nowMs),
      asked,
      ageing: aged,
      vendors: vendorFigures(all.map(({ vendors }) => vendors)),
      openAnomalies: open.byKind,
      locationCount: sums.length,
      locations: sums
        .sort(byNeed(open))
        .slice(0, LOCATIONS_SHOWN)
        .map((sum) => briefOf(sum, open)),
      factsBySecond: seconds,
    };
  }

  #added(): ReadonlyMap<string, LocationSum> {
    for (const location of this.#changed) {
      const sum = this.#addUp(location);
      if (sum === undefined) this.#sums.delete(location);
      else this.#sums.set(location, sum);
    }
    this.#changed.clear();
    return this.#sums;
  }

  /** Adds up a location's newest rows in all partitions; undefined if no partition knows it any more (KF1). */
  #addUp(location: string): LocationSum | undefined {
    const standing = new Float64Array(STANDING_LENGTH);
    let [heardAtMs, factsPerMinute, rows] = [0, 0, 0];
    for (const { locations } of this.#partitions.values()) {
      const row = locations.get(location);
      if (row === undefined) continue;
      rows += 1;
      addTo(standing, row[1]);
      heardAtMs = Math.max(heardAtMs, row[2]);
      factsPerMinute += row[3];
    }
    return rows === 0 ? undefined : { location, standing, heardAtMs, factsPerMinute };
  }
}

function briefOf(sum: LocationSum, open: OpenAnomalies): LocationBrief {
  sum.brief ??= {
    ...standingOf(sum.standing),
    location: sum.location,
    heardAt: isoOf(sum.heardAtMs),
    factsPerMinute: sum.factsPerMinute,
  };
  return { ...sum.brief, openAnomalies: open.byLocation.get(sum.location) ?? 0 };
}

/** A location of which no fact is known. */
export function emptyBrief(location: string): LocationBrief {
  const standing = standingOf(new Float64Array(STANDING_LENGTH));
  return { ...standing, location, heardAt: null, factsPerMinute: 0, openAnomalies: 0 };
}

/** Orders the locations that need attention first. */
function byNeed({ byLocation }: OpenAnomalies): (a: LocationSum, b: LocationSum) => number {
  const opened = (sum: LocationSum) => byLocation.get(sum.location) ?? 0;
  const { negative, stockOuts } = STANDING;
  return (a, b) =>
    opened(b) - opened(a) ||
    at(b.standing, negative) - at(a.standing, negative) ||
    at(b.standing, stockOuts) - at(a.standing, stockOuts) ||
    (a.location < b.location ? -1 : a.location > b.location ? 1 : 0);
}
