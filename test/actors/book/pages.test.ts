/** Pages of a snapshot: a large item does not share one, so a change of a small item does not write it again. */
import { expect, it } from 'vitest';
import { LARGE_ITEM } from '../../../actors/book/pages.ts';
import { Partition } from '../../../actors/partition/partition.ts';
import { applyDecision, applyFact } from '../../../actors/stock/evolve.ts';
import type { StockDecision } from '../../../streams/journal/stock-decisions.ts';

const receipt = (sku: string, location: string, n: number) =>
  ({ id: `${sku}-${location}-${n}`, type: 'receipt', sku, location, at: n, qty: 9, damaged: 0 }) as const;

/** A grant of one unit of each of the SKU's locations. */
function grant(id: string, sku: string, locations: readonly string[], shortages: number): StockDecision {
  return {
    kind: 'granted',
    id,
    content: { hi: 1, lo: 2 },
    channel: 'web',
    purpose: 'order',
    atMs: 1,
    expiresAtMs: 10,
    coordinator: 0,
    participants: [0],
    parts: [[0, 1]],
    lines: locations.map((location, index) => ({ index, sku, location, qty: 1, partition: 0, seq: 1 })),
    shortages: Array.from({ length: shortages }, (_, n) => ({ index: n, sku: `X${n}`, requested: 1, available: 0 })),
  } as StockDecision;
}

const names = (count: number) => Array.from({ length: count }, (_, n) => `l${n}`);

function pagesDirtiedBy(partition: Partition, change: () => void): number[] {
  for (const page of partition.books.pages.list) page.dirty = false;
  change();
  return partition.books.pages.list.flatMap((page, index) => (page.dirty ? [index] : []));
}

it.each([
  ['a SKU with many locations', 'wide', LARGE_ITEM, 0, (partition: Partition) => partition.book.skus.get('wide')],
  ['a reservation of many lines', 'wide', LARGE_ITEM, 0, (partition: Partition) => partition.book.parts.get('r')],
  ['a reservation of many shortages', 'a', 1, LARGE_ITEM, (partition: Partition) => partition.book.parts.get('r')],
])('%s is alone on its page, and small items share others', (_, sku, locations, shortages, found) => {
  const partition = new Partition(0);
  const { book } = partition;
  for (const small of ['a', 'b', 'c']) applyFact(book, receipt(small, 'l0', 1));
  for (const location of names(locations)) applyFact(book, receipt(sku, location, 2));
  applyDecision(book, grant('r', sku, names(locations), shortages));
  for (const small of ['d', 'e']) applyDecision(book, grant(small, 'b', ['l0'], 0));
  const large = found(partition);
  const { list } = partition.books.pages;
  expect(large === undefined ? 0 : list[large.page]?.items.size).toBe(1);
  const dirtied = pagesDirtiedBy(partition, () => {
    applyFact(book, receipt('c', 'l0', 3));
    applyDecision(book, grant('f', 'c', ['l0'], 0));
  });
  expect(dirtied).not.toContain(large?.page);
  expect(dirtied).toHaveLength(1);
});

it('an item that is removed leaves its page, and the page of its own is empty then', () => {
  const partition = new Partition(0);
  const { book } = partition;
  for (const location of names(LARGE_ITEM)) applyFact(book, receipt('wide', location, 1));
  applyDecision(book, grant('r', 'wide', names(LARGE_ITEM), 0));
  const part = book.parts.get('r');
  if (part === undefined) throw new Error('no part');
  const { page } = part;
  book.removePart(part);
  expect(partition.books.pages.list[page]?.items.size).toBe(0);
});
