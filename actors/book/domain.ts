/**
 * Domains: what a partition decides about. Each has a book in every partition, and brings along how decisions change that book, which items
 * a snapshot stores of it, and how it is audited. Stock is the first domain.
 *
 * The decisions' stored forms are registered in streams/journal/record.ts, because the journal reads them without knowing domains.
 *
 * Invariants:
 *  DO1 A decision kind and an item code belong to one domain each. Codes are never used again for something else.
 *  DO2 `evolve` is total and has no policy and no clock. Folding the same log gives the same book.
 */
import type { Fact } from '../../streams/fact/fact.ts';
import type { Decision } from '../../streams/journal/decision.ts';
import type { PageItem, Pages } from './pages.ts';

export interface Breach {
  /** Id of the invariant that does not hold. */
  readonly invariant: string;
  readonly what: string;
}

export interface Book {
  /** Changes so far. */
  readonly seq: number;
}

/** How an item of a book is stored. */
export interface ItemForm<B extends Book> {
  /** Its first element on a page. */
  readonly code: number;
  readonly kind: string;
  /** What follows the code. */
  encode(item: PageItem): readonly unknown[];
  /** Puts a decoded item into a book that is being loaded, on the page that it was on. */
  load(book: B, fields: readonly unknown[], page: number): void;
}

export interface Domain<B extends Book = Book> {
  readonly name: string;
  /** An empty book for a partition. */
  open(partition: number, pages: Pages): B;
  /** Empties a book of which a part was loaded. */
  clear(book: B): void;
  /** Changes the book by a fact; left out where facts are none of its business. */
  evolveFact?(book: B, fact: Fact): void;
  /** Kinds of its decisions. */
  readonly decisions: readonly string[];
  // DO2.
  evolve(book: B, decision: Decision): void;
  /** In the order in which they are loaded: an item comes after those that it refers to. */
  readonly items: readonly ItemForm<B>[];
  /** Every breach in the book; [] when all of its invariants hold. */
  audit(book: B): Breach[];
}
