/** Variances of counts: what raises the anomaly, what does not, and what ends it, in whatever order the facts come. */
import { describe, expect, it } from 'vitest';
import { table } from './detector-table.ts';
import { HOUR_MS, MINUTE_MS, Shop } from './shop.ts';

const stocked = (qty: number) => () => new Shop().fact('receipt', { qty }).wait(HOUR_MS);
/** A fact that happened some hours ago and comes only now. */
const late =
  (type: string, hours: number, fields: object) =>
  (shop: Shop): unknown =>
    shop.fact(type, { ...fields, occurredAt: new Date(shop.nowMs - hours * HOUR_MS).toISOString() });

describe('count_variance', () => {
  table('count_variance', () => new Shop(), [
    ['a first count opens the book', (shop) => shop.fact('count', { counted: 100 }), false],
    ['one unit less', (shop) => shop.wait(HOUR_MS).fact('count', { counted: 99 }), false],
    ['a fifth is gone', (shop) => shop.wait(HOUR_MS).fact('count', { counted: 79 }), true],
    ['counted again, the same', (shop) => shop.wait(HOUR_MS).fact('count', { counted: 79 }), false],
  ]);
  table('count_variance', stocked(400), [
    ['what a book of 400 may differ by', (shop) => shop.fact('count', { counted: 390 }), false],
    ['more is found than was booked', (shop) => shop.wait(HOUR_MS).fact('count', { counted: 600 }), true],
    ['what a book of 600 may differ by', (shop) => shop.wait(HOUR_MS).fact('count', { counted: 588 }), false],
  ]);
  table('count_variance', stocked(100), [
    ['a third is gone', (shop) => shop.wait(9 * HOUR_MS).fact('count', { counted: 67 }), true],
    ['a sale after the count', (shop) => shop.wait(HOUR_MS).fact('sale', { qty: 33 }), true],
    ['a late sale explains a part', late('sale', 4, { qty: 3 }), true],
    ['another one the rest', late('sale', 3, { qty: 28 }), false],
    ['more is sold than is gone', late('sale', 5, { qty: 40 }), true],
    ['a late count agrees with what is gone', late('count', 2, { counted: 67 }), false],
    ['a still later one contradicts it', late('count', 1.5, { counted: 100 }), true],
  ]);
  table('count_variance', stocked(100), [
    ['a count that is booked first', (shop) => shop.wait(HOUR_MS).fact('count', { counted: 60 }), true],
    ['a late delivery makes it worse', late('receipt', 1.5, { qty: 20 }), true],
    ['late sales leave nothing of the first book', late('sale', 1, { qty: 120 }), false],
  ]);
  table('count_variance', () => new Shop(), [
    ['counted', (shop) => shop.fact('count', { counted: 50 }).wait(2 * HOUR_MS), false],
    ['shipped', (shop) => shop.fact('transfer', leave({ qty: 40 })).wait(2 * HOUR_MS), false],
    ['counted as if only ten had left', (shop) => shop.fact('count', { counted: 40 }).wait(HOUR_MS), true],
    ['thirty never left', (shop) => shop.fact('transfer', { ...leave({ qty: 30 }), ...CORRECTED }), false],
    ['they left after the count', (shop) => shop.fact('transfer', leave({ qty: 1 })), true],
  ]);

  it.each([
    ['the count first', (shop: Shop) => counted(sold(shop.wait(HOUR_MS)))],
    ['the sale first', (shop: Shop) => sold(counted(shop.wait(HOUR_MS)))],
  ])('is not raised by a sale and the count that agrees with it, with %s', (_, upload) => {
    const shop = stocked(100)();
    upload(shop);
    expect([...shop.observer.takeChanged().values()]).toEqual([]);
  });

  it('says what was counted and what the book had, and is another one for another count', () => {
    const shop = stocked(100)().fact('count', { counted: 60 });
    const [first] = shop.open('count_variance');
    expect(first).toMatchObject({
      at: shop.nowMs * 1000,
      says: 'Counted 60 where the book had 100: -40 units, 20 times what counts usually differ by.',
      figures: { counted: 60, book: 100, variance: -40, z: 20 },
    });
    shop.wait(HOUR_MS).fact('sale', { qty: 1 });
    expect(shop.open('count_variance')).toEqual([first]);
    shop.wait(HOUR_MS).fact('count', { counted: 30 });
    const [second] = shop.open('count_variance');
    expect(second).toMatchObject({ at: shop.nowMs * 1000, figures: { counted: 30, book: 59 } });
    expect(second?.episode).toBeGreaterThan(first?.episode ?? Number.POSITIVE_INFINITY);
  });

  it('is judged by the thresholds of the settings', () => {
    const open = (parameters: object) =>
      new Shop(parameters).fact('count', { counted: 99 }).wait(HOUR_MS).fact('count', { counted: 92 }).kinds;
    expect(open({})).toEqual([]);
    expect(open({ countZ: 3 })).toEqual(['count_variance']);
    expect(open({ countVariance: 0.03 })).toEqual(['count_variance']);
    expect(open({ countZ: 3, countUnits: 8 })).toEqual([]);
  });
});

const CORRECTED = { phase: 'closed', reason: 'corrected' };
const leave = (more: object) => ({ transfer: 't1', from: 'shop', to: 'kiosk', phase: 'shipped', ...more });
const sold = (shop: Shop) => shop.fact('sale', { qty: 40, occurredAt: new Date(shop.nowMs - MINUTE_MS).toISOString() });
const counted = (shop: Shop) => shop.fact('count', { counted: 60 });
