/** The stock machine's decisions as tables: from stock and request to units taken and units short. */

import { describe, expect, it } from 'vitest';
import type { StockBook } from '../../../actors/stock/book.ts';
import { ANYBODY } from '../../../actors/stock/dated/atp.ts';
import { sourceLines, type WantedLine } from '../../../actors/stock/sourcing.ts';
import { bookOf, granted, type Input, receipt, sale } from './given.ts';

/** Units by SKU and location, such as `{ mug: { dc: 5 } }`. */
type Stock = Readonly<Record<string, Readonly<Record<string, number>>>>;
interface Ask {
  readonly qty: number;
  readonly sku?: string;
  readonly locations?: readonly string[];
  readonly split?: boolean;
}
interface PlanRow {
  readonly does: string;
  readonly stock: Stock;
  readonly held?: Stock;
  readonly pending?: Stock;
  readonly lines: readonly Ask[];
  readonly partial?: boolean;
  /** `line: qty SKU@location`, in the answer's order. */
  readonly takes: readonly string[];
  /** `SKU: requested, available`. */
  readonly short?: readonly string[];
}

function bookWith(row: PlanRow): StockBook {
  const each = (stock: Stock | undefined) =>
    Object.entries(stock ?? {}).flatMap(([sku, at]) =>
      Object.entries(at).map(([location, qty]) => ({ sku, location, qty })),
    );
  const inputs: Input[] = each(row.stock).flatMap(({ sku, location, qty }) => [
    // A key may be at 0 or below, so a receipt is followed by a sale.
    receipt('09:00', 1_000, { sku, location }),
    sale('09:01', 1_000 - qty, { sku, location }),
  ]);
  for (const [i, line] of each(row.held).entries()) inputs.push(granted(`held-${i}`, [line]));
  const book = bookOf(inputs);
  for (const { sku, location, qty } of each(row.pending)) book.key(sku, location).pending += qty;
  return book;
}

function wanted(lines: readonly Ask[]): WantedLine[] {
  return lines.map(({ qty, sku = 'mug', locations, split = false }, index) => ({ index, sku, qty, locations, split }));
}

function planned(row: PlanRow): { takes: string[]; short: string[] } {
  const book = bookWith(row);
  const { sourced, shortages } = sourceLines(
    wanted(row.lines),
    () => book,
    { ...ANYBODY, now: 0 },
    row.partial ?? false,
  );
  return {
    takes: sourced.map(({ line, key, qty }) => `${line.index}: ${qty} ${key.sku.name}@${key.location}`),
    short: shortages.map((each) => `${each.sku}: ${each.requested}, ${each.available}`),
  };
}

function table(title: string, rows: readonly PlanRow[]): void {
  describe(title, () => {
    it.each(rows.map((row) => [row.does, row] as const))('%s', (_does, row) => {
      expect(planned(row)).toEqual({ takes: row.takes, short: row.short ?? [] });
    });
  });
}

table('a line', [
  { does: 'is taken whole from its location', stock: { mug: { dc: 5 } }, lines: [{ qty: 5 }], takes: ['0: 5 mug@dc'] },
  { does: 'of an unknown SKU finds nothing', stock: {}, lines: [{ qty: 1 }], takes: [], short: ['mug: 1, 0'] },
  {
    does: 'of unknown locations finds nothing',
    stock: { mug: { dc: 5 } },
    lines: [{ qty: 1, locations: ['moon'] }],
    takes: [],
    short: ['mug: 1, 0'],
  },
  {
    does: 'skips unknown locations that it names',
    stock: { mug: { dc: 5 } },
    lines: [{ qty: 1, locations: ['moon', 'dc'] }],
    takes: ['0: 1 mug@dc'],
  },
  {
    does: 'goes to the first named location that has enough, not to the largest',
    stock: { mug: { a: 9, b: 5, c: 7 } },
    lines: [{ qty: 5, locations: ['b', 'a', 'c'] }],
    takes: ['0: 5 mug@b'],
  },
  {
    does: 'passes over a named location that has too little',
    stock: { mug: { a: 4, b: 5, c: 7 } },
    lines: [{ qty: 5, locations: ['a', 'c', 'b'] }],
    takes: ['0: 5 mug@c'],
  },
  {
    does: 'is not taken where it does not name',
    stock: { mug: { a: 4, b: 9 } },
    lines: [{ qty: 5, locations: ['a'] }],
    takes: [],
    short: ['mug: 5, 4'],
  },
  {
    does: 'that names no location goes to the one that has most',
    stock: { mug: { a: 5, b: 9, c: 7 } },
    lines: [{ qty: 5 }],
    takes: ['0: 5 mug@b'],
  },
  {
    does: 'that names no location goes to the first by its id, of two alike, whichever was heard of first',
    stock: { mug: { b: 9, a: 9 } },
    lines: [{ qty: 5 }],
    takes: ['0: 5 mug@a'],
  },
  {
    does: 'is not divided unless it may be split',
    stock: { mug: { a: 4, b: 4 } },
    lines: [{ qty: 5 }],
    takes: [],
    short: ['mug: 5, 4'],
  },
  {
    does: 'says the best single location as available',
    stock: { mug: { a: 2, b: 4, c: 3 } },
    lines: [{ qty: 9 }],
    takes: [],
    short: ['mug: 9, 4'],
  },
  {
    does: 'never says less than 0 is available',
    stock: { mug: { a: -2 } },
    lines: [{ qty: 1 }],
    takes: [],
    short: ['mug: 1, 0'],
  },
  {
    does: 'may not have what is held',
    stock: { mug: { a: 5 } },
    held: { mug: { a: 2 } },
    lines: [{ qty: 4 }],
    takes: [],
    short: ['mug: 4, 3'],
  },
  {
    does: 'may not have what is on its way to the journal',
    stock: { mug: { a: 5 } },
    pending: { mug: { a: 2 } },
    lines: [{ qty: 4 }],
    takes: [],
    short: ['mug: 4, 3'],
  },
  {
    does: 'may have exactly what is left',
    stock: { mug: { a: 5 } },
    held: { mug: { a: 1 } },
    pending: { mug: { a: 1 } },
    lines: [{ qty: 3 }],
    takes: ['0: 3 mug@a'],
  },
  {
    does: 'goes by what is free, not by what is there, for the largest',
    stock: { mug: { a: 9, b: 6, c: 5 } },
    held: { mug: { a: 3 } },
    pending: { mug: { a: 4, b: 2 } },
    lines: [{ qty: 2 }],
    takes: ['0: 2 mug@c'],
  },
]);

