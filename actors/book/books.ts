/** The books of one partition, one for each domain, and the pages that they share. */
import { present } from '../../streams/assert.ts';
import type { Fact } from '../../streams/fact/fact.ts';
import type { Decision } from '../../streams/journal/decision.ts';
import type { Book, Breach, Domain, ItemForm } from './domain.ts';
import { type PageItem, Pages } from './pages.ts';

/** A domain and its own book, so that their types match. */
interface Held {
  readonly domain: Domain;
  readonly book: Book;
}

export class Books {
  readonly pages = new Pages();
  readonly #all: readonly Held[];
  readonly #byDecision = new Map<string, Held>();
  readonly #forms = new Map<string, ItemForm<Book>>();
  readonly #byCode = new Map<unknown, ItemForm<Book>>();

  /** @throws if two domains share a kind of decision, or a kind or code of item (DO1) */
  constructor(partition: number, domains: readonly Domain[]) {
    this.#all = domains.map((domain) => ({ domain, book: domain.open(partition, this.pages) }));
    for (const held of this.#all) {
      for (const kind of held.domain.decisions) once(this.#byDecision, kind, held, 'decision');
      for (const form of held.domain.items) {
        once(this.#forms, form.kind, form, 'item');
        for (const code of form.codes) {
          if (this.#byCode.has(code)) throw new Error('two kinds of items share a code');
          this.#byCode.set(code, form);
        }
      }
    }
  }

  /** The book of a domain. @throws if the partition has no book of it */
  of<B extends Book>(domain: Domain<B>): B {
    const held = this.#all.find((each) => each.domain.name === domain.name);
    if (held === undefined) throw new Error(`there is no book of ${domain.name}`);
    return held.book as B;
  }

  /** Number of changes so far, summed over all books. */
  get seq(): number {
    let sum = 0;
    for (const { book } of this.#all) sum += book.seq;
    return sum;
  }

  evolveFact(fact: Fact): void {
    for (const { domain, book } of this.#all) domain.evolveFact?.(book, fact);
  }

  /** @throws if the decision belongs to no domain */
  evolve(decision: Decision): void {
    const held = this.#byDecision.get(decision.kind);
    if (held === undefined) throw new Error(`no domain knows a decision ${decision.kind}`);
    held.domain.evolve(held.book, decision);
  }

  /** Every breach in the books; empty if all invariants hold. */
  audit(): Breach[] {
    return this.#all.flatMap(({ domain, book }) => domain.audit(book));
  }

  /** The tuple that a page stores for an item. */
  tupleOf(item: PageItem): readonly unknown[] {
    return present(this.#forms.get(item.kind), 'DO1').encode(item);
  }

  /**
   * Loads the decoded items of all pages into empty books.
   * @throws for an item whose code no domain has
   */
  load(items: readonly { readonly page: number; readonly tuple: readonly unknown[] }[]): void {
    const byForm = new Map<ItemForm<Book>, { page: number; fields: readonly unknown[] }[]>();
    for (const { page, tuple } of items) {
      const [code, ...fields] = tuple;
      const form = this.#byCode.get(code);
      if (form === undefined) throw new Error(`it holds an item of unknown kind ${String(code)}`);
      const known = byForm.get(form);
      if (known === undefined) byForm.set(form, [{ page, fields }]);
      else known.push({ page, fields });
    }
    // Items of one form are loaded in stored order, whatever their codes, because observers keep their state in that order.
    for (const { domain, book } of this.#all)
      for (const form of domain.items)
        for (const { page, fields } of byForm.get(form) ?? []) form.load(book, fields, page);
    for (const page of this.pages.list) page.dirty = false;
  }

  /** Lets what is stamped later than a moment, in microseconds, count as of it. */
  moveBack(latest: number): void {
    for (const { domain, book } of this.#all) domain.moveBack?.(book, latest);
  }

  /** Empties all books, for example after loading a snapshot that cannot be used. */
  clear(): void {
    for (const { domain, book } of this.#all) domain.clear(book);
    this.pages.clear();
  }
}

function once<V>(map: Map<string, V>, key: string, value: V, what: string): void {
  if (map.has(key)) throw new Error(`two domains have a kind of ${what} named ${key}`);
  map.set(key, value);
}
