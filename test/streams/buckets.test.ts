/** Figures of a stock key and sums over stock keys. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BUCKETS, noUnits, oversoldUnits, sumOf } from '../../streams/buckets.ts';

it.each([
  { does: 'are none while all are there', sellable: 5, held: 2, allocated: 3, oversold: 0 },
  { does: 'are those beyond what is sellable', sellable: 5, held: 4, allocated: 3, oversold: 2 },
  { does: 'are all if nothing is sellable', sellable: 0, held: 1, allocated: 2, oversold: 3 },
  {
    does: 'are no more than were promised, however far the book is below zero',
    sellable: -7,
    held: 1,
    allocated: 2,
    oversold: 3,
  },
  {
    does: 'are none if nobody was promised any, however far the book is below zero',
    sellable: -7,
    held: 0,
    allocated: 0,
    oversold: 0,
  },
])('oversold units $does', ({ sellable, held, allocated, oversold }) => {
  expect(oversoldUnits({ sellable, held, allocated })).toBe(oversold);
});

const unitsOf = fc.integer({ min: -20, max: 20 });
const keyOf = fc
  .record({
    sellable: unitsOf,
    damaged: unitsOf,
    inspection: unitsOf,
    held: fc.nat(20),
    allocated: fc.nat(20),
    safetyStock: fc.nat(5),
  })
  .map((some) => {
    const available = some.sellable - some.held - some.allocated - some.safetyStock;
    const onHand = some.sellable + some.damaged + some.inspection;
    return { ...noUnits(BUCKETS), ...some, available, onHand, atp: Math.max(0, available) };
  });

it('sums over keys are made of the same parts, whatever is below zero', () => {
  fc.assert(
    fc.property(fc.array(keyOf, { maxLength: 8 }), (keys) => {
      const { units, oversold, negativeUnits } = sumOf(keys);
      expect(units.atp).toBeLessThanOrEqual(units.sellable);
      expect(units.onHand).toBe(units.sellable + units.damaged + units.inspection);
      expect(units.onHand - negativeUnits).toBe(keys.reduce((sum, { onHand }) => sum + onHand, 0));
      // Sellable units are free, promised and there, or kept back.
      const promisedThere = units.held + units.allocated - oversold;
      expect(promisedThere).toBeGreaterThanOrEqual(0);
      expect(units.sellable - units.atp - promisedThere).toBeGreaterThanOrEqual(0);
    }),
  );
});

it('one wrong book takes nothing from what others have', () => {
  const key = (sellable: number) => ({ ...noUnits(BUCKETS), sellable, onHand: sellable, atp: Math.max(0, sellable) });
  expect(sumOf([key(10), key(-7)])).toMatchObject({ units: { onHand: 10, atp: 10 }, negativeUnits: 7, oversold: 0 });
});
