/**
 * The stored forms of transfers. golden/page-transits.hex is a page of an earlier version, which kept each transfer at every location to
 * which facts sent it. golden/page-transfers.hex is one of a version that keeps one record, as this one does (stored-counts.test.ts). Both
 * must stay readable.
 */
import { describe, expect, it } from 'vitest';
import { applyFact } from '../../../actors/stock/evolve.ts';
import { audit } from '../../../actors/stock/invariants.ts';
import { unitsLost } from '../../../actors/stock/supply/transit.ts';
import { back, closed, count, receipt, received, sale, shipped, viewOf, viewsOf } from '../stock/given.ts';
import { differenceOf, folded, goldenPage, loaded, pageOf } from './pages.ts';

/** The facts of which the earlier version wrote its page. */
const ids = Array.from({ length: 20 }, (_, i) => ({ id: `f-${i + 1}` }));
const EARLIER = [
  receipt('08:00', 100, ids[0]),
  count('08:30', 90, ids[1]),
  shipped('09:00', 10, { ...ids[2], eta: '2026-11-26' }),
  received('10:00', 4, { ...ids[3], damaged: 1 }),
  shipped('09:05', 3, { ...ids[4], transfer: 't2' }),
  received('11:00', 3, { ...ids[5], transfer: 't2' }),
  received('11:05', 2, { ...ids[6], transfer: 't3' }),
  shipped('09:10', 6, { ...ids[7], transfer: 't4' }),
  shipped('09:20', 5, { ...ids[8], transfer: 't4', to: 'kiosk' }),
  received('12:00', 4, { ...ids[9], transfer: 't4', to: 'attic', location: 'attic' }),
  sale('12:30', 2, { ...ids[10], location: 'shop' }),
  back('12:31', 2, 'inspect', { ...ids[11], location: 'shop' }),
  receipt('08:00', 7, { ...ids[12], sku: 'pan' }),
];
const LATER = [
  shipped('13:00', 2, { transfer: 't3' }),
  closed('13:01', 'lost', 9, { transfer: 't4' }),
  closed('13:02', 'corrected', 3),
  received('13:03', 1, { location: 'dc' }),
];

describe('a page of an earlier version', () => {
  it('has one record for each transfer, whatever locations it was kept at', () => {
    expect(viewsOf(loaded(goldenPage('page-transits.hex')).book)).toEqual([
      viewOf('mug', 'attic', { sellable: 4 }),
      viewOf('mug', 'dc', { sellable: 66 }),
      viewOf('mug', 'kiosk', { inTransit: 7 }),
      viewOf('mug', 'shop', { sellable: 7, damaged: 1, inspection: 2, inTransit: 5 }),
      viewOf('pan', 'dc', { sellable: 7 }),
    ]);
  });

  it('is what the streams say, before and after later facts and after it was stored again', () => {
    for (const facts of [[], LATER]) {
      const [kept, whole] = [loaded(goldenPage('page-transits.hex')), folded([...EARLIER, ...facts])];
      for (const fact of facts) applyFact(kept.book, fact);
      expect(viewsOf(kept.book)).toEqual(viewsOf(whole.book));
      expect(differenceOf(kept, whole)).toEqual([]);
      expect(differenceOf(loaded(pageOf(kept)), whole)).toEqual([]);
    }
  });
});

const NOW = [
  ...EARLIER,
  ...[
    closed('13:01', 'lost', 9, { id: 'l', transfer: 't4' }),
    closed('13:02', 'corrected', 3, { id: 'c' }),
    closed('13:03', 'corrected', 4, { id: 'd', transfer: 't5' }),
  ],
];

describe('a page with one record for each transfer', () => {
  it('is read from the golden bytes, and goes on with later facts as if it had not been stored', () => {
    const later = [
      shipped('14:00', 9, { id: 's', transfer: 't5' }),
      count('13:30', 50, { id: 'n' }),
      shipped('14:30', 1, { id: 't' }),
    ];
    const kept = loaded(goldenPage('page-transfers.hex'));
    expect(differenceOf(kept, folded(NOW))).toEqual([]);
    for (const fact of later) applyFact(kept.book, fact);
    expect(audit(kept.book)).toEqual([]);
    expect(differenceOf(kept, folded([...NOW, ...later]))).toEqual([]);
    expect(viewsOf(kept.book)).toEqual(viewsOf(folded([...later, ...NOW]).book));
    const t4 = kept.book.skus.get('mug')?.transfers?.get('t4');
    expect(t4 && unitsLost(t4)).toBe(7);
  });

  it('of a SKU without transfers is that of the earlier version, which can read it', () => {
    const partition = folded([receipt('08:00', 7)]);
    expect([...(partition.book.pages.list[0]?.items ?? [])].map((item) => partition.books.tupleOf(item)[0])).toEqual([
      0,
    ]);
  });
});

describe('a difference of transfers', () => {
  it.each([
    ['a loss', closed('13:05', 'lost', 1, { transfer: 't2' })],
    ['a transfer', closed('13:05', 'lost', 1, { transfer: 't9' })],
    ['the moment of a correction', closed('13:05', 'corrected', 1, { transfer: 't9' })],
  ])('is found: %s', (_, fact) => {
    expect(differenceOf(folded(NOW), folded([...NOW, fact]))).not.toEqual([]);
    expect(differenceOf(folded([...NOW, fact]), folded(NOW))).not.toEqual([]);
  });
});
