/** How a reservation stands after decisions and facts, in any order of the facts. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Books } from '../../../actors/book/books.ts';
import type { ItemForm } from '../../../actors/book/domain.ts';
import { FactIds } from '../../../actors/idempotency/fact-ids.ts';
import { maintain, reservationMemories } from '../../../actors/partition/forgetting.ts';
import { Partition } from '../../../actors/partition/partition.ts';
import { planLines } from '../../../actors/reservation/plan.ts';
import type { StockBook } from '../../../actors/stock/book.ts';
import { STOCK } from '../../../actors/stock/domain.ts';
import { applyFact } from '../../../actors/stock/evolve.ts';
import { audit } from '../../../actors/stock/invariants.ts';
import { RESERVATION_ITEMS } from '../../../actors/stock/items/reservation-items.ts';
import type { ReservationPart } from '../../../actors/stock/state.ts';
import type { Return, StockFact } from '../../../streams/fact/fact.ts';
import type { ReservationDecision, Standing } from '../../../streams/journal/stock-decisions.ts';
import { back, bookOf, type Input, ordersOf, receipt, sale, stands, statusOfParts, viewOf, viewsOf } from './given.ts';

const HOUR = 3_600e6;
const sold = (at: string, qty: number, location = 'dc') => sale(at, qty, { location, reservation: 'r' });
const stopped = (at: string, qty: number, location = 'dc', within = HOUR): Return => ({
  ...(back(at, qty, 'restock', { location, reservation: 'r' }) as Return),
  within,
});
/** A fact that the clock rule has moved. @param days how far its device was ahead */
const movedTo = (fact: StockFact, days: number): StockFact => ({ ...fact, own: fact.at + days * 24 * HOUR });
const two = stands('r', 1, [{ qty: 2 }], { confirmedAtMs: 1000 });
const partOf = (inputs: readonly Input[]) => bookOf(inputs).parts.get('r');
const piecesOf = (inputs: readonly Input[]) =>
  partOf(inputs)
    ?.lines.filter(({ qty }) => qty > 0)
    .map(({ key, qty, fulfilled, claimed }) => [key.location, qty, fulfilled, claimed]);
const undone = (attempt: number): ReservationDecision => {
  return { kind: 'undone', id: 'r', attempt: [1, attempt], atMs: 2000, parts: [[0, 1]] };
};
const grown = (attempt: number, lines: Parameters<typeof stands>[2]): Standing => {
  return { ...stands('r', attempt, lines, { confirmedAtMs: 1000 }), kind: 'grown' };
};

describe('a return that names a reservation', () => {
  const rows: [string, readonly Input[], unknown[]][] = [
    [
      'opens again what was sold, where it came back',
      [sold('10:00', 2), stopped('10:30', 1, 'shop')],
      [
        ['dc', 1, 1, 0],
        ['shop', 1, 0, 1],
      ],
    ],
    [
      'opens nothing that was sold longer ago than the horizon',
      [sold('10:00', 2), stopped('11:01', 1)],
      [['dc', 2, 2, 0]],
    ],
    ['opens nothing that was sold after it', [sold('10:00', 2), stopped('09:00', 1)], [['dc', 2, 2, 0]]],
    ['takes what was sold beyond the lines first', [sold('10:00', 3), stopped('10:30', 1)], [['dc', 2, 2, 0]]],
    [
      'lets its units be sold again',
      [sold('10:00', 2), stopped('10:30', 1, 'shop'), sold('10:45', 1, 'shop')],
      [['dc', 2, 2, 0]],
    ],
    [
      'opens what its device sold before it, though both count as of one moment',
      [movedTo(sold('10:00', 2), 7), movedTo(stopped('10:00', 1), 8)],
      [['dc', 2, 1, 1]],
    ],
    [
      'opens nothing that its device sold after it, though both count as of one moment',
      [movedTo(sold('10:00', 2), 8), movedTo(stopped('10:00', 1), 7)],
      [['dc', 2, 2, 0]],
    ],
  ];
  it.each(rows)('%s', (_does, facts, pieces) => {
    for (const inOrder of ordersOf(facts)) expect(piecesOf([two, ...inOrder])).toEqual(pieces);
    for (const inOrder of ordersOf(facts)) expect(piecesOf([...inOrder, two])).toEqual(pieces);
  });

  it('is judged by the same moments after a snapshot', () => {
    const facts = [movedTo(sold('10:00', 2), 8), movedTo(stopped('10:00', 1), 7), sold('09:00', 1)];
    const part = partOf([two, ...facts]) as ReservationPart;
    const form = RESERVATION_ITEMS.find(
      ({ kind, codes }) => kind === 'part' && codes.includes(6),
    ) as ItemForm<StockBook>;
    const loaded = bookOf([]);
    const [, ...fields] = form.encode(part) as unknown[];
    form.load(loaded, fields, 0);
    const found = loaded.parts.get('r') as ReservationPart;
    expect([found.sold, found.returned, found.soldAtMs]).toEqual([part.sold, part.returned, part.soldAtMs]);
    expect(form.encode(found)).toEqual(form.encode(part));
  });

  it('changes nothing in a reservation that has ended, even if everything was fulfilled', () => {
    const end = stands('r', 2, [{ qty: 2, fulfilled: 2 }], { confirmedAtMs: 1000, releasedAtMs: 1500 });
    const facts = [sold('10:00', 2), stopped('10:30', 1)];
    for (const inOrder of ordersOf([...facts, receipt('09:00', 5)])) {
      const book = bookOf([two, end, ...inOrder]);
      expect(viewsOf(book)).toEqual([viewOf('mug', 'dc', { sellable: 4 })]);
      expect(statusOfParts([...book.parts.values()])).toBe('fulfilled');
    }
  });
});

