/**
 * Requests and answers about the whole system. Figures are objects that may grow, because orders, tasks and purchases come later.
 * Readers ignore fields that they do not know.
 */
import { z } from 'zod';
import { TOTALLED_BUCKETS } from '../buckets.ts';
import type { StockFact } from '../fact/fact.ts';
import type { ParkReason } from '../fact/parked/parked.ts';
import type { Read } from '../messages.ts';
import { cursorOf, limit, nextCursor } from './pages.ts';
import { atpParams, stockAnswer, stockRequest, unitsBy } from './stock.ts';

export const STOCK_STATES = ['all', 'oversold', 'negative', 'out', 'held'] as const;
export type StockState = (typeof STOCK_STATES)[number];

/** The front splits the topics before it decodes them (src/http/live-socket.ts). */
export const liveQuery = z.object({
  topics: z.string().optional().meta({ description: 'topics with commas, such as kpi,anomaly,atp:SKU' }),
});
export const locationsQuery = z.object({ limit: limit(1_000, 1_000), cursor: cursorOf(z.tuple([z.string()])) });

const TEXT_RULE = 'must be a text of 1 to 64 characters';
export const searchQuery = z.object({
  q: z
    .string({ error: TEXT_RULE })
    .min(1, { error: TEXT_RULE })
    .max(128, { error: TEXT_RULE })
    .meta({ description: 'part of a SKU or location, or beginnings of words of an item, whatever their case' }),
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
export const claimsQuery = z.object({
  sku: atpParams.shape.sku,
  location: stockRequest.shape.location,
  limit: limit(500, 100),
  cursor: cursorOf(z.tuple([z.number(), z.string()])),
});

export const searchAnswer = z
  .object({
    skus: z.array(z.string()),
    locations: z.array(z.string()),
    names: z.record(z.string(), z.string()).meta({ description: 'how the found SKUs are called' }),
  })
  .meta({ id: 'Found' });
export const locationStockAnswer = z
  .object({
    location: z.string(),
    stock: z.array(stockAnswer),
    next: z.string().nullable().meta({ description: '`after` of the next page; null if this was the last' }),
  })
  .meta({ id: 'LocationStock' });
export const claimsAnswer = z
  .object({
    claims: z.array(
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
  .meta({ id: 'Claims' });

/** An object that may grow. Its type has only today's fields, so that a wrong name does not compile. */
function growing<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape> {
  // Unknown fields pass, so that nodes of a later version can add some (TP3).
  return z.looseObject(shape) as unknown as z.ZodObject<Shape>;
}

/** Numbers by name. Readers must expect names that they do not know. */
function byName<Name extends string = string>(): z.ZodRecord<z.ZodType<Name, Name>, z.ZodNumber> {
  return z.record(z.string(), z.number()) as unknown as z.ZodRecord<z.ZodType<Name, Name>, z.ZodNumber>;
}

const units = z.int();
const SUMS =
  'sums over stock keys; a bucket below 0 counts as 0, so ATP ≤ sellable ≤ on hand, and on hand less `negativeUnits` is the net book';
const standing = {
  units: growing(unitsBy(TOTALLED_BUCKETS)).meta({ description: SUMS }),
  stockKeys: z.int(),
  stockOuts: z.int().meta({ description: 'stock keys that had stock once and have nothing sellable now' }),
  oversold: units.meta({ description: 'held and allocated units that are not there' }),
  negative: z.int().meta({ description: 'stock keys with a bucket below 0' }),
  negativeUnits: units.meta({
    description: 'how far the buckets below 0 are below it, together; not subtracted in `units`',
  }),
};
/** Sums over a window of everything in the journal and the streams. They survive a restart. */
const happened = growing({
  seconds: z.number().meta({ description: 'of the window that have passed' }),
  facts: byName<StockFact['type']>(),
  unitsSold: units,
  unitsReturned: units,
  /** Units returned ÷ units sold. */
  // Null while there are no sales to divide by (TP2).
  returnRate: z.number().nullable(),
  /** Units by reason, the ten largest. Returns without a reason count under ''. */
  returnReasons: byName(),
  /** Lines of reservations. A line sold without a confirmation counts as confirmed. The end of an allocation does not count. */
  holds: growing({
    granted: z.int(),
    confirmed: z.int(),
    released: z.int(),
    expired: z.int(),
    /** Confirmed ÷ all holds that ended or were confirmed. */
    conversion: z.number().nullable(),
  }),
  /** `leadSeconds` is the mean time from shipped to received, by the devices' clocks. */
  transfers: growing({ received: z.int(), leadSeconds: z.number().nullable(), unitsDamaged: units }),
  /**
   * Parts of receipts that fill a line of a purchase order. `leadSeconds` is the mean time from the purchase to the receipt, `lateSeconds`
   * that from the promised date to the receipt, of those that were late.
   */
  deliveries: growing({
    received: z.int(),
    leadSeconds: z.number().nullable(),
    late: z.int(),
    lateSeconds: z.number().nullable(),
  }),
  /** `accuracy` is counts without variance ÷ counts. `varianceUnits` is Σ |variance|. */
  counts: growing({ counted: z.int(), accuracy: z.number().nullable(), varianceUnits: units }),
  /** Units sold ÷ (units sold + on hand now). */
  sellThrough: z.number().nullable(),
}).meta({ id: 'Happened' });
const latency = growing({
  requests: z.int(),
  perSecond: z.number(),
  p50Ms: z.number().nullable(),
  p99Ms: z.number().nullable(),
});
/** Requests to the nodes within a window, or since their start if the window is longer. */
const asked = growing({
  seconds: z.number(),
  atp: latency,
  /** Outcomes: held, partial, repeated, refused, conflict, confirmed, released, expired, undecided. */
  reservations: growing({ ...latency.shape, outcomes: byName() }),
  factsDuplicate: z.int(),
  factsParked: byName<ParkReason>(),
}).meta({ id: 'Asked' });
const locationBrief = growing({
  location: z.string(),
  ...standing,
  openAnomalies: z.int(),
  /** Time of this location's latest fact; null if there is none. */
  heardAt: z.string().nullable(),
  factsPerMinute: z.int(),
  /** Absent unless the location is described. */
  name: z.string().optional(),
  kind: z.string().optional(),
}).meta({ id: 'LocationBrief' });
/** Deliveries of a vendor; '' are those whose purchase names none. Times are means, in seconds. */
const vendorFigures = growing({
  vendor: z.string(),
  deliveries: z.int(),
  leadSeconds: z.number().nullable(),
  late: z.int(),
  lateSeconds: z.number().nullable(),
}).meta({ id: 'Vendor' });
const device = z.string().nullable().meta({ description: 'null if the facts of the location name no device' });
const seconds = z.number();
export const clocksAnswer = z
  .object({
    ahead: z.array(z.object({ location: z.string(), device, seconds })),
    behind: z.array(z.object({ location: z.string(), device, seconds })),
    uncounted: z.array(z.object({ sku: z.string(), location: z.string() })),
  })
  .meta({ id: 'Clocks' });
export const locationsAnswer = z
  .object({ locations: z.array(locationBrief), next: nextCursor })
  .meta({ id: 'Locations' });
export const kpiAnswer = growing({
  ...standing,
  windows: growing({ minute: happened, hour: happened, day: happened, all: happened }),
  asked: growing({ minute: asked, hour: asked, all: asked }),
  ageing: z.array(units).meta({ description: 'units on hand by age: up to 30, 60, 90, 180 days, and longer' }),
  vendors: z
    .array(vendorFigures)
    .meta({ description: 'the vendors with the most deliveries since the first fact; the rest of many are `other`' }),
  /** Open anomalies by kind. Kinds without one are left out. */
  openAnomalies: byName(),
  /** Ordered by need for attention: open anomalies, then negative stock keys, then stock-outs. */
  locations: z.array(locationBrief),
  locationCount: z.int(),
  /** Facts folded in each of the last 60 seconds, oldest first. */
  factsBySecond: z.array(z.number()),
}).meta({ id: 'Kpi' });
const nodeFigures = growing({
  name: z.string(),
  http: z.string(),
  ready: z.boolean(),
  reasons: z.array(z.string()),
  owned: z.int(),
  actors: z.int(),
  reservations: z.int(),
  journalWaiting: z.int(),
  lag: byName(),
  snapshotAgeSeconds: z.number(),
  eventLoopP99Ms: z.number(),
  memoryMiB: z.number(),
  liveClients: z.int(),
  startedAt: z.string(),
  /** Seconds since the node's last report; 0 unless that is more than 3 s ago. */
  silentSeconds: z.number(),
});
export const systemAnswer = growing({
  nodes: z.array(nodeFigures),
  partitions: z.int(),
  /** By partition; null if no node serves it. */
  owners: z.array(growing({ node: z.string(), epoch: z.int() }).nullable()),
  parked: z.int(),
  /** How durable an answer is on these servers, as reported at start. */
  durability: z.string(),
  /** Facts that happened longer ago are parked. Null if the horizon is off, or while the node starts. */
  horizonSeconds: z.number().nullable(),
  version: z.string(),
}).meta({ id: 'System' });

export type ClocksAnswer = z.infer<typeof clocksAnswer>;
export type Activity = Read<z.output<typeof happened>>;
export type Latency = Read<z.output<typeof latency>>;
export type Asked = Read<z.output<typeof asked>>;
export type VendorFigures = Read<z.output<typeof vendorFigures>>;
export type LocationBrief = Read<z.output<typeof locationBrief>>;
export type KpiAnswer = Read<z.output<typeof kpiAnswer>>;
export type NodeFigures = Read<z.output<typeof nodeFigures>>;
export type SystemAnswer = Read<z.output<typeof systemAnswer>>;
export type LocationStockAnswer = z.infer<typeof locationStockAnswer>;
export type ClaimsAnswer = z.infer<typeof claimsAnswer>;
