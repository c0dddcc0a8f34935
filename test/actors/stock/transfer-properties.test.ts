/**
 * Properties of transfers, in any order of their facts. Units are conserved, and nothing is promised that does not exist. The model below
 * is written from the contract alone. It keeps five sums per transfer and one per location.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { onHand } from '../../../actors/stock/availability.ts';
import type { StockBook } from '../../../actors/stock/book.ts';
import { inTransit, unitsLost, unitsOver } from '../../../actors/stock/supply/transit.ts';
import type { StockFact, Transfer } from '../../../streams/fact/fact.ts';
import { atpIn, bookOf } from './given.ts';

const PLACES = ['a', 'b', 'c'];
const placeOf = fc.constantFrom(...PLACES);
const common = { sku: 'mug', damaged: 0, from: 'a', to: 'b', eta: undefined };

/** The facts of one transfer that left with `sent` units, cut into parts that each end in one way or stay on their way. */
const transferOf = (transfer: string): fc.Arbitrary<Transfer[]> =>
  fc
    .record({
      from: placeOf,
      to: placeOf,
      shipments: fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.nat(9), placeOf), { minLength: 1, maxLength: 2 }),
      ends: fc.array(
        fc.record({
          phase: fc.constantFrom('received', 'damaged', 'lost', 'corrected', 'found', 'none'),
          share: fc.integer({ min: 1, max: 5 }),
          at: fc.nat(9),
          place: placeOf,
          names: fc.boolean(),
        }),
        { maxLength: 4 },
      ),
      eta: fc.option(fc.nat(12), { nil: undefined }),
    })
    .map(({ from, to, shipments, ends, eta }) => {
      const base = { ...common, type: 'transfer', transfer, from, to } as const;
      const facts: Transfer[] = shipments.map(([qty, at, other], i) => ({
        ...base,
        id: `${transfer}-s${i}`,
        location: from,
        at,
        phase: 'shipped',
        qty,
        to: i === 0 ? to : other,
        eta,
      }));
      let left = shipments.reduce((sum, [qty]) => sum + qty, 0);
      for (const [i, { phase, share, at, place, names }] of ends.entries()) {
        const qty = Math.min(left, share);
        if (qty === 0 || phase === 'none') continue;
        const here = { ...base, id: `${transfer}-e${i}`, location: place, at, qty, to: names ? place : to };
        const lost: Transfer = { ...here, phase: 'lost' };
        const arrived: Transfer = { ...here, phase: 'received' };
        left -= qty;
        if (phase === 'lost') facts.push(lost);
        else if (phase === 'found') facts.push(lost, { ...arrived, id: `${here.id}-found`, at: at + 1 });
        else if (phase === 'corrected') facts.push({ ...here, phase, location: from });
        else facts.push(phase === 'received' ? arrived : { ...arrived, qty: 0, damaged: qty });
      }
      return facts;
    });

/** Enough units come in first that no book has to go below zero, and sometimes fewer. */
const receiptOf = (location: string) =>
  fc.integer({ min: 0, max: 40 }).map((qty): StockFact[] => {
    return qty === 0 ? [] : [{ type: 'receipt', id: `r-${location}`, sku: 'mug', location, at: 0, qty, damaged: 0 }];
  });

const historyOf = fc
  .tuple(...PLACES.map(receiptOf), ...['t1', 't2', 't3'].map(transferOf))
  .map((made) => made.flat())
  .chain((facts) => fc.shuffledSubarray(facts, { minLength: facts.length, maxLength: facts.length }))
  .chain((facts) => fc.record({ facts: fc.constant(facts), seen: fc.nat(facts.length) }));

const sum = (numbers: readonly number[]) => numbers.reduce((all, each) => all + each, 0);

function figuresOf(book: StockBook) {
  const keys = [...book.skus.values()].flatMap((entry) => entry.keys);
  const transfers = [...book.skus.values()].flatMap((entry) => [...(entry.transfers?.values() ?? [])]);
  return {
    onHand: sum(keys.map(onHand)),
    inTransit: sum(keys.map(inTransit)),
    lost: sum(transfers.map(unitsLost)),
    over: transfers.some((transfer) => unitsOver(transfer) > 0),
    atp: (now: number, by: number) => sum(keys.map((key) => atpIn(book, key, { now, by, laneTime: 3 }))),
    isBelowZero: keys.some((key) => key.sellable < 0),
  };
}

/** What exists, by the contract: what came in, less what is lost. Undefined if more of a transfer came back than left. */
function modelOf(facts: readonly StockFact[]): { exists: number; lost: number } | undefined {
  const units = new Map<string, { left: number; lost: number }>();
  let came = 0;
  for (const fact of facts) {
    if (fact.type === 'receipt') came += fact.qty;
    if (fact.type !== 'transfer') continue;
    const of = units.get(fact.transfer) ?? { left: 0, lost: 0 };
    units.set(fact.transfer, of);
    if (fact.phase === 'lost') of.lost += fact.qty;
    else of.left += fact.phase === 'shipped' ? fact.qty : -fact.qty - fact.damaged;
  }
  if ([...units.values()].some(({ left }) => left < 0)) return undefined;
  const lost = sum([...units.values()].map((of) => Math.min(of.left, of.lost)));
  return { exists: came - lost, lost };
}

it('units are conserved at every moment at which no transfer has more back than out', () => {
  fc.assert(
    fc.property(historyOf, ({ facts, seen }) => {
      for (const known of [facts, facts.slice(0, seen)]) {
        const [model, { onHand: here, inTransit: moving, lost, over }] = [modelOf(known), figuresOf(bookOf(known))];
        expect(over).toBe(model === undefined);
        if (model !== undefined)
          expect({ exists: here + moving, lost }).toEqual({ exists: model.exists, lost: model.lost });
      }
    }),
    { numRuns: 1000 },
  );
});

it('ATP by any date never promises more than exists, where no book is below zero', () => {
  let judged = 0;
  fc.assert(
    fc.property(historyOf, fc.nat(12), ({ facts, seen }, now) => {
      for (const known of [facts, facts.slice(0, seen)]) {
        const [model, { atp: atpOf, isBelowZero }] = [modelOf(known), figuresOf(bookOf(known))];
        if (model === undefined || isBelowZero) continue;
        judged += 1;
        for (const by of [now, now + 2, now + 20]) expect(atpOf(now, by)).toBeLessThanOrEqual(model.exists);
      }
    }),
    { numRuns: 1000 },
  );
  expect(judged).toBeGreaterThan(500);
});
