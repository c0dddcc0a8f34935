/** Fields that would change what is counted, and fields that say nothing. By the rules from before version 3, facts read as they did. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RULES_VERSION } from '../../../config/rules.ts';
import { COUNTING_FIELDS, misplacedField } from '../../../streams/fact/counting-fields.ts';
import { parseFact } from '../../../streams/fact/fact.ts';
import { itemSchema } from '../../../streams/fact/item.ts';
import {
  adjustmentSchema,
  countSchema,
  purchaseSchema,
  receiptSchema,
  returnSchema,
  saleSchema,
  transferSchema,
} from '../../../streams/fact/schemas.ts';
import { FACT_TYPES, type FactType } from '../../../streams/subjects.ts';

type Wire = Readonly<Record<string, unknown>>;
const SCHEMAS = {
  sale: saleSchema,
  receipt: receiptSchema,
  transfer: transferSchema,
  return: returnSchema,
  count: countSchema,
  adjustment: adjustmentSchema,
  purchase: purchaseSchema,
  item: itemSchema,
};
const common = { id: 'x', sku: 'mug', location: 'dc', occurredAt: '2026-11-24T09:15:00Z' };
/** A fact of each type with all its fields. */
const FULL: Record<FactType, Wire> = {
  sale: { qty: 2, unitPrice: '2.5', channel: 'web', transaction: 't', reservation: 'r' },
  receipt: { qty: 2, damaged: 1, purchaseOrder: 'p', unitCost: 3 },
  transfer: { phase: 'shipped', transfer: 't', qty: 2, from: 'dc', to: 'shop', damaged: 1, eta: '2026-12-01' },
  return: { qty: 2, disposition: 'restock', reason: 'torn', transaction: 't', reservation: 'r' },
  count: { counted: 2 },
  adjustment: { delta: 2, reason: 'found', bucket: 'damaged' },
  purchase: { purchaseOrder: 'p', line: '1', qty: 2, promisedAt: '2026-12-01', vendor: 'v', unitCost: 3 },
  item: { name: 'Mug', attributes: { colour: 'red' } },
};
const without = (wire: Wire, fields: readonly string[]): Wire =>
  Object.fromEntries(Object.entries(wire).filter(([field]) => !fields.includes(field)));
const full = (type: FactType): Wire => {
  const wire = { ...common, type, ...FULL[type], device: 'till-1', currency: 'GBP' };
  return type === 'item' ? without(wire, ['location', 'currency']) : wire;
};
const optionalOf = (type: FactType): string[] =>
  Object.entries(SCHEMAS[type].shape).flatMap(([field, schema]) =>
    schema.safeParse(undefined).success ? [field] : [],
  );
const refusal = (wire: Wire, version = RULES_VERSION) => {
  const parsed = parseFact(wire, { version });
  return parsed.ok ? undefined : `${parsed.field}: ${parsed.message}`;
};

