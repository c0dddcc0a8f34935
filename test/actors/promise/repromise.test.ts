/** Promises that are made again when supply moves: published cases, an enumeration of all answers, and what a crash in between leaves. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Move, remake } from '../../../actors/promise/repromise.ts';
import type { StockBook } from '../../../actors/stock/book.ts';
import { moveLine } from '../../../actors/stock/dated/phased.ts';
import { applyDecision } from '../../../actors/stock/evolve.ts';
import { audit } from '../../../actors/stock/invariants.ts';
import { DAY, type Instance, keyIn, moment, NOW, type PromisedUnits, phasedBook } from '../stock/dated/phased-given.ts';

/** A day, `now` for a line that takes its units, or `none`. */
type Shown = number | 'now' | 'none';

function shown(due: number): Shown {
  return due === 0 ? 'now' : due === moment(undefined) ? 'none' : (due - NOW) / DAY;
}

/** The moments of all lines once the promises are made again. */
function remade(book: StockBook): Record<string, Shown> {
  const lines = [...book.parts.values()].flatMap((part) => part.lines.map((line) => [part.id, line.date] as const));
  const dues = new Map(lines.map(([id, date]) => [id, date?.due ?? 0]));
  for (const { part, now } of remake(book, keyIn(book), NOW).moves) dues.set(part.id, now);
  return Object.fromEntries([...dues].map(([id, due]) => [id, shown(due)]));
}

/** Stores moves in decisions of one each. @param more whether others follow after the last one */
function fold(book: StockBook, moves: readonly Move[], more = false): void {
  for (const [i, { part, line, was, now }] of moves.entries()) {
    const move = { reservation: part.id, index: line.index, name: undefined, qty: line.claimed, wanted: 0, was, now };
    const about = { id: 'mug at dc', sku: 'mug', location: 'dc', atMs: 0, parts: [[0, 1]] as const };
    applyDecision(book, {
      kind: 'repromised',
      ...about,
      cause: 'test',
      moves: [move],
      more: more || i + 1 < moves.length,
    });
  }
  expect(audit(book)).toEqual([]);
}

const wantedAndHad = (id: string, qty: number, wanted: number, day: number | undefined) => ({ id, qty, wanted, day });
const SIX = [
  wantedAndHad('A', 4, 5, 5),
  wantedAndHad('B', 5, 5, 5),
  wantedAndHad('C', 3, 8, 8),
  wantedAndHad('D', 4, 8, 8),
  wantedAndHad('E', 2, 5, 12),
  wantedAndHad('F', 1, 5, 5),
];
const supply = (...list: readonly (readonly [qty: number, day: number])[]) => list.map(([qty, day]) => ({ qty, day }));

describe('promises of one SKU at one location', () => {
  const rows: readonly [string, Instance, Record<string, Shown>][] = [
    [
      'are made again by wanted day and age when supply slips',
      { sellable: 4, supply: supply([10, 12], [6, 8]), promises: SIX },
      { A: 5, B: 8, C: 12, D: 12, E: 12, F: 8 },
    ],
    [
      'come earlier, but not before the wanted day, when supply comes earlier',
      {
        sellable: 4,
        supply: supply([16, 5], [6, 8]),
        promises: SIX.map((each) => ('CD'.includes(each.id) ? { ...each, day: 12 } : each)),
      },
      { A: 5, B: 5, C: 8, D: 8, E: 5, F: 5 },
    ],
    [
      'are served in order when stock is lost',
      { sellable: 0, supply: supply([10, 5], [6, 8]), promises: SIX },
      { A: 5, B: 5, C: 8, D: 'none', E: 8, F: 5 },
    ],
    [
      'have no moment when nothing comes any more',
      { sellable: 4, promises: SIX },
      { A: 5, B: 'none', C: 'none', D: 'none', E: 'none', F: 'none' },
    ],
    [
      'keep their days while all fit',
      { sellable: 4, supply: supply([12, 5], [6, 8]), promises: SIX.filter(({ id }) => id !== 'E') },
      { A: 5, B: 5, C: 8, D: 8, F: 5 },
    ],
    [
      'are ordered by priority before all else',
      {
        sellable: 0,
        supply: supply([4, 6]),
        promises: [
          { id: 'web', qty: 4, day: 2, group: 'web' },
          { id: 'pickup', qty: 4, day: 5, group: 'pickup' },
        ],
        priority: { pickup: 1, web: 2 },
      },
      { pickup: 6, web: 'none' },
    ],
    [
      'take their units when their moment has come',
      {
        sellable: 5,
        promises: [
          { id: 'due', qty: 3, day: -1 },
          { id: 'later', qty: 2, day: 4 },
        ],
      },
      { due: 'now', later: 4 },
    ],
    [
      'are late as a whole if not all of their units are there',
      { sellable: 2, supply: supply([5, 4]), promises: [{ id: 'due', qty: 3, day: -1 }] },
      { due: 4 },
    ],
    [
      'leave an earlier line the units that a later one would need',
      {
        sellable: 3,
        promises: [
          { id: 'soon', qty: 3, day: 1 },
          { id: 'late', qty: 2, day: 6 },
        ],
      },
      { soon: 1, late: 'none' },
    ],
    [
      'of backorders are allocated as soon as all units are there, oldest first',
      { sellable: 5, promises: ['a', 'b', 'c'].map((id, i) => ({ id, qty: [2, 4, 1][i] as number, day: undefined })) },
      { a: 'now', b: 'none', c: 'none' },
    ],
    [
      'of backorders wait for dated lines, also for those without a moment',
      {
        sellable: 4,
        promises: [
          { id: 'dated', qty: 5, day: undefined, wanted: 2 },
          { id: 'open', qty: 2, day: undefined },
        ],
      },
      { dated: 'none', open: 'none' },
    ],
  ];
  it.each(rows)('%s', (_what, instance, expected) => {
    expect(remade(phasedBook(instance))).toEqual(expected);
  });
});

