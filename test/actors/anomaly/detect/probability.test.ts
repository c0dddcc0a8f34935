/** Tail probabilities, compared with sums written from their definitions and with known values. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { countTail, shareTail, silenceTail, silentMean } from '../../../../actors/anomaly/detect/probability.ts';

/** P(X = x) as a product: (k)(k+1)…(k+x−1) / x! · p^k · (1 − p)^x. */
function mass(x: number, mean: number, k: number): number {
  let value = (k / (k + mean)) ** k;
  for (let i = 0; i < x; i++) value *= ((k + i) / (i + 1)) * (mean / (k + mean));
  return value;
}

it('is what the masses below x leave', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 40 }),
      fc.double({ min: 0.01, max: 60, noNaN: true }),
      fc.double({ min: 0.5, max: 30, noNaN: true }),
      (x, mean, k) => {
        let below = 0;
        for (let i = 0; i < x; i++) below += mass(i, mean, k);
        const sum = 1 - below;
        expect(countTail(x, mean, k)).toBeCloseTo(sum, 5);
      },
    ),
  );
});

it('tells the small from the smaller', () => {
  // Geometric: k = 1, P(X ≥ x) = (μ / (1 + μ))^x.
  expect(countTail(20, 1, 1) / 0.5 ** 20).toBeCloseTo(1, 6);
  expect(countTail(60, 1, 1) / 0.5 ** 60).toBeCloseTo(1, 6);
  expect(countTail(100, 1, 12)).toBeGreaterThan(0);
});

it('silence is no event, and its inverse gives the mean again', () => {
  expect(silenceTail(3, 2)).toBeCloseTo(mass(0, 3, 2), 12);
  for (const tail of [0.5, 1e-3, 1e-6])
    for (const k of [1, 4, 12]) expect(silenceTail(silentMean(tail, k), k)).toBeCloseTo(tail, 10);
});

it.each([
  [5, 5, 0.5, 1 / 32],
  [4, 5, 0.5, 6 / 32],
  [0, 9, 0.1, 1],
  [1, 3, 0.5, 7 / 8],
])('P(at least %i of %i, p = %f) = %f', (x, n, p, expected) => {
  expect(shareTail(x, n, p)).toBeCloseTo(expected, 10);
});
