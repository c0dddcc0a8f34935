/**
 * Observers fold alongside the book, for example figures and anomalies. An observer gets each fact and decision of its partition after the
 * book has folded it, in the order of folding, both while the partition catches up and while it serves.
 *
 * Invariants:
 *  PV1 An observer changes nothing in the book, and no promise depends on it.
 *  PV2 The state that it keeps over a restart is encoded at the very moment of a snapshot and stored with it, so it covers each fact and
 *     decision once, as the book does. If the book is built from the log alone, so is the observer.
 *  PV3 This state is worth less than the book. If it is damaged or missing, the snapshot is still used, and the observer starts empty
 *     there.
 */

import type { StockFact } from '../../streams/fact/fact.ts';
import type { StockDecision } from '../../streams/journal/stock-decisions.ts';
import type { StockBook } from '../stock/book.ts';

/** The partition as its observer sees it. */
export interface ObservedPartition {
  readonly number: number;
  /** False while the partition catches up, so the folded facts and decisions are not new. */
  readonly serving: boolean;
}

/** Makes the observer of a partition that is being taken over. The book is still empty. */
export type MakeObserver = (partition: ObservedPartition) => PartitionObserver;

/** Its methods read the book and must not change it (PV1). */
export interface PartitionObserver {
  /** How often it was told what the partition has not folded itself. Such a change makes a snapshot due, too. */
  readonly told?: number;
  /** The book's change set has what the fact changed. @param recordedAt when the stream stored it, in microseconds since 1970 */
  factFolded(book: StockBook, fact: StockFact, recordedAt: number): void;
  decisionFolded(book: StockBook, decision: StockDecision): void;
  /**
   * The book was emptied or loaded. `kept` is what `keep` returned for that snapshot; undefined if nothing usable was stored. What it says of
   * the time after `latest`, in microseconds, counts as of that.
   */
  load(book: StockBook, kept: Uint8Array | undefined, latest?: number): void;
  /** Encodes the state to keep over a restart. Runs in the turn of a snapshot, so it must not take longer than encoding a page. */
  keep(): Uint8Array;
}
