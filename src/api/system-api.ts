/** Answers questions about the whole system within bounds: search, locations and their stock, reservations, KPIs, and nodes. */
import type { LocationFields } from '../../actors/in-force/records.ts';
import { Refusal } from '../../actors/ports/refusal.ts';
import type { ClockRule } from '../../dashboards/feed/live-feed.ts';
import { emptyBrief } from '../../dashboards/kpi/known-figures.ts';
import type { ClocksQuery, FoundClocks } from '../../dashboards/query/clock-queries.ts';
import type { FoundPromise, PromiseQuery } from '../../dashboards/query/promise-queries.ts';
import type {
  FoundNames,
  ReservationsQuery,
  ReservedLine,
  StockPage,
  StockQuery,
} from '../../dashboards/query/stock-queries.ts';
import type { KpiTopic, LocationBrief, SystemTopic } from '../../dashboards/topics.ts';
import { cursorText } from '../../streams/contract/pages.ts';
import { type PromisesAnswer, promisesQuery } from '../../streams/contract/promise/promises.ts';
import {
  type ClaimsAnswer,
  type ClocksAnswer,
  claimsQuery,
  type LocationStockAnswer,
  locationParams,
  locationStockQuery,
  locationsQuery,
  searchQuery,
} from '../../streams/contract/system.ts';
import { formatInstant } from '../../streams/instant.ts';
import { valid, validQuery } from './checks.ts';
import type { FindItems } from './item-api.ts';

/** Reads the state of the whole system through the live feed. A read rejects with a Refusal if it needs a node that does not answer. */
export interface SystemView {
  readonly reads: {
    search(text: string, limit: number): Promise<FoundNames>;
    items: FindItems;
    stockOf(query: StockQuery): Promise<StockPage>;
    clocks(query: ClocksQuery): Promise<FoundClocks>;
    reservationsOf(query: ReservationsQuery): Promise<readonly ReservedLine[]>;
    promises(query: PromiseQuery): Promise<readonly FoundPromise[]>;
  };
  readonly figures: {
    kpi(): Promise<KpiTopic>;
    locations(): Promise<readonly LocationBrief[]>;
  };
  system(): Promise<SystemTopic>;
  readonly clockRule: () => ClockRule;
}

/** Descriptions of locations by id. */
type Described = ReadonlyMap<string, Pick<LocationFields, 'name' | 'kind'>>;

export class SystemAnswers {
  readonly #view: SystemView;
  readonly #described: Described;

  constructor(view: SystemView, described: Described) {
    this.#view = view;
    this.#described = described;
  }

  async search(query: unknown): Promise<FoundNames> {
    const { q, limit } = validQuery(searchQuery, query);
    return this.#view.reads.search(q, limit);
  }

  /** Locations, sorted by id: those that have stock, and those that are described. */
  async locations(query: unknown): Promise<{ locations: readonly LocationBrief[]; next: string | null }> {
    const { limit, cursor: [after] = [''] } = validQuery(locationsQuery, query);
    const known = (await this.#view.figures.locations()).filter(({ location }) => location > after);
    const stocked = new Set(known.map(({ location }) => location));
    const others = [...this.#described.keys()].filter((id) => id > after && !stocked.has(id)).map(emptyBrief);
    const behind = others.length === 0 ? known : [...known, ...others].sort(byLocation);
    const locations = behind.slice(0, limit).map((brief) => {
      const { name, kind } = this.#described.get(brief.location) ?? {};
      return name === undefined && kind === undefined ? brief : { ...brief, name, kind };
    });
    return { locations, next: behind.length > limit ? cursorText([locations.at(-1)?.location ?? '']) : null };
  }

  /** Rejects with not-found if nothing is known of the location. */
  async locationStock(params: unknown, query: unknown): Promise<LocationStockAnswer> {
    const { id: location } = valid(locationParams, params);
    const { state, after, limit } = validQuery(locationStockQuery, query);
    const { stock, next } = await this.#view.reads.stockOf({ location, state, after, limit });
    if (stock.length === 0 && after === '' && !(await this.#isKnown(location)))
      throw new Refusal('not-found', `nothing is known of location ${location}`);
    return { location, stock: [...stock], next };
  }

  async promises(query: unknown): Promise<PromisesAnswer> {
    const { limit, cursor, ...asked } = validQuery(promisesQuery, query);
    // One more than the page shows whether another one follows.
    const found = await this.#view.reads.promises({ ...asked, limit: limit + 1, after: cursor });
    const page = found.slice(0, limit);
    const last = page.at(-1);
    const text = (micros: number | null) => (micros === null ? null : formatInstant(micros));
    return {
      promises: page.map(({ place: [sku, location, reservation], line, qty, cause, ...moments }) => ({
        ...{ reservation, line, sku, location, qty },
        ...{ wanted: text(moments.wanted), was: text(moments.was), now: text(moments.now), cause },
      })),
      next: found.length > limit && last !== undefined ? cursorText(last.place) : null,
    };
  }

  async claims(query: unknown): Promise<ClaimsAnswer> {
    const { sku, location, limit, cursor } = validQuery(claimsQuery, query);
    const lines = await this.#view.reads.reservationsOf({ sku, location, limit, after: cursor });
    const last = lines.at(-1);
    return {
      claims: lines.map(({ grantedAtMs, expiresAtMs, ...line }) => ({
        ...line,
        grantedAt: formatInstant(grantedAtMs * 1000),
        expiresAt: expiresAtMs === null ? null : formatInstant(expiresAtMs * 1000),
      })),
      next: last === undefined || lines.length < limit ? null : cursorText([last.grantedAtMs, last.id]),
    };
  }

  /** Wrong clocks of devices, the worst first, and what they leave to be counted. */
  async clocks(): Promise<ClocksAnswer> {
    const { slackMs, movedTo = null } = this.#view.clockRule();
    const { sources, uncounted } = await this.#view.reads.clocks({ lag: slackMs * 1000, movedTo });
    const listed = (micros: 'ahead' | 'lag', some: typeof sources) =>
      some
        .map(({ location, device, [micros]: off }) => ({ location, device, seconds: Math.round(off / 1e6) }))
        .sort((a, b) => b.seconds - a.seconds);
    return {
      ahead: listed(
        'ahead',
        sources.filter(({ ahead }) => ahead > 0),
      ),
      behind: listed(
        'lag',
        sources.filter(({ ahead }) => ahead === 0),
      ),
      uncounted: [...uncounted],
    };
  }

  kpi(): Promise<KpiTopic> {
    return this.#view.figures.kpi();
  }

  system(): Promise<SystemTopic> {
    return this.#view.system();
  }

  async #isKnown(location: string): Promise<boolean> {
    const { stock } = await this.#view.reads.stockOf({ location, state: 'all', after: '', limit: 1 });
    return stock.length > 0;
  }
}

function byLocation(a: LocationBrief, b: LocationBrief): number {
  return a.location < b.location ? -1 : a.location > b.location ? 1 : 0;
}