describe('an end', () => {
  it('carries what was fulfilled, and later sales change nothing in it', () => {
    const end = stands('r', 2, [{ qty: 2, fulfilled: 1 }], { releasedAtMs: 1500 });
    for (const inOrder of ordersOf([sold('10:00', 1), sold('11:00', 1)]))
      expect([piecesOf([two, end, ...inOrder]), piecesOf([...inOrder, two, end])]).toEqual([
        [['dc', 2, 1, 0]],
        [['dc', 2, 1, 0]],
      ]);
  });
});

describe('a change', () => {
  const counted = [{ sku: 'mug', location: 'dc', sold: 1, reopened: 0 }];
  const changed = stands(
    'r',
    2,
    [
      { qty: 1, fulfilled: 1 },
      { qty: 2, location: 'shop' },
    ],
    { confirmedAtMs: 1000, counted },
  );
  it('counts facts on top of those that it includes, whether they come before or after it', () => {
    const facts = [sold('10:00', 1), sold('11:00', 1, 'shop')];
    const pieces = [
      ['dc', 1, 1, 0],
      ['shop', 2, 1, 1],
    ];
    for (const inOrder of ordersOf(facts))
      expect([piecesOf([two, changed, ...inOrder]), piecesOf([two, ...inOrder, changed])]).toEqual([pieces, pieces]);
  });

  it('claims as the lines before it or after it, whichever is more, until its outcome is known', () => {
    const growing = grown(2, [{ qty: 1 }, { qty: 3, location: 'shop' }]);
    const stock = [receipt('09:00', 9), receipt('09:00', 9, { location: 'shop' })];
    const at = (...after: Input[]) =>
      viewsOf(bookOf([...stock, two, ...after])).map(({ location, allocated }) => [location, allocated]);
    expect(at(growing)).toEqual([
      ['dc', 2],
      ['shop', 3],
    ]);
    expect(at(growing, undone(2))).toEqual([
      ['dc', 2],
      ['shop', 0],
    ]);
    expect(at(growing, { ...growing, kind: 'stands' })).toEqual([
      ['dc', 1],
      ['shop', 3],
    ]);
  });

  it('of an attempt that was undone, or is earlier than another one, is none', () => {
    expect(piecesOf([two, undone(3), grown(2, [{ qty: 9 }])])).toEqual([['dc', 2, 0, 2]]);
    expect(partOf([undone(1), grown(0, [{ qty: 9 }])])?.granted).toBe(false);
    expect(piecesOf([two, stands('r', 3, [{ qty: 5 }]), stands('r', 2, [{ qty: 9 }])])).toEqual([['dc', 5, 0, 5]]);
    // The part that stands is not the attempt's, so undoing it again leaves the part alone.
    expect(piecesOf([two, undone(3), undone(3)])).toEqual([['dc', 2, 0, 2]]);
  });

  it('with the same request again changes no line, however often and whatever else is free', () => {
    const qty = fc.integer({ min: 1, max: 6 });
    const place = fc.constantFrom('a', 'b', 'c');
    const line = fc.record({
      qty,
      split: fc.boolean(),
      locations: fc.option(fc.uniqueArray(place, { minLength: 1 }), { nil: undefined }),
    });
    const wish = fc.array(line, { minLength: 1, maxLength: 3 });
    const stock = fc.tuple(qty, qty, qty);
    fc.assert(
      fc.property(wish, stock, stock, (lines, before, later) => {
        const book = bookOf(['a', 'b', 'c'].map((location, i) => receipt('09:00', before[i] ?? 1, { location })));
        const wanted = {
          lines: lines.map((each, index) => ({ ...each, index, sku: 'mug' })),
          size: lines.length,
          partial: false,
          channel: 'web',
          purpose: 'order',
        };
        const planning = { bookOf: () => book, now: 0 };
        const first = planLines([], wanted, planning);
        if (first.shortages.length > 0) return;
        const pieces = first.pieces.map(({ line: n, key, qty: units }, i) => ({
          index: n * 8192 + i,
          location: key.location,
          qty: units,
        }));
        STOCK.evolve(book, stands('r', 1, pieces));
        for (const [i, units] of later.entries()) applyFact(book, receipt('10:00', units, { location: 'abc'[i] }));
        const again = planLines([...book.parts.values()], wanted, planning);
        const shape = (plan: typeof first) =>
          plan.pieces.map(({ line: n, key, qty: units }) => [n, key.location, units]);
        expect(shape(again)).toEqual(shape(first));
      }),
      { numRuns: 200 },
    );
  });
});

