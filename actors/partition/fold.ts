/** Folding a fact or a decision into a partition: into its book, and past whoever watches it. */
import type { Fact } from '../../streams/fact/fact.ts';
import type { StockDecision } from '../../streams/journal/record.ts';
import { applyDecision, applyFact } from '../stock/evolve.ts';
import type { Partition } from './partition.ts';

/** Folds a fact that has not been folded before, and tells whoever watches. */
export function foldFact({ book, watch }: Partition, fact: Fact, recordedAt: number): void {
  if (watch === undefined) return applyFact(book, fact);
  applyFact(book, fact);
  watch.factFolded(book, fact, recordedAt);
}

/** Folds what a stored decision says about a partition, and tells whoever watches. */
export function foldDecision({ book, watch }: Partition, decision: StockDecision): void {
  if (watch === undefined) return applyDecision(book, decision);
  applyDecision(book, decision);
  watch.decisionFolded(book, decision);
}
