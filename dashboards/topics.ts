/**
 * The data of every topic of `/v1/live`, as JSON. The live feed sends these values, and the page or any other reader shows them.
 *
 * Invariants:
 *  TP1 A topic's data is complete. The newest value needs no earlier one, so a reader that missed some has lost nothing.
 *  TP2 A value that is not known yet is null, never 0. Examples are a rate without a denominator and a percentile without requests.
 *  TP3 Readers ignore fields that they do not know, because orders, tasks and purchases come later.
 */

import type { Anomaly } from '../streams/contract/anomaly.ts';
import type { AtpLine, SkuStockAnswer } from '../streams/contract/stock.ts';
import type { KpiAnswer, LocationBrief, SystemAnswer } from '../streams/contract/system.ts';

export type { Anomaly } from '../streams/contract/anomaly.ts';
export { ANOMALY_KINDS, SEVERITIES } from '../streams/contract/anomaly-kinds.ts';
export type {
  Activity,
  Asked,
  Latency,
  LocationBrief,
  NodeFigures,
  VendorFigures,
} from '../streams/contract/system.ts';

/** One message of the feed (TP1). */
export interface TopicMessage<Data = unknown> {
  readonly topic: string;
  /** Time of the value, ISO 8601. */
  readonly at: string;
  readonly data: Data;
}

/** `atp:SKU`: the answer of GET /v1/atp/{sku}. */
export type AtpTopic = { readonly asOf: string } & AtpLine;
/** `stock:SKU`: the answer of GET /v1/stock/{sku}. */
export type StockTopic = SkuStockAnswer;

/** `kpi`: the whole system, and a summary of each location. */
export type KpiTopic = KpiAnswer;
/** Windows over which figures are summed. `all` begins with the system's first fact. */
export const WINDOWS = ['minute', 'hour', 'day', 'all'] as const;
export type WindowName = keyof KpiTopic['windows'];
/** The present state of stock keys, in totals. */
export type StockTotals = Pick<
  KpiTopic,
  'units' | 'stockKeys' | 'stockOuts' | 'oversold' | 'negative' | 'negativeUnits'
>;

/** Upper bounds of the age buckets of units on hand, in days. Age is the time since the stock key last received units. */
export const AGE_DAYS = [30, 60, 90, 180] as const;

/** `location:ID`: the figures of one location. */
export type LocationTopic = Omit<LocationBrief, 'factsPerMinute'> & Pick<KpiTopic, 'windows' | 'ageing'>;

/** `anomaly`: first one message per unresolved anomaly, then one per change. A resolved anomaly is sent one last time. */
export type AnomalyTopic = Anomaly;

/** `system`: nodes and partitions as seen by the node that serves the feed. */
export type SystemTopic = SystemAnswer;
