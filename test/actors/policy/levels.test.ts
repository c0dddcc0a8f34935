/** The levels of policies, against a model that keeps every policy in a list and looks each field up as the contract says. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ANY, POLICY_FIELDS, type PolicyFields, PolicyLevels } from '../../../actors/policy/levels.ts';
import { type KeyPolicy, NO_POLICY, UNKNOWN_LOCATION } from '../../../actors/policy/policy.ts';

const SKUS = ['mug', 'pan', ANY];
const LOCATIONS = [...Array.from({ length: 12 }, (_, i) => `shop-${i}`), ANY];

const units = fc.dictionary(fc.constantFrom('web', 'pickup'), fc.integer({ min: 0, max: 3 }), { maxKeys: 2 });
const fieldsOf = fc.record(
  {
    safetyStock: fc.integer({ min: 0, max: 3 }),
    protect: units,
    cap: units,
    backorder: units,
    priority: units,
    substitutes: fc.array(fc.constantFrom('jug', 'cup'), { maxLength: 2 }),
    vendorManaged: fc.boolean(),
    channels: fc.array(fc.constantFrom('web', 'store'), { maxLength: 2 }),
    reorder: fc.constantFrom({ min: 1, max: 5, pack: 1 }, { min: 2, max: 9, pack: 3 }),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<PolicyFields>;
const changeOf = fc.record({
  sku: fc.constantFrom(...SKUS),
  location: fc.constantFrom(...LOCATIONS),
  fields: fc.option(fieldsOf, { nil: undefined }),
});

type Change = typeof changeOf extends fc.Arbitrary<infer T> ? T : never;

/** What is set at each level after some changes. */
function lastOf(changes: readonly Change[]): Map<string, PolicyFields> {
  const last = new Map<string, PolicyFields>();
  for (const { sku, location, fields } of changes) {
    if (fields === undefined) last.delete(`${sku} ${location}`);
    else last.set(`${sku} ${location}`, fields);
  }
  return last;
}

function byDefinition(last: ReadonlyMap<string, PolicyFields>, sku: string, location: string) {
  const levels = [
    { sku, location },
    { sku, location: ANY },
    { sku: ANY, location },
    { sku: ANY, location: ANY },
  ];
  const found: Record<string, unknown> = {};
  const from: Record<string, unknown> = {};
  for (const field of POLICY_FIELDS) {
    const level = levels.find((each) => last.get(`${each.sku} ${each.location}`)?.[field] !== undefined);
    if (level === undefined) continue;
    found[field] = last.get(`${level.sku} ${level.location}`)?.[field];
    from[field] = level;
  }
  return { found, from };
}

/** A policy in the form of the fields, without those at their default. */
function shown(policy: KeyPolicy, set: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const all: Record<string, unknown> = {
    ...policy,
    protect: Object.fromEntries(policy.protect),
    cap: Object.fromEntries(policy.cap),
    backorder: Object.fromEntries(policy.backorder),
    priority: Object.fromEntries(policy.priority),
    channels: policy.channels === undefined ? undefined : [...policy.channels],
  };
  return Object.fromEntries(Object.keys(set).map((field) => [field, all[field]]));
}

it('takes each field from the most specific level that sets it, whatever was set and removed before (LV2)', () => {
  fc.assert(
    fc.property(fc.array(changeOf, { maxLength: 40 }), (changes) => {
      const levels = new PolicyLevels();
      for (const { sku, location, fields } of changes) levels.set(sku, location, fields);
      const last = lastOf(changes);
      expect(levels.size).toBe(last.size);
      for (const sku of ['mug', 'pan', 'unset'])
        for (const location of ['shop-0', 'shop-3', 'shop-11', 'elsewhere']) {
          const { found, from } = byDefinition(last, sku, location);
          const expected = { ...found };
          if (Array.isArray(found.channels)) expected.channels = [...new Set(found.channels)];
          const policy = levels.of(sku, location);
          expect(shown(policy, found)).toEqual(expected);
          const { levels: says, policy: inForce } = levels.effective(sku, location);
          expect(says).toEqual(from);
          expect(inForce).toBe(policy);
          if (Object.keys(found).length === 0) expect(policy).toBe(NO_POLICY);
          else expect(POLICY_FIELDS.every((field) => field in found || policy[field] === NO_POLICY[field])).toBe(true);
        }
    }),
    { numRuns: 300 },
  );
});

it('gives the same policy again as the same object, and another one after a change', () => {
  const levels = new PolicyLevels();
  levels.set('mug', ANY, { safetyStock: 1 });
  levels.set(ANY, 'dc', { vendorManaged: true });
  const before = levels.of('mug', 'dc');
  expect(levels.of('mug', 'dc')).toBe(before);
  levels.set('mug', ANY, { safetyStock: 2 });
  expect(levels.of('mug', 'dc')).toMatchObject({ safetyStock: 2, vendorManaged: true });
  levels.set('mug', ANY, { safetyStock: 1 });
  expect(levels.of('mug', 'dc')).toBe(before);
});

it('keeps a key right when more policies are merged than are cached', () => {
  const levels = new PolicyLevels();
  const many = 60_000;
  for (let i = 0; i < many; i++) levels.set(`sku-${i}`, ANY, { safetyStock: i });
  levels.set(ANY, ANY, { vendorManaged: true });
  for (let i = 0; i < many; i++)
    if (levels.of(`sku-${i}`, 'dc').safetyStock !== i || !levels.of(`sku-${i}`, 'dc').vendorManaged)
      throw new Error(`sku-${i}`);
  expect(levels.of('sku-0', 'dc')).toMatchObject({ safetyStock: 0, vendorManaged: true });
});

it('has no terms for a location that is not described', () => {
  const levels = new PolicyLevels();
  expect(levels.location('dc')).toBe(UNKNOWN_LOCATION);
  const terms = { timezone: 'Europe/London', transitHours: new Map([['hub', 18]]) };
  levels.setLocation('dc', terms);
  expect(levels.location('dc')).toBe(terms);
  levels.setLocation('dc', undefined);
  expect(levels.location('dc')).toBe(UNKNOWN_LOCATION);
});
