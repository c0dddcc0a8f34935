/** Folds facts and decisions into the books of a partition, and shows them to the observer of its stock book. */
import { type Fact, isStockFact } from '../../streams/fact/fact.ts';
import type { Decision } from '../../streams/journal/decision.ts';
import { isAboutStock } from '../../streams/journal/stock-decisions.ts';
import type { Partition } from './partition.ts';

/** Folds a fact that was not folded already. @param recordedAt when the stream stored it, in microseconds since 1970 */
export function foldFact({ books, book, observer }: Partition, fact: Fact, recordedAt: number): void {
  books.evolveFact(fact);
  if (isStockFact(fact)) observer?.factFolded(book, fact, recordedAt);
}

/** Folds the part of a stored decision that concerns the partition. */
export function foldDecision({ books, book, observer }: Partition, decision: Decision): void {
  books.evolve(decision);
  if (observer !== undefined && isAboutStock(decision)) observer.decisionFolded(book, decision);
}
