/** Subject tokens: every name has one, and it is decoded to the same name. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeToken, encodeToken, factSubject, partitionOfToken } from '../../streams/subjects.ts';

const wellFormed = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1 }),
  fc.string({ unit: 'grapheme', minLength: 1 }),
  fc.string({ unit: fc.constantFrom('.', '*', '>', ' ', '%', '2', 'E', 'e', 'a', '\t', '~'), minLength: 1 }),
);

describe('a subject token', () => {
  it('is one legal token that decodes to its name, each byte outside A–Z a–z 0–9 _ - encoded', () => {
    fc.assert(
      fc.property(wellFormed, (name) => {
        const token = encodeToken(name);
        const byByte = [...Buffer.from(name)].map((byte) => {
          const char = String.fromCharCode(byte);
          return /[A-Za-z0-9_-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
        });
        expect(token).toBe(byByte.join(''));
        expect(token).toMatch(/^[A-Za-z0-9_%-]+$/);
        expect(decodeToken(token)).toBe(name);
      }),
      { numRuns: 2000 },
    );
  });

  it('stands for one name alone', () => {
    fc.assert(
      fc.property(wellFormed, wellFormed, (a, b) => {
        expect(encodeToken(a) === encodeToken(b)).toBe(a === b);
      }),
      { numRuns: 2000 },
    );
  });

  it('that is not one that encoding makes decodes to nothing', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), wellFormed), (token) => {
        const name = decodeToken(token);
        if (name !== undefined) expect([name.length > 0, encodeToken(name)]).toEqual([true, token]);
      }),
      { numRuns: 2000 },
    );
    for (const token of ['', 'a.b', '%2e', '%41', '%', '%zz', '%C3', 'a b', '*', '>', 'é'])
      expect(decodeToken(token), token).toBeUndefined();
  });

  it('has the partition of FNV-1a', () => {
    fc.assert(
      fc.property(wellFormed.map(encodeToken), fc.constantFrom(1, 7, 32), (token, partitions) => {
        let hash = 0x811c9dc5n;
        for (const byte of Buffer.from(token)) hash = ((hash ^ BigInt(byte)) * 0x01000193n) & 0xffffffffn;
        expect(partitionOfToken(token, partitions)).toBe(Number(hash % BigInt(partitions)));
      }),
    );
  });

  it('stands for location, then SKU, in a subject', () => {
    expect(factSubject('sale', 'store 12', 'a.b')).toBe('sale.store%2012.a%2Eb');
  });
});
