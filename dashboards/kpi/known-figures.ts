/**
 * The figures of all partitions, put together for readers. A partition's figures stand by themselves: whoever has the newest of each
 * partition has the system, wherever partitions are and while they move.
 *
 * Invariant KF1: the sums equal those of the newest rows of every partition. They are kept by taking away a row that is replaced and
 * adding the new one: thousands of locations in each of many partitions are too many to add up each second.
 */
import type { KpiTopic, LocationBrief } from '../topics.ts';
import { noAges } from './ages.ts';
import { addTo, isoOf, type LocationRow, type Mark, type PartitionFigures, windowsOf } from './figures.ts';
import { STANDING, STANDING_LENGTH, standingOf } from './totals.ts';

/** Locations shown in `kpi`. */
export const LOCATIONS_SHOWN = 500;

/** Open anomalies, counted. */
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
  heardAtMs: number;
  factsPerMinute: number;
  rows: number;
}

export class KnownFigures {
  readonly #partitions = new Map<number, KnownPartition>();
  readonly #locations = new Map<string, LocationSum>();
  readonly #standing = new Float64Array(STANDING_LENGTH);

  /** What is older than what is known changes nothing. */
  take(figures: PartitionFigures): void {
    const known = this.#partitions.get(figures.partition);
    if (known !== undefined) {
      const [epoch, change] = known.figures.mark;
      if (figures.mark[0] < epoch || (figures.mark[0] === epoch && figures.mark[1] < change)) return;
    }
    if (!figures.full && known === undefined) return;
    const locations = known?.locations ?? new Map<string, LocationRow>();
    for (const row of figures.locations) {
      const before = locations.get(row[0]);
      this.#add(row, 1);
      if (before !== undefined) this.#add(before, -1);
      locations.set(row[0], row);
    }
    if (figures.full && locations.size > figures.locations.length) {
      const named = new Set(figures.locations.map(([location]) => location));
      for (const [location, row] of locations) {
        if (named.has(location)) continue;
        this.#add(row, -1);
        locations.delete(location);
      }
    }
    this.#partitions.set(figures.partition, { figures, locations });
  }

  mark(partition: number): Mark | undefined {
    return this.#partitions.get(partition)?.figures.mark;
  }

  /** Every location that anything is known of. */
  briefs(open: OpenAnomalies): LocationBrief[] {
    return Array.from(this.#locations.values(), (sum) => briefOf(sum, open));
  }

  topic(asked: KpiTopic['asked'], open: OpenAnomalies, nowMs: number): KpiTopic {
    const all = Array.from(this.#partitions.values(), ({ figures }) => figures);
    const aged = noAges();
    const seconds = new Array<number>(all[0]?.seconds.length ?? 60).fill(0);
    for (const figures of all) {
      addTo(aged, figures.aged);
      addTo(seconds, figures.seconds);
    }
    return {
      ...standingOf(this.#standing),
      windows: windowsOf(all, this.#standing[STANDING.onHand] as number, nowMs),
      asked,
      ageing: aged,
      openAnomalies: open.byKind,
      locations: [...this.#locations.values()]
        .sort(byNeed(open))
        .slice(0, LOCATIONS_SHOWN)
        .map((sum) => briefOf(sum, open)),
      locationCount: this.#locations.size,
      factsBySecond: seconds,
    };
  }

  #add([location, standing, heardAtMs, factsPerMinute]: LocationRow, sign: 1 | -1): void {
    let sum = this.#locations.get(location);
    if (sum === undefined) {
      sum = { location, standing: new Float64Array(STANDING_LENGTH), heardAtMs: 0, factsPerMinute: 0, rows: 0 };
      this.#locations.set(location, sum);
    }
    for (let i = 0; i < STANDING_LENGTH; i++) {
      const units = sign * (standing[i] ?? 0);
      (sum.standing[i] as number) += units;
      (this.#standing[i] as number) += units;
    }
    sum.factsPerMinute += sign * factsPerMinute;
    sum.heardAtMs = Math.max(sum.heardAtMs, heardAtMs);
    sum.rows += sign;
    if (sum.rows === 0) this.#locations.delete(location);
  }
}

function briefOf(sum: LocationSum, open: OpenAnomalies): LocationBrief {
  return {
    ...standingOf(sum.standing),
    location: sum.location,
    openAnomalies: open.byLocation.get(sum.location) ?? 0,
    heardAt: isoOf(sum.heardAtMs),
    factsPerMinute: sum.factsPerMinute,
  };
}

/** Those that need a person first. */
function byNeed({ byLocation }: OpenAnomalies): (a: LocationSum, b: LocationSum) => number {
  const opened = (sum: LocationSum) => byLocation.get(sum.location) ?? 0;
  const { negative, stockOuts } = STANDING;
  return (a, b) =>
    opened(b) - opened(a) ||
    (b.standing[negative] as number) - (a.standing[negative] as number) ||
    (b.standing[stockOuts] as number) - (a.standing[stockOuts] as number) ||
    (a.location < b.location ? -1 : a.location > b.location ? 1 : 0);
}
