/** Views of one key: its stock, what it promises, and its state at an earlier moment. */
import { describe, expect, it } from 'vitest';
import { bookAsOf } from '../../../actors/stock/movements.ts';
import type { StockKey } from '../../../actors/stock/state.ts';
import {
  atpIn,
  bookOf,
  count,
  type Input,
  inboundBy,
  micros,
  ordersOf,
  receipt,
  received,
  sale,
  shipped,
} from './given.ts';

describe('a key', () => {
  const keyOf = (inputs: readonly Input[], location = 'dc') => bookOf(inputs).findKey('mug', location) as StockKey;

  it('is not known before anything is heard of it', () => {
    const book = bookOf([sale('10:00', 1)]);
    expect(book.findKey('mug', 'shop')).toBeUndefined();
    expect(book.findKey('pan', 'dc')).toBeUndefined();
  });

  it('is found among a dozen and more locations', () => {
    const locations = Array.from({ length: 30 }, (_, i) => `store-${i}`);
    const book = bookOf(locations.map((location, i) => receipt('10:00', i + 1, { location })));
    expect(locations.map((location) => book.findKey('mug', location)?.sellable)).toEqual(
      locations.map((_, i) => i + 1),
    );
    expect(book.keyCount).toBe(30);
  });

  it('says what the book held at a moment, so that a count has its variance', () => {
    const facts = [count('09:00', 10), sale('10:00', 2), sale('11:00', 3), receipt('08:00', 100)];
    for (const inOrder of ordersOf(facts)) {
      expect(bookAsOf(keyOf(inOrder), { at: micros('09:00') })).toBe(10);
      expect(bookAsOf(keyOf(inOrder), { at: micros('10:00') })).toBe(8);
      expect(bookAsOf(keyOf(inOrder), { at: micros('10:30') })).toBe(8);
      expect(bookAsOf(keyOf(inOrder), { at: micros('11:00') })).toBe(5);
    }
  });

  it('may promise transfers that are due by the date, and not those overdue', () => {
    const inputs = [
      sale('09:00', 2, { location: 'shop' }),
      shipped('10:00', 6, { eta: '2026-11-26' }),
      shipped('10:00', 4, { transfer: 't2' }),
      shipped('10:00', 5, { transfer: 't3', eta: '2026-11-23T00:00:00Z' }),
      received('11:00', 1),
    ];
    const laneTime = 36 * 3600 * 1e6;
    const by = (date: string) => ({ now: micros('12:00'), by: micros(date), laneTime });
    for (const inOrder of ordersOf(inputs)) {
      const book = bookOf(inOrder);
      const key = book.findKey('mug', 'shop') as StockKey;
      expect(inboundBy(book, key, by('2026-11-25T21:59:59Z'))).toBe(0);
      expect(inboundBy(book, key, by('2026-11-25T22:00:00Z'))).toBe(4);
      expect(inboundBy(book, key, by('2026-11-26T23:59:59Z'))).toBe(4);
      expect(inboundBy(book, key, by('2026-11-27T00:00:00Z'))).toBe(9);
      expect(atpIn(book, key, by('2026-11-24T12:00:00Z'))).toBe(0);
      expect(atpIn(book, key, by('2026-11-27T00:00:00Z'))).toBe(8);
    }
  });

  it('goes by the latest shipment for when a transfer is due, and of two of one moment by the one with the greater id', () => {
    const eta = (date: string) => ({ eta: `${date}T00:00:00Z` });
    const rows = [
      [[shipped('10:00', 1, eta('2026-12-09')), shipped('11:00', 1, eta('2026-12-01'))], '2026-12-01'],
      [
        [
          shipped('10:00', 1, { ...eta('2026-12-09'), id: 'a' }),
          shipped('10:00', 1, { ...eta('2026-12-01'), id: 'b' }),
        ],
        '2026-12-01',
      ],
    ] as const;
    for (const [facts, due] of rows) {
      for (const inOrder of ordersOf(facts)) {
        const book = bookOf(inOrder);
        const key = book.findKey('mug', 'shop') as StockKey;
        const by = (micro: number) => ({ now: micros('12:00'), by: micros(`${due}T00:00:00Z`) + micro, laneTime: 0 });
        expect([inboundBy(book, key, by(-1)), inboundBy(book, key, by(0))]).toEqual([0, 2]);
      }
    }
  });
});