table('a split line', [
  {
    does: 'is taken from the largest locations first',
    stock: { mug: { a: 2, b: 4, c: 3 } },
    lines: [{ qty: 6, split: true }],
    takes: ['0: 4 mug@b', '0: 2 mug@c'],
  },
  {
    does: 'is taken from named locations in their order',
    stock: { mug: { a: 2, b: 4, c: 3 } },
    lines: [{ qty: 6, split: true, locations: ['a', 'c', 'b'] }],
    takes: ['0: 2 mug@a', '0: 3 mug@c', '0: 1 mug@b'],
  },
  {
    does: 'says the sum as available',
    stock: { mug: { a: 2, b: 4, c: 3 } },
    lines: [{ qty: 10, split: true }],
    takes: [],
    short: ['mug: 10, 9'],
  },
  {
    does: 'says the sum of what it names as available',
    stock: { mug: { a: 2, b: 4, c: 3 } },
    lines: [{ qty: 10, split: true, locations: ['c', 'a'] }],
    takes: [],
    short: ['mug: 10, 5'],
  },
  {
    does: 'counts a location once though it is named twice',
    stock: { mug: { a: 2 } },
    lines: [{ qty: 3, split: true, locations: ['a', 'a'] }],
    takes: [],
    short: ['mug: 3, 2'],
  },
  {
    does: 'is not helped or hindered by a negative location',
    stock: { mug: { a: 2, b: -7, c: 3 } },
    lines: [{ qty: 5, split: true }],
    takes: ['0: 3 mug@c', '0: 2 mug@a'],
  },
  {
    does: 'takes nothing where there is nothing',
    stock: { mug: { a: 0, b: 4 } },
    lines: [{ qty: 4, split: true, locations: ['a', 'b'] }],
    takes: ['0: 4 mug@b'],
  },
]);

table('a partial request', [
  {
    does: 'takes its best single location when it may not be split',
    stock: { mug: { a: 2, b: 4, c: 3 } },
    partial: true,
    lines: [{ qty: 9 }],
    takes: ['0: 4 mug@b'],
    short: ['mug: 9, 4'],
  },
  {
    does: 'takes the best of the named locations, the preferred of two alike',
    stock: { mug: { a: 3, b: 9, c: 3 } },
    partial: true,
    lines: [{ qty: 4, locations: ['c', 'a'] }],
    takes: ['0: 3 mug@c'],
    short: ['mug: 4, 3'],
  },
  {
    does: 'takes all there is when it may be split',
    stock: { mug: { a: 2, b: 4 } },
    partial: true,
    lines: [{ qty: 9, split: true }],
    takes: ['0: 4 mug@b', '0: 2 mug@a'],
    short: ['mug: 9, 6'],
  },
  {
    does: 'takes nothing where there is nothing',
    stock: { mug: { a: 0, b: -1 } },
    partial: true,
    lines: [{ qty: 9 }, { qty: 9, split: true }],
    takes: [],
    short: ['mug: 9, 0', 'mug: 9, 0'],
  },
  {
    does: 'takes the lines that are whole beside the short ones',
    stock: { mug: { a: 2 }, pan: { a: 5 } },
    partial: true,
    lines: [{ qty: 3 }, { qty: 5, sku: 'pan' }],
    takes: ['0: 2 mug@a', '1: 5 pan@a'],
    short: ['mug: 3, 2'],
  },
  {
    does: 'has no shortage when there is enough',
    stock: { mug: { a: 3 } },
    partial: true,
    lines: [{ qty: 3 }],
    takes: ['0: 3 mug@a'],
  },
  {
    does: 'gives a later line of the SKU what an earlier one left',
    stock: { mug: { a: 5 } },
    partial: true,
    lines: [{ qty: 4 }, { qty: 4 }],
    takes: ['0: 4 mug@a', '1: 1 mug@a'],
    short: ['mug: 4, 1'],
  },
]);

