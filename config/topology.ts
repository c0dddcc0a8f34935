/** Streams as data: names, subjects, and how subjects are partitioned. */

/** Streams that facts flow in, with the types that each takes. */
export const FACT_STREAMS = {
  SALES: ['sale'],
  RECEIPTS: ['receipt'],
  TRANSFERS: ['transfer'],
  RETURNS: ['return'],
  COUNTS: ['count', 'adjustment'],
} as const;
export type FactStream = keyof typeof FACT_STREAMS;
export const FACT_STREAM_NAMES = Object.keys(FACT_STREAMS) as FactStream[];

export const JOURNAL_STREAM = 'JOURNAL';
export const PARKED_STREAM = 'PARKED';

/** Buckets of the key-value store. */
export const NODES_BUCKET = 'holdfast_nodes';
export const OWNERS_BUCKET = 'holdfast_owners';
/** Where 0.1 kept its list of horizons; since then, what keeps 0.1 out, and the lock of JOURNAL's metadata. */
export const HORIZONS_BUCKET = 'holdfast_horizons';
export const ANOMALIES_BUCKET = 'holdfast_anomalies';

/** Key-value bucket that says which baselines are in force, and the object store that holds them. */
export const BASELINES_BUCKET = 'holdfast_baselines';
export const BASELINES_OBJECTS = 'holdfast_baselines';

/** Metadata of JOURNAL that says up to where each stream may have been trimmed: JSON, sequence by stream. */
export const TRIMMED_METADATA = 'holdfast-trimmed';

/** Metadata of JOURNAL that says by which rules messages are judged: JSON, a list of entries (actors/idempotency/rules.ts). */
export const RULES_METADATA = 'holdfast-rules';
/** Metadata of PARKED that says how many messages were taken out of it on purpose: any other that is missing is a loss. */
export const REMOVED_METADATA = 'holdfast-removed';
export const MARKS_BUCKET = 'holdfast_marks';

/** Who may have records in JOURNAL, the stream that this bucket is kept in, and what people have judged. */
export const WRITERS_BUCKET = 'holdfast_writers';
export const WRITERS_STREAM = `KV_${WRITERS_BUCKET}`;
export const SKIPS_BUCKET = 'holdfast_skips';

/** Stream metadata that says for how many partitions subjects were made; another number needs other streams. */
export const PARTITIONS_METADATA = 'holdfast-partitions';

/**
 * The server's window for equal message ids, at its smallest. Every copy of a fact reaches its owner, who knows ids for the
 * whole horizon and sees whether the content is the same: a longer window would swallow another fact that came under a used
 * id before anybody could park it.
 */
export const DUPLICATE_WINDOW_MS = 100;

/** The fact stream that takes a type. */
export function streamOf(type: string): FactStream | undefined {
  return FACT_STREAM_NAMES.find((stream) => (FACT_STREAMS[stream] as readonly string[]).includes(type));
}
