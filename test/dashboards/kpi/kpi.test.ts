/** KPIs as folds. They always equal the book, and continue from their stored state as if nothing had happened. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { foldDecision, foldFact } from '../../../actors/partition/fold.ts';
import { Partition } from '../../../actors/partition/partition.ts';
import { encodePage, loadPages } from '../../../actors/snapshot/format.ts';
import { stockUnits } from '../../../actors/stock/availability.ts';
import { KpiCounters } from '../../../dashboards/kpi/counters.ts';
import { locationPart, locationTopic, partitionFigures } from '../../../dashboards/kpi/figures.ts';
import { KnownFigures } from '../../../dashboards/kpi/known-figures.ts';
import { KpiObserver } from '../../../dashboards/kpi/observer.ts';
import { mergeRequestStats } from '../../../dashboards/kpi/request-stats.ts';
import { STANDING } from '../../../dashboards/kpi/totals.ts';
import { type StockSums, sumOf } from '../../../streams/buckets.ts';
import type { Fact } from '../../../streams/fact/fact.ts';
import type { Granted, Stepped } from '../../../streams/journal/stock-decisions.ts';
import { granted, step } from '../../actors/stock/given.ts';

const DAY_MS = 86_400_000;
const NOW = Date.parse('2026-11-24T12:00:00Z');
const NOTHING_OPEN = { byKind: {}, byLocation: new Map<string, number>() };
const ASKED = mergeRequestStats([], []);

type Op = { readonly fact: Fact; readonly recordedAt: number } | { readonly decision: Granted | Stepped };

function partition(): Partition & { observer: KpiObserver } {
  const made = new Partition(0);
  made.observer = new KpiObserver({ partition: { serving: true }, counted: new KpiCounters() });
  return made as Partition & { observer: KpiObserver };
}

function fold(into: Partition, op: Op): void {
  if ('fact' in op) foldFact(into, op.fact, op.recordedAt);
  else foldDecision(into, op.decision);
}

const nameOf = fc.constantFrom('mug', 'pan', 'jug');
const placeOf = fc.constantFrom('a', 'b', 'c');
const idOf = fc.constantFrom('r0', 'r1', 'r2', 'r3');
const qtyOf = fc.integer({ min: 1, max: 9 });
/** Up to 200 days ago. */
const agoOf = fc.integer({ min: 0, max: 200 * 24 }).map((hours) => hours * 3_600_000);

const factOf: fc.Arbitrary<(id: string) => Op> = fc
  .record({ sku: nameOf, location: placeOf, ago: agoOf, late: agoOf, qty: qtyOf, other: qtyOf, end: placeOf })
  .chain(({ sku, location, ago, late, qty, other, end }) => {
    const common = { sku, location, at: (NOW - ago) * 1000 };
    const recordedAt = (NOW - Math.min(ago, late)) * 1000;
    const made = (fact: object) => (id: string) => ({ fact: { id, ...common, ...fact } as Fact, recordedAt });
    return fc.oneof(
      fc.option(idOf, { nil: undefined }).map((reservation) => made({ type: 'sale', qty, reservation })),
      fc.constant(made({ type: 'receipt', qty: qty * 3, damaged: other % 3 })),
      fc
        .tuple(fc.constantFrom('t1', 't2'), fc.boolean())
        .map(([transfer, out]) =>
          made(
            out
              ? { type: 'transfer', phase: 'shipped', transfer, qty, damaged: 0, from: location, to: end }
              : { type: 'transfer', phase: 'received', transfer, qty, damaged: other % 2, from: end, to: location },
          ),
        ),
      fc
        .constantFrom('restock', 'inspect', 'damaged', 'scrap', 'vendor')
        .map((disposition) =>
          made({ type: 'return', qty, disposition, reason: other > 5 ? `why ${other}` : undefined }),
        ),
      fc.constant(made({ type: 'count', counted: (qty - 1) * 3 })),
      fc
        .constantFrom('sellable', 'damaged', 'inspection')
        .map((bucket) => made({ type: 'adjustment', delta: qty - 5 || 7, bucket })),
    );
  });
