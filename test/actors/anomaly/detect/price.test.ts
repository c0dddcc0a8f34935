/** price_deviation as tables. Every table also runs with a restart before each step. */
import { describe, expect, it } from 'vitest';
import { table } from './detector-table.ts';
import { MINUTE_MS, Shop } from './shop.ts';

describe('price_deviation', () => {
  const sold =
    (unitPrice: string | number, more = {}) =>
    (shop: Shop) =>
      shop.wait(MINUTE_MS).fact('sale', { qty: 1, unitPrice, currency: 'GBP', ...more });
  /** Sales at these prices in turn. */
  const selling = (times: number, ...prices: readonly string[]) => {
    const shop = new Shop().fact('receipt', { qty: 1_000_000 });
    for (let i = 0; i < times; i++) sold(prices[i % prices.length] as string)(shop);
    return shop;
  };
  const fixed = () => selling(140, '2.50');
  table('price_deviation', fixed, [
    ['a discount', sold('1.90'), false],
    ['a slip of the point', sold('25.00'), true],
    ['one at the usual price', sold('2.50'), true],
    ['and another', sold('2.50'), false],
  ]);
  table('price_deviation', fixed, [
    ['in another currency', sold('250', { currency: 'JPY' }), false],
    ['a clearance at a quarter', sold('0.60'), false],
    ['a tenth', sold('0.25'), true],
    ['again', sold('0.25'), true],
  ]);
  table('price_deviation', fixed, [
    ['for nothing', sold(0), true],
    ['at the usual price', sold('2.50'), true],
    ['and another', sold('2.50'), false],
    ['without a price', (shop) => shop.wait(MINUTE_MS).fact('sale', { qty: 1 }), false],
  ]);
  table('price_deviation', () => selling(100, '2.55', '2.55', '2.95', '5.79'), [
    ['a wholesale quantity', sold('2.10', { qty: 500 }), false],
    ['between two lists', sold('4.00'), false],
    ['a third list, half as dear again', sold('8.90'), false],
  ]);
  table('price_deviation', () => selling(100, '2.55', '2.55', '2.95', '5.79'), [
    ['five times the usual price', sold('14.75'), true],
    ['at the dearest list', sold('5.79'), true],
    ['and at the cheapest', sold('2.55'), false],
  ]);
  table('price_deviation', () => selling(60, '2.50', '0.20'), [['what is often given away', sold('0.20'), false]]);
  it('says which prices are usual', () => {
    const says = (price: string | number) => sold(price)(selling(40, '2', '6')).open('price_deviation')[0];
    expect(says('50')).toMatchObject({
      says: 'Sold at 50 where 2 to 6 is usual.',
      figures: { price: 50, from: 2, to: 6, times: 8.3 },
    });
    expect(says(0)?.says).toBe('Sold for nothing where 2 to 6 is usual.');
    expect(says(0)?.figures).not.toHaveProperty('times');
  });
  it('takes a lasting new price for a usual one after a few sales', () => {
    const shop = selling(40, '2.50');
    for (let i = 0; i < 3; i++) expect(sold('19.00')(shop).kinds).toEqual(['price_deviation']);
    for (let i = 0; i < 3; i++) sold('19.00')(shop);
    expect(shop.kinds).toEqual([]);
  });
  it('forgets a list that is no longer used', () => {
    const shop = selling(400, '2.00', '2.00', '9.00');
    expect(sold('9.00')(shop).kinds).toEqual([]);
    for (let i = 0; i < 1500; i++) sold('2.00')(shop);
    expect(sold('9.90')(shop).kinds).toEqual(['price_deviation']);
  });
  it('remembers more prices than it has places for by replacing the rarest', () => {
    const shop = selling(100, '2.50', '5.00');
    for (let i = 0; i < 40; i++) sold((2 + i / 10).toFixed(2))(shop);
    expect(shop.kinds).toEqual([]);
    expect(sold('5.00')(shop).kinds).toEqual([]);
    expect(sold('50.00')(shop).kinds).toEqual(['price_deviation']);
  });
});
