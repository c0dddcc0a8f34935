/** over_fulfilled and reservation_unknown: alarms that follow from the book, and from the book and the clock. */
import { expect, it } from 'vitest';
import { ANOMALY_DEFAULTS } from '../../../../config/anomalies.ts';
import { DAY_MS, MINUTE_MS, Shop } from './shop.ts';

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

it('over_fulfilled is open for a sale of a SKU that its reservation has not, as the home knows the reservation', () => {
  const shop = new Shop().fact('count', { counted: 9 }).hold('r', 2, { sku: 'pan', partition: 8 });
  shop.fact('sale', { qty: 3, reservation: 'r' }).look();
  expect(shop.open('over_fulfilled')).toMatchObject([{ sku: 'mug', figures: { reservation: 'r', over: 3 } }]);
  expect(open(shop.wait(after).look(), 'reservation_unknown')).toBe(0);
  expect(open(shop.restart().look(), 'over_fulfilled')).toBe(1);
  const back = {
    id: 'back',
    type: 'return',
    sku: 'mug',
    location: 'shop',
    at: shop.nowMs * 1000,
    qty: 2,
    disposition: 'restock',
  } as const;
  shop.fold({ ...back, reservation: 'r', within: DAY_MS * 1000 });
  expect(shop.open('over_fulfilled')).toMatchObject([{ figures: { over: 1 } }]);
});

it('reservation_unknown is open from a while after the first sale, though others follow', () => {
  const shop = new Shop().fact('count', { counted: 9 });
  for (let waited = 0; waited <= after; waited += MINUTE_MS)
    shop.fact('sale', { qty: 1, reservation: 'r' }).look().wait(MINUTE_MS);
  expect(shop.open('reservation_unknown')).toMatchObject([{ figures: { units: 16 } }]);
});

it('a home is asked again, because the reservation may be placed late', () => {
  const shop = new Shop().fact('count', { counted: 9 }).fact('sale', { qty: 1, reservation: 'r' }).wait(after).look();
  expect(open(shop, 'reservation_unknown')).toBe(1);
  shop.hold('r', 2, { sku: 'pan', partition: 8 }).wait(MINUTE_MS).look();
  expect([open(shop, 'reservation_unknown'), open(shop, 'over_fulfilled')]).toEqual([0, 1]);
});

it('the alarms of a reservation that is forgotten end, over a restart too', () => {
  for (const restarts of [false, true]) {
    const shop = new Shop().fact('count', { counted: 9 }).hold('over', 1).fact('sale', { qty: 3, reservation: 'over' });
    shop.fact('sale', { qty: 1, reservation: 'unknown' }).wait(after).look();
    expect([open(shop, 'over_fulfilled'), open(shop, 'reservation_unknown')]).toEqual([1, 1]);
    for (const part of [...shop.book.parts.values()]) shop.book.removePart(part);
    if (restarts) shop.restart();
    shop.look();
    expect([open(shop, 'over_fulfilled'), open(shop, 'reservation_unknown')]).toEqual([0, 0]);
  }
});
