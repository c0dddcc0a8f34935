/** Streams as data: the names of streams, buckets and metadata, and which stream takes which type of fact. */

/** The fact streams, with the types that each takes. */
export const FACT_STREAMS = {
  SALES: ['sale'],
  RECEIPTS: ['receipt', 'purchase'],
  TRANSFERS: ['transfer'],
  RETURNS: ['return'],
  COUNTS: ['count', 'adjustment'],
  ITEMS: ['item'],
} as const;
export type FactStream = keyof typeof FACT_STREAMS;
export const FACT_STREAM_NAMES = Object.keys(FACT_STREAMS) as FactStream[];
/** The streams whose facts move stock. */
export const STOCK_STREAMS = FACT_STREAM_NAMES.filter((name) => name !== 'ITEMS');

export const JOURNAL_STREAM = 'JOURNAL';
export const PARKED_STREAM = 'PARKED';
/** Outgoing events. It is a copy of what other streams hold, so the oldest may go. */
export const EVENTS_STREAM = 'EVENTS';

/** Buckets of the key-value store. */
export const NODES_BUCKET = 'holdfast_nodes';
export const OWNERS_BUCKET = 'holdfast_owners';
/** 0.1 kept its list of horizons here. Now the bucket keeps 0.1 out and holds the lock of JOURNAL's metadata. */
export const HORIZONS_BUCKET = 'holdfast_horizons';
export const ANOMALIES_BUCKET = 'holdfast_anomalies';
/** The stream behind that bucket. */
export const ANOMALIES_STREAM = `KV_${ANOMALIES_BUCKET}`;
/** Changes of an anomaly that its bucket keeps, so that the outbox finds each one after a restart. */
export const ANOMALY_HISTORY = 8;

/** How far the events of each partition are published (actors/outbox/positions.ts). */
export const OUTBOX_BUCKET = 'holdfast_outbox';
export const WEBHOOKS_BUCKET = 'holdfast_webhooks';
/** The durable consumer of EVENTS for a webhook. */
export function webhookConsumer(id: string): string {
  return `webhook-${id}`;
}
/** Metadata of EVENTS with where each stream ended when EVENTS was made. What came before gives no event. */
export const EVENTS_FROM_METADATA = 'holdfast-events-from';
/** The server drops an event that is published again within this time. */
export const EVENTS_DUPLICATE_WINDOW_MS = 120_000;

/** Key-value bucket that names the baselines in force, and the object store that holds them. */
export const BASELINES_BUCKET = 'holdfast_baselines';
export const BASELINES_OBJECTS = 'holdfast_baselines';

/** Metadata of JOURNAL with the sequence up to which each stream may have been trimmed, as JSON by stream. */
export const TRIMMED_METADATA = 'holdfast-trimmed';

/** Metadata of JOURNAL with the rules by which messages are judged, as a JSON list of entries (actors/idempotency/rules.ts). */
export const RULES_METADATA = 'holdfast-rules';
/** Metadata of PARKED with the number of messages removed on purpose. Any other missing message is a loss. */
export const REMOVED_METADATA = 'holdfast-removed';
export const MARKS_BUCKET = 'holdfast_marks';

/** The writers that may have records in JOURNAL, the stream behind that bucket, and the records that people decided to skip. */
export const WRITERS_BUCKET = 'holdfast_writers';
export const WRITERS_STREAM = `KV_${WRITERS_BUCKET}`;
export const SKIPS_BUCKET = 'holdfast_skips';

/** Policies by SKU and location, descriptions of locations, and the streams behind the two buckets. */
export const POLICIES_BUCKET = 'holdfast_policies';
export const POLICIES_STREAM = `KV_${POLICIES_BUCKET}`;
export const LOCATIONS_BUCKET = 'holdfast_locations';
export const LOCATIONS_STREAM = `KV_${LOCATIONS_BUCKET}`;

/** Stream metadata with the number of partitions that the subjects were made for. Another number needs new streams. */
export const PARTITIONS_METADATA = 'holdfast-partitions';

/**
 * The server's duplicate window for message ids, at its minimum. Every copy of a fact must reach its owner, which remembers ids for the
 * whole horizon and compares the content. A longer window would drop a different fact under a used id before it could be parked.
 */
export const DUPLICATE_WINDOW_MS = 100;

/**
 * Lanes of the bundles of each type (streams/fact/bundle.ts). A node has one bundle in flight per type and lane, so more lanes store more
 * bundles at once, with fewer facts each. The lane of a fact is its partition modulo this number, which is recorded with the streams.
 */
export const BUNDLE_LANES = 4;
/** Stream metadata with the number of lanes. */
export const LANES_METADATA = 'holdfast-lanes';

/** The fact stream that takes a type; undefined if none does. */
export function streamOf(type: string): FactStream | undefined {
  return FACT_STREAM_NAMES.find((stream) => (FACT_STREAMS[stream] as readonly string[]).includes(type));
}
