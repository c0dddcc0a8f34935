/** Searches over the items of all partitions. Each find function reads one partition. */
import { compareSkus, type ItemBook } from '../../actors/item/book.ts';
import { itemQuery } from '../../actors/item/words.ts';
import type { KnownItem } from '../../actors/ports/ports.ts';
import { knownItem } from '../../actors/request/item-desk.ts';

export interface ItemsQuery {
  /** Null for all items. */
  readonly text: string | null;
  /** Only SKUs after this one; '' for the first page. */
  readonly after: string;
  readonly limit: number;
}

export function findItems(items: ItemBook, { text, after, limit }: ItemsQuery): KnownItem[] {
  return items.find(text === null ? undefined : itemQuery(text), after, limit).map(knownItem);
}

export function mergeItems(parts: readonly (readonly KnownItem[])[], limit: number): KnownItem[] {
  return parts
    .flat()
    .sort((a, b) => compareSkus(a.sku, b.sku))
    .slice(0, limit);
}
