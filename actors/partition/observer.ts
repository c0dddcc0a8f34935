/**
 * Watching: what folds beside a book, such as figures and anomalies. A watch is told of each fact and decision of its partition after it is
 * folded, in the order of folding, while the partition catches up as well as while it serves.
 *
 * Invariants:
 *  PV1 A watch changes nothing in the book, and no promise depends on it.
 *  PV2 What it keeps over a restart is encoded at the very moment of a snapshot and stored with it: it has seen each fact and decision
 *     once, as the book has. Where the book is built from the log alone, so is the watch.
 *  PV3 What it keeps is worth less than the book: a damaged or missing one is no reason to refuse a snapshot; then it begins anew there.
 */

import type { Fact } from '../../streams/fact/fact.ts';
import type { StockDecision } from '../../streams/journal/stock-decisions.ts';
import type { StockBook } from '../stock/book.ts';

/** What a watch knows of its partition. */
export interface ObservedPartition {
  readonly number: number;
  /** False while it catches up, so that what is folded is not new. */
  readonly serving: boolean;
}

/** For a partition that is about to be taken over, whose book is empty. */
export type MakeObserver = (partition: ObservedPartition) => PartitionObserver;

// PV1.
export interface PartitionObserver {
  /** What it changed is in the book's change set. @param recordedAt when the stream took it, in microseconds since 1970 */
  factFolded(book: StockBook, fact: Fact, recordedAt: number): void;
  decisionFolded(book: StockBook, decision: StockDecision): void;
  /** The book is at another point now: empty, or loaded. `kept` is what `keep` gave then; undefined if there is nothing of it. */
  load(book: StockBook, kept: Uint8Array | undefined): void;
  /** What it must know after a restart. It is called in the turn of a snapshot: it must not take longer than encoding a page. */
  keep(): Uint8Array;
}
