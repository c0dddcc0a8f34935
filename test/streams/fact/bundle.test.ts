/** Bundles hold the facts as they were sent. Whatever bytes a stranger publishes in their place, reading ends and touches nothing else. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BUNDLE_LANES } from '../../../config/topology.ts';
import type { StoredMessage } from '../../../streams/broker.ts';
import { JSON_TYPE, MSGPACK_TYPE } from '../../../streams/codec.ts';
import { type BundledFact, bundleIn, bytesAt, encodeBundle, partitionsOf } from '../../../streams/fact/bundle.ts';
import { storedBundleSubject } from '../../../streams/subjects.ts';

const PARTITIONS = 32;
const AT = 1_795_000_000_000_000;
const message = (data: Uint8Array, subject = 'bundle.7.sale.1'): StoredMessage => ({
  seq: 5,
  subject,
  data,
  recordedAt: AT,
  header: () => undefined,
});

const factOf = (lane: number): fc.Arbitrary<BundledFact> =>
  fc.record({
    hash: fc.nat(2 ** 27 - 1).map((number) => number * 32 + lane + BUNDLE_LANES * (number % 8)),
    acceptedAt: fc.integer({ min: AT - 400_000_000, max: AT + 400_000_000 }),
    bytes: fc.uint8Array({ maxLength: 40 }),
    type: fc.constantFrom(JSON_TYPE, MSGPACK_TYPE),
  });

describe('a bundle', () => {
  it('gives back every fact, with its bytes, its form, its partition and its moment', () => {
    const bundles = fc
      .nat(BUNDLE_LANES - 1)
      .chain((lane) => fc.tuple(fc.constant(lane), fc.array(factOf(lane), { minLength: 1, maxLength: 20 })));
    fc.assert(
      fc.property(bundles, ([lane, facts]) => {
        const data = encodeBundle(facts);
        const whole = message(data, `bundle.7.sale.${lane}`);
        const bundle = bundleIn(whole, PARTITIONS);
        const found: object[] = [];
        while (bundle?.next() === true) {
          const fact = bundle.message(whole, 300_000_000);
          const { data: bytes, recordedAt } = fact;
          found.push({ ...bundle.stored, bytes: Buffer.from(bytes), recordedAt, type: fact.header('Content-Type') });
        }
        expect(found).toEqual(
          facts.map(({ hash, acceptedAt, bytes, type }, place) => ({
            partition: hash % PARTITIONS,
            fact: { type: 'sale', hash },
            again: false,
            place,
            bytes: Buffer.from(bytes),
            recordedAt: acceptedAt <= AT && acceptedAt >= AT - 300_000_000 ? acceptedAt : AT,
            type,
          })),
        );
        expect(new Set(partitionsOf(whole, PARTITIONS))).toEqual(new Set(facts.map(({ hash }) => hash % PARTITIONS)));
        expect(facts.map((_, place) => Buffer.from(bytesAt(data, place) ?? [9]))).toEqual(
          facts.map(({ bytes }) => Buffer.from(bytes)),
        );
        expect(bytesAt(data, facts.length)).toBeUndefined();
      }),
    );
  });

  it('of any bytes is read to an end, or is none', () => {
    const good = fc.array(factOf(1), { minLength: 1, maxLength: 5 }).map(encodeBundle);
    const damaged = fc
      .tuple(good, fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 4 }), fc.nat(3))
      .map(([data, changes, cut]) => {
        const bytes = Uint8Array.from(data.subarray(0, data.length - cut));
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 100 })), (data) => {
        const whole = message(data);
        const bundle = bundleIn(whole, PARTITIONS);
        let bytes = 4;
        while (bundle?.next() === true) {
          expect(bundle.partition % BUNDLE_LANES).toBe(1);
          bytes += 16 + bundle.message(whole, 0).data.length;
        }
        if (bundle === undefined) expect([...partitionsOf(whole, PARTITIONS)]).toEqual([0]);
        else expect(bytes).toBe(data.length);
        bytesAt(data, 3);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    [
      'a subject without a lane',
      'bundle.7.sale.x',
      encodeBundle([{ hash: 1, acceptedAt: AT, bytes: new Uint8Array(), type: JSON_TYPE }]),
    ],
    [
      'another lane',
      'bundle.7.sale.2',
      encodeBundle([{ hash: 1, acceptedAt: AT, bytes: new Uint8Array(), type: JSON_TYPE }]),
    ],
    ['no facts', 'bundle.7.sale.1', encodeBundle([])],
    ['nothing', 'bundle.7.sale.1', new Uint8Array()],
  ])('with %s is none', (_, subject, data) => {
    expect(bundleIn(message(data, subject), PARTITIONS)).toBeUndefined();
  });

  it('is stored under a subject of four tokens', () => {
    expect([storedBundleSubject('sale', 3), storedBundleSubject('count', '*')]).toEqual([
      'bundle.*.sale.3',
      'bundle.*.count.*',
    ]);
  });
});
