/** Points: how far a node or a stored copy of its state has folded the streams. */
import { FACT_STREAM_NAMES, type FactStream, JOURNAL_STREAM } from '../../config/topology.ts';

/** Last folded sequence of every stream. */
export interface Point {
  readonly positions: Readonly<Record<FactStream, number>>;
  readonly journalSeq: number;
}

/** True if `point` has folded everything that `other` has folded. */
export function covers(point: Point, other: Point): boolean {
  return (
    point.journalSeq >= other.journalSeq &&
    (Object.keys(point.positions) as FactStream[]).every(
      (name) => point.positions[name] >= (other.positions[name] ?? 0),
    )
  );
}

/** A point from sequences by stream. A stream that is not named is at 0. */
export function pointOf(seqs: Readonly<Record<string, number>>): Point {
  const positions = Object.fromEntries(FACT_STREAM_NAMES.map((name) => [name, seqs[name] ?? 0]));
  return { positions: positions as Record<FactStream, number>, journalSeq: seqs[JOURNAL_STREAM] ?? 0 };
}
