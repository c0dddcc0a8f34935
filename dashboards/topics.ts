/**
 * What watchers get: the data of every topic of `/v1/live`, as JSON. The live feed sends these, the page and any other reader shows them.
 *
 * Invariants:
 *  TP1 A topic's data is whole: the newest value stands by itself, and a reader that missed the ones before has lost nothing.
 *  TP2 What is not known yet is null, never 0: a rate without a denominator, a percentile without a request.
 *  TP3 Orders, tasks and purchases come later: a reader passes over fields that it does not know.
 */

import type { Anomaly } from '../streams/contract/anomaly.ts';
import type { AtpLine, SkuStockAnswer } from '../streams/contract/stock.ts';
import type { KpiAnswer, LocationBrief, SystemAnswer } from '../streams/contract/system.ts';

export type { Anomaly } from '../streams/contract/anomaly.ts';
export { ANOMALY_KINDS, SEVERITIES } from '../streams/contract/anomaly-kinds.ts';
export type { Activity, Asked, Latency, LocationBrief, NodeFigures } from '../streams/contract/system.ts';

/** One message of the feed (TP1). */
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

/** `kpi`: the system as a whole, and each location in short. */
export type KpiTopic = KpiAnswer;
/** Lengths that figures are summed over. `all` is since the system's first fact. */
export const WINDOWS = ['minute', 'hour', 'day', 'all'] as const;
export type WindowName = keyof KpiTopic['windows'];
/** How stock keys are now. */
export type StockTotals = Pick<KpiTopic, 'units' | 'stockKeys' | 'stockOuts' | 'negative' | 'shortfall'>;

/** Ages of units on hand, by how long ago the stock key last got any: up to 30, 60, 90, 180 days, and longer. */
export const AGE_DAYS = [30, 60, 90, 180] as const;

/** `location:ID`. */
export type LocationTopic = Omit<LocationBrief, 'factsPerMinute'> & Pick<KpiTopic, 'windows' | 'ageing'>;

/** `anomaly`: first one message for every one that is not resolved, then each that changes; a resolved one is sent once more. */
export type AnomalyTopic = Anomaly;

/** `system`: nodes and partitions as the node that serves the page sees them. */
export type SystemTopic = SystemAnswer;