const someDay = fc.integer({ min: 0, max: 5 });
const instances: fc.Arbitrary<Instance> = fc.record({
  sellable: fc.integer({ min: 0, max: 5 }),
  supply: fc.array(fc.record({ qty: fc.integer({ min: 1, max: 5 }), day: someDay }), { maxLength: 3 }),
  promises: fc
    .array(
      fc.record({
        qty: fc.integer({ min: 1, max: 3 }),
        wanted: fc.integer({ min: 1, max: 5 }),
        later: fc.integer({ min: 0, max: 3 }),
        group: fc.constantFrom('web', 'pickup'),
      }),
      { minLength: 1, maxLength: 4 },
    )
    .map((list) =>
      list.map(({ later, ...each }, i): PromisedUnits => ({ ...each, day: each.wanted + later, id: `p${i}` })),
    ),
  priority: fc.constantFrom<Readonly<Record<string, number>>>({}, { pickup: 1 }, { web: 1, pickup: 2 }),
});

/** Whether every line has its units on the day that it was given, whoever comes first. */
function isFeasible(
  { sellable, supply: coming = [] }: Instance,
  days: readonly (readonly [qty: number, day: number])[],
): boolean {
  for (let today = 0; today <= 20; today++) {
    const came = coming.reduce((sum, { qty, day }) => sum + (day <= today ? qty : 0), sellable);
    if (days.reduce((sum, [qty, day]) => sum + (day <= today ? qty : 0), 0) > came) return false;
  }
  return true;
}

/** Tries every vector of days. The best one gives the first line the earliest day, then the second one, and so on. */
function enumerated(instance: Instance): Record<string, Shown> {
  const rank = ({ group = 'web' }: PromisedUnits) => instance.priority?.[group] ?? 99;
  const lines = [...(instance.promises ?? [])].sort((a, b) => rank(a) - rank(b) || (a.wanted ?? 0) - (b.wanted ?? 0));
  const none = 99;
  const best = (
    i: number,
    given: readonly (readonly [number, number])[],
  ): readonly (readonly [number, number])[] | undefined => {
    const line = lines[i];
    if (line === undefined)
      return isFeasible(
        instance,
        given.filter(([, day]) => day < none),
      )
        ? given
        : undefined;
    for (const day of [...Array.from({ length: 12 }, (_, each) => each), none]) {
      const found = day < (line.wanted ?? 0) ? undefined : best(i + 1, [...given, [line.qty, day]]);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const days = best(0, []) ?? [];
  return Object.fromEntries(lines.map(({ id }, i) => [id, days[i]?.[1] === none ? 'none' : (days[i]?.[1] as Shown)]));
}

const isBroken = (instance: Instance) =>
  !isFeasible(
    instance,
    (instance.promises ?? []).map(({ qty, day }) => [qty, day ?? 99] as const),
  );

it('are the best of all possible days, line by line, in 400 random instances', () => {
  fc.assert(
    fc.property(instances.filter(isBroken), (instance) => {
      expect(remade(phasedBook(instance))).toEqual(enumerated(instance));
    }),
    { numRuns: 400 },
  );
});

it('only improve, and make no other line later, while all of them fit', () => {
  fc.assert(
    fc.property(
      instances.filter((each) => !isBroken(each)),
      (instance) => {
        const found = remade(phasedBook(instance));
        const days = (instance.promises ?? []).map(({ id = '', qty, wanted = 0, day = 0 }) => {
          const now = found[id] as number;
          expect(now).toBeLessThanOrEqual(day);
          expect(now).toBeGreaterThanOrEqual(wanted);
          return [qty, now] as const;
        });
        expect(isFeasible(instance, days)).toBe(true);
      },
    ),
    { numRuns: 400 },
  );
});

it('are the same whether all decisions are stored or a crash comes after any of them', () => {
  fc.assert(
    fc.property(instances, (instance) => {
      const whole = phasedBook(instance);
      const { moves, all } = remake(whole, keyIn(whole), NOW);
      fold(whole, moves);
      const expected = remade(whole);
      for (let stored = 0; stored < moves.length; stored++) {
        const cut = phasedBook(instance);
        fold(cut, remake(cut, keyIn(cut), NOW).moves.slice(0, stored), all);
        expect(remade(cut)).toEqual(expected);
      }
    }),
    { numRuns: 2_000 },
  );
});

it.each<[string, Instance, Shown]>([
  ['moves later', { sellable: 0, supply: supply([3, 6]), promises: [{ id: 'r', qty: 2, day: 3 }] }, 6],
  ['takes its units', { sellable: 2, promises: [{ id: 'r', qty: 2, day: -1 }] }, 'now'],
])('a line that %s binds new grants before the decision is stored', (_what, instance, expected) => {
  const book = phasedBook(instance);
  const [move] = remake(book, keyIn(book), NOW).moves;
  moveLine(keyIn(book), move?.line as Move['line'], move?.now);
  expect(remake(book, keyIn(book), NOW).moves).toEqual([]);
  expect(audit(book)).toEqual([]);
  fold(book, [move as Move]);
  expect(remade(book)).toEqual({ r: expected });
});
