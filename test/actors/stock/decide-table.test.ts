/** The stock machine's decisions, as tables: stock and request in → what is taken and what is short. */
import { describe, expect, it } from 'vitest';
import type { StockBook } from '../../../actors/stock/book.ts';
import { confirmRefusal, needsStep, plan, type WantedLine } from '../../../actors/stock/decide.ts';
import { endedAtMs, statusOf } from '../../../actors/stock/reservation.ts';
import type { ReservationPart } from '../../../actors/stock/state.ts';
import { bookOf, granted, type Input, ordersOf, receipt, sale, step, viewOf, viewsOf } from './given.ts';

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
    // A key may stand at 0 or below: what comes in is sold again.
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
  const { taken, shortages } = plan(wanted(row.lines), (sku) => book.skus.get(sku), row.partial ?? false);
  return {
    takes: taken.map(({ line, key, qty }) => `${line.index}: ${qty} ${key.sku.name}@${key.location}`),
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
    does: 'that names no location goes to the one known first, of two alike',
    stock: { mug: { b: 9, a: 9 } },
    lines: [{ qty: 5 }],
    takes: ['0: 5 mug@b'],
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

/** Many lines that cannot fit: the search ends, and the answer is a shortage. */
describe('a hopeless combination', () => {
  it('is given up in good time', () => {
    const stock = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`l${i}`, 10]));
    const lines = Array.from({ length: 31 }, () => ({ qty: 6 }));
    const started = performance.now();
    const { takes, short } = planned({ does: '', stock: { mug: stock }, lines, takes: [] });
    expect(performance.now() - started).toBeLessThan(1000);
    expect([takes.length, short]).toEqual([30, ['mug: 6, 4']]);
  });
});

/** The parts of reservation r after these inputs, one for each partition that knows it. */
function partsOf(inputs: readonly Input[], partitions: readonly number[] = [0]): ReservationPart[] {
  return partitions.flatMap((partition) => {
    const part = bookOf(
      inputs.filter((input) => 'type' in input || input.parts.some(([each]) => each === partition)),
      partition,
    ).parts.get('r');
    return part === undefined ? [] : [part];
  });
}

const three = granted('r', [{ qty: 3 }]);
const two = granted('r', [{ qty: 3 }, { qty: 2, location: 'shop' }]);
const sold = (qty: number, location = 'dc', at = '10:00') => sale(at, qty, { location, reservation: 'r' });
const confirmed = step('confirmed', 'r', 2000);
const released = step('released', 'r', 3000);
const expired = step('expired', 'r', 4000);

interface LifeRow {
  readonly does: string;
  readonly inputs: readonly Input[];
  readonly status: string;
  /** Answer to a confirmation just before the hold's end, and at it. */
  readonly confirm: readonly [string | undefined, string | undefined];
  /** Which steps would be journaled. */
  readonly needs: readonly string[];
}

const fine = [undefined, undefined] as const;
const all = ['confirmed', 'released', 'expired'];
const rows: readonly LifeRow[] = [
  {
    does: 'that is granted is held, until its time is over',
    inputs: [three],
    status: 'held',
    confirm: [undefined, 'expired'],
    needs: all,
  },
  {
    does: 'that is confirmed is allocated, and its time is never over',
    inputs: [three, confirmed],
    status: 'allocated',
    confirm: fine,
    needs: ['released'],
  },
  {
    does: 'that is released cannot be confirmed',
    inputs: [three, released],
    status: 'released',
    confirm: ['released', 'released'],
    needs: [],
  },
  {
    does: 'that is allocated can be released',
    inputs: [three, confirmed, released],
    status: 'released',
    confirm: ['released', 'released'],
    needs: [],
  },
  {
    does: 'that has expired cannot be confirmed',
    inputs: [three, expired],
    status: 'expired',
    confirm: ['expired', 'expired'],
    needs: [],
  },
  {
    does: 'that is released and expired is released',
    inputs: [three, released, expired],
    status: 'released',
    confirm: ['released', 'released'],
    needs: [],
  },
  {
    does: 'that was confirmed and expired is expired',
    inputs: [three, confirmed, expired],
    status: 'expired',
    confirm: ['expired', 'expired'],
    needs: [],
  },
  {
    does: 'that is sold in part is still held',
    inputs: [three, sold(2)],
    status: 'held',
    confirm: [undefined, 'expired'],
    needs: all,
  },
  {
    does: 'that is sold in part is still allocated',
    inputs: [three, confirmed, sold(2)],
    status: 'allocated',
    confirm: fine,
    needs: ['released'],
  },
  {
    does: 'that is sold is fulfilled, and steps are harmless',
    inputs: [three, sold(3)],
    status: 'fulfilled',
    confirm: fine,
    needs: [],
  },
  {
    does: 'that is sold in several sales is fulfilled',
    inputs: [three, sold(1), sold(2, 'dc', '11:00')],
    status: 'fulfilled',
    confirm: fine,
    needs: [],
  },
  { does: 'that is oversold is fulfilled', inputs: [three, sold(7)], status: 'fulfilled', confirm: fine, needs: [] },
  {
    does: 'that is sold at another location is fulfilled',
    inputs: [three, sold(3, 'shop')],
    status: 'fulfilled',
    confirm: fine,
    needs: [],
  },
  {
    does: 'that is sold though it was released is fulfilled: the goods are gone',
    inputs: [three, released, sold(3)],
    status: 'fulfilled',
    confirm: fine,
    needs: [],
  },
  {
    does: 'that is sold though it had expired is fulfilled',
    inputs: [three, expired, sold(3)],
    status: 'fulfilled',
    confirm: fine,
    needs: [],
  },
  {
    does: 'that expired partly fulfilled is expired',
    inputs: [three, sold(2), expired],
    status: 'expired',
    confirm: ['expired', 'expired'],
    needs: [],
  },
  {
    does: 'with one of two lines sold is held',
    inputs: [two, sold(3)],
    status: 'held',
    confirm: [undefined, 'expired'],
    needs: all,
  },
  {
    does: 'with both lines sold is fulfilled',
    inputs: [two, sold(3), sold(2, 'shop')],
    status: 'fulfilled',
    confirm: fine,
    needs: [],
  },
  {
    does: 'with both lines sold from one location is fulfilled',
    inputs: [two, sold(5, 'shop')],
    status: 'fulfilled',
    confirm: fine,
    needs: [],
  },
];

