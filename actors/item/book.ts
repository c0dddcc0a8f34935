/**
 * The book of items: how each SKU of a partition is called.
 *
 * Invariants:
 *  IB1 The item of a SKU is what its latest fact says, by (at, own, id, content). So the same facts in any order, with any duplicates,
 *      leave the same items.
 *  IB2 An item is under its SKU and on its page, with the words of its name.
 */
import { at as element, present } from '../../streams/assert.ts';
import type { ItemAttributes, ItemFact } from '../../streams/fact/item.ts';
import { compareMoments, compareUtf8 } from '../../streams/fact/order.ts';
import type { Book } from '../book/domain.ts';
import { type PageItem, Pages } from '../book/pages.ts';
import { fits, folded, type ItemQuery, wordsOf } from './words.ts';

/** What the latest fact of a SKU says, and when, in microseconds since 1970. */
export type ItemState = Pick<ItemFact, 'sku' | 'at' | 'own' | 'id' | 'name' | 'attributes'>;

export class Item implements PageItem, ItemState {
  readonly kind = 'item';
  page = 0;
  readonly sku: string;
  /** The folded SKU, for searches. */
  readonly code: string;
  at: number;
  own: number | undefined;
  id: string;
  name: string;
  attributes: ItemAttributes;
  /** The words of the name, for searches. */
  words: string;

  constructor({ sku, at, own, id, name, attributes }: ItemState) {
    this.sku = sku;
    this.code = folded(sku);
    this.at = at;
    this.own = own;
    this.id = id;
    this.name = name;
    this.attributes = attributes;
    this.words = wordsOf(name);
  }
}

export class ItemBook implements Book {
  seq = 0;
  readonly items = new Map<string, Item>();
  readonly #pages: Pages;
  /** All items by SKU; undefined since one was added. */
  #sorted: Item[] | undefined;

  constructor(pages = new Pages()) {
    this.#pages = pages;
  }

  /** Takes what a fact says, unless it is known better (IB1). @param page the item's page, when a snapshot is loaded */
  put(said: ItemState, page?: number): void {
    const known = this.items.get(said.sku);
    if (known === undefined) {
      const item = new Item(said);
      this.items.set(said.sku, item);
      this.#pages.place(item, page);
      this.#sorted = undefined;
      return;
    }
    if (byTime(said, known) <= 0) return;
    this.#pages.touch(known);
    const { at, own, id, name, attributes } = said;
    Object.assign(known, { at, own, id, name, attributes, words: wordsOf(name) });
  }

  /**
   * The first items by SKU that fit a query.
   * @param query all items if undefined
   * @param after only SKUs after this one; '' for the first page
   */
  find(query: ItemQuery | undefined, after: string, limit: number): Item[] {
    this.#sorted ??= [...this.items.values()].sort((a, b) => compareSkus(a.sku, b.sku));
    const found: Item[] = [];
    for (let i = firstAfter(this.#sorted, after); i < this.#sorted.length && found.length < limit; i++) {
      const item = present(this.#sorted[i]);
      if (query === undefined || fits(item, query)) found.push(item);
    }
    return found;
  }

  /** Whether an item is on the page that it names (IB2). */
  isOnPage(item: Item): boolean {
    return this.#pages.holds(item);
  }

  clear(): void {
    this.items.clear();
    this.#sorted = undefined;
  }
}

/** The order of lists. */
export function compareSkus(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function byTime(a: ItemState, b: ItemState): number {
  // Two facts with one id and other content are known apart only while the id is remembered.
  return compareMoments(a, b) || compareUtf8(a.id, b.id) || compareUtf8(contentOf(a), contentOf(b));
}

function contentOf({ name, attributes }: ItemState): string {
  return JSON.stringify([name, attributes]);
}

function firstAfter(items: readonly Item[], sku: string): number {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (element(items, middle).sku <= sku) low = middle + 1;
    else high = middle;
  }
  return sku === '' ? 0 : low;
}
