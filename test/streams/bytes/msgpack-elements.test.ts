/** The elements of a MessagePack array are the bytes between its header and its end, cut where one element ends. */
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { expect, it } from 'vitest';
import { msgpackElements } from '../../../streams/bytes/msgpack-shape.ts';

const packr = new Packr({ useRecords: false, int64AsType: 'number' });

it('gives each element just as it was encoded', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { maxLength: 40 }), (values) => {
      const each = values.map((value) => Buffer.from(packr.pack(value)));
      const [whole, elements] = [
        packr.pack(values),
        msgpackElements(packr.pack(values)).map((one) => Buffer.from(one)),
      ];
      expect(elements).toEqual(each);
      expect(elements.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(whole.length);
    }),
  );
});

it('keeps an integer that no double can hold', () => {
  const odd = Uint8Array.from([0xcf, 0, 0x20, 0, 0, 0, 0, 0, 1]);
  expect(msgpackElements(Uint8Array.from([0x92, ...odd, 0x90]))).toEqual([odd, Uint8Array.from([0x90])]);
});
