/**
 * Properties of the stock machine, checked against models written here only from the contract. Facts commute, decisions never grant units
 * that are not there, and compaction changes no answer.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FactIds } from '../../../actors/idempotency/fact-ids.ts';
import { StockBook } from '../../../actors/stock/book.ts';
import { applyDecision, applyFact } from '../../../actors/stock/evolve.ts';
import { audit } from '../../../actors/stock/invariants.ts';
import { bookAsOf, compact, varianceOf } from '../../../actors/stock/movements.ts';
import { endedAtMs } from '../../../actors/stock/reservation.ts';
import { allSupply } from '../../../actors/stock/supply/open-supply.ts';
import type { StockFact } from '../../../streams/fact/fact.ts';
import { hash64 } from '../../../streams/hash.ts';
import type { Granted, Stepped } from '../../../streams/journal/stock-decisions.ts';
import { expectedOf, variancesOf } from './by-definition.ts';
import { granted, inboundBy, order, type Period, statusOfParts, step, unitsOf, variancesIn } from './given.ts';

const PLACES = ['a', 'b', 'c'];
const RESERVATIONS = ['r0', 'r1', 'r2'];
/** First letters of ids that UTF-16 and UTF-8 sort differently. */
const LETTERS = ['a', 'B', '\u00e9', '\uffff', '\u{10000}', '\u{10001}', '\u{2f600}'];

const qtyOf = fc.integer({ min: 1, max: 9 });
const momentOf = fc.integer({ min: -3, max: 8 });
const placeOf = fc.constantFrom(...PLACES);
const hereOf = fc.constantFrom('mug', 'pan');
const orderOf = fc.constantFrom('p1', 'p2');

/** Moments to which the clock rule moves facts, with what the devices said. They fall together with moments of other facts. */
const movedOf = fc.record({ at: fc.constantFrom(3, 5), own: fc.integer({ min: 9, max: 11 }) });

const anyFact: fc.Arbitrary<(id: string) => StockFact> = fc
  .tuple(
    hereOf,
    placeOf,
    fc.oneof(
      momentOf.map((at) => ({ at })),
      movedOf,
    ),
    qtyOf,
    qtyOf,
  )
  .chain(([sku, location, moment, qty, other]) => {
    const common = { sku, location, ...moment };
    const damaged = other % 3;
    return fc.oneof(
      {
        weight: 3,
        arbitrary: fc.option(fc.constantFrom(...RESERVATIONS), { nil: undefined }).map(
          (reservation) =>
            (id: string): StockFact => ({ type: 'sale', id, ...common, qty, reservation }),
        ),
      },
      {
        weight: 2,
        arbitrary: fc.option(orderOf, { nil: undefined }).map(
          (purchaseOrder) =>
            (id: string): StockFact => ({ type: 'receipt', id, ...common, qty, damaged, purchaseOrder }),
        ),
      },
      {
        weight: 3,
        arbitrary: fc
          .record({
            purchaseOrder: orderOf,
            line: fc.constantFrom(undefined, 'l1', 'l2'),
            promisedAt: fc.integer({ min: 0, max: 9 }),
            qty: fc.nat(12),
          })
          .map(
            (ordered) =>
              (id: string): StockFact => ({ type: 'purchase', id, ...common, ...ordered }),
          ),
      },
      fc
        .tuple(
          placeOf,
          fc.constantFrom('t1', 't2'),
          fc.constantFrom('shipped', 'received', 'lost', 'corrected'),
          fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined }),
        )
        .map(([end, transfer, phase, eta]) => (id: string): StockFact => {
          const [from, to] = phase === 'received' ? [end, location] : [location, end];
          return { type: 'transfer', id, ...common, phase, transfer, qty, damaged, from, to, eta };
        }),
      fc.constantFrom('restock', 'inspect', 'damaged', 'scrap', 'vendor').map(
        (disposition) =>
          (id: string): StockFact =>
            ({ type: 'return', id, ...common, qty, disposition }) as StockFact,
      ),
      {
        weight: 2,
        arbitrary: fc.constant((id: string): StockFact => ({ type: 'count', id, ...common, counted: qty * 3 })),
      },
      fc.constantFrom('sellable', 'damaged', 'inspection').map(
        (bucket) =>
          (id: string): StockFact =>
            ({ type: 'adjustment', id, ...common, delta: qty - 5 || 7, bucket }) as StockFact,
      ),
    );
  });

