/** Wire formats of facts, instants and names. Reading returns what was written, and equal content has equal hashes. */
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { decodeBody, encodeBody, JSON_TYPE, MSGPACK_TYPE } from '../../../streams/codec.ts';
import { type Fact, parseFact } from '../../../streams/fact/fact.ts';
import { MAX_QTY } from '../../../streams/fact/fields.ts';
import { DISPOSITIONS } from '../../../streams/fact/schemas.ts';
import type { Hash64 } from '../../../streams/hash.ts';
import { parseInstant } from '../../../streams/instant.ts';
import { isName } from '../../../streams/names.ts';
import { instantOf, offsetOf, textOf } from '../instants.ts';

type Wire = Readonly<Record<string, unknown>>;
const packr = new Packr({ useRecords: false });

const nameOf = fc
  .oneof(fc.string({ minLength: 1, maxLength: 12 }), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }))
  .map((text) => text.normalize('NFC').trim())
  .filter(isName);
const textFor = fc.oneof(
  fc.string({ minLength: 1, maxLength: 20 }),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 10 }),
);
const qtyOf = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: MAX_QTY }));
const stampOf = fc.tuple(instantOf, fc.constantFrom(0, 60, -330)).map(([micros, offset]) => textOf(micros, offset));
const amountOf = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer({ min: -9999, max: 9999 }).map((cents) => (cents / 100).toFixed(2)),
);

const common = { id: textFor, sku: nameOf, location: nameOf, occurredAt: stampOf };
const optional = { device: textFor, currency: fc.constantFrom('GBP', 'EUR'), extra: fc.jsonValue(), attempt: fc.nat() };
const wires: Record<string, fc.Arbitrary<Wire>> = {
  sale: record(
    'sale',
    { qty: qtyOf },
    { unitPrice: amountOf, channel: textFor, transaction: textFor, reservation: textFor },
  ),
  receipt: record('receipt', { qty: qtyOf }, { damaged: fc.nat(MAX_QTY), purchaseOrder: textFor, unitCost: amountOf }),
  transfer: record(
    'transfer',
    { phase: fc.constantFrom('shipped', 'received'), transfer: textFor, qty: qtyOf, from: nameOf, to: nameOf },
    { damaged: fc.nat(5), eta: fc.oneof(stampOf, fc.constant('2026-12-01')) },
  ).map((wire) => ({ ...wire, location: wire.phase === 'shipped' ? wire.from : wire.to })),
  return: record(
    'return',
    { qty: qtyOf, disposition: fc.constantFrom(...DISPOSITIONS) },
    { reason: textFor, transaction: textFor, reservation: textFor },
  ),
  count: record('count', { counted: fc.nat(MAX_QTY) }, {}),
  adjustment: record(
    'adjustment',
    { delta: fc.integer({ min: -MAX_QTY, max: MAX_QTY }).filter((delta) => delta !== 0), reason: textFor },
    { bucket: fc.constantFrom('sellable', 'damaged', 'inspection') },
  ),
};
const anyWire = fc.oneof(...Object.values(wires));

function record(
  type: string,
  fields: Record<string, fc.Arbitrary<unknown>>,
  more: Record<string, fc.Arbitrary<unknown>>,
): fc.Arbitrary<Wire> {
  const required = { ...common, ...fields };
  const all = { ...required, ...optional, ...more };
  return fc
    .record(all, { requiredKeys: Object.keys(required) as never[], noNullPrototype: true })
    .map((wire) => ({ type, ...wire }));
}

function read(wire: unknown): { fact: Fact; content: Hash64 } {
  const parsed = parseFact(wire);
  if (!parsed.ok) throw new Error(`${parsed.field}: ${parsed.message} in ${JSON.stringify(wire)}`);
  return { fact: parsed.fact, content: parsed.content };
}

