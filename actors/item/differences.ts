/** Differences between two books of items, of which one is stored and the other folded from the streams. */
import type { Item, ItemBook } from './book.ts';

/** Yields a sentence for each difference, with the page of the stored item if there is one. */
export function* itemDifferences(
  kept: ItemBook,
  folded: ItemBook,
): Generator<{ readonly what: string; readonly page: number | undefined }> {
  for (const [sku, item] of kept.items) {
    const other = folded.items.get(sku);
    if (other === undefined) yield { what: `item ${sku} is in no fact`, page: item.page };
    else if (textOf(item) !== textOf(other))
      yield { what: `item ${sku} is ${textOf(item)}, the streams say ${textOf(other)}`, page: item.page };
  }
  for (const sku of folded.items.keys())
    if (!kept.items.has(sku)) yield { what: `item ${sku} is missing`, page: undefined };
}

function textOf({ at, own, id, name, attributes }: Item): string {
  return JSON.stringify([at, own, id, name, attributes]);
}
