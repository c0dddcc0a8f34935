/**
 * The anomalies that are functions of the book, or of the book and the clock: after any shuffle of the facts, in any batches, with looks,
 * waits and restarts between them, the same ones are open at the same moment, and they say the same.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ANOMALY_DEFAULTS } from '../../../config/anomalies.ts';
import type { AnomalyKind } from '../../../streams/contract/anomaly-kinds.ts';
import type { Fact } from '../../../streams/fact/fact.ts';
import { DAY_MS, HOUR_MS, Shop } from './detect/shop.ts';

const KINDS: readonly AnomalyKind[] = [
  'negative_stock',
  'shortfall',
  'transfer_over',
  'over_fulfilled',
  'count_variance',
  'receipt_overdue',
  'receipt_short',
  'receipt_unmatched',
  'transfer_short',
  'reservation_unknown',
];
/** Thresholds at which few facts raise and end each kind. */
const PARAMETERS = { ...ANOMALY_DEFAULTS, negativeUnits: 3, shortfallUnits: 2, countVariance: 0.2, countZ: 2 };
const BEGIN = Date.parse('2026-01-05T00:00:00Z') * 1000;
const RESERVATIONS = ['r0', 'r1'];
/** When the anomalies are compared: after all waiting times, and before a damaged delivery is forgotten. */
const END_MS = BEGIN / 1000 + 20 * DAY_MS;

const placeOf = fc.constantFrom('shop', 'dc');
const qtyOf = fc.integer({ min: 1, max: 9 });
const orderOf = fc.constantFrom('p0', 'p1');
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
      {
        weight: 2,
        arbitrary: fc
          .option(orderOf, { nil: undefined })
          .map((purchaseOrder): Whole => ({ type: 'receipt', qty, damaged, purchaseOrder })),
      },
      {
        weight: 2,
        arbitrary: fc
          .tuple(orderOf, fc.constantFrom(undefined, 'l1'), fc.constantFrom(1, 10, 400), fc.nat(12))
          .map(([purchaseOrder, line, days, ordered]): Whole => {
            const promisedAt = BEGIN + days * DAY_MS * 1000;
            return { type: 'purchase', purchaseOrder, line, qty: ordered, promisedAt };
          }),
      },
      {
        weight: 3,
        arbitrary: fc
          .constantFrom('shipped', 'received', 'lost', 'corrected')
          .map((phase): Whole => ({ type: 'transfer', phase, transfer, qty, damaged, from: 'dc', to, eta: undefined })),
      },
      fc
        .constantFrom('restock', 'inspect', 'damaged')
        .map((disposition) => ({ type: 'return', qty, disposition, reservation, within: 4 * HOUR_MS * 1000 }) as Whole),
      fc
        .constantFrom('sellable', 'damaged', 'damaged', 'inspection')
        .map((bucket): Whole => ({ type: 'adjustment', delta: qty - 6 || 3, bucket })),
    ),
  );
const factsOf = fc
  .array(fc.tuple(kindOf, momentOf, placeOf), { minLength: 8, maxLength: 32 })
  .map((made) =>
    made.map(([whole, moment, location], i) => ({ ...whole, id: `f${i}`, sku: 'mug', location, ...moment }) as Fact),
  );

type Step = (shop: Shop) => unknown;
/** What happens to each reservation, in the order of the journal. */
const livesOf: fc.Arbitrary<Step[]> = fc
  .tuple(
    ...RESERVATIONS.map((id) =>
      fc.tuple(
        fc.constant(id),
        fc.constantFrom('here', 'elsewhere', 'nowhere'),
        qtyOf,
        fc.constantFrom('confirmed', 'released', undefined),
      ),
    ),
  )
  .map((lives) =>
    lives.flatMap(([id, where, qty, kind]) => {
      const steps: Step[] = [];
      if (where === 'here') steps.push((shop) => shop.hold(id, qty));
      if (where === 'elsewhere') steps.push((shop) => shop.hold(id, qty, { sku: 'pan', partition: 8 }));
      if (where !== 'nowhere' && kind !== undefined) steps.push((shop) => shop.step(kind, id));
      return steps;
    }),
  );

/** One way in which the facts and the decisions come. After each of them there may be a look or a restart. */
const runOf = (facts: readonly Fact[], steps: readonly Step[]) =>
  fc
    .record({
      facts: fc.shuffledSubarray([...facts], { minLength: facts.length, maxLength: facts.length }),
      places: fc.array(fc.nat(facts.length), { minLength: steps.length, maxLength: steps.length }),
      breaks: fc.array(fc.constantFrom(undefined, 'look', 'wait', 'restart'), {
        minLength: 40,
        maxLength: 40,
      }),
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
    if (breaks[i] === 'wait') shop.wait(8 * HOUR_MS).look();
    if (breaks[i] === 'restart') shop.restart();
  }
  shop.nowMs = END_MS;
  shop.look();
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
