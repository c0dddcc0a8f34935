/** The stock machine's fold of purchases. See view-table.ts for how to read it. */
import { describe, expect, it } from 'vitest';
import { applyFact } from '../../../../actors/stock/evolve.ts';
import { openSupply } from '../../../../actors/stock/supply/open-supply.ts';
import { bookOf, count, type Input, inboundBy, micros, order, ordersOf, purchase, receipt, shipped } from '../given.ts';
import { table } from '../view-table.ts';

const p1 = { purchaseOrder: 'p1' };
const line = (name: string, promisedAt: string, more: object = {}) => ({ line: name, promisedAt, ...more });

table('a purchase', [
  ['is on order at its location', [purchase('09:00', 10)], { dc: { onOrder: 10 } }],
  [
    'is no longer on order as far as it was received',
    [purchase('09:00', 10), receipt('12:00', 4, p1)],
    { dc: { sellable: 4, onOrder: 6 } },
  ],
  [
    'counts units that arrived damaged as received',
    [purchase('09:00', 10), receipt('12:00', 4, { ...p1, damaged: 6 })],
    { dc: { sellable: 4, damaged: 6 } },
  ],
  [
    'is received wherever it arrives',
    [purchase('09:00', 10), receipt('12:00', 4, { ...p1, location: 'shop' })],
    { dc: { onOrder: 6 }, shop: { sellable: 4 } },
  ],
  [
    'received in excess is not below 0, and hides no other purchase order',
    [purchase('09:00', 10), receipt('12:00', 14, p1), purchase('09:00', 3, { purchaseOrder: 'p2' })],
    { dc: { sellable: 14, onOrder: 3 } },
  ],
  [
    'is not received by a receipt that names no purchase order, or another one',
    [purchase('09:00', 10), receipt('12:00', 4), receipt('12:00', 5, { purchaseOrder: 'p2' })],
    { dc: { sellable: 9, onOrder: 10 } },
  ],
  [
    'of another SKU is another purchase',
    [purchase('09:00', 10), receipt('12:00', 4, { ...p1, sku: 'pan' })],
    { 'mug/dc': { onOrder: 10 }, 'pan/dc': { sellable: 4 } },
  ],
  [
    'is what the latest fact says, and of two of one moment the one with the greater id',
    [purchase('10:00', 7, { id: 'a' }), purchase('09:00', 10), purchase('10:00', 5, { id: 'b' })],
    { dc: { onOrder: 5 } },
  ],
  [
    'moves with its location',
    [purchase('09:00', 10), purchase('10:00', 10, { location: 'shop' }), receipt('08:00', 1, p1)],
    { dc: { sellable: 1 }, shop: { onOrder: 9 } },
  ],
  ['of 0 units is cancelled', [purchase('09:00', 10), purchase('10:00', 0)], { dc: {} }],
  [
    'that is reduced makes a short delivery final',
    [purchase('09:00', 10), receipt('12:00', 8, p1), purchase('13:00', 8)],
    { dc: { sellable: 8 } },
  ],
  [
    'with two lines is received on the one that is promised first',
    [
      purchase('09:00', 10, line('1', '2026-12-02')),
      purchase('09:00', 5, line('2', '2026-12-01', { location: 'shop' })),
      receipt('12:00', 7, p1),
    ],
    { dc: { sellable: 7, onOrder: 8 }, shop: {} },
  ],
  [
    'that is promised for another day is received in that order',
    [
      purchase('09:00', 10, line('1', '2026-12-02')),
      purchase('09:00', 5, line('2', '2026-12-01', { location: 'shop' })),
      receipt('12:00', 7, p1),
      purchase('13:00', 5, line('2', '2026-12-03', { location: 'shop' })),
    ],
    { dc: { sellable: 7, onOrder: 3 }, shop: { onOrder: 5 } },
  ],
  ['is not counted away', [purchase('09:00', 10), count('10:00', 0)], { dc: { onOrder: 10 } }],
]);

describe('supply', () => {
  const inputs: Input[] = [
    purchase('09:00', 10, line('1', '2026-11-26T08:00:00Z', { location: 'shop' })),
    purchase('09:00', 5, line('2', '2026-11-25T08:00:00Z', { location: 'shop' })),
    receipt('12:00', 2, p1),
    shipped('10:00', 6),
    shipped('10:00', 3, { transfer: 't2', eta: '2026-11-27T00:00:00Z' }),
  ];
  const hours = (amount: number) => amount * 3600 * 1e6;
  const keyOf = (facts: readonly Input[]) => bookOf(facts).key('mug', 'shop');
  const told = (facts: readonly Input[]) =>
    openSupply(keyOf(facts), (from, to) => hours(from === 'dc' && to === 'shop' ? 30 : 1))
      .map(({ source, qty, due }) => `${new Date(due / 1000).toISOString().slice(5, 16)} ${source} ${qty}`)
      .sort(order);

  it('is open purchases when they are promised, and transfers by their eta or the time of their lane', () => {
    for (const inOrder of ordersOf(inputs))
      expect(told(inOrder)).toEqual([
        '11-25T08:00 purchase 3',
        '11-25T16:00 transfer 6',
        '11-26T08:00 purchase 10',
        '11-27T00:00 transfer 3',
      ]);
  });

  it('may be promised by the day on which it is due', () => {
    const by = (date: string) => ({ now: micros('12:00'), by: micros(date), laneTime: hours(30) });
    const book = bookOf(inputs);
    const key = book.key('mug', 'shop');
    expect(
      ['2026-11-25T07:59:59Z', '2026-11-25T08:00:00Z', '2026-11-26T08:00:00Z'].map((date) =>
        inboundBy(book, key, by(date)),
      ),
    ).toEqual([0, 3, 19]);
  });

  it('that was declared overdue is left out until it gets another date', () => {
    const book = bookOf(inputs);
    const key = book.key('mug', 'shop');
    const sum = () => openSupply(key, () => hours(30)).reduce((units, { qty }) => units + qty, 0);
    expect(sum()).toBe(22);
    for (const { record, due } of openSupply(key, () => hours(30))) record.overdueFor = due;
    expect(sum()).toBe(0);
    const later = { line: '1', promisedAt: '2026-11-28', location: 'shop' };
    applyFact(book, purchase('13:00', 10, later));
    applyFact(book, shipped('13:00', 1));
    expect(sum()).toBe(17);
  });
});

describe('a fold', () => {
  const changed = (before: readonly Input[], fact: Input) => {
    const book = bookOf(before);
    if ('type' in fact) applyFact(book, fact);
    return Array.from({ length: book.changes.length }, (_, i) => {
      const { key, before: figures } = book.changes.at(i);
      return `${key.location} ${figures.onOrder}`;
    });
  };

  it('announces every key whose open units it changes, and no other', () => {
    const lines = [
      purchase('09:00', 2, line('1', '2026-12-01', { location: 'a' })),
      purchase('09:00', 2, line('2', '2026-12-02', { location: 'b' })),
      purchase('09:00', 2, line('3', '2026-12-03', { location: 'c' })),
    ];
    expect(changed(lines, receipt('12:00', 3, p1))).toEqual(['dc 0', 'a 2', 'b 2']);
    expect(changed(lines, receipt('12:00', 3))).toEqual(['dc 0']);
    expect(changed(lines, purchase('13:00', 2, line('3', '2026-12-03', { location: 'd' })))).toEqual(['d 0', 'c 2']);
    expect(changed(lines, purchase('08:00', 9, line('3', '2026-12-03', { location: 'a' })))).toEqual(['a 2']);
  });
});
