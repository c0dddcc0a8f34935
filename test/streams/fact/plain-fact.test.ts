/** The fast path into a fact. Everything that it accepts, the schema accepts unchanged. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ADJUSTABLE_BUCKETS } from '../../../streams/buckets.ts';
import { MAX_QTY } from '../../../streams/fact/fields.ts';
import { isPlainFact } from '../../../streams/fact/plain-fact.ts';
import { DISPOSITIONS, factSchema } from '../../../streams/fact/schemas.ts';
import { FACT_TYPES } from '../../../streams/subjects.ts';

const odd = fc.oneof(
  fc.constantFrom(
    undefined,
    null,
    true,
    '',
    ' ',
    'é',
    'e\u0301',
    'a\u0000',
    '\ud83d',
    '12.5',
    '-1',
    '1e3',
    'GBP',
    'gbp',
    'x'.repeat(129),
  ),
  fc.constantFrom(0, -0, 1, -1, 0.5, MAX_QTY, MAX_QTY + 1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53),
  fc.string({ unit: 'binary', maxLength: 70 }),
  fc.object({ maxDepth: 1 }),
);
const name = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const text = fc.stringMatching(/^[ -~]{1,64}$/);
const qty = fc.integer({ min: 1, max: MAX_QTY });
const money = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom('2.50', '0.000000001', '007'),
);
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const good = fc.record({
  id: text,
  type: fc.constantFrom(...FACT_TYPES),
  sku: name,
  location: name,
  occurredAt: fc.constantFrom('2026-11-24T09:15:00Z', '2026-11-24T09:15:00.123456+05:30', '1970-01-01T00:00Z'),
  device: optional(text),
  currency: optional(fc.constantFrom('GBP', 'EUR')),
  qty: fc.oneof(qty, fc.constant(0)),
  counted: fc.integer({ min: 0, max: MAX_QTY }),
  delta: fc.integer({ min: -MAX_QTY, max: MAX_QTY }),
  damaged: optional(fc.integer({ min: 0, max: MAX_QTY })),
  disposition: fc.constantFrom(...DISPOSITIONS),
  bucket: optional(fc.constantFrom(...ADJUSTABLE_BUCKETS)),
  reason: text,
  unitPrice: optional(money),
  unitCost: optional(money),
  channel: optional(text),
  transaction: optional(text),
  reservation: optional(text),
  purchaseOrder: optional(text),
  line: optional(text),
  vendor: optional(text),
  promisedAt: fc.constantFrom('2026-12-01', '2026-12-01T09:15:00Z', '2026-11-31', '2026-12-01T09:15:00'),
});
const FIELDS = [
  ...['id', 'type', 'sku', 'location', 'occurredAt', 'device', 'currency', 'qty', 'counted', 'delta', 'damaged'],
  ...[
    'disposition',
    'bucket',
    'reason',
    'unitPrice',
    'unitCost',
    'channel',
    'transaction',
    'reservation',
    'purchaseOrder',
    'line',
    'promisedAt',
    'vendor',
  ],
];
/** A valid fact with up to two fields changed or removed. */
const sent = fc
  .tuple(good, fc.array(fc.tuple(fc.constantFrom(...FIELDS), odd), { maxLength: 2 }))
  .map(([fact, changes]) =>
    Object.fromEntries(
      Object.entries({ ...fact, ...Object.fromEntries(changes) }).filter(([, value]) => value !== undefined),
    ),
  );

it('lets pass only what the schema lets pass, and changes nothing in it', () => {
  let plain = 0;
  fc.assert(
    fc.property(sent, (value) => {
      if (!isPlainFact(value)) return;
      plain += 1;
      expect(factSchema.safeParse(value)).toEqual({ success: true, data: value });
    }),
    { numRuns: 5_000 },
  );
  // A check that never meets a plain fact would always pass.
  expect(plain).toBeGreaterThan(1_000);
});

it.each([null, [], 'sale', 1, { type: 'sale' }, { type: 'transfer' }])('does not take %j for a fact', (value) => {
  expect(isPlainFact(value)).toBe(false);
});
