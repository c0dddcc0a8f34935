/** The whole system in memory, for the fronts: one SKU at one location. */
import type { ItemBook } from '../../../../actors/item/book.ts';
import { UNDECIDED, undecided } from '../../../../actors/ports/refusal.ts';
import { KnownFigures } from '../../../../dashboards/kpi/known-figures.ts';
import { mergeRequestStats } from '../../../../dashboards/kpi/request-stats.ts';
import { findItems } from '../../../../dashboards/query/item-queries.ts';
import type { PromiseQuery } from '../../../../dashboards/query/promise-queries.ts';
import type { ReservationsQuery, StockQuery } from '../../../../dashboards/query/stock-queries.ts';
import type { SystemView } from '../../../../src/api/system-api.ts';
import { RESERVATION_OUTCOMES } from '../../../../src/metrics/families.ts';

const NOW = Date.parse('2026-11-24T09:15:00Z');
const NOTHING_OPEN = { byKind: {}, byLocation: new Map<string, number>() };

export class MemorySystem implements SystemView {
  readonly clockRule = () => ({ slackMs: 300_000, movedTo: undefined });
  readonly asked: StockQuery[] = [];
  readonly #figures = new KnownFigures();
  readonly #items: ItemBook;
  reachable = true;

  constructor(items: ItemBook) {
    this.#items = items;
  }

  readonly reads = {
    search: async (text: string, limit: number) => ({
      skus: this.#all(['85123A', '85099B'])
        .filter((sku) => sku.includes(text))
        .slice(0, limit),
      locations: ['store-12'].filter((location) => location.includes(text)),
      names: {},
    }),
    items: async (text: string | undefined, after: string, limit: number) => {
      this.#all([]);
      return findItems(this.#items, { text: text ?? null, after, limit });
    },
    stockOf: async (query: StockQuery) => {
      this.asked.push(query);
      return { stock: [], next: null };
    },
    clocks: async () => ({
      sources: [
        { location: 'store-12', device: 'till-1', ahead: 0, lag: 7_200_000_000 },
        { location: 'store-12', device: null, ahead: 600_000_000, lag: -600_000_000 },
        { location: 'store-12', device: 'till-2', ahead: 172_800_000_000, lag: -172_800_000_000 },
      ],
      uncounted: [{ sku: '85123A', location: 'store-12' }],
    }),
    promises: async ({ limit }: PromiseQuery) =>
      Array.from({ length: Math.min(limit, 3) }, (_, i) => ({
        place: ['85123A', 'dc-1', `order ${i}`, 0] as const,
        line: null,
        qty: 2,
        wanted: NOW * 1000,
        was: NOW * 1000,
        now: null,
        cause: 'count c-1',
      })),
    reservationsOf: async ({ sku, location }: ReservationsQuery) => [
      {
        id: `cart of ${sku}`,
        status: 'held' as const,
        channel: 'web',
        purpose: 'order',
        qty: 2,
        location: location ?? 'store-12',
        grantedAtMs: NOW,
        expiresAtMs: NOW + 900_000,
      },
    ],
  };

  readonly figures = {
    kpi: async () => this.#figures.topic(mergeRequestStats([], RESERVATION_OUTCOMES), NOTHING_OPEN, NOW),
    locations: async () => this.#figures.briefs(NOTHING_OPEN),
  };

  async system() {
    const said = { durability: 'durability: none', horizonSeconds: null, version: '0.1.0' };
    return { nodes: [], partitions: 32, owners: [], parked: 0, ...said };
  }

  #all(names: readonly string[]): readonly string[] {
    if (!this.reachable) throw undecided(UNDECIDED.partitions);
    return names;
  }
}
