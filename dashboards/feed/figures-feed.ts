/**
 * The system's figures as this node knows them. While anyone reads them, they are gathered from the owners of all partitions. Each owner
 * sends only what has changed since the asker's mark.
 *
 * Invariants:
 *  FF1 A partition that no node serves at the moment keeps its last figures, so it neither vanishes nor counts twice.
 *  FF2 A caller gets figures that were gathered after the call.
 */
import { type Clock, PacedWork } from '../../streams/clock.ts';
import { type LocationPart, locationPart, locationTopic, partitionFigures } from '../kpi/figures.ts';
import { KnownFigures, type OpenAnomalies } from '../kpi/known-figures.ts';
import type { KpiObserver } from '../kpi/observer.ts';
import type { GatherHandlers } from '../query/gather-operations.ts';
import type { Gather } from '../query/scatter-gather.ts';
import type { Anomaly, KpiTopic, LocationBrief, LocationTopic } from '../topics.ts';

/** Owners that do not answer within this time are left out of the gathering. */
const GATHER_MS = 1_000;

export interface FiguresDeps {
  readonly clock: Clock;
  readonly gather: Gather;
  readonly asked: () => KpiTopic['asked'];
  readonly anomalies: () => readonly Anomaly[];
}

export class FiguresFeed {
  readonly #deps: FiguresDeps;
  readonly #known = new KnownFigures();
  // A run of PacedWork answers only calls made before it began (FF2).
  readonly #kpi: PacedWork<KpiTopic>;
  readonly #locations: PacedWork<readonly LocationBrief[]>;

  constructor(deps: FiguresDeps) {
    this.#deps = deps;
    const { clock, asked, anomalies } = deps;
    this.#kpi = new PacedWork(clock, async () => {
      await this.#gather();
      return this.#known.topic(asked(), countOpen(anomalies()), clock.nowMs());
    });
    this.#locations = new PacedWork(clock, async () => {
      await this.#gather();
      return this.#known
        .briefs(countOpen(anomalies()))
        .sort((a, b) => (a.location < b.location ? -1 : a.location > b.location ? 1 : 0));
    });
  }

  kpi(): Promise<KpiTopic> {
    return this.#kpi.result();
  }

  locations(): Promise<readonly LocationBrief[]> {
    return this.#locations.result();
  }

  /** Figures of some locations, in the same order. @param parts the known parts of a location by partition, updated here */
  async locationFigures(
    names: readonly string[],
    parts: (location: string) => Map<number, LocationPart>,
  ): Promise<LocationTopic[]> {
    const { gather, clock } = this.#deps;
    const found = await gather.ask('kpi-locations', () => names, GATHER_MS);
    const open = countOpen(this.#deps.anomalies());
    return names.map((location) => {
      const known = parts(location);
      for (const [partition, values] of found) {
        const part = values.find(([name]) => name === location)?.[1];
        if (part !== undefined) known.set(partition, part);
      }
      return locationTopic(location, [...known.values()], open.byLocation.get(location) ?? 0, clock.nowMs());
    });
  }

  // `found` has only partitions that answered. The others keep their figures in `#known` (FF1).
  async #gather(): Promise<void> {
    const marks = (partitions: readonly number[]) =>
      partitions.flatMap((partition) => {
        const mark = this.#known.mark(partition);
        return mark === undefined ? [] : [[partition, mark] as const];
      });
    const found = await this.#deps.gather.ask('kpi', marks, GATHER_MS);
    for (const figures of found.values()) this.#known.take(figures);
  }
}

/** The answers of an owner for one of its partitions; undefined if it no longer serves it. */
export function figuresHandlers(
  nowMs: () => number,
  served: (partition: number) => { readonly kpi: KpiObserver; readonly epoch: number } | undefined,
): Pick<GatherHandlers, 'kpi' | 'kpi-locations'> {
  return {
    kpi: (partition, marks) => {
      const here = served(partition);
      if (here === undefined) return undefined;
      const known = marks.find(([number]) => number === partition)?.[1];
      return partitionFigures(here.kpi, partition, here.epoch, nowMs(), known);
    },
    'kpi-locations': (partition, names) => {
      const here = served(partition);
      return here === undefined
        ? undefined
        : names.flatMap((location) => {
            const part = locationPart(here.kpi, location, nowMs());
            return part === undefined ? [] : [[location, part] as const];
          });
    },
  };
}

function countOpen(anomalies: readonly Anomaly[]): OpenAnomalies {
  const byKind: Record<string, number> = {};
  const byLocation = new Map<string, number>();
  for (const { kind, location, state } of anomalies) {
    if (state !== 'open') continue;
    byKind[kind] = (byKind[kind] ?? 0) + 1;
    if (location !== undefined) byLocation.set(location, (byLocation.get(location) ?? 0) + 1);
  }
  return { byKind, byLocation };
}
