/**
 * Anomalies of transfers that end otherwise than by arriving. Transfers with more units back than out follow from the book, so any order of
 * the facts opens the same ones.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { table } from './detector-table.ts';
import { DAY_MS, HOUR_MS, Shop } from './shop.ts';

const eta = () => new Date(Date.parse('2026-01-05T00:00:00Z') + DAY_MS).toISOString();
const ends = { transfer: 't1', from: 'dc', to: 'shop' };
const leave = (qty: number, more: object = {}) => ({ ...ends, phase: 'shipped', location: 'dc', qty, ...more });
const arrive = (qty: number, more: object = {}) => ({ ...ends, phase: 'received', qty, ...more });
const close = (reason: 'lost' | 'corrected', qty: number) => ({
  ...ends,
  phase: 'closed',
  reason,
  location: 'dc',
  qty,
});
const sent = () => new Shop().fact('transfer', leave(10, { eta: eta() }));
const late = (ms: number) => (shop: Shop) => shop.wait(ms).fact('sale', { sku: 'other', qty: 1 });

describe('transfer_overdue', () => {
  table('transfer_overdue', sent, [
    ['after its grace', late(DAY_MS + 5 * HOUR_MS), true],
    ['a part is lost', (shop) => shop.fact('transfer', close('lost', 4)), true],
    ['the rest never left', (shop) => shop.fact('transfer', close('corrected', 6)), false],
    ['time goes by', (shop) => shop.wait(DAY_MS), false],
  ]);
  table('transfer_overdue', sent, [
    ['after its grace', late(DAY_MS + 5 * HOUR_MS), true],
    ['all of it arrives elsewhere', (shop) => shop.fact('transfer', arrive(10, { location: 'kiosk' })), false],
  ]);
});

describe('transfer_short', () => {
  table('transfer_short', sent, [
    ['a part arrives elsewhere', (shop) => shop.fact('transfer', arrive(6, { location: 'kiosk' })), false],
    ['and the rest does not come', late(5 * HOUR_MS), true],
    ['a part of the rest is lost', (shop) => shop.fact('transfer', close('lost', 3)), true],
    ['all of the rest', (shop) => shop.fact('transfer', close('lost', 1)), false],
  ]);
  it('is told at the destination of the latest shipment', () => {
    const shop = late(5 * HOUR_MS)(sent().fact('transfer', arrive(6))).look();
    expect(shop.open('transfer_short')).toMatchObject([{ location: 'shop', figures: { missing: 4 } }]);
    late(5 * HOUR_MS)(shop.fact('transfer', leave(1, { to: 'kiosk' }))).look();
    expect(shop.open('transfer_short')).toMatchObject([{ location: 'kiosk', figures: { missing: 5 } }]);
  });
});

describe('receipt_short', () => {
  it('is told where goods arrived damaged, also when that is not the destination', () => {
    const shop = sent().fact('transfer', arrive(5, { location: 'kiosk', damaged: 5 }));
    expect(shop.open('receipt_short')).toMatchObject([{ location: 'kiosk', figures: { damaged: 5 } }]);
  });
});

describe('transfer_over', () => {
  table('transfer_over', sent, [
    ['all arrives', (shop) => shop.fact('transfer', arrive(8, { damaged: 2 })), false],
    ['and a unit more', (shop) => shop.fact('transfer', arrive(1, { location: 'kiosk' })), true],
    ['more was shipped than was known', (shop) => shop.fact('transfer', leave(1)), false],
    ['it is lost', (shop) => shop.fact('transfer', close('lost', 9)), false],
    ['a unit never left either', (shop) => shop.fact('transfer', close('corrected', 1)), true],
  ]);
  it('says that no shipment is known, at the location where the goods arrived', () => {
    const shop = new Shop().fact('transfer', arrive(3));
    expect(shop.open('transfer_over')).toMatchObject([
      { location: 'shop', says: '3 units of transfer t1 arrived or never left, but no shipment is known.' },
    ]);
    expect(shop.fact('transfer', leave(2)).open('transfer_over')).toMatchObject([
      { says: '3 units of transfer t1 arrived or never left, but only 2 were shipped.', figures: { over: 1 } },
    ]);
  });

  it('is open for the same transfers after any order of the facts', () => {
    const qty = fc.integer({ min: 1, max: 4 });
    const place = fc.constantFrom('dc', 'shop', 'kiosk');
    const leg = fc
      .tuple(qty, place, place, fc.constantFrom('t1', 't2'), fc.nat(3), fc.nat(3))
      .map(([units, to, location, transfer, kind, hours]) => {
        const more = { transfer, occurredAt: new Date(Date.parse(eta()) + hours * HOUR_MS).toISOString() };
        const legs = [
          leave(units, { to }),
          arrive(units, { location }),
          close('lost', units),
          close('corrected', units),
        ];
        return { ...legs[kind], ...more };
      });
    const shuffled = fc
      .array(leg, { maxLength: 12 })
      .map((facts) => facts.map((fact, i) => ({ ...fact, id: `f${i}` })))
      .chain((facts) =>
        fc.tuple(fc.constant(facts), fc.shuffledSubarray(facts, { minLength: facts.length, maxLength: facts.length })),
      );
    const openOf = (facts: readonly Record<string, unknown>[]) => {
      const shop = new Shop();
      for (const fact of facts) shop.fact('transfer', fact);
      const told = shop.open('transfer_over').map(({ cause, location, says }) => `${cause} ${location} ${says}`);
      return told.sort();
    };
    fc.assert(
      fc.property(shuffled, ([facts, mixed]) => {
        expect(openOf(mixed)).toEqual(openOf(facts));
      }),
      { numRuns: 300 },
    );
  });
});
