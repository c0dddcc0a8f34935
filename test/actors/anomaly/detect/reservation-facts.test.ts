/** over_fulfilled and reservation_unknown: alarms that follow from the book, and from the book and the clock. */
import { expect, it } from 'vitest';
import { ANOMALY_DEFAULTS } from '../../../../config/anomalies.ts';
import { Shop } from './shop.ts';

const open = (shop: Shop, kind: string) => [...shop.observer.open()].filter(([, alarm]) => alarm.kind === kind).length;
const after = ANOMALY_DEFAULTS.unknownAfterMs;

it('over_fulfilled is open while more is sold for a reservation than it has, whatever came first', () => {
  for (const saleFirst of [true, false]) {
    const shop = new Shop().fact('count', { counted: 9 });
    if (!saleFirst) shop.hold('r', 2);
    shop.fact('sale', { qty: 3, reservation: 'r' });
    if (saleFirst) shop.hold('r', 2);
    expect(open(shop, 'over_fulfilled')).toBe(1);
    expect(open(shop.restart(), 'over_fulfilled')).toBe(1);
    expect(shop.book.parts.get('r')?.lines.map(({ fulfilled }) => fulfilled)).toEqual([2]);
  }
});

it('reservation_unknown is open from a while after the sale until the reservation is known', () => {
  const shop = new Shop().fact('count', { counted: 9 }).fact('sale', { qty: 1, reservation: 'r' });
  expect(open(shop.look(), 'reservation_unknown')).toBe(0);
  shop.wait(after).look();
  expect(open(shop, 'reservation_unknown')).toBe(1);
  expect(open(shop.restart().look(), 'reservation_unknown')).toBe(1);
  shop.hold('r', 1);
  expect(open(shop, 'reservation_unknown')).toBe(0);
});