describe('a field that would change what is counted', () => {
  it('is known for the types whose schemas define it', () => {
    for (const type of FACT_TYPES)
      for (const field of COUNTING_FIELDS)
        expect([type, field, misplacedField({ type, [field]: 'box' }) === undefined]).toEqual([
          type,
          field,
          field in SCHEMAS[type].shape,
        ]);
  });

  it('is refused by its name on any other type, and was kept by older rules', () => {
    const refused = FACT_TYPES.flatMap((type) =>
      COUNTING_FIELDS.filter((field) => !(field in SCHEMAS[type].shape)).map((field) => {
        const wire = { ...full(type), [field]: 7 };
        const byType =
          type === 'purchase' || type === 'item' ? /^type: type must be one of sale, receipt, transfer/ : /^none$/;
        for (const version of [1, 2]) expect(refusal(wire, version) ?? 'none').toMatch(byType);
        expect(refusal(wire)).toMatch(new RegExp(`^${field}: ${field} must`));
        return field;
      }),
    );
    expect(new Set(refused)).toEqual(new Set(COUNTING_FIELDS));
  });

  it('is refused also with values that are no texts', () => {
    for (const value of [false, [], {}, ['EA'], { toString: 1 }, 0, 12]) {
      expect(refusal({ ...full('sale'), pack: value })).toMatch(/^pack: pack must say one piece \(ea, each, pc, pcs/);
      expect(refusal({ ...full('sale'), components: value })).toMatch(/^components: /);
    }
  });

  it('is no reason to refuse a type that there is not: that is refused by its type', () => {
    expect(refusal({ ...full('sale'), type: 'gift', bucket: 'damaged' })).toMatch(/^type: /);
  });

  it('may be a unit that says one piece, in any case', () => {
    for (const field of ['uom', 'unit', 'pack'])
      for (const piece of ['EA', 'ea', 'Each', 'PC', 'pcs', 'Unit', '1', 1])
        expect([piece, refusal({ ...full('receipt'), [field]: piece })]).toEqual([piece, undefined]);
    for (const other of ['BOX', 'case', '6', 6, 'EA '])
      expect([other, refusal({ ...full('receipt'), uom: other })?.slice(0, 5)]).toEqual([other, 'uom: ']);
  });

  it('may say the words for one piece that the rule has, and no others', () => {
    const rule = { version: RULES_VERSION, pieces: ['stück', 'stk'] };
    expect(parseFact({ ...full('sale'), uom: 'STÜCK' }, rule).ok).toBe(true);
    expect(parseFact({ ...full('sale'), uom: 'EA' }, rule)).toMatchObject({
      ok: false,
      field: 'uom',
      message: 'uom must say one piece (stück, stk), because quantities are in single pieces',
    });
  });

  it('is not content, if it says one piece', () => {
    expect(parseFact({ ...full('sale'), uom: 'EA' })).toEqual(parseFact(full('sale')));
  });
});

describe('a field that is null or empty', () => {
  const facts = fc.constantFrom(...FACT_TYPES).chain((type) =>
    fc.record({
      type: fc.constant(type),
      fields: fc.subarray([...optionalOf(type), ...COUNTING_FIELDS.filter((field) => !(field in FULL[type]))]),
      nothing: fc.constantFrom(null, ''),
      // A name beyond ASCII takes the long way through the schema.
      sku: fc.constantFrom('mug', 'Größe'),
    }),
  );

  it('counts as absent: the fact and its content are the same', () => {
    fc.assert(
      fc.property(facts, ({ type, fields, nothing, sku }) => {
        const wire = { ...full(type), sku };
        const said = { ...wire, ...Object.fromEntries(fields.map((field) => [field, nothing])) };
        const parsed = parseFact(said);
        expect(parsed.ok).toBe(true);
        expect(parsed).toEqual(parseFact(without(wire, fields)));
      }),
      { numRuns: 500 },
    );
  });

  it('is refused if the fact needs it', () => {
    for (const type of FACT_TYPES)
      for (const field of Object.keys(without(full(type), optionalOf(type))))
        for (const nothing of [null, ''])
          expect([type, field, refusal({ ...full(type), [field]: nothing })?.split(':')[0]]).toEqual([
            type,
            field,
            field,
          ]);
  });

  it('was refused by older rules, and still is if it stands in what is nested', () => {
    expect([1, 2].map((version) => refusal({ ...full('sale'), channel: null }, version)?.slice(0, 8))).toEqual([
      'channel:',
      'channel:',
    ]);
    expect(refusal({ ...full('sale'), note: { channel: null } }, 2)).toBeUndefined();
  });
});

describe('the reservation of a return', () => {
  const back = full('return');
  it('is read, and is content', () => {
    const parsed = parseFact(back);
    expect(parsed).toMatchObject({ ok: true, fact: { reservation: 'r', reason: 'torn' } });
    expect(parseFact({ ...back, reservation: 's' })).not.toMatchObject({ content: parsed.ok && parsed.content });
    expect(refusal({ ...back, reservation: 5 })).toMatch(/^reservation: reservation must be a string/);
  });

  it('was unknown to older rules, which kept it whatever it was', () => {
    for (const version of [1, 2]) {
      const bare = parseFact(without(back, ['reservation']), { version });
      expect(parseFact(back, { version })).toEqual(bare);
      expect(parseFact({ ...back, reservation: 5 }, { version })).toEqual(bare);
      // A return without one has one content by all rules.
      expect(parseFact(without(back, ['reservation']))).toEqual(bare);
    }
  });
});

describe('a quantity of 0', () => {
  const received = { ...full('transfer'), phase: 'received', location: 'shop' };
  const none = (wire: Wire, damaged: unknown): Wire => ({ ...wire, qty: 0, damaged });

  it('may arrive, if units arrived damaged', () => {
    for (const wire of [full('receipt'), received]) {
      expect(parseFact(none(wire, 3))).toMatchObject({ ok: true, fact: { qty: 0, damaged: 3 } });
      for (const damaged of [0, null, undefined])
        expect(refusal(none(wire, damaged))).toMatch(/^qty: qty must be .* or 0 if damaged is not$/);
    }
  });

  it('is not shipped, sold or returned, and never was', () => {
    for (const type of ['transfer', 'sale', 'return'] as const)
      expect(refusal({ ...full(type), qty: 0 })).toBe('qty: qty must be a whole number from 1 to 1000000000');
    for (const version of [1, 2])
      for (const wire of [full('receipt'), received]) expect(refusal(none(wire, 3), version)).toMatch(/^qty: /);
  });
});