it('a snapshot keeps parts, attempts and homes as they are', () => {
  const open = { ...stands('x', 4, [{ qty: 1, partition: 1 }]), following: [1] };
  const inputs: Input[] = [
    receipt('09:00', 9),
    two,
    sold('10:00', 2),
    stopped('10:30', 1, 'shop'),
    grown(2, [{ qty: 3, name: 'first' }]),
    undone(1),
    open,
    { kind: 'begun', id: 'y', attempt: [1, 5], atMs: 1, participants: [1], parts: [[0, 1]] },
  ];
  const book = bookOf(inputs);
  const partition = new Partition(0);
  const books = new Books(0, [STOCK]);
  const items = [...book.skus.values(), ...book.parts.values(), ...book.coordinatorEntries.values()];
  const stored = items.map((item) => ({ page: 0, tuple: JSON.parse(JSON.stringify(partition.books.tupleOf(item))) }));
  books.load(stored);
  const loaded = books.of(STOCK);
  expect(audit(loaded)).toEqual([]);
  expect(viewsOf(loaded)).toEqual(viewsOf(book));
  const again = [...loaded.skus.values(), ...loaded.parts.values(), ...loaded.coordinatorEntries.values()];
  expect(again.map((item) => JSON.stringify(books.tupleOf(item)))).toEqual(
    stored.map(({ tuple }) => JSON.stringify(tuple)),
  );
});

it('ended reservations are remembered for at least the horizon and an hour, fulfilled ones for two', () => {
  const [hour, day] = [3_600_000, 86_400_000];
  expect(reservationMemories({ reservationMemoryMs: 60_000, horizonMs: 7 * day })).toEqual({
    ended: 7 * day + hour,
    fulfilled: 14 * day + hour,
  });
  expect(reservationMemories({ reservationMemoryMs: 30 * day, horizonMs: day })).toEqual({
    ended: 30 * day,
    fulfilled: 30 * day,
  });
  const partition = new Partition(0);
  for (const decision of [stands('r', 1, [{ qty: 1 }], { releasedAtMs: 1000 })]) partition.books.evolve(decision);
  const rules = { horizonMs: day, reservationMemoryMs: 1, caughtUp: false };
  expect(maintain(partition, new FactIds(), { ...rules, nowMs: 1000 + day + hour })).toBe(0);
  expect(maintain(partition, new FactIds(), { ...rules, nowMs: 1001 + day + hour })).toBe(1);
  expect([partition.book.parts.size, partition.book.coordinatorEntries.size]).toEqual([0, 0]);
});
