/** Money: each amount has one canonical form, so that a resend in another spelling is the same fact. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { amount } from '../../../streams/fact/canonical.ts';
import { parseFact } from '../../../streams/fact/fact.ts';
import { isPlainFact } from '../../../streams/fact/plain-fact.ts';

it.each([
  [undefined, ''],
  [0, '0'],
  [-0, '0'],
  ['0', '0'],
  ['-0.00', '0'],
  ['000', '0'],
  [1e-7, '0.0000001'],
  ['0.0000001', '0.0000001'],
  [-1.5e-8, '-0.000000015'],
  ['-0.000000015', '-0.000000015'],
  [2.5, '2.5'],
  ['2.50', '2.5'],
  ['002.500', '2.5'],
  ['-2.50', '-2.5'],
  ['100', '100'],
  ['100.00', '100'],
  [1e21, '1000000000000000000000'],
  [1.25e22, '12500000000000000000000'],
  [123456789.125, '123456789.125'],
])('%j is %s', (value, canonical) => {
  expect(amount(value)).toBe(canonical);
});

/** Digits before and after the point, without redundant zeros. */
const decimal = fc.record({
  negative: fc.boolean(),
  whole: fc.integer({ min: 0, max: 999_999_999_999 }).map(String),
  fraction: fc.stringMatching(/^\d{0,7}[1-9]$|^$/),
});

it('says the same for every spelling of an amount, and something else for another amount', () => {
  const pad = fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 1 }));
  fc.assert(
    fc.property(decimal, pad, ({ negative, whole, fraction }, [before, after]) => {
      const isZero = whole === '0' && fraction === '';
      const canonical = `${negative && !isZero ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
      const point = fraction === '' && after === 0 ? '' : '.';
      const spelled = `${negative ? '-' : ''}${'0'.repeat(before)}${whole}${point}${fraction}${'0'.repeat(after)}`;
      expect(amount(spelled)).toBe(canonical);
      expect(amount(canonical)).toBe(canonical);
    }),
  );
});

it('of a number gives a decimal that reads as that very number', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const canonical = amount(value);
      expect(canonical).toMatch(/^(0|-?(0|[1-9]\d*)(\.\d*[1-9])?)$/);
      expect(canonical).not.toBe('-0');
      expect(Number(canonical)).toBe(value === 0 ? 0 : value);
      // The canonical spelling maps to itself, wherever a fact may use it.
      expect(amount(canonical)).toBe(canonical);
    }),
    { numRuns: 2_000 },
  );
});

it.each([
  [1e-7, '0.0000001'],
  [0, '-0.00'],
  [-0, '0'],
  [19.9, '19.900'],
])('%j and %j are the same fact, whichever way they are read', (one, other) => {
  const hashes = [one, other].flatMap((unitPrice) =>
    // A name that is not plain goes through the schema, and a plain one does not.
    ['till', 'till é'].map((transaction) => {
      const sale = { id: 'a', type: 'sale', sku: 'S', location: 'x', occurredAt: '2026-11-24T09:15:00Z', qty: 1 };
      const parsed = parseFact({ ...sale, unitPrice, transaction });
      return { plain: isPlainFact({ ...sale, unitPrice, transaction }), transaction, parsed };
    }),
  );
  for (const transaction of ['till', 'till é']) {
    const [a, b] = hashes.filter((each) => each.transaction === transaction);
    expect(a?.parsed).toMatchObject({ ok: true });
    expect(a?.parsed).toEqual(b?.parsed);
  }
  expect(new Set(hashes.map(({ plain }) => plain))).toEqual(new Set([true, false]));
});
