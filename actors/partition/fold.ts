/** Folding a fact or a decision into a partition: into its books, and past whoever watches that of stock. */
import type { Fact } from '../../streams/fact/fact.ts';
import type { Decision } from '../../streams/journal/decision.ts';
import { isAboutStock } from '../../streams/journal/stock-decisions.ts';
import type { Partition } from './partition.ts';

/** Folds a fact that has not been folded before, and tells whoever watches. */
export function foldFact({ books, book, observer }: Partition, fact: Fact, recordedAt: number): void {
  books.evolveFact(fact);
  observer?.factFolded(book, fact, recordedAt);
}

/** Folds what a stored decision says about a partition, and tells whoever watches. */
export function foldDecision({ books, book, observer }: Partition, decision: Decision): void {
  books.evolve(decision);
  if (observer !== undefined && isAboutStock(decision)) observer.decisionFolded(book, decision);
}
