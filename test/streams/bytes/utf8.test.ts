import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { unfinishedBytes, utf8Text, wrongByteOf } from '../../../streams/bytes/utf8.ts';

/** Bytes that are mostly text, with a few of any kind among them. */
const bytes = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.string({ unit: 'binary', maxLength: 4 }).map((text) => Buffer.from(text)) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 3 }).map((each) => Buffer.from(each)) },
      fc.constantFrom(Buffer.from('\ufffd'), Buffer.from('\ufeff'), Buffer.from([0xed, 0xa0, 0x80])),
    ),
    { maxLength: 12 },
  )
  .map((parts) => Buffer.concat(parts));

describe('strict UTF-8', () => {
  test('finds the end of the longest beginning that is UTF-8, and nothing in what is', () => {
    fc.assert(
      fc.property(bytes, (each) => {
        const lengths = Array.from({ length: each.length + 1 }, (_, length) => length);
        const good = lengths.filter((length) => isUtf8(each.subarray(0, length))).at(-1);
        expect(wrongByteOf(each) ?? each.length).toBe(good);
      }),
      { numRuns: 2_000 },
    );
  });

  test('decodes as the strict decoder of the platform does, or throws as it does', () => {
    const platform = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    fc.assert(
      fc.property(bytes, (each) => {
        if (isUtf8(each)) expect(utf8Text(each)).toBe(platform.decode(each));
        else expect(() => utf8Text(each)).toThrow(/^the byte 0x[0-9A-F]{2} at offset \d+ is not UTF-8$/);
      }),
      { numRuns: 2_000 },
    );
  });

  test('leaves to the next piece only what may become a character there', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(), (text, cut) => {
        const whole = Buffer.from(text);
        const piece = whole.subarray(0, whole.length === 0 ? 0 : cut % (whole.length + 1));
        expect(isUtf8(piece.subarray(0, piece.length - unfinishedBytes(piece)))).toBe(true);
      }),
    );
    expect(
      [[0xc9], [0xe2, 0x82], [0xf0, 0x9f, 0x98], [0x41, 0x80], [0xff]].map((each) =>
        unfinishedBytes(Buffer.from(each)),
      ),
    ).toEqual([1, 2, 3, 0, 0]);
  });

  test('keeps a replacement character that the text really has', () => {
    expect(utf8Text(Buffer.from('a\ufffdb'))).toBe('a\ufffdb');
    expect(() => utf8Text(Buffer.concat([Buffer.from('\ufffd'), Buffer.from([0xe9])]))).toThrow('0xE9 at offset 3');
  });
});
