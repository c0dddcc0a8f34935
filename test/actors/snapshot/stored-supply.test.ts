/**
 * The stored forms of supply. golden/page-supply.hex is a page of this version, which keeps purchases, where shipments began, and what was
 * declared overdue.
 */
import { describe, expect, it } from 'vitest';
import { applyFact } from '../../../actors/stock/evolve.ts';
import { audit } from '../../../actors/stock/invariants.ts';
import type { StockFact } from '../../../streams/fact/fact.ts';
import { count, micros, purchase, receipt, sale, shipped, viewsOf } from '../stock/given.ts';
import { differenceOf, folded, goldenPage, loaded, pageOf } from './pages.ts';

const p2 = { purchaseOrder: 'p2' };
const NOW: StockFact[] = [
  purchase('09:00', 10, { id: 'f-1', vendor: 'Töpferei' }),
  purchase('08:00', 4, { id: 'f-2', line: '1', promisedAt: '2026-12-01' }),
  { ...purchase('08:00', 6, { id: 'f-3', line: '2', location: 'shop' }), own: micros('18:00') },
  receipt('12:00', 3, { id: 'f-4', purchaseOrder: 'p1', damaged: 1 }),
  receipt('12:00', 5, { id: 'f-5', ...p2 }),
  purchase('07:00', 0, { id: 'f-6', purchaseOrder: 'p3' }),
  shipped('10:00', 4, { id: 'f-7' }),
  shipped('10:00', 2, { id: 'f-8', transfer: 't2', eta: '2026-11-26' }),
  count('08:30', 9, { id: 'f-9' }),
  sale('09:30', 1, { id: 'f-10', location: 'shop' }),
];

/** The facts with two supplies that owners have declared overdue. */
function declared() {
  const partition = folded(NOW);
  const mug = partition.book.skus.get('mug');
  const line = mug?.purchases?.get('p1')?.lines[0];
  const transfer = mug?.transfers?.get('t2');
  if (line !== undefined) line.overdueFor = line.due;
  if (transfer !== undefined) transfer.overdueFor = transfer.latest.eta;
  return partition;
}

describe('a page of this version', () => {
  it('is written as the golden bytes, and read from them', () => {
    expect(pageOf(declared()).toString('hex')).toBe(goldenPage('page-supply.hex').toString('hex'));
    const kept = loaded(goldenPage('page-supply.hex'));
    expect(differenceOf(kept, declared())).toEqual([]);
    expect(viewsOf(kept.book)).toEqual(viewsOf(folded(NOW).book));
    const mug = kept.book.skus.get('mug');
    expect(mug?.purchases?.get('p1')?.lines.map(({ due, overdueFor }) => due === overdueFor)).toEqual([
      true,
      false,
      false,
    ]);
    expect(mug?.transfers?.get('t2')).toMatchObject({
      overdueFor: micros('2026-11-27T00:00:00Z') - 1,
      latest: { from: 'dc' },
    });
  });

  it.each([
    ['a receipt', receipt('13:00', 9, { purchaseOrder: 'p1' })],
    ['a purchase of what came already', purchase('11:00', 8, { ...p2, location: 'shop' })],
    ['a later purchase', purchase('10:00', 2, { vendor: 'Other' })],
    ['a late purchase', purchase('08:00', 50)],
  ])('goes on with %s as if it had not been stored', (_, fact) => {
    const kept = loaded(goldenPage('page-supply.hex'));
    const whole = declared();
    for (const { book } of [kept, whole]) applyFact(book, fact);
    expect(audit(kept.book)).toEqual([]);
    expect(differenceOf(kept, whole)).toEqual([]);
    expect(viewsOf(kept.book)).toEqual(viewsOf(whole.book));
  });

  it('has a code that programs before do not read, only where there is something that they would drop', () => {
    const codeOf = (facts: readonly StockFact[]) => {
      const { book, books } = folded(facts);
      return [...(book.pages.list[0]?.items ?? [])].map((item) => books.tupleOf(item)[0]);
    };
    expect([codeOf([sale('09:00', 1)]), codeOf([shipped('09:00', 1)])]).toEqual([[0], [10]]);
    expect([codeOf([purchase('09:00', 1)]), codeOf([receipt('09:00', 1, p2)])]).toEqual([[12], [12]]);
  });
});

describe('a difference of supply', () => {
  it.each([
    ['a receipt', receipt('13:00', 1, { purchaseOrder: 'p1' })],
    ['a receipt of an unknown purchase order', receipt('13:00', 1, { purchaseOrder: 'p9' })],
    ['a purchase', purchase('13:00', 1, { purchaseOrder: 'p9' })],
    ['a date', purchase('13:00', 10, { promisedAt: '2026-12-09' })],
    ['a vendor', purchase('13:00', 10, { vendor: 'Other' })],
  ])('is found: %s', (_, fact) => {
    expect(differenceOf(folded(NOW), folded([...NOW, fact]))).not.toEqual([]);
    expect(differenceOf(folded([...NOW, fact]), folded(NOW))).not.toEqual([]);
  });

  it('is found: that it was declared overdue', () => {
    expect(differenceOf(declared(), folded(NOW))).toHaveLength(2);
  });
});
