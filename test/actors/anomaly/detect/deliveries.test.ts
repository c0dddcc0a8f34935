/** Anomalies of what suppliers have promised: what did not come, and what came under no purchase order. */
import { describe, expect, it } from 'vitest';
import { ANOMALY_BOUNDS } from '../../../../config/anomalies.ts';
import { table } from './detector-table.ts';
import { DAY_MS, HOUR_MS, Shop } from './shop.ts';

const day = (of: number) => new Date(Date.parse('2026-01-05T00:00:00Z') + of * DAY_MS).toISOString();
const p1 = { purchaseOrder: 'p1' };
const ordered = (qty: number, more: object = {}) => ({ ...p1, qty, promisedAt: day(1), vendor: 'Pottery', ...more });
const bought = () => new Shop().fact('purchase', ordered(10));
const late = (ms: number) => (shop: Shop) => shop.wait(ms).fact('sale', { sku: 'other', qty: 1 });
const buy =
  (qty: number, more: object = {}) =>
  (shop: Shop) =>
    shop.wait(1).fact('purchase', ordered(qty, more));
const receive =
  (qty: number, more: object = {}) =>
  (shop: Shop) =>
    shop.wait(1).fact('receipt', { qty, ...more });

describe('receipt_overdue', () => {
  table('receipt_overdue', bought, [
    ['the day', late(DAY_MS), false],
    ['within its grace', late(3 * HOUR_MS), false],
    ['after it', late(2 * HOUR_MS), true],
    ['a part comes', receive(4, p1), true],
    ['the rest comes elsewhere', receive(2, { ...p1, damaged: 4, location: 'kiosk' }), false],
  ]);
  table('receipt_overdue', bought, [
    ['after its grace', late(DAY_MS + 5 * HOUR_MS), true],
    ['something else comes', receive(10), true],
    ['promised for another day', buy(10, { promisedAt: day(3) }), false],
    ['that day', late(2 * DAY_MS), true],
    ['cancelled', buy(0), false],
  ]);
  table('receipt_overdue', bought, [
    ['a short delivery', receive(8, p1), false],
    ['what it lacks', late(DAY_MS + 5 * HOUR_MS), true],
    ['made final', buy(8), false],
  ]);
  table('receipt_overdue', () => bought().fact('receipt', { qty: 10, ...p1 }), [
    ['received before', late(9 * DAY_MS), false],
  ]);

  it('is one for each line, told at its location, and of what it lacks', () => {
    const shop = bought().fact('purchase', ordered(6, { line: '2', promisedAt: day(2) }));
    late(3 * DAY_MS)(shop.fact('receipt', { qty: 12, ...p1 })).look();
    expect(shop.open('receipt_overdue')).toMatchObject([
      {
        sku: 'mug',
        location: 'shop',
        severity: 'warning',
        says: '4 of 6 units of purchase order p1, line 2 should have arrived and did not.',
        figures: { purchaseOrder: 'p1', line: '2', vendor: 'Pottery', ordered: 6, missing: 4 },
      },
    ]);
    buy(6, { line: '2', promisedAt: day(2), location: 'kiosk' })(shop);
    expect(shop.look().open('receipt_overdue')).toMatchObject([{ location: 'kiosk' }]);
    receive(1, p1)(shop);
    expect(shop.open('receipt_overdue')).toMatchObject([{ location: 'kiosk', figures: { missing: 3 } }]);
  });

  it('judges a replayed past by its own time', () => {
    const shop = new Shop();
    for (let hour = 0; hour < 30; hour++) {
      if (hour === 2) shop.fact('purchase', ordered(5), 300 * DAY_MS);
      shop.fact('sale', { sku: 'other', qty: 1 }, 300 * DAY_MS);
      shop.wait(HOUR_MS);
      shop.observer.tick(shop.nowMs + 300 * DAY_MS);
      expect([hour, shop.open('receipt_overdue').length]).toEqual([hour, hour >= 28 ? 1 : 0]);
    }
  });
});

describe('receipt_unmatched', () => {
  table('receipt_unmatched', bought, [
    ['a delivery that names it', receive(2, p1), false],
    ['one that names none', receive(5), true],
    ['a part of the rest', receive(7, p1), true],
    ['all of it', receive(1, { ...p1, location: 'kiosk' }), false],
  ]);
  table('receipt_unmatched', () => new Shop().fact('receipt', { qty: 5 }), [
    ['ordered later', buy(10), false],
    ['another delivery', receive(1), true],
    ['time goes by', late(29 * DAY_MS), true],
    ['a month', late(2 * DAY_MS), false],
  ]);
  table('receipt_unmatched', bought, [
    ['at another location', receive(5, { location: 'kiosk' }), false],
    ['of another SKU', receive(5, { sku: 'pan' }), false],
    ['here', receive(5), true],
    ['the purchase moves there', buy(10, { location: 'dc' }), false],
    ['and is ordered here again', buy(12), true],
    ['cancelled', buy(0), false],
  ]);

  it('says what may be expected twice', () => {
    const shop = receive(5)(bought().fact('purchase', ordered(3, { purchaseOrder: 'p0', promisedAt: day(4) })));
    expect(shop.open('receipt_unmatched')).toMatchObject([
      {
        says: '5 units arrived without a purchase order, and 13 units are on order: if they are of p1, they are expected twice.',
        figures: { units: 5, onOrder: 13, purchaseOrder: 'p1' },
      },
    ]);
  });

  it('remembers a bounded number of keys, of those noted last', () => {
    const shop = bought();
    receive(5)(shop);
    for (let i = 1; i < ANOMALY_BOUNDS.unmatchedKeys; i++) shop.fact('receipt', { sku: `sku-${i}`, qty: 1 });
    expect(shop.look().open('receipt_unmatched')).toHaveLength(1);
    shop.fact('receipt', { sku: 'one-more', qty: 1 });
    expect(shop.look().open('receipt_unmatched')).toHaveLength(0);
  });
});

it('a purchase that comes late makes nobody late', () => {
  const shop = new Shop();
  for (let i = 0; i < 40; i++) shop.wait(1000).fact('sale', { qty: 1, device: 'erp' }, 0);
  for (let i = 0; i < 40; i++) {
    const occurredAt = day(-300);
    shop.wait(1000).fact('purchase', ordered(1, { purchaseOrder: `p${i}`, device: 'erp', occurredAt }), 0);
  }
  expect(shop.look().open('late_facts')).toEqual([]);
});