describe('a fact', () => {
  it('is the same fact with the same content in JSON and in MessagePack', () => {
    fc.assert(
      fc.property(anyWire, (wire) => {
        const json = read(JSON.parse(JSON.stringify(wire)));
        expect(read(packr.unpack(packr.pack(wire)))).toEqual(json);
        for (const type of [JSON_TYPE, MSGPACK_TYPE]) {
          expect(read(decodeBody(encodeBody(wire, type), type))).toEqual(json);
          expect(read(decodeBody(encodeBody(wire, type), undefined))).toEqual(json);
        }
      }),
      { numRuns: 1500 },
    );
  });

  it('has the same content in any order of its keys and with other unknown fields', () => {
    const reordered = anyWire.chain((wire) => {
      const entries = Object.entries(wire);
      return fc.tuple(fc.constant(wire), fc.shuffledSubarray(entries, { minLength: entries.length }), fc.jsonValue());
    });
    fc.assert(
      fc.property(reordered, ([wire, entries, extra]) => {
        const other = { ...Object.fromEntries(entries), extra, attempt: 2, _x: extra };
        expect(read(other)).toEqual(read(wire));
      }),
      { numRuns: 500 },
    );
  });

  it('has the same content in another offset', () => {
    fc.assert(
      fc.property(anyWire, instantOf, offsetOf, (wire, micros, offset) => {
        expect(read({ ...wire, occurredAt: textOf(micros, offset) })).toEqual(
          read({ ...wire, occurredAt: textOf(micros, 0) }),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('is flat: whole numbers in range, and the instant in microseconds', () => {
    fc.assert(
      fc.property(anyWire, (wire) => {
        const { fact } = read(wire);
        for (const value of Object.values(fact))
          if (typeof value === 'number') expect(value).toSatisfy(Number.isSafeInteger);
        expect([fact.id, fact.sku, fact.location, fact.type, fact.at]).toEqual([
          wire.id,
          wire.sku,
          wire.location,
          wire.type,
          parseInstant(wire.occurredAt as string),
        ]);
      }),
      { numRuns: 300 },
    );
  });

  const same = { id: 'x', sku: 'mug', location: 'dc', occurredAt: '2026-11-24T09:15:00Z' };
  const other = {
    id: ['y', 'x1'],
    sku: ['mug1', 'Mug'],
    occurredAt: ['2026-11-24T09:15:00.000001Z', '2026-11-24T09:15:00+01:00'],
    device: ['d', 'e'],
    currency: ['GBP', 'EUR'],
  };
  const elsewhere = { ...other, location: ['dc1', 'DC'] };
  const variants: readonly (readonly [Wire, Readonly<Record<string, readonly unknown[]>>])[] = [
    [
      { ...same, type: 'sale', qty: 2 },
      {
        ...elsewhere,
        qty: [1, 3],
        unitPrice: [0, 1, '1.01', -1, 10, '0.1'],
        channel: ['web', 'store'],
        transaction: ['web', 't'],
        reservation: ['web', 'r'],
      },
    ],
    [
      { ...same, type: 'receipt', qty: 2 },
      { ...elsewhere, qty: [1, 3], damaged: [1, 2], purchaseOrder: ['p', 'q'], unitCost: [0, 1, '1.01'] },
    ],
    [
      { ...same, type: 'transfer', phase: 'shipped', transfer: 't', qty: 2, from: 'dc', to: 'shop' },
      {
        ...other,
        transfer: ['u', 'tt'],
        qty: [1, 3],
        to: ['kiosk', 'dc'],
        damaged: [1, 2],
        eta: ['2026-12-01', '2026-12-01T00:00:00Z'],
      },
    ],
    [
      { ...same, type: 'transfer', phase: 'received', transfer: 't', qty: 2, from: 'dc', to: 'dc' },
      { ...other, phase: ['shipped'], from: ['shop', 'kiosk'] },
    ],
    [
      { ...same, type: 'return', qty: 2, disposition: 'restock' },
      {
        ...elsewhere,
        qty: [1, 3],
        disposition: DISPOSITIONS.slice(1),
        reason: ['torn', 'worn'],
        transaction: ['torn', 't'],
      },
    ],
    [
      { ...same, type: 'count', counted: 2 },
      { ...elsewhere, counted: [0, 1, 3] },
    ],
    [
      { ...same, type: 'adjustment', delta: 2, reason: 'found' },
      { ...elsewhere, delta: [-2, 1], reason: ['lost', 'Found'], bucket: ['damaged', 'inspection'] },
    ],
  ];
  it.each(variants.map(([wire, fields]) => [wire.type, wire, fields] as const))(
    'of type %s has other content when any known field differs',
    (_type, wire, fields) => {
      const all = [
        wire,
        ...Object.entries(fields).flatMap(([field, values]) => values.map((value) => ({ ...wire, [field]: value }))),
      ];
      const contents = all.map((each) => JSON.stringify(read(each).content));
      for (const [i, content] of contents.entries()) expect(contents.indexOf(content), JSON.stringify(all[i])).toBe(i);
    },
  );

  it('has other content of another type', () => {
    const contents = variants.map(([wire]) => JSON.stringify(read(wire).content));
    expect(new Set(contents).size).toBe(contents.length);
  });

  it.each([
    [
      'a price with and without its zeros',
      { ...same, type: 'sale', qty: 2 },
      'unitPrice',
      [2.5, '2.5', '2.50', '02.500'],
    ],
    [
      'a whole price with and without its fraction',
      { ...same, type: 'sale', qty: 2 },
      'unitPrice',
      [100, '100', '100.00'],
    ],
    ['no damage said or left out', { ...same, type: 'receipt', qty: 2 }, 'damaged', [0, undefined]],
    [
      'the bucket sellable said or left out',
      { ...same, type: 'adjustment', delta: 2, reason: 'r' },
      'bucket',
      ['sellable', undefined],
    ],
    ['a date or its last microsecond', { ...variants[2]?.[0] }, 'eta', ['2026-12-01', '2026-12-01T23:59:59.999999Z']],
  ])('has the same content with %s', (_does, wire, field, values) => {
    const contents = values.map((value) => JSON.stringify(read({ ...wire, [field]: value })));
    expect(new Set(contents).size).toBe(1);
  });

  it('cannot be made to look like another by what stands in its texts', () => {
    const tricky = fc.option(
      fc.string({ unit: fc.constantFrom('\u0001', ':', '1', '2'), minLength: 1, maxLength: 4 }),
      { nil: undefined },
    );
    const texts = fc.record({
      id: tricky.map((id) => id ?? 'x'),
      device: tricky,
      channel: tricky,
      transaction: tricky,
      reservation: tricky,
    });
    const shown = (wire: Wire) =>
      JSON.stringify([
        wire.id,
        wire.device ?? null,
        wire.channel ?? null,
        wire.transaction ?? null,
        wire.reservation ?? null,
      ]);
    fc.assert(
      fc.property(fc.uniqueArray(texts, { selector: shown, maxLength: 40 }), (wires) => {
        const contents = wires.map((wire) => JSON.stringify(read({ ...same, type: 'sale', qty: 1, ...wire }).content));
        expect(new Set(contents).size).toBe(wires.length);
      }),
      { numRuns: 200 },
    );
  });
});

describe('what is no fact', () => {
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withNullPrototype: true,
    withObjectString: true,
    withTypedArray: true,
    withSparseArray: true,
  });
  const fields = [
    'id',
    'type',
    'sku',
    'location',
    'occurredAt',
    'device',
    'qty',
    'damaged',
    'phase',
    'transfer',
    'from',
    'to',
    'eta',
    'disposition',
    'counted',
    'delta',
    'bucket',
    'reason',
    'uom',
    'components',
    'reservation',
    'unitPrice',
    'currency',
    '__proto__',
  ];
  const nearly = fc.tuple(anyWire, fc.constantFrom(...fields), anything).map(([wire, field, value]) => {
    return Object.defineProperty({ ...wire }, field, { value, enumerable: true, configurable: true, writable: true });
  });

  /** A parse that may refuse and say why, but never throws. */
  function check(value: unknown): void {
    const parsed = parseFact(value);
    if (parsed.ok) expect(parsed.fact.id).toBe((value as Wire).id);
    else expect(parsed.message).toMatch(/must|cannot be read/);
  }

  it('is refused with its reason, whatever it is', () => {
    fc.assert(fc.property(fc.oneof(anything, fc.jsonValue(), nearly), check), { numRuns: 3000 });
  });

  it('is refused when it comes as MessagePack of anything, or as bytes of nothing', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 40 }),
          nearly.map((wire) => {
            try {
              return packr.pack(wire);
            } catch {
              return new Uint8Array();
            }
          }),
        ),
        (bytes) => {
          let value: unknown;
          try {
            value = decodeBody(bytes, MSGPACK_TYPE);
          } catch {
            return;
          }
          check(value);
        },
      ),
      { numRuns: 3000 },
    );
  });

  const sale = { id: 'x', type: 'sale', sku: 'mug', location: 'dc', occurredAt: '2026-11-24T09:15:00Z', qty: 1 };
  const shipment = { ...sale, type: 'transfer', phase: 'shipped', transfer: 't', from: 'dc', to: 'shop' };
  const rows: readonly (readonly [string, Wire, string])[] = [
    ['quantity 0', { ...sale, qty: 0 }, 'qty'],
    ['a quantity over a billion', { ...sale, qty: MAX_QTY + 1 }, 'qty'],
    ['half a unit', { ...sale, qty: 0.5 }, 'qty'],
    ['a quantity as text', { ...sale, qty: '1' }, 'qty'],
    ['an adjustment of 0', { ...sale, type: 'adjustment', delta: 0, reason: 'r' }, 'delta'],
    ['an adjustment without a reason', { ...sale, type: 'adjustment', delta: 1 }, 'reason'],
    ['a count below 0', { ...sale, type: 'count', counted: -1 }, 'counted'],
    ['an unknown disposition', { ...sale, type: 'return', disposition: 'lost' }, 'disposition'],
    ['an unknown type', { ...sale, type: 'gift' }, 'type'],
    ['no id', { ...sale, id: undefined }, 'id'],
    ['an empty id', { ...sale, id: '' }, 'id'],
    ['an id of 129 characters', { ...sale, id: 'x'.repeat(129) }, 'id'],
    ['an id of half a character', { ...sale, id: '\ud800' }, 'id'],
    ['a SKU with a blank at its end', { ...sale, sku: 'mug ' }, 'sku'],
    ['a SKU of 65 characters', { ...sale, sku: '\u{1f600}'.repeat(65) }, 'sku'],
    ['a SKU that is not NFC', { ...sale, sku: 'e\u0301' }, 'sku'],
    ['a location with a control character', { ...sale, location: 'd\u0007c' }, 'location'],
    ['a moment without offset', { ...sale, occurredAt: '2026-11-24T09:15:00' }, 'occurredAt'],
    ['a shipment reported by its destination', { ...shipment, location: 'shop' }, 'location'],
    ['an unknown phase', { ...shipment, phase: 'packed' }, 'phase'],
    ['a transfer closed for no reason', { ...shipment, phase: 'closed' }, 'reason'],
    ['a transfer closed for an unknown reason', { ...shipment, phase: 'closed', reason: 'stolen' }, 'reason'],
    ['a transfer closed with damage', { ...shipment, phase: 'closed', reason: 'lost', damaged: 1 }, 'damaged'],
    [
      'a correction reported by the destination',
      { ...shipment, phase: 'closed', reason: 'corrected', location: 'shop' },
      'location',
    ],
    ['a price in words', { ...sale, unitPrice: 'two' }, 'unitPrice'],
    ['a currency in lower case', { ...sale, currency: 'gbp' }, 'currency'],
  ];
  it.each(rows)('%s is refused by the name of its field', (_does, wire, field) => {
    expect(parseFact(wire)).toMatchObject({
      ok: false,
      field,
      message: expect.stringMatching(new RegExp(`^${field} must`)),
    });
  });

  it.each([
    ['a SKU of 64 characters beyond U+FFFF', { ...sale, sku: '\u{1f600}'.repeat(64) }],
    ['an id of 128 characters beyond U+FFFF', { ...sale, id: '\u{1f600}'.repeat(128) }],
    ['a quantity of a billion', { ...sale, qty: MAX_QTY }],
    ['a count of 0', { ...sale, type: 'count', counted: 0 }],
  ])('but %s is one', (_does, wire) => {
    expect(parseFact(wire).ok).toBe(true);
  });
});
