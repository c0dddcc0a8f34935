/**
 * Domains: the subjects that a partition decides about. Each has a book in every partition. It defines how decisions change that book,
 * which items of it a snapshot stores, and how it is audited. Stock is the first domain.
 *
 * The stored forms of decisions are registered in streams/journal/record.ts, because the journal reads them without knowing domains.
 *
 * Invariants:
 *  DO1 A decision kind and an item code belong to one domain each. Codes are never reused for something else.
 *  DO2 `evolve` is total and has no policy and no clock. Folding the same log gives the same book.
 */
import type { Fact } from '../../streams/fact/fact.ts';
import type { Decision } from '../../streams/journal/decision.ts';
import type { PageItem, Pages } from './pages.ts';

export interface Breach {
  /** Id of the invariant that is violated. */
  readonly invariant: string;
  readonly what: string;
}

export interface Book {
  /** Number of changes so far. */
  readonly seq: number;
}

/** The stored form of one kind of item. */
export interface ItemForm<B extends Book> {
  /** The first element of the item's tuple on a page (DO1), one for each version of the form. All are loaded. */
  readonly codes: readonly number[];
  readonly kind: string;
  /** The item's tuple, beginning with one of the codes. */
  encode(item: PageItem): readonly unknown[];
  /** Puts a decoded item into the book that is being loaded, on its stored page. `fields` follow the code. */
  load(book: B, fields: readonly unknown[], page: number): void;
}

export interface Domain<B extends Book = Book> {
  readonly name: string;
  /** An empty book for a partition. */
  open(partition: number, pages: Pages): B;
  /** Empties a book, such as one that was loaded in part. */
  clear(book: B): void;
  /** Changes the book by a fact. Absent if the domain ignores facts. */
  evolveFact?(book: B, fact: Fact): void;
  /** Lets what facts say of the time after a moment, in microseconds, count as of it. Absent if the domain keeps no such time. */
  moveBack?(book: B, latest: number): void;
  /** Kinds of decisions that belong to this domain (DO1). */
  readonly decisions: readonly string[];
  /** Changes the book by a decision. The result depends on the book and the decision alone (DO2). */
  evolve(book: B, decision: Decision): void;
  /** In loading order, because an item must come after those that it refers to. */
  readonly items: readonly ItemForm<B>[];
  /** Every breach in the book; empty if all of its invariants hold. */
  audit(book: B): Breach[];
}
