/**
 * The variance of a count, as a table. It is the last count against the count before it and the movements between the two. Every row holds
 * for every order of its facts.
 */
import { describe, expect, it } from 'vitest';
import { applyFact } from '../../../../actors/stock/evolve.ts';
import { compact } from '../../../../actors/stock/movements.ts';
import type { StockFact } from '../../../../streams/fact/fact.ts';
import {
  adjustment,
  back,
  bookOf,
  closed,
  count,
  micros,
  ordersOf,
  receipt,
  received,
  sale,
  shipped,
  variancesIn,
} from '../given.ts';

const moved = (fact: StockFact, own: string): StockFact => ({ ...fact, own: micros(own) });

describe('the last count and what it should have found', () => {
  it.each([
    ['nothing was ever counted', [receipt('08:00', 5)], []],
    ['the first count of an empty book opens it', [count('09:00', 12)], ['mug/dc 12 12']],
    ['the first count of a book below zero opens it', [sale('08:00', 3), count('09:00', 12)], ['mug/dc 12 12']],
    ['the first count of a book above zero', [receipt('08:00', 20), count('09:00', 12)], ['mug/dc 12 20']],
    ['a count after another', [count('08:00', 20), count('09:00', 12)], ['mug/dc 12 20']],
    [
      'movements between the two, and at the moment of the last',
      [count('08:00', 20), sale('08:30', 3), receipt('08:40', 5), sale('09:00', 2), count('09:00', 19)],
      ['mug/dc 19 20'],
    ],
    [
      'movements before and at the moment of the first, and after the last',
      [receipt('07:00', 50), sale('08:00', 9), count('08:00', 20), count('09:00', 20), sale('09:01', 7)],
      ['mug/dc 20 20'],
    ],
    ['three counts', [count('08:00', 20), count('09:00', 12), sale('09:30', 2), count('10:00', 10)], ['mug/dc 10 10']],
    ['a count of nothing', [count('08:00', 0), receipt('08:30', 4), count('09:00', 4)], ['mug/dc 4 4']],
    [
      'a book that the count before left below zero',
      [count('08:00', 1), sale('08:30', 4), count('09:00', 2)],
      ['mug/dc 2 -3'],
    ],
    [
      'two counts of one moment, by their ids',
      [count('08:00', 20, { id: 'a' }), count('09:00', 11, { id: 'b' }), count('09:00', 12, { id: 'c' })],
      ['mug/dc 12 11'],
    ],
    [
      'counts that the clock rule moved to one moment, by what their devices said',
      [
        moved(count('09:00', 20, { id: 'z' }), '11:00'),
        moved(sale('09:00', 3), '11:30'),
        moved(count('09:00', 15, { id: 'a' }), '12:00'),
        moved(sale('09:00', 6), '12:30'),
      ],
      ['mug/dc 15 17'],
    ],
    [
      'sellable units only',
      [
        count('08:00', 20),
        back('08:10', 2, 'restock'),
        back('08:20', 3, 'damaged'),
        adjustment('08:30', -4, { bucket: 'damaged' }),
        adjustment('08:40', -1),
        count('09:00', 21),
      ],
      ['mug/dc 21 21'],
    ],
    [
      'transfers, at both ends',
      [
        count('08:00', 20),
        shipped('08:10', 5),
        received('08:20', 4, { damaged: 1 }),
        count('09:00', 15),
        count('09:00', 6, { location: 'shop' }),
      ],
      ['mug/dc 15 15', 'mug/shop 6 4'],
    ],
    [
      'a correction counts as of its shipment, which a count covers',
      [count('08:00', 20), shipped('07:00', 9), count('09:00', 20), closed('08:30', 'corrected', 9)],
      ['mug/dc 20 20'],
    ],
    [
      'a correction of a shipment between the two counts',
      [count('08:00', 20), shipped('08:10', 9), count('09:00', 17), closed('09:30', 'corrected', 6)],
      ['mug/dc 17 17'],
    ],
  ] as const)('%s', (_, facts, variances) => {
    for (const inOrder of ordersOf(facts as readonly StockFact[]))
      expect(variancesIn(bookOf(inOrder)), inOrder.map(({ id }) => id).join()).toEqual(variances);
  });
});

describe('compaction', () => {
  const compacted = (facts: readonly StockFact[], before: string) => {
    const book = bookOf(facts);
    compact(book.key('mug', 'dc'), micros(before));
    return book;
  };
  const then = (facts: readonly StockFact[], before: string, later: readonly StockFact[]) => {
    const book = compacted(facts, before);
    for (const fact of later) applyFact(book, fact);
    return variancesIn(book);
  };
  const two = [
    receipt('07:00', 99),
    count('08:00', 20),
    sale('08:10', 3),
    sale('08:20', 1),
    count('09:00', 12),
    sale('09:10', 2),
  ];

  it('keeps what it removes between the two counts', () => {
    for (const before of ['07:30', '08:15', '08:30', '09:00', '10:00'])
      expect(variancesIn(compacted(two, before)), before).toEqual(['mug/dc 12 16']);
    expect(compacted(two, '10:00').key('mug', 'dc').movements).toEqual([]);
  });
  it('and what it removes before a first count', () => {
    expect(then([receipt('07:00', 9), sale('07:30', 2), count('09:00', 5)], '08:00', [])).toEqual(['mug/dc 5 7']);
    expect(then([receipt('07:00', 9), sale('07:30', 2)], '08:00', [count('09:00', 5)])).toEqual(['mug/dc 5 7']);
  });
  it('is followed by a late sale, a late count and a next count as if it had not been', () => {
    expect(then(two, '08:15', [sale('08:30', 4)])).toEqual(['mug/dc 12 12']);
    expect(then(two, '08:15', [count('08:30', 14)])).toEqual(['mug/dc 12 14']);
    expect(then(two, '08:15', [count('08:19', 14)])).toEqual(['mug/dc 12 13']);
    expect(then(two, '10:00', [count('11:00', 10), sale('10:30', 1)])).toEqual(['mug/dc 10 9']);
  });
});