const decisionOf: fc.Arbitrary<(id: string) => Op> = fc
  .record({ id: idOf, ago: agoOf, lines: fc.array(fc.tuple(nameOf, placeOf, qtyOf), { minLength: 1, maxLength: 3 }) })
  .chain(({ id, ago, lines }) =>
    fc.constantFrom('granted', 'granted', 'confirmed', 'released', 'expired').map((kind) => () => {
      const atMs = NOW - ago;
      if (kind !== 'granted') return { decision: step(kind as Stepped['kind'], id, atMs) };
      const taken = lines.map(([sku, location, qty]) => ({ sku, location, qty }));
      return { decision: granted(id, taken, { atMs }) };
    }),
  );
const opsOf = fc
  .array(fc.oneof({ weight: 3, arbitrary: factOf }, { weight: 2, arbitrary: decisionOf }), { maxLength: 60 })
  .map((makes) => makes.map((make, index) => make(`f${index}`)));

function pick({ units, oversold, negativeUnits }: StockSums): StockSums {
  return { units, oversold, negativeUnits };
}

/** The last day on which each stock key received units, by the contract's definition alone. */
function inboundOf(ops: readonly Op[]): Map<string, number> {
  const came = new Map<string, number>();
  const found = new Map<string, number>();
  for (const op of ops) {
    if (!('fact' in op)) continue;
    const { fact } = op;
    const key = `${fact.sku} ${fact.location}`;
    const day = Math.floor(fact.at / 1000 / DAY_MS);
    const brings =
      fact.type === 'receipt' ||
      (fact.type === 'transfer' && fact.phase === 'received') ||
      (fact.type === 'return' && ['restock', 'inspect', 'damaged'].includes(fact.disposition));
    const finds = (fact.type === 'count' && fact.counted > 0) || (fact.type === 'adjustment' && fact.delta > 0);
    if (brings) came.set(key, Math.max(day, came.get(key) ?? 0));
    if (finds) found.set(key, Math.max(day, found.get(key) ?? 0));
  }
  return new Map([...found, ...came]);
}

it('equals a scan of the book after any facts and decisions', () => {
  fc.assert(
    fc.property(opsOf, (ops) => {
      const made = partition();
      for (const op of ops) fold(made, op);
      const inbound = inboundOf(ops);
      const views = [...made.book.skus.values()].flatMap(({ keys }) => keys.map((key) => stockUnits(key)));
      for (const location of ['a', 'b', 'c']) {
        const here = views.filter((view) => view.location === location);
        const part = locationPart(made.observer, location, NOW);
        const shown = locationTopic(location, part === undefined ? [] : [part], 0, NOW);
        const sum = (of: (view: (typeof here)[number]) => number) => here.reduce((total, view) => total + of(view), 0);
        const buckets = ['sellable', 'damaged', 'inspection'] as const;
        const there = (view: (typeof here)[number]) => buckets.map((bucket) => Math.max(0, view[bucket]));
        const onHand = (view: (typeof here)[number]) => there(view).reduce((total, units) => total + units, 0);
        const isBelow = (view: (typeof here)[number]) => buckets.some((bucket) => view[bucket] < 0);
        expect(shown.units).toEqual({
          onHand: sum(onHand),
          sellable: sum((view) => Math.max(0, view.sellable)),
          damaged: sum((view) => Math.max(0, view.damaged)),
          inspection: sum((view) => Math.max(0, view.inspection)),
          held: sum((view) => view.held),
          allocated: sum((view) => view.allocated),
          atp: sum((view) => view.atp),
          inTransit: sum((view) => view.inTransit),
          onOrder: 0,
        });
        expect(shown).toMatchObject({
          stockKeys: here.length,
          stockOuts: here.filter((view) => view.sellable <= 0 && inbound.has(`${view.sku} ${location}`)).length,
          oversold: sum((view) => Math.max(0, view.held + view.allocated - Math.max(0, view.sellable))),
          negative: here.filter(isBelow).length,
          negativeUnits: sum((view) => onHand(view) - view.onHand),
        });
        // The page adds up the same parts from rows.
        expect(sumOf(here)).toEqual(pick(shown));
        const aged = [0, 0, 0, 0, 0];
        for (const view of here) {
          const day = inbound.get(`${view.sku} ${location}`);
          const age = day === undefined ? Number.POSITIVE_INFINITY : Math.floor(NOW / DAY_MS) - day;
          const index = [30, 60, 90, 180].findIndex((days) => age <= days);
          (aged[index < 0 ? 4 : index] as number) += onHand(view);
        }
        expect(shown.ageing).toEqual(aged);
      }
    }),
    { numRuns: 300 },
  );
});