table('lines of several SKUs', [
  {
    does: 'are taken in the order of the request',
    stock: { mug: { a: 5 }, pan: { b: 5 } },
    lines: [{ qty: 1, sku: 'pan' }, { qty: 2 }, { qty: 3, sku: 'pan' }],
    takes: ['0: 1 pan@b', '1: 2 mug@a', '2: 3 pan@b'],
  },
  {
    does: 'say every shortage, not only the first',
    stock: { mug: { a: 1 }, pan: { b: 2 } },
    lines: [{ qty: 2 }, { qty: 3, sku: 'pan' }],
    takes: [],
    short: ['mug: 2, 1', 'pan: 3, 2'],
  },
]);

table('lines of one SKU', [
  {
    does: 'do not both take the same units',
    stock: { mug: { a: 5 } },
    lines: [{ qty: 3 }, { qty: 3 }],
    takes: ['0: 3 mug@a'],
    short: ['mug: 3, 2'],
  },
  {
    does: 'share a location that has enough for both',
    stock: { mug: { a: 6 } },
    lines: [{ qty: 3 }, { qty: 3 }],
    takes: ['0: 3 mug@a', '1: 3 mug@a'],
  },
  {
    does: 'leave to a line its only location',
    stock: { mug: { a: 5, b: 5 } },
    lines: [
      { qty: 5, locations: ['a', 'b'] },
      { qty: 5, locations: ['a'] },
    ],
    takes: ['0: 5 mug@b', '1: 5 mug@a'],
  },
  {
    does: 'leave to a large line the only location that is large enough',
    stock: { mug: { a: 7, b: 3 } },
    lines: [{ qty: 3 }, { qty: 7 }],
    takes: ['0: 3 mug@b', '1: 7 mug@a'],
  },
  {
    does: 'find the one combination of three that fits',
    stock: { mug: { a: 4, b: 5, c: 6 } },
    lines: [{ qty: 4 }, { qty: 5 }, { qty: 6 }],
    takes: ['0: 4 mug@a', '1: 5 mug@b', '2: 6 mug@c'],
  },
  {
    does: 'give whole lines their place before split ones take what is left',
    stock: { mug: { a: 4, b: 5 } },
    lines: [{ qty: 4, split: true }, { qty: 5 }],
    takes: ['0: 4 mug@a', '1: 5 mug@b'],
  },
  {
    does: 'let a split line make room for another split line',
    stock: { mug: { a: 5, b: 5 } },
    lines: [
      { qty: 5, split: true },
      { qty: 5, split: true, locations: ['a'] },
    ],
    takes: ['0: 5 mug@b', '1: 5 mug@a'],
  },
  {
    does: 'let split lines make room along a chain',
    stock: { mug: { a: 2, b: 2, c: 2 } },
    lines: [
      { qty: 2, split: true, locations: ['a', 'b'] },
      { qty: 2, split: true, locations: ['b', 'c'] },
      { qty: 2, split: true, locations: ['b', 'a'] },
    ],
    takes: ['0: 2 mug@a', '1: 2 mug@c', '2: 2 mug@b'],
  },
  {
    does: 'compete with what is pending too',
    stock: { mug: { a: 6, b: 5 } },
    pending: { mug: { a: 1 } },
    lines: [
      { qty: 5, locations: ['a', 'b'] },
      { qty: 6, locations: ['a'] },
    ],
    takes: ['0: 5 mug@a'],
    short: ['mug: 6, 0'],
  },
]);

/** Many lines that cannot fit. The search ends, and the answer is a shortage. */
describe('a hopeless combination', () => {
  it('is given up, since trying all of them would outlast the test', () => {
    const stock = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`l${i}`, 10]));
    const lines = Array.from({ length: 31 }, () => ({ qty: 6 }));
    const { takes, short } = planned({ does: '', stock: { mug: stock }, lines, takes: [] });
    expect([takes.length, short]).toEqual([30, ['mug: 6, 4']]);
  });
});
