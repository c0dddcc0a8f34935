/** Folds facts and decisions into the books of a partition, and shows them to the observer of its stock book. */
import { type Fact, isStockFact } from '../../streams/fact/fact.ts';
import type { Decision } from '../../streams/journal/decision.ts';
import { isAboutStock } from '../../streams/journal/stock-decisions.ts';
import type { StockBook } from '../stock/book.ts';
import { isPhased } from '../stock/dated/phased.ts';
import type { Partition } from './partition.ts';

/** Folds a fact that was not folded already. @param recordedAt when the stream stored it, in microseconds since 1970 */
export function foldFact({ books, book, observer }: Partition, fact: Fact, recordedAt: number): void {
  books.evolveFact(fact);
  if (!isStockFact(fact)) return;
  if (book.onPromised !== undefined) tellPromised(book, () => `${fact.type} ${fact.id}`);
  observer?.factFolded(book, fact, recordedAt);
}

/** Folds the part of a stored decision that concerns the partition. */
export function foldDecision({ books, book, observer }: Partition, decision: Decision): void {
  books.evolve(decision);
  if (book.onPromised !== undefined && isAboutStock(decision))
    tellPromised(book, () => `${decision.kind} ${decision.id}`);
  if (observer !== undefined && isAboutStock(decision)) observer.decisionFolded(book, decision);
}

/** Tells which of the changed keys have promises or supply for later. */
function tellPromised({ changes, onPromised }: StockBook, cause: () => string): void {
  for (let i = 0; i < changes.length; i++) {
    const { key } = changes.at(i);
    if (isPhased(key)) onPromised?.(key, cause());
  }
}
