/** Instants: text in any offset is read as the same microsecond, and written in one form. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatInstant, parseDateOrInstant, parseInstant } from '../../streams/instant.ts';

import { instantOf, offsetOf, textOf } from './instants.ts';

describe('an instant', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(instantOf, (micros) => {
        expect(parseInstant(formatInstant(micros))).toBe(micros);
      }),
      { numRuns: 2000 },
    );
  });

  it('is the same in any offset', () => {
    fc.assert(
      fc.property(instantOf, offsetOf, offsetOf, (micros, one, other) => {
        expect(parseInstant(textOf(micros, one))).toBe(micros);
        expect(parseInstant(textOf(micros, other))).toBe(micros);
      }),
      { numRuns: 2000 },
    );
  });

  it('sorts as time does, not as text does', () => {
    fc.assert(
      fc.property(instantOf, instantOf, offsetOf, offsetOf, (a, b, one, other) => {
        const [x, y] = [parseInstant(textOf(a, one)) as number, parseInstant(textOf(b, other)) as number];
        expect(Math.sign(x - y)).toBe(Math.sign(a - b));
      }),
    );
  });

  it.each([
    ['2026-11-24T09:15Z', '2026-11-24T09:15:00.000Z'],
    ['2026-11-24 09:15:00z', '2026-11-24T09:15:00.000Z'],
    ['2026-11-24T09:15:00,5+0530', '2026-11-24T03:45:00.500Z'],
    ['2026-11-24T09:15:00.1234569-02', '2026-11-24T11:15:00.123456Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
    ['1900-01-01T00:00:00+23:59', '1899-12-31T00:01:00.000Z'],
  ])('written as %s is %s', (text, shown) => {
    expect(formatInstant(parseInstant(text) as number)).toBe(shown);
  });

  it.each([
    '',
    '2026-11-24',
    '2026-11-24T09:15:00',
    '2026-11-24T24:00:00Z',
    '2026-11-24T09:60:00Z',
    '2026-11-24T09:15:60Z',
    '2026-02-29T00:00:00Z',
    '2100-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '1899-12-31T00:00:00Z',
    '2201-01-01T00:00:00Z',
    '2026-11-24T09:15:00+24:00',
    '2026-11-24T09:15:00+01:60',
    '2026-11-24T09:15:00.Z',
    ' 2026-11-24T09:15:00Z',
    '2026-11-24T09:15:00Z\n',
  ])('is none when it is written as %j', (text) => {
    expect(parseInstant(text)).toBeUndefined();
  });

  it('that is a bare date is the last microsecond of that day in UTC', () => {
    expect(parseDateOrInstant('2026-11-30')).toBe(Date.UTC(2026, 11, 1) * 1000 - 1);
    expect(parseDateOrInstant('2026-11-30T00:00:00Z')).toBe(Date.UTC(2026, 10, 30) * 1000);
    expect(parseDateOrInstant('2026-11-31')).toBeUndefined();
  });
});
