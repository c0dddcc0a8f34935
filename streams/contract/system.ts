/**
 * Requests and answers about the whole system. Figures are objects that may grow: orders, tasks and purchases come later, and a reader
 * passes over what it does not know.
 */
import { z } from 'zod';
import { TOTALLED_BUCKETS } from '../buckets.ts';
import { cursorOf, limit, nextCursor } from './pages.ts';
import { atpParams, stockAnswer, stockRequest, unitsBy } from './stock.ts';

export const STOCK_STATES = ['all', 'negative', 'out', 'shortfall', 'held'] as const;
export type StockState = (typeof STOCK_STATES)[number];

export const locationsQuery = z.object({ limit: limit(1_000, 1_000), cursor: cursorOf(z.tuple([z.string()])) });

const TEXT_RULE = 'must be a text of 1 to 64 characters';
export const searchQuery = z.object({
  q: z
    .string({ error: TEXT_RULE })
    .min(1, { error: TEXT_RULE })
    .max(128, { error: TEXT_RULE })
    .meta({ description: 'part of a name, whatever its case' }),
  limit: limit(100, 20),
});
export const locationParams = z.object({ id: atpParams.shape.sku });
const STATE_RULE = `must be one of ${STOCK_STATES.join(', ')}`;
const AFTER_RULE = '`next` of the page before';
export const locationStockQuery = z.object({
  state: z.enum(STOCK_STATES, { error: STATE_RULE }).default('all'),
  after: z
    .string({ error: AFTER_RULE })
    .max(256, { error: `must be ${AFTER_RULE}` })
    .default('')
    .meta({ description: AFTER_RULE }),
  limit: limit(500, 100),
});
export const reservationsQuery = z.object({
  sku: atpParams.shape.sku,
  location: stockRequest.shape.location,
  limit: limit(500, 100),
  cursor: cursorOf(z.tuple([z.number(), z.string()])),
});

export const searchAnswer = z
  .object({ skus: z.array(z.string()), locations: z.array(z.string()) })
  .meta({ id: 'Found' });
export const locationStockAnswer = z
  .object({
    location: z.string(),
    stock: z.array(stockAnswer),
    next: z.string().nullable().meta({ description: '`after` of the next page; null if this was the last' }),
  })
  .meta({ id: 'LocationStock' });
export const reservationsAnswer = z
  .object({
    reservations: z.array(
      z.object({
        id: z.string(),
        status: z.enum(['held', 'allocated']),
        channel: z.string(),
        purpose: z.string(),
        qty: z.int().meta({ description: 'units that it still holds' }),
        location: z.string(),
        grantedAt: z.string(),
        expiresAt: z.string().nullable(),
      }),
    ),
    next: nextCursor,
  })
  .meta({ id: 'LiveReservations' });

const units = z.int();
const standing = {
  units: z.looseObject(unitsBy(TOTALLED_BUCKETS)),
  stockKeys: z.int(),
  stockOuts: z.int().meta({ description: 'stock keys that had stock once and have nothing sellable now' }),
  negative: z.int().meta({ description: 'stock keys whose sellable is below 0' }),
  shortfall: units.meta({ description: 'units promised beyond what is there' }),
};
const byName = z.record(z.string(), z.number());
const happened = z
  .looseObject({
    seconds: z.number().meta({ description: 'of the window that have passed' }),
    facts: byName,
    unitsSold: units,
    unitsReturned: units,
    returnRate: z.number().nullable(),
    returnReasons: byName,
    holds: z.looseObject({
      granted: z.int(),
      confirmed: z.int(),
      released: z.int(),
      expired: z.int(),
      conversion: z.number().nullable(),
    }),
    transfers: z.looseObject({ received: z.int(), leadSeconds: z.number().nullable(), unitsDamaged: units }),
    counts: z.looseObject({ counted: z.int(), accuracy: z.number().nullable(), varianceUnits: units }),
    sellThrough: z.number().nullable(),
  })
  .meta({ id: 'Happened' });
const latency = {
  requests: z.int(),
  perSecond: z.number(),
  p50Ms: z.number().nullable(),
  p99Ms: z.number().nullable(),
};
const asked = z
  .looseObject({
    seconds: z.number(),
    atp: z.looseObject(latency),
    reservations: z.looseObject({ ...latency, outcomes: byName }),
    factsDuplicate: z.int(),
    factsParked: byName,
  })
  .meta({ id: 'Asked' });
const locationBrief = z
  .looseObject({
    location: z.string(),
    ...standing,
    openAnomalies: z.int(),
    heardAt: z.string().nullable(),
    factsPerMinute: z.int(),
  })
  .meta({ id: 'LocationBrief' });
export const locationsAnswer = z
  .object({ locations: z.array(locationBrief), next: nextCursor })
  .meta({ id: 'Locations' });
export const kpiAnswer = z
  .looseObject({
    ...standing,
    windows: z.looseObject({ minute: happened, hour: happened, day: happened, all: happened }),
    asked: z.looseObject({ minute: asked, hour: asked, all: asked }),
    ageing: z.array(units).meta({ description: 'units on hand by age: up to 30, 60, 90, 180 days, and longer' }),
    openAnomalies: byName,
    locations: z.array(locationBrief),
    locationCount: z.int(),
    factsBySecond: z.array(z.number()),
  })
  .meta({ id: 'Kpi' });
export const systemAnswer = z
  .looseObject({
    nodes: z.array(
      z.looseObject({
        name: z.string(),
        http: z.string(),
        ready: z.boolean(),
        reasons: z.array(z.string()),
        owned: z.int(),
        actors: z.int(),
        reservations: z.int(),
        journalWaiting: z.int(),
        lag: byName,
        snapshotAgeSeconds: z.number(),
        eventLoopP99Ms: z.number(),
        memoryMiB: z.number(),
        liveClients: z.int(),
        startedAt: z.string(),
        silentSeconds: z.number(),
      }),
    ),
    partitions: z.int(),
    owners: z.array(z.looseObject({ node: z.string(), epoch: z.int() }).nullable()),
    parked: z.int(),
    durability: z.string(),
    version: z.string(),
  })
  .meta({ id: 'System' });

export type LocationStockAnswer = z.infer<typeof locationStockAnswer>;
export type ReservationsAnswer = z.infer<typeof reservationsAnswer>;
