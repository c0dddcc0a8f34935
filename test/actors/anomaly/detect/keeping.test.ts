/**
 * The stored state of the detectors. After a restart at any point they continue as if nothing had happened. The state is small and quick to
 * write.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ROW_BYTES } from '../../../../actors/anomaly/detect/key-states.ts';
import { AnomalyObserver } from '../../../../actors/anomaly/observer.ts';
import { ANOMALY_DEFAULTS } from '../../../../config/anomalies.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, Shop } from './shop.ts';

/** So low that random facts raise every kind. */
const EAGER = {
  ...ANOMALY_DEFAULTS,
  learnDays: 0,
  phantomEvents: 2,
  phantomTail: 0.9,
  phantomMinMs: HOUR_MS,
  spikeEvents: 2,
  spikeTail: 0.3,
  returnEvents: 1,
  returnTail: 0.5,
  priceSalesLeast: 2,
  priceLog: 1,
  countZ: 1,
  lateWeight: 0.3,
  silentLearnMs: 0,
  silentTail: 0.95,
  silentMinMs: MINUTE_MS,
  hoardHolds: 1,
  hoardUnits: 2,
  hoardExpired: 1,
  hoardTail: 0.9,
};

const SKUS = ['mug', 'pan', 'cup'];
const skuOf = fc.constantFrom(...SKUS);
const qtyOf = fc.integer({ min: 1, max: 9 });
const ends = { transfer: 't1', from: 'dc', to: 'shop' };
const stepOf: fc.Arbitrary<(shop: Shop) => unknown> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        skuOf,
        qtyOf,
        fc.constantFrom('till', undefined),
        fc.constantFrom(0, 0, 3),
        fc.constantFrom('2', '2.5', '40'),
      )
      .map(([sku, qty, device, late, unitPrice]) => (shop: Shop) => {
        const more = device === undefined ? {} : { device };
        shop.fact('sale', { sku, qty, unitPrice, currency: 'GBP', ...more }, late * HOUR_MS);
      }),
  },
  fc.tuple(skuOf, qtyOf).map(
    ([sku, qty]) =>
      (shop: Shop) =>
        shop.fact('receipt', { sku, qty: qty * 5, damaged: qty % 3 }),
  ),
  fc.tuple(skuOf, qtyOf).map(
    ([sku, counted]) =>
      (shop: Shop) =>
        shop.fact('count', { sku, counted }),
  ),
  fc.tuple(skuOf, qtyOf).map(
    ([sku, qty]) =>
      (shop: Shop) =>
        shop.fact('return', { sku, qty, disposition: 'damaged' }),
  ),
  fc.tuple(skuOf, qtyOf).map(
    ([sku, qty]) =>
      (shop: Shop) =>
        shop.fact('adjustment', { sku, delta: -qty, reason: 'x', bucket: qty % 2 === 0 ? 'damaged' : 'sellable' }),
  ),
  qtyOf.map((qty) => (shop: Shop) => shop.fact('transfer', { ...ends, phase: 'shipped', location: 'dc', qty })),
  qtyOf.map((qty) => (shop: Shop) => shop.fact('transfer', { ...ends, phase: 'received', qty })),
  fc.tuple(qtyOf, fc.constantFrom('lost', 'corrected')).map(
    ([qty, reason]) =>
      (shop: Shop) =>
        shop.fact('transfer', { ...ends, phase: 'closed', reason, location: 'dc', qty }),
  ),
  fc.tuple(fc.nat(5), skuOf, qtyOf).map(([id, sku, qty]) => (shop: Shop) => {
    if (!shop.book.parts.has(`r${id}`)) shop.hold(`r${id}`, qty, { sku });
  }),
  fc.tuple(fc.nat(5), fc.constantFrom('confirmed', 'released', 'expired')).map(([id, kind]) => (shop: Shop) => {
    if (shop.book.parts.has(`r${id}`)) shop.step(kind as 'expired', `r${id}`);
  }),
  fc.tuple(fc.nat(5), skuOf, qtyOf).map(
    ([id, sku, qty]) =>
      (shop: Shop) =>
        shop.fact('sale', { sku, qty, reservation: `r${id}` }),
  ),
  fc
    .constantFrom(MINUTE_MS, HOUR_MS, 9 * HOUR_MS, 4 * DAY_MS, 7 * DAY_MS - 10 * MINUTE_MS)
    .map((ms) => (shop: Shop) => shop.wait(ms)),
  fc.constant((shop: Shop) => shop.look()),
);

/** The alarms and the heard state, in an order that does not depend on arrival. */
function told(observer: AnomalyObserver): unknown {
  const open = [...observer.open()].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.parse(JSON.stringify({ open, heard: observer.takeHeard() }));
}

