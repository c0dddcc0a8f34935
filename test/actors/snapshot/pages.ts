/** Pages of stock books, for the tests of stored forms: golden ones, those of folded facts, and what loading them gives. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { FactIds } from '../../../actors/idempotency/fact-ids.ts';
import { Partition } from '../../../actors/partition/partition.ts';
import { differences } from '../../../actors/retention/differences.ts';
import { encodePage, loadPages } from '../../../actors/snapshot/format.ts';
import { applyFact } from '../../../actors/stock/evolve.ts';
import { audit } from '../../../actors/stock/invariants.ts';
import type { StockFact } from '../../../streams/fact/fact.ts';
import type { Input } from '../stock/given.ts';

export const goldenPage = (name: string) =>
  Buffer.from(readFileSync(new URL(`golden/${name}`, import.meta.url), 'utf8').replace(/\s/g, ''), 'hex');

/** @param latest moment, in microseconds, as of which later facts of older rules count */
export function loaded(bytes: Buffer, latest?: number): Partition {
  const partition = new Partition(0);
  loadPages(partition.books, [{ page: 0, bytes }], latest);
  expect(audit(partition.book)).toEqual([]);
  return partition;
}

export function folded(facts: readonly Input[]): Partition {
  const partition = new Partition(0);
  for (const fact of facts) applyFact(partition.book, fact as StockFact);
  return partition;
}

export const pageOf = (partition: Partition) => encodePage(partition.books, partition.book.pages.list[0]?.items ?? []);

export function differenceOf(a: Partition, b: Partition) {
  const ids = new FactIds();
  const rules = { forgottenBeforeMs: 0, idsForgottenBefore: 0, foldedForgot: true };
  return differences({ books: a.books, factIds: ids }, { books: b.books, factIds: ids }, rules);
}