const someFacts = (maxLength: number) =>
  fc
    .array(fc.tuple(anyFact, fc.constantFrom(...LETTERS)), { minLength: 1, maxLength })
    .map((made) => made.map(([make, letter], i) => make(`${letter}${i}`)));

const someDecisions: fc.Arbitrary<(Granted | Stepped)[]> = fc
  .tuple(...RESERVATIONS.map((id) => lifeOf(id)))
  .map((lives) => lives.flat());

function lifeOf(id: string): fc.Arbitrary<(Granted | Stepped)[]> {
  const line = fc.record({ sku: fc.constantFrom('mug', 'pan', 'elsewhere'), location: placeOf, qty: qtyOf });
  const lines = fc.array(line, { minLength: 1, maxLength: 4 });
  const steps = fc.subarray(['confirmed', 'released', 'expired'] as const);
  return fc.tuple(lines, steps, fc.boolean()).map(([wanted, kinds, isGranted]) => {
    if (!isGranted) return [];
    const grant = granted(
      id,
      wanted.map((each) => ({ ...each, partition: each.sku === 'elsewhere' ? 1 : 0 })),
    );
    return [grant, ...kinds.map((kind, i) => step(kind, id, 2000 + i))];
  });
}

/** Folds as the partition does, each fact once by id and content. All invariants must hold after every step. */
function foldedOf(inputs: readonly (StockFact | Granted | Stepped)[]): StockBook {
  const book = new StockBook(0);
  const factIds = new FactIds();
  for (const input of inputs) {
    if ('type' in input) {
      const [id, content] = [hash64(input.id, 1), hash64(JSON.stringify(input))];
      const verdict = factIds.check(id, content);
      if (verdict === 'new') {
        factIds.add(0, id, content, input.at);
        applyFact(book, input);
      } else expect(verdict).toBe('duplicate');
    } else applyDecision(book, input);
    expect(audit(book)).toEqual([]);
  }
  return book;
}

function shownOf(book: StockBook) {
  const views = unitsOf(book);
  const reservations = [...book.parts.values()]
    .filter((part) => part.granted)
    .map((part) => ({
      id: part.id,
      status: statusOfParts([part]),
      fulfilled: part.lines.map((line) => line.fulfilled),
    }));
  return {
    views: views.sort((a, b) => order(`${a.sku}/${a.location}`, `${b.sku}/${b.location}`)),
    reservations: reservations.sort((a, b) => order(a.id, b.id)),
  };
}

/** State that no answer shows yet, and that must not depend on the order either. */
function deepOf(book: StockBook) {
  const horizons: Period[] = [2, 5, 9].map((by) => ({ now: 0, by, laneTime: 4 }));
  const keys = [...book.skus.values()].flatMap((entry) => entry.keys);
  return {
    keys: keys
      .map((key) => ({
        name: `${key.sku.name}/${key.location}`,
        inbound: horizons.map((horizon) => inboundBy(book, key, horizon)),
        supply: allSupply(key, () => 4)
          .map(({ source, record, qty, due }) => `${source} ${record.id} ${qty} ${due}`)
          .sort(),
        count: key.count,
        variance: varianceOf(key),
        movements: key.movements,
        corrections: (key.rare?.corrections ?? []).map(({ transfer, at, qty }) => `${transfer.id} ${at} ${qty}`).sort(),
        moved: key.rare?.moved ?? [],
      }))
      .sort((a, b) => order(a.name, b.name)),
    transfers: [...book.skus.values()]
      .flatMap(({ name, transfers }) =>
        [...(transfers?.values() ?? [])].map(({ latest, ...sums }) => ({
          ...sums,
          ...latest,
          key: latest.key.location,
          name: `${name}/${sums.id}`,
        })),
      )
      .sort((a, b) => order(a.name, b.name)),
    purchases: [...book.skus.values()]
      .flatMap(({ name, purchases }) =>
        [...(purchases?.values() ?? [])].map(({ id, received, orderedAt, lines }) => ({
          name: `${name}/${id}`,
          received,
          orderedAt,
          lines: lines.map(({ order: _order, key, ...line }) => ({ ...line, location: key.location })),
        })),
      )
      .sort((a, b) => order(a.name, b.name)),
    parts: [...book.parts.values()]
      .map((part) => ({
        id: part.id,
        granted: part.granted,
        ended: endedAtMs(part),
        bucket: part.lines.length > 0 && part.bucket,
      }))
      .sort((a, b) => order(a.id, b.id)),
  };
}

