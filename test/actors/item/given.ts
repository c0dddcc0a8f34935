/** Items and partitions for tests. */
import type { Item } from '../../../actors/item/book.ts';
import { ITEMS } from '../../../actors/item/domain.ts';
import { foldFact } from '../../../actors/partition/fold.ts';
import { Partition } from '../../../actors/partition/partition.ts';
import type { ItemFact } from '../../../streams/fact/item.ts';

const DAY = Date.UTC(2026, 10, 24) * 1000;

/** An item fact at a second of the day. */
export function item(second: number, id: string, name: string, more: Partial<ItemFact> = {}): ItemFact {
  return { type: 'item', id, sku: 'mug', at: DAY + second * 1e6, name, attributes: [], ...more };
}

export function itemsFolded(facts: readonly ItemFact[], partition = new Partition(0)): Partition {
  for (const fact of facts) foldFact(partition, fact, fact.at);
  return partition;
}

/** What a partition knows of each SKU, by SKU. */
export function itemsIn(partition: Partition): object[] {
  const all = [...partition.books.of(ITEMS).items.values()];
  return all.map(shown).sort((a, b) => (a.sku < b.sku ? -1 : 1));
}

function shown({ sku, at, own, id, name, attributes, words }: Item) {
  return { sku, at, own, id, name, attributes, words };
}

/** The items of the golden page. */
export const GOLDEN: readonly ItemFact[] = [
  item(1, 'i-1', 'Mug'),
  item(2, 'i-2', 'Mug, «grün» إبريق 🫖', {
    attributes: [
      ['colour', 'grün'],
      ['volume', '1,2 l'],
    ],
  }),
  item(3, 'i-3', 'Ahead', { sku: 'Teekanne grün', own: DAY + 9e6 }),
];