it('goes on from what was kept with a snapshot at any point as if there had been none', () => {
  fc.assert(
    fc.property(opsOf, fc.nat(60), (ops, cut) => {
      const whole = partition();
      const first = partition();
      for (const op of ops) fold(whole, op);
      for (const op of ops.slice(0, cut)) {
        // An earlier snapshot must not affect a later one.
        first.observer.keep();
        fold(first, op);
      }
      const kept = first.observer.keep();
      const pages = first.books.pages.list.map(({ items }, page) => ({ page, bytes: encodePage(first.books, items) }));
      const second = partition();
      loadPages(second.books, pages, undefined);
      second.observer.load(second.book, kept);
      for (const op of ops.slice(cut)) fold(second, op);
      expect(shownOf(second)).toEqual(shownOf(whole));
    }),
    { numRuns: 300 },
  );
});

it('tells the same windows whatever the order in which streams are read', () => {
  fc.assert(
    fc.property(opsOf, fc.infiniteStream(fc.nat()), (ops, chances) => {
      // The effect of a hold or a count depends on the book at the time. Units sold and their times do not.
      const facts = ops.filter((op) => 'fact' in op && op.fact.type !== 'count');
      const shuffled = facts
        .map((op) => [chances.next().value as number, op] as const)
        .sort(([a], [b]) => a - b)
        .map(([, op]) => op);
      const [one, two] = [partition(), partition()];
      for (const op of facts) fold(one, op);
      for (const op of shuffled) fold(two, op);
      const figures = (each: typeof one) =>
        Object.values(shownOf(each).windows).map(({ seconds, facts: types, unitsSold, unitsReturned, transfers }) => ({
          seconds,
          types,
          unitsSold,
          unitsReturned,
          received: transfers.received,
          damaged: transfers.unitsDamaged,
        }));
      expect(figures(two)).toEqual(figures(one));
      expect(shownOf(two).ageing).toEqual(shownOf(one).ageing);
    }),
    { numRuns: 200 },
  );
});

it('gives newcomers all and others what changed, and both add up to the same while facts leave the last minute', () => {
  const asksOf = fc.array(fc.record({ at: fc.nat(60), asker: fc.nat(1) }), { maxLength: 8 });
  fc.assert(
    fc.property(opsOf, asksOf, fc.integer({ min: 0, max: 3 }), (ops, asks, seconds) => {
      const made = partition();
      const known = [new KnownFigures(), new KnownFigures()];
      const ask = (asker: KnownFigures | undefined, nowMs: number) =>
        asker?.take(partitionFigures(made.observer, 0, 7, nowMs, asker.mark(0)));
      let nowMs = NOW;
      for (const [index, op] of ops.entries()) {
        fold(made, 'fact' in op ? { ...op, recordedAt: nowMs * 1000 } : op);
        nowMs += seconds * 5_000;
        for (const { at, asker } of asks) if (at === index) ask(known[asker], nowMs);
      }
      for (const asker of known) {
        ask(asker, nowMs);
        expect(asker.topic(ASKED, NOTHING_OPEN, nowMs)).toEqual(shownOf(made, nowMs));
        // Figures of an earlier owner, or earlier ones of the same owner, change nothing.
        asker.take({ ...partitionFigures(partition().observer, 0, 6, nowMs), full: true });
        expect(asker.topic(ASKED, NOTHING_OPEN, nowMs)).toEqual(shownOf(made, nowMs));
        // A later owner is believed even if it knows nothing.
        asker.take({ ...partitionFigures(partition().observer, 0, 8, nowMs), full: true });
        expect(asker.topic(ASKED, NOTHING_OPEN, nowMs)).toEqual(shownOf(partition(), nowMs));
      }
    }),
    { numRuns: 200 },
  );
});