describe('facts and decisions', () => {
  const history = fc.tuple(someFacts(24), someDecisions).chain(([facts, decisions]) => {
    const inputs = [...facts, ...decisions];
    const again = fc.subarray(facts);
    return again.chain((more) => {
      const all = [...inputs, ...more];
      return fc.record({
        facts: fc.constant(facts),
        decisions: fc.constant(decisions),
        inputs: fc.constant(inputs),
        shuffled: fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length }),
      });
    });
  });

  it('come to what the contract says, in any order and with any duplicates', () => {
    fc.assert(
      fc.property(history, ({ facts, decisions, inputs, shuffled }) => {
        const [straight, mixed] = [foldedOf(inputs), foldedOf(shuffled)];
        expect(shownOf(straight)).toEqual(expectedOf(facts, decisions));
        expect(variancesIn(straight)).toEqual(variancesOf(facts));
        expect(shownOf(mixed)).toEqual(shownOf(straight));
        expect(deepOf(mixed)).toEqual(deepOf(straight));
      }),
      { numRuns: 1500 },
    );
  });

  it('raise the change number by one each, so that no version stands for two states', () => {
    fc.assert(
      fc.property(history, ({ inputs }) => {
        expect(foldedOf(inputs).seq).toBe(inputs.length);
      }),
      { numRuns: 50 },
    );
  });
});

describe('compaction', () => {
  interface Arrival {
    readonly fact: StockFact;
    /** The oldest moment that can still receive facts is raised to this before the fact arrives. */
    readonly raise: number;
  }
  const arrivals: fc.Arbitrary<Arrival[]> = fc
    .array(fc.tuple(anyFact, fc.integer({ min: 0, max: 2 })), { maxLength: 30 })
    .map((made) => {
      let oldest = -3;
      return made.map(([make, raise], i) => {
        oldest += raise;
        const fact = make(`f${String(i).padStart(2, '0')}`);
        const at = Math.max(oldest, fact.at + Math.floor(i / 3));
        return { fact: { ...fact, sku: 'mug', at, own: fact.own && fact.own + i + 30 }, raise: oldest };
      });
    });

  it('at any moment before which nothing can come any more changes no later answer', () => {
    fc.assert(
      fc.property(arrivals, (all) => {
        const [whole, cut] = [new StockBook(0), new StockBook(0)];
        for (const { fact, raise } of all) {
          for (const entry of cut.skus.values()) for (const key of entry.keys) compact(key, raise);
          applyFact(whole, fact);
          applyFact(cut, fact);
          expect(audit(cut)).toEqual([]);
          expect(shownOf(cut)).toEqual(shownOf(whole));
          expect(variancesIn(cut)).toEqual(variancesIn(whole));
          checkBooksAsOf(whole, cut, raise);
        }
      }),
      { numRuns: 1500 },
    );
  });

  /** From the last count on, the book as of any moment is the same too. */
  function checkBooksAsOf(whole: StockBook, cut: StockBook, oldest: number): void {
    for (const location of PLACES) {
      const [one, other] = [whole.findKey('mug', location), cut.findKey('mug', location)];
      if (one === undefined || other === undefined) continue;
      const from = Math.max(oldest, one.count?.at ?? oldest);
      for (let at = from; at < from + 6; at++) {
        const moment = { at, own: at === one.count?.at ? one.count.own : undefined };
        expect(bookAsOf(other, moment)).toBe(bookAsOf(one, moment));
      }
    }
  }

  it('leaves what is not older than the moment, and says whether it took anything', () => {
    const book = new StockBook(0);
    for (const at of [1, 2, 3])
      applyFact(book, { type: 'receipt', id: `r${at}`, sku: 'mug', location: 'a', at, qty: 10 ** at, damaged: 0 });
    const key = book.key('mug', 'a');
    expect([compact(key, 1), key.movements, key.base]).toEqual([false, [1, 10, 2, 100, 3, 1000], 0]);
    expect([compact(key, 3), key.movements, key.base]).toEqual([true, [3, 1000], 110]);
    applyFact(book, { type: 'count', id: 'c', sku: 'mug', location: 'a', at: 3, counted: 7 });
    expect([key.sellable, key.base, audit(book)]).toEqual([7, 0, []]);
    applyFact(book, { type: 'sale', id: 's', sku: 'mug', location: 'a', at: 4, qty: 2, reservation: undefined });
    expect([compact(key, 5), key.sellable, key.movements, key.base]).toEqual([true, 5, [], -2]);
  });
});
