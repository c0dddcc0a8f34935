/** The domain of items. Facts of type `item` say how a SKU is called, and no decision is about it. */
import type { ItemAttributes } from '../../streams/fact/item.ts';
import type { Breach, Domain, ItemForm } from '../book/domain.ts';
import { type Item, ItemBook } from './book.ts';
import { wordsOf } from './words.ts';

const CODE = 20;

/** `own` only if the clock rule moved the fact. */
type ItemTuple = [
  sku: string,
  at: number,
  own: number | null,
  id: string,
  name: string,
  attributes: (readonly [name: string, text: string])[],
];

const ITEM_FORM: ItemForm<ItemBook> = {
  codes: [CODE],
  kind: 'item',
  encode: (item) => {
    const { sku, at, own, id, name, attributes } = item as Item;
    return [CODE, ...([sku, at, own ?? null, id, name, [...attributes]] satisfies ItemTuple)];
  },
  load: (book, fields, page) => {
    const [sku, at, own, id, name, attributes] = fields as ItemTuple;
    book.put({ sku, at, own: own ?? undefined, id, name, attributes: attributes as ItemAttributes }, page);
  },
};

export const ITEMS: Domain<ItemBook> = {
  name: 'items',
  open: (_, pages) => new ItemBook(pages),
  clear: (book) => book.clear(),
  evolveFact: (book, fact) => {
    if (fact.type !== 'item') return;
    book.seq += 1;
    book.put(fact);
  },
  decisions: [],
  evolve: (_, { kind }) => {
    throw new Error(`no decision ${kind} is about items`);
  },
  items: [ITEM_FORM],
  audit,
};

function audit(book: ItemBook): Breach[] {
  const breaches: Breach[] = [];
  for (const [sku, item] of book.items) {
    if (item.sku !== sku || item.words !== wordsOf(item.name) || !book.isOnPage(item))
      breaches.push({ invariant: 'IB2', what: `item ${sku} is kept as ${item.sku}, on page ${item.page}` });
  }
  return breaches;
}
