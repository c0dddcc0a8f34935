/**
 * How far the events of each partition are published: one key per partition in the bucket of the outbox, which only the owner of the
 * partition may write.
 *
 * Invariants:
 *  OY1 A position is recorded after every event up to it was acknowledged, so none is lost. The next owner publishes again what came after it.
 *  OY2 An owner first records its writer and its epoch. From then on, a deposed owner's write fails, because it expects an older revision.
 *  OY3 An owner records no sequence of JOURNAL beyond its own writer's last record. A new owner's decisions come after that record, so no
 *      position passes a decision that its writer did not make.
 */
import { ANOMALIES_STREAM, JOURNAL_STREAM } from '../../config/topology.ts';
import type { KeyEntry } from '../../streams/broker.ts';

/** The streams whose messages give events. */
export const FACT_SOURCES = ['TRANSFERS', 'RETURNS'] as const;
export const OUTBOX_SOURCES = [...FACT_SOURCES, JOURNAL_STREAM, ANOMALIES_STREAM] as const;
export type OutboxSource = (typeof OUTBOX_SOURCES)[number];
/** Sequence of each stream up to which the events are published. */
export type Published = Readonly<Record<OutboxSource, number>>;

export interface OutboxPosition {
  /** The writer of the owner that recorded it, and the epoch of its claim. */
  readonly by: string;
  readonly epoch: number;
  /** Whether it has published what its predecessors had left. */
  readonly caughtUp: boolean;
  readonly published: Published;
}

export function outboxKey(partition: number): string {
  return `p.${partition}`;
}

export function encodePosition(position: OutboxPosition): string {
  return JSON.stringify(position);
}

/** Undefined if there is no key, or this program did not write it. */
export function positionIn(entry: KeyEntry | undefined): OutboxPosition | undefined {
  if (entry === undefined) return undefined;
  try {
    const { by, epoch, caughtUp, published } = JSON.parse(entry.value) as OutboxPosition;
    if (typeof by !== 'string' || typeof epoch !== 'number') return undefined;
    return { by, epoch, caughtUp, published: full(published) };
  } catch {
    return undefined;
  }
}

/** A stream that is not named is at 0. */
export function full(seqs: Readonly<Record<string, number>>): Published {
  return Object.fromEntries(OUTBOX_SOURCES.map((source) => [source, seqs[source] ?? 0])) as Published;
}

/** What a trim would remove: everything up to these sequences, and of each writer in JOURNAL everything before its last record. */
export interface Removal {
  readonly positions: Readonly<Record<string, number>>;
  readonly journalSeq: number;
  readonly writers: readonly { readonly writer: string; readonly seq: number }[];
}

/**
 * Whether all events of what a trim would remove are published for a partition.
 * @param owner the writer that owns it; '' if nobody does
 */
export function isPublished(position: OutboxPosition, owner: string, removal: Removal): boolean {
  const { by, caughtUp, published } = position;
  for (const source of FACT_SOURCES) if (published[source] < (removal.positions[source] ?? 0)) return false;
  if (published.JOURNAL >= removal.journalSeq) return true;
  // An owner that decides nothing stays behind the others' records (OY3). All of its own records are published then.
  if (!caughtUp || (owner !== '' && owner !== by)) return false;
  const tip = removal.writers.find(({ writer }) => writer === by)?.seq ?? 0;
  return published.JOURNAL >= tip;
}
