/**
 * What watchers get: the data of every topic of `/v1/live`, as JSON. The live feed sends these, the page and any other reader shows them.
 *
 * Invariants:
 *  TP1 A topic's data is whole: the newest value stands by itself, and a reader that missed the ones before has lost nothing.
 *  TP2 What is not known yet is null, never 0: a rate without a denominator, a percentile without a request.
 *  TP3 Orders, tasks and purchases come later: a reader passes over fields that it does not know.
 */

import type { TotalledBucket } from '../streams/buckets.ts';
import type { Anomaly } from '../streams/contract/anomaly-kinds.ts';
import type { AtpLine, SkuStockAnswer } from '../streams/contract/stock.ts';
import type { ParkReason } from '../streams/fact/parked.ts';
import type { FactType } from '../streams/subjects.ts';

export { ANOMALY_KINDS, type Anomaly, SEVERITIES } from '../streams/contract/anomaly-kinds.ts';

/** One message of the feed. */
export interface TopicMessage<Data = unknown> {
  readonly topic: string;
  /** When the value was so, ISO 8601. */
  readonly at: string;
  readonly data: Data;
}

/** `atp:SKU`: what GET /v1/atp/{sku} answers. */
export type AtpTopic = { readonly asOf: string } & AtpLine;
/** `stock:SKU`: what GET /v1/stock/{sku} answers. */
export type StockTopic = SkuStockAnswer;

/** Lengths that figures are summed over. `all` is since the system's first fact. */
export const WINDOWS = ['minute', 'hour', 'day', 'all'] as const;
export type WindowName = (typeof WINDOWS)[number];

/** Units by bucket, of some stock keys together. */
export type Units = Readonly<Record<TotalledBucket, number>>;

/** How stock keys stand now. */
export interface Standing {
  readonly units: Units;
  readonly stockKeys: number;
  /** Stock keys that had stock once and have nothing sellable now. */
  readonly stockOuts: number;
  /** Stock keys whose sellable is below 0. */
  readonly negative: number;
  /** Units promised beyond what is there: Σ max(0, −available). */
  readonly shortfall: number;
}

/** Sums of what happened within a window, of all that the journal and the streams hold; so they survive a restart. */
export interface Happened {
  /** Seconds of the window that have passed: less than its length while the system is younger. */
  readonly seconds: number;
  /** Facts folded, by type. */
  readonly facts: Readonly<Record<FactType, number>>;
  readonly unitsSold: number;
  readonly unitsReturned: number;
  /** Units returned ÷ units sold; null without sales. */
  readonly returnRate: number | null;
  /** Units returned by reason, the ten greatest; what gives no reason stands under ''. */
  readonly returnReasons: Readonly<Record<string, number>>;
  /** Lines of reservations: sold without a confirmation counts as confirmed; what becomes of an allocation does not count. */
  readonly holds: {
    readonly granted: number;
    readonly confirmed: number;
    readonly released: number;
    readonly expired: number;
    /** Confirmed ÷ all holds that ended or were confirmed; null without any. */
    readonly conversion: number | null;
  };
  readonly transfers: {
    readonly received: number;
    /** Mean seconds from shipped to received, by the devices' stamps; null without any. */
    readonly leadSeconds: number | null;
    readonly unitsDamaged: number;
  };
  readonly counts: {
    readonly counted: number;
    /** Counts without variance ÷ counts; null without counts. */
    readonly accuracy: number | null;
    /** Σ |variance|, in units. */
    readonly varianceUnits: number;
  };
  /** Units sold ÷ (units sold + on hand now); null without either. */
  readonly sellThrough: number | null;
}

/** What was asked of the nodes within a window; since their start where the window is longer. */
export interface Asked {
  readonly seconds: number;
  readonly atp: Latency;
  readonly reservations: Latency & {
    /** By outcome: held, partial, repeated, refused, conflict, confirmed, released, expired, undecided. */
    readonly outcomes: Readonly<Record<string, number>>;
  };
  readonly factsDuplicate: number;
  readonly factsParked: Readonly<Record<ParkReason, number>>;
}
export interface Latency {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

/** Units on hand by how long ago the stock key last got any: up to 30, 60, 90, 180 days, and longer. */
export const AGE_DAYS = [30, 60, 90, 180] as const;

export interface LocationFigures extends Standing {
  readonly location: string;
  readonly openAnomalies: number;
  /** Latest fact of this location, ISO 8601; null if none was heard. */
  readonly heardAt: string | null;
  readonly windows: Readonly<Record<WindowName, Happened>>;
  /** Units on hand by age, one more than AGE_DAYS. */
  readonly ageing: readonly number[];
}

/** `kpi`: the system as a whole, and each location in short. */
export interface KpiTopic extends Standing {
  readonly windows: Readonly<Record<WindowName, Happened>>;
  readonly asked: Readonly<Record<Exclude<WindowName, 'day'>, Asked>>;
  readonly ageing: readonly number[];
  /** Open anomalies by kind; those without one are left out. */
  readonly openAnomalies: Readonly<Record<string, number>>;
  /** Up to 500, those that need a person first: open anomalies, then negative stock keys, then stock-outs. */
  readonly locations: readonly LocationBrief[];
  readonly locationCount: number;
  /** Facts folded in each of the last 60 seconds, oldest first: what the overview draws at once. */
  readonly factsBySecond: readonly number[];
}
export interface LocationBrief extends Standing {
  readonly location: string;
  readonly openAnomalies: number;
  readonly heardAt: string | null;
  /** Facts of the last minute. */
  readonly factsPerMinute: number;
}

/** `location:ID`. */
export type LocationTopic = LocationFigures;

/** `anomaly`: first one message for every one that is not resolved, then each that changes; a resolved one is sent once more. */
export type AnomalyTopic = Anomaly;

/** `system`: nodes and partitions as the node that serves the page sees them. */
export interface SystemTopic {
  readonly nodes: readonly NodeFigures[];
  readonly partitions: number;
  /** Owner by partition; null where nobody serves. */
  readonly owners: readonly ({ readonly node: string; readonly epoch: number } | null)[];
  readonly parked: number;
  /** What a promise is worth on these servers, as said at start. */
  readonly durability: string;
  readonly version: string;
}
export interface NodeFigures {
  readonly name: string;
  readonly http: string;
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly owned: number;
  readonly actors: number;
  readonly reservations: number;
  readonly journalWaiting: number;
  readonly lag: Readonly<Record<string, number>>;
  readonly snapshotAgeSeconds: number;
  readonly eventLoopP99Ms: number;
  readonly memoryMiB: number;
  readonly liveClients: number;
  readonly startedAt: string;
  /** Not heard of for more than 3 s. */
  readonly silentSeconds: number;
}
