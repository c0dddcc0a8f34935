/**
 * The anomalies that are functions of the book: after any shuffle of the facts, in any batches, with restarts between them, the same ones
 * are open, and they say the same.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ANOMALY_DEFAULTS } from '../../../config/anomalies.ts';
import type { AnomalyKind } from '../../../streams/contract/anomaly-kinds.ts';
import type { Fact } from '../../../streams/fact/fact.ts';
import { HOUR_MS, Shop } from './detect/shop.ts';

const KINDS: readonly AnomalyKind[] = [
  'negative_stock',
  'shortfall',
  'transfer_over',
  'over_fulfilled',
  'count_variance',
];
/** Thresholds at which few facts raise and end each kind. */
const PARAMETERS = { ...ANOMALY_DEFAULTS, negativeUnits: 3, shortfallUnits: 2, countVariance: 0.2, countZ: 2 };
const BEGIN = Date.parse('2026-01-05T00:00:00Z') * 1000;
const RESERVATIONS = ['r0', 'r1'];

const placeOf = fc.constantFrom('shop', 'dc');
const qtyOf = fc.integer({ min: 1, max: 9 });
const reservationOf = fc.option(fc.constantFrom(...RESERVATIONS), { nil: undefined });
const momentOf = fc.oneof(
  fc.nat(9).map((hour) => ({ at: BEGIN + hour * HOUR_MS * 1000 })),
  // Facts that the clock rule moved to one moment.
  fc
    .integer({ min: 10, max: 13 })
    .map((hour) => ({ at: BEGIN + 5 * HOUR_MS * 1000, own: BEGIN + hour * HOUR_MS * 1000 })),
);
type Whole = {
  readonly [Type in Fact['type']]: Omit<Extract<Fact, { type: Type }>, 'id' | 'sku' | 'location' | 'at'>;
}[Fact['type']];

const kindOf: fc.Arbitrary<Whole> = fc
  .tuple(qtyOf, fc.nat(2), reservationOf, placeOf, fc.constantFrom('t0', 't1'))
  .chain(([qty, damaged, reservation, to, transfer]) =>
    fc.oneof(
      { weight: 3, arbitrary: fc.constant<Whole>({ type: 'sale', qty, reservation }) },
      { weight: 3, arbitrary: fc.constant<Whole>({ type: 'count', counted: qty * 2 }) },
      fc.constant<Whole>({ type: 'receipt', qty, damaged }),
      fc
        .constantFrom('shipped', 'received', 'lost', 'corrected')
        .map((phase): Whole => ({ type: 'transfer', phase, transfer, qty, damaged, from: 'dc', to, eta: undefined })),
      fc
        .constantFrom('restock', 'inspect', 'damaged')
        .map((disposition) => ({ type: 'return', qty, disposition, reservation, within: 4 * HOUR_MS * 1000 }) as Whole),
      fc
        .constantFrom('sellable', 'damaged', 'inspection')
        .map((bucket): Whole => ({ type: 'adjustment', delta: qty - 6 || 3, bucket })),
    ),
  );
const factsOf = fc
  .array(fc.tuple(kindOf, momentOf, placeOf), { minLength: 1, maxLength: 24 })
  .map((made) =>
    made.map(([whole, moment, location], i) => ({ ...whole, id: `f${i}`, sku: 'mug', location, ...moment }) as Fact),
  );

type Step = (shop: Shop) => unknown;
/** What happens to each reservation, in the order of the journal. */
const livesOf: fc.Arbitrary<Step[]> = fc
  .tuple(
    ...RESERVATIONS.map((id) =>
      fc.tuple(fc.constant(id), fc.boolean(), qtyOf, fc.constantFrom('confirmed', 'released', undefined)),
    ),
  )
  .map((lives) =>
    lives.flatMap(([id, isHeld, qty, kind]) => {
      const steps: Step[] = [];
      if (isHeld) steps.push((shop) => shop.hold(id, qty));
      if (isHeld && kind !== undefined) steps.push((shop) => shop.step(kind, id));
      return steps;
    }),
  );

/** One way in which the facts and the decisions come. After each of them there may be a look or a restart. */
const runOf = (facts: readonly Fact[], steps: readonly Step[]) =>
  fc
    .record({
      facts: fc.shuffledSubarray([...facts], { minLength: facts.length, maxLength: facts.length }),
      places: fc.array(fc.nat(facts.length), { minLength: steps.length, maxLength: steps.length }),
      breaks: fc.array(fc.constantFrom(undefined, undefined, 'look', 'restart'), { minLength: 40, maxLength: 40 }),
    })
    .map((run) => {
      const inputs: Step[] = run.facts.map((fact) => (shop) => shop.fold(fact));
      const places = run.places.toSorted((a, b) => b - a);
      for (const [i, step] of steps.toReversed().entries()) inputs.splice(places[i] ?? 0, 0, step);
      return { inputs, breaks: run.breaks };
    });

function openAfter({ inputs, breaks }: { inputs: readonly Step[]; breaks: readonly (string | undefined)[] }) {
  const shop = new Shop(PARAMETERS);
  for (const [i, input] of inputs.entries()) {
    input(shop);
    if (breaks[i] === 'look') shop.look();
    if (breaks[i] === 'restart') shop.restart();
  }
  return KINDS.flatMap((kind) =>
    shop
      .open(kind)
      .map(({ cause, sku, location, severity, says }) => [kind, cause, sku, location, severity, says].join(' ')),
  ).toSorted();
}

it('after any order of the facts, in any batches, the same anomalies are open', () => {
  const seen = new Set<string>();
  const runs = fc.tuple(factsOf, livesOf).chain(([facts, steps]) => fc.tuple(runOf(facts, steps), runOf(facts, steps)));
  fc.assert(
    fc.property(runs, ([one, other]) => {
      const open = openAfter(one);
      expect(openAfter(other)).toEqual(open);
      for (const each of open) seen.add(each.split(' ')[0] as string);
    }),
    { numRuns: 500 },
  );
  expect([...seen].toSorted()).toEqual(KINDS.toSorted());
});