describe('a reservation', () => {
  it.each(rows.map((row) => [row.does, row] as const))('%s', (_does, { inputs, status, confirm, needs }) => {
    for (const inOrder of ordersOf(inputs)) {
      const parts = partsOf(inOrder);
      expect(statusOf(parts)).toBe(status);
      expect([confirmRefusal(parts, 8999), confirmRefusal(parts, 9000)]).toEqual(confirm);
      expect(all.filter((each) => needsStep(parts, each as 'confirmed'))).toEqual(needs);
    }
  });

  it('is not fulfilled by a sale before it is granted', () => {
    const parts = partsOf([sold(3)]);
    expect([statusOf(parts), parts[0]?.granted, endedAtMs(parts[0] as ReservationPart)]).toEqual([
      'held',
      false,
      parts[0]?.soldAtMs,
    ]);
  });

  it('counts what a line has from its own location before what it lacks from others', () => {
    for (const inOrder of ordersOf([two, sold(4, 'shop'), sold(1, 'kiosk', '11:00')])) {
      expect(partsOf(inOrder)[0]?.lines.map((line) => line.fulfilled)).toEqual([3, 2]);
    }
    for (const inOrder of ordersOf([two, sold(1, 'shop'), sold(1, 'kiosk', '11:00')])) {
      expect(partsOf(inOrder)[0]?.lines.map((line) => line.fulfilled)).toEqual([1, 1]);
    }
  });

  it('frees what it claimed when it expires partly fulfilled', () => {
    const book = bookOf([receipt('09:00', 10), three, sold(1), expired]);
    expect(viewsOf(book)).toEqual([viewOf('mug', 'dc', { sellable: 9 })]);
  });

  it('that is granted anew stands as the new grant says, whatever became of the old one', () => {
    const anew = granted('r', [{ qty: 1, location: 'shop' }]);
    for (const before of [[], [confirmed], [released], [expired], [confirmed, released]]) {
      const book = bookOf([three, ...before, anew]);
      expect(viewsOf(book)).toEqual([viewOf('mug', 'dc', {}), viewOf('mug', 'shop', { held: 1 })]);
      expect(statusOf([book.parts.get('r') as ReservationPart])).toBe('held');
    }
  });

  it('has ended at its last step or its last sale, and not while it lives', () => {
    const ended = (inputs: readonly Input[]) =>
      ordersOf(inputs).map((inOrder) => endedAtMs(partsOf(inOrder)[0] as ReservationPart));
    const soldAtMs = Date.UTC(2026, 10, 24, 11);
    expect(new Set(ended([three]))).toEqual(new Set([0]));
    expect(new Set(ended([three, confirmed, sold(2)]))).toEqual(new Set([0]));
    expect(new Set(ended([three, released]))).toEqual(new Set([3000]));
    expect(new Set(ended([three, expired, released]))).toEqual(new Set([4000]));
    expect(new Set(ended([three, sold(1), sold(2, 'dc', '11:00')]))).toEqual(new Set([soldAtMs]));
    expect(new Set(ended([three, released, sold(1, 'dc', '11:00')]))).toEqual(new Set([soldAtMs]));
  });
});

describe('a reservation of two partitions', () => {
  const both = granted('r', [{ qty: 3 }, { qty: 2, sku: 'pan', partition: 1 }]);
  const at = (kind: 'confirmed' | 'released' | 'expired', ...partitions: number[]) => ({
    ...step(kind, 'r', 2000),
    parts: partitions.map((partition) => [partition, 1] as const),
  });
  it.each([
    ['is held until both parts are confirmed', [both, at('confirmed', 0)], 'held', all],
    ['is allocated when both parts are confirmed', [both, at('confirmed', 0, 1)], 'allocated', ['released']],
    [
      'is released when one part is, and the other still has to be',
      [both, at('confirmed', 0, 1), at('released', 1)],
      'released',
      ['released'],
    ],
    ['is expired when one part is, and the other can be released', [both, at('expired', 0)], 'expired', ['released']],
    [
      'is released rather than expired when its parts disagree',
      [both, at('expired', 0), at('released', 1)],
      'released',
      [],
    ],
  ] as const)('%s', (_does, inputs, status, needs) => {
    const parts = partsOf(inputs, [0, 1]);
    expect(parts.map((part) => part.lines.map((line) => line.qty))).toEqual([[3], [2]]);
    expect(statusOf(parts)).toBe(status);
    expect(all.filter((each) => needsStep(parts, each as 'confirmed'))).toEqual(needs);
  });

  it('is fulfilled only when both parts are', () => {
    const first = partsOf([both, sold(3)], [0]);
    const rest = partsOf([both, sale('10:00', 2, { sku: 'pan', reservation: 'r' })], [1]);
    const unsold = partsOf([both], [1]);
    expect([statusOf([...first, ...rest]), statusOf([...first, ...unsold])]).toEqual(['fulfilled', 'held']);
  });
});
