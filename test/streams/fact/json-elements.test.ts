/** Cutting a JSON array into the bytes of its elements. A parser must read the same from the slices as from the whole. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { jsonElements } from '../../../streams/fact/json-elements.ts';
import { elementsOf, sentAsJson } from '../../../streams/fact/sent-body.ts';

const blank = fc.stringMatching(/^[ \t\n\r]{0,3}$/);
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('"', '\\', '\\"', '],[', '}{', '\\u005d', 'é', '\u{1F9E6}'),
);
/** Values as JSON in many spellings, with whitespace and with unnecessary escapes. */
const spelled = fc.letrec<{ value: string; list: string; object: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('0', '-0', '1e400', '12345678901234567890', '0.1E-2', 'true', 'false', 'null'),
    text.map((each) => JSON.stringify(each)),
    text.map((each) => `"${[...each.toWellFormed()].map(escaped).join('')}"`),
    tie('list'),
    tie('object'),
  ),
  list: fc
    .array(fc.tuple(blank, tie('value'), blank), { maxLength: 4 })
    .map((items) => `[${items.map((item) => item.join('')).join()}]`),
  object: fc
    .array(fc.tuple(blank, text, blank, tie('value'), blank), { maxLength: 4 })
    .map(
      (fields) => `{${fields.map(([a, key, b, value, c]) => `${a}${JSON.stringify(key)}${b}:${value}${c}`).join()}}`,
    ),
}));
const escaped = (char: string) =>
  [...Array(char.length).keys()].map((i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`).join('');
const array = fc.record({
  before: fc.tuple(fc.constantFrom('', '\ufeff'), blank).map((parts) => parts.join('')),
  items: fc.array(fc.tuple(blank, spelled.value, blank), { maxLength: 6 }),
  after: blank,
});

it('gives each element just as it was written', () => {
  let nested = 0;
  fc.assert(
    fc.property(array, ({ before, items, after }) => {
      const whole = `[${items.map((item) => item.join('')).join()}]`;
      const slices = jsonElements(Buffer.from(`${before}${whole}${after}`)).map((each) => Buffer.from(each).toString());
      expect(slices).toEqual(items.map(([, value]) => value));
      // A parser reads the same from the slices as from the whole.
      expect(slices.map((each) => JSON.parse(each))).toEqual(JSON.parse(whole));
      nested += items.filter(([, value]) => /^[[{]./.test(value) && value.includes('\\')).length;
    }),
    { numRuns: 3_000 },
  );
  // Without these, a scanner that ignored depth and escapes would pass.
  expect(nested).toBeGreaterThan(100);
});

it.each([
  ['[]', []],
  [' [ \n ] ', []],
  ['[1]', ['1']],
  ['[[],{}]', ['[]', '{}']],
  ['["\\\\","]"]', ['"\\\\"', '"]"']],
])('cuts %j', (json, elements) => {
  expect(jsonElements(Buffer.from(json)).map((each) => Buffer.from(each).toString())).toEqual(elements);
});

it('never gives bytes for a value that they are not of', () => {
  expect(() => elementsOf({ ...sentAsJson([1, 2]), value: [1, 2, 3] })).toThrow('3 elements were read');
});