it('keeps the figures of 31,000 stock keys in few bytes', () => {
  const made = partition();
  for (let i = 0; i < 31_000; i++) {
    const fact: Fact = {
      type: 'receipt',
      id: `f${i}`,
      sku: `sku-${i}`,
      location: `store-${i % 40}`,
      at: (NOW - (i % 90) * DAY_MS) * 1000,
      qty: 3,
      damaged: 0,
    };
    foldFact(made, fact, (NOW - (i % 3_600) * 1000) * 1000);
  }
  const bytes = made.observer.keep().length;
  expect(bytes).toBeLessThan(400_000);
});

it('keeps a day of a thousand locations in few bytes, which is what its time goes by', () => {
  const made = partition();
  const hours = Array.from({ length: 24 }, (_, i) => NOW - (24 - i) * 3_600_000);
  const minutes = Array.from({ length: 60 }, (_, i) => NOW - (60 - i) * 60_000);
  let n = 0;
  for (let store = 0; store < 1_000; store++) {
    for (const atMs of [...hours, ...minutes]) {
      const [id, at] = [`f${n++}`, atMs * 1000];
      const fact = { id, sku: `sku-${store % 50}`, location: `store-${store}`, at, qty: 1 };
      foldFact(made, { type: 'sale', ...fact } as Fact, at);
    }
  }
  const bytes = made.observer.keep().length;
  // Only the non-zero figures of a bucket are stored. Dense ones took five times the bytes and thirty times the time.
  expect(bytes).toBeLessThan(700_000);
});

it('reads sums of a node on 0.1, whose shortfall says nothing of oversold units', () => {
  expect(Object.keys(STANDING)).toEqual([
    ...['onHand', 'sellable', 'damaged', 'inspection', 'held', 'allocated', 'atp', 'inTransit', 'onOrder'],
    ...['stockKeys', 'stockOuts', 'negative', 'shortfall', 'oversold', 'negativeUnits'],
  ]);
  const known = new KnownFigures();
  const old = [10, 10, 0, 0, 1, 2, 7, 0, 0, 3, 0, 1, 5];
  known.take({ ...partitionFigures(partition().observer, 0, 7, NOW), locations: [['a', old, NOW, 0]] });
  const { units, oversold, negative, negativeUnits } = known.topic(ASKED, NOTHING_OPEN, NOW);
  expect(units).toMatchObject({ onHand: 10, held: 1, allocated: 2, atp: 7 });
  expect({ oversold, negative, negativeUnits }).toEqual({ oversold: 0, negative: 1, negativeUnits: 0 });
});

it('begins anew from what it cannot read', () => {
  const made = partition();
  fold(made, {
    fact: { type: 'receipt', id: 'f', sku: 'mug', location: 'a', at: NOW * 1000, qty: 3, damaged: 0 },
    recordedAt: NOW * 1000,
  });
  const whole = made.observer.keep();
  for (const kept of [whole.subarray(0, whole.length - 3), Uint8Array.of(9, 1, 2), Uint8Array.of()]) {
    made.observer.load(made.book, kept);
    const shown = shownOf(made);
    expect(shown.units.onHand).toBe(3);
    expect(shown.windows.all.facts.receipt).toBe(0);
    expect(shown.ageing).toEqual([3, 0, 0, 0, 0]);
  }
});

function shownOf(made: { readonly observer: KpiObserver }, nowMs = NOW) {
  const known = new KnownFigures();
  known.take(partitionFigures(made.observer, 0, 7, nowMs));
  return known.topic(ASKED, NOTHING_OPEN, nowMs);
}