it('goes on after a restart at any point as if nothing had happened', () => {
  const factIds = new Set<string>();
  fc.assert(
    fc.property(fc.array(stepOf, { maxLength: 60 }), fc.array(stepOf, { maxLength: 60 }), (before, after) => {
      const shop = new Shop(EAGER);
      for (const step of before) step(shop);
      const restarted = new AnomalyObserver(7, { parameters: EAGER, laneTimeMs: 3 * DAY_MS });
      restarted.load(shop.book, shop.observer.keep());
      const { observer } = shop;
      const both = [observer, restarted];
      shop.partition.observer = {
        factFolded: (...given) => {
          for (const each of both) each.factFolded(...given);
        },
        decisionFolded: (...given) => {
          for (const each of both) each.decisionFolded(...given);
        },
        load: () => undefined,
        keep: () => observer.keep(),
      };
      for (const step of after) {
        step(shop);
        // shop.look() applies only to the first observer.
        restarted.hear(restarted.takeHeard());
        observer.hear(observer.takeHeard());
        for (const each of both) shop.tick(each);
        for (const kind of shop.kinds) factIds.add(kind);
      }
      expect(told(restarted)).toEqual(told(observer));
    }),
    { numRuns: 300 },
  );
  // Phantom stock and silence take weeks, so only the detectors' tables cover restarts in them.
  expect([...factIds].sort()).toEqual(
    expect.arrayContaining([
      'count_variance',
      'late_facts',
      'negative_stock',
      'price_deviation',
      'receipt_short',
      'reservation_hoarding',
      'return_spike',
      'sales_spike',
      'shortfall',
      'transfer_over',
      'transfer_overdue',
      'transfer_short',
    ]),
  );
});

it.each([
  ['nothing', undefined],
  ['another version', (kept: Uint8Array) => Uint8Array.from(kept, (byte, i) => (i === 0 ? 99 : byte))],
  ['a torn one', (kept: Uint8Array) => kept.subarray(0, kept.length - 10)],
  ['noise', (kept: Uint8Array) => Uint8Array.from(kept, (byte, i) => (i === 0 ? byte : (i * 37) % 251))],
])('begins anew with %s, and knows what the book says', (_, damage) => {
  const shop = new Shop().fact('sale', { qty: 3 }).fact('sale', { sku: 'pan', qty: 1 });
  const restarted = new AnomalyObserver(7, { laneTimeMs: DAY_MS });
  restarted.load(shop.book, damage?.(shop.observer.keep()));
  const open = [...restarted.open()].map(([, { kind, sku, at }]) => [kind, sku, at]);
  expect(open).toEqual([
    ['negative_stock', 'mug', shop.nowMs * 1000],
    ['negative_stock', 'pan', shop.nowMs * 1000],
  ]);
  restarted.takeChanged();
  expect(restarted.keys).toBe(0);
});

it('reads the state of version 1, whose prices start empty', () => {
  const shop = new Shop().fact('receipt', { qty: 1000 });
  for (let i = 0; i < 40; i++) shop.wait(MINUTE_MS).fact('sale', { qty: 1, unitPrice: '2.50', currency: 'GBP' });
  shop.wait(MINUTE_MS).fact('sale', { qty: 1, unitPrice: '25.00', currency: 'GBP' });
  shop.fact('sale', { sku: 'pan', qty: 3 });
  const kept = Buffer.from(readFileSync(new URL('kept-1.base64', import.meta.url), 'utf8'), 'base64');
  const restarted = new AnomalyObserver(7, { laneTimeMs: DAY_MS });
  restarted.load(shop.book, kept);
  expect(restarted.keys).toBe(2);
  expect([...restarted.open()].map(([, { kind, sku }]) => `${kind} ${sku}`).toSorted()).toEqual([
    'negative_stock pan',
    'price_deviation mug',
  ]);
  shop.partition.observer = restarted;
  const sell = (unitPrice: string, times: number) => {
    for (let i = 0; i < times; i++) shop.wait(MINUTE_MS).fact('sale', { qty: 1, unitPrice, currency: 'GBP' });
    return [...restarted.open()].some(([, { kind }]) => kind === 'price_deviation');
  };
  // The old alarm ends as it would have, and prices are learnt again before one is judged.
  expect([sell('2.50', 3), sell('25.00', 1), sell('2.50', 20), sell('30.00', 1)]).toEqual([false, false, false, true]);
});

it('goes on with a damaged delivery that an earlier version has kept in its alarm only', () => {
  const shop = new Shop().fact('receipt', { qty: 8, damaged: 2 });
  const kept = Buffer.from(shop.observer.keep()).toString('latin1');
  const earlier = kept.replace(/,"damage":\[.+\](?=\}$)/, '');
  expect(earlier).not.toBe(kept);
  const restarted = new AnomalyObserver(7, { laneTimeMs: DAY_MS });
  restarted.load(shop.book, Buffer.from(earlier, 'latin1'));
  shop.partition.observer = restarted;
  const open = () => [...restarted.open()].map(([, { kind, figures }]) => [kind, figures.damaged]);
  shop.fact('sale', { qty: 1 });
  expect(open()).toEqual([['receipt_short', 2]]);
  shop.fact('adjustment', { delta: -2, bucket: 'damaged', reason: 'scrap' });
  expect(open()).toEqual([]);
});

it('keeps 31,000 stock keys in a few dozen bytes each', () => {
  const shop = new Shop();
  const keys = 31_000;
  for (let i = 0; i < keys; i++) {
    const fields = { sku: `sku-${i}`, location: `store-${i % 40}`, device: `till-${i % 200}` };
    if (i % 50 !== 0) shop.fact('receipt', { ...fields, qty: 10 });
    shop.fact('sale', { ...fields, qty: 1, unitPrice: '2.00' });
  }
  shop.look();
  expect(shop.open('negative_stock')).toHaveLength(keys / 50);
  const bytes = shop.observer.keep().length;
  expect(ROW_BYTES).toBeLessThan(96);
  expect(bytes / keys).toBeLessThan(120);
});
