/** The formula of ATP over time: a table of cases, a unit-by-unit play, and the properties of the contract. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { atpOf, atpsOf, backorderableOf, type Instance, type PromisedUnits } from './phased-given.ts';

const days = (list: readonly number[]) => list.map((qty, i) => ({ qty, day: i + 1 }));
const PUBLISHED = { supply: days([6, 4, 2, 4, 8, 4, 4, 4]), promises: days([6, 2, 3, 6, 6, 1, 2, 2]) };
const PRE_ORDERS = { sellable: 5, promises: [{ qty: 8, day: 10 }] };
const HALF_HELD = { sellable: 10, protect: { pickup: 3 }, promises: [{ qty: 1, day: 0, group: 'pickup' }] };
const BACKORDERED = { sellable: 2, backorder: { web: 5 }, promises: [{ qty: 7, day: undefined }] };

/** Each expectation is a day, with a channel if one is asked for, and the ATP. */
const CASES: readonly [string, Instance, Readonly<Record<string, number>>][] = [
  ['only stock', { sellable: 10 }, { '0': 10, '9': 10 }],
  [
    'a promise for day 10 binds stock of today',
    { ...PRE_ORDERS, supply: [{ qty: 6, day: 10 }] },
    { '0': 3, '9': 3, '10': 3 },
  ],
  [
    'a late promise never takes what an earlier one needs',
    { sellable: 5, supply: [{ qty: 10, day: 7 }], promises: [{ qty: 5, day: 3 }] },
    { '0': 0, '3': 0, '6': 0, '7': 10 },
  ],
  [
    "Oracle Inventory's published table, without its reset of negative quantities",
    { sellable: 0, ...PUBLISHED },
    { '1': 0, '4': 0, '5': 1, '6': 4, '7': 6, '8': 8 },
  ],
  [
    'the same after 3 more are promised for day 7',
    { sellable: 0, ...PUBLISHED, promises: [...PUBLISHED.promises, { qty: 3, day: 7 }] },
    { '5': 1, '6': 3, '7': 3, '8': 5 },
  ],
  [
    'supply that slips from day 10 to day 20',
    { ...PRE_ORDERS, supply: [{ qty: 6, day: 20 }] },
    { '0': 0, '19': 0, '20': 3 },
  ],
  ['overdue supply is no supply', { sellable: 2, supply: [{ qty: 50, day: -1 }] }, { '0': 2, '20': 2 }],
  [
    '100 ordered for day 10, 30 of them received',
    { sellable: 30, supply: [{ qty: 70, day: 10 }] },
    { '0': 30, '9': 30, '10': 100 },
  ],
  ['safety stock', { sellable: 10, safetyStock: 3, supply: [{ qty: 5, day: 4 }] }, { '0': 7, '4': 12 }],
  ['protection of which one unit is held', HALF_HELD, { '0 web': 7, '0 pickup': 9, '0': 7 }],
  [
    'protection has no priorities',
    { sellable: 10, protect: { A: 4, B: 3 }, priority: { A: 1, B: 2, C: 3 } },
    { '0 A': 7, '0 B': 6, '0 C': 3 },
  ],
  [
    'a cap of 10 of which 8 are used',
    { sellable: 50, cap: { marketplace: 10 }, promises: [{ qty: 8, day: 0, group: 'marketplace' }] },
    { '0 marketplace': 2, '0 web': 42, '0': 42 },
  ],
  ['an allowance for backorders is no ATP', { sellable: 2, backorder: { web: 5 } }, { '0 web': 2, '0 store': 2 }],
  ['7 backorders against 2 units', BACKORDERED, { '0 web': 0, '0 store': 0, '6 web': 0 }],
  [
    'then 4 are bought for day 6',
    { ...BACKORDERED, supply: [{ qty: 4, day: 6 }] },
    { '0 web': 0, '6 web': 0, '6 store': 0 },
  ],
  [
    'a pre-order of 6 against 10 that come on day 5',
    { sellable: 0, supply: [{ qty: 10, day: 5 }], promises: [{ qty: 6, day: 5 }] },
    { '0': 0, '4': 0, '5': 4 },
  ],
  [
    'they come early, and the pre-order keeps its 6',
    { sellable: 10, promises: [{ qty: 6, day: 5 }] },
    { '0': 4, '5': 4 },
  ],
  [
    'a count takes stock below what is allocated',
    { sellable: 4, supply: [{ qty: 5, day: 3 }], promises: [{ qty: 6, day: 0 }] },
    { '0': 0, '2': 0, '3': 3 },
  ],
  [
    'a broken promise',
    {
      sellable: 0,
      promises: [{ qty: 3, day: 1 }],
      supply: [
        { qty: 3, day: 5 },
        { qty: 2, day: 9 },
      ],
    },
    { '1': 0, '5': 0, '9': 2 },
  ],
  ['protection larger than the stock', { sellable: 2, protect: { pickup: 5 } }, { '0 web': 0, '0 pickup': 2 }],
  [
    'protection of what is still to come',
    { sellable: 0, supply: [{ qty: 10, day: 4 }], protect: { pickup: 3 } },
    { '0 web': 0, '4 web': 7, '4 pickup': 10 },
  ],
];

describe('ATP', () => {
  it.each(CASES)('%s', (_what, instance, expected) => {
    const found = Object.keys(expected).map((asked) => {
      const [day, channel] = asked.split(' ');
      return [asked, atpOf(instance, channel, Number(day))];
    });
    expect(Object.fromEntries(found)).toEqual(expected);
  });

  it('leaves backorders what the allowance and later supply allow', () => {
    expect(backorderableOf({ sellable: 2, backorder: { web: 5 } }, 'web')).toBe(7);
    expect(backorderableOf({ sellable: 2, backorder: { web: 5 } }, 'store')).toBeUndefined();
    expect(backorderableOf(BACKORDERED, 'web')).toBe(0);
    expect(backorderableOf({ ...BACKORDERED, supply: [{ qty: 4, day: 6 }] }, 'web')).toBe(4);
  });
});

const LAST_DAY = 9;
const END = LAST_DAY + 2;
const channel = fc.constantFrom('web', 'pickup', 'x');
const day = fc.integer({ min: 0, max: LAST_DAY });
const record = (most: number) => fc.dictionary(channel, fc.integer({ min: 0, max: most }), { maxKeys: 2 });
const instances: fc.Arbitrary<Instance> = fc.record({
  sellable: fc.integer({ min: -1, max: 6 }),
  safetyStock: fc.integer({ min: 0, max: 2 }),
  supply: fc.array(fc.record({ qty: fc.integer({ min: 1, max: 4 }), day }), { maxLength: 3 }),
  promises: fc.array(
    fc.record({
      qty: fc.integer({ min: 1, max: 3 }),
      day: fc.option(day, { nil: undefined, freq: 4 }),
      group: channel,
    }),
    { maxLength: 4 },
  ),
  protect: record(4),
  cap: record(8),
  backorder: record(4),
});

interface Call {
  readonly due: number;
  readonly qty: number;
  readonly who: string;
}

/**
 * Plays an instance day by day. Each day, what comes in goes to the calls that are due, one unit at a time: the earliest due first, and of
 * one day the oldest. @returns on which day each unit was served, by who called for it; missing if it never was
 */
function play(
  { sellable, safetyStock = 0, supply = [] }: Instance,
  calls: readonly Call[],
  lent = 0,
): Map<string, number> {
  const queue = calls.flatMap(({ due, qty, who }) =>
    Array.from({ length: qty }, (_, i) => ({ due, name: `${who}.${i}` })),
  );
  const waiting = queue.map((unit, age) => ({ ...unit, age })).sort((a, b) => a.due - b.due || a.age - b.age);
  const served = new Map<string, number>();
  let stock = sellable - safetyStock;
  for (let today = 0; today <= END; today++) {
    for (const { qty, day: on } of supply) if (on === today) stock += qty;
    if (today === END) stock += lent;
    while (stock > 0 && waiting[0] !== undefined && waiting[0].due <= today) {
      served.set((waiting.shift() as { name: string }).name, today);
      stock -= 1;
    }
  }
  return served;
}

/** How many units for a channel and day leave everybody else as they were and are all served in time. Shares no formula with the program. */
function played(instance: Instance, by: string, t: number, backorder = false): number {
  const { promises = [], protect = {}, cap = {} } = instance;
  const active = (group: string) => promises.reduce((sum, { qty, group: of }) => sum + (of === group ? qty : 0), 0);
  const old = promises.map(({ qty, day: on = END }, i): Call => ({ due: on, qty, who: `old ${i}` }));
  const kept = Object.entries(protect)
    .filter(([group]) => group !== by)
    .reduce((sum, [group, units]) => sum + Math.max(0, units - active(group)), 0);
  const lent = backorder ? (instance.backorder?.[by] ?? 0) : 0;
  const isGood = (qty: number): boolean => {
    if (cap[by] !== undefined && active(by) + qty > cap[by]) return false;
    // Those for whom units are kept may come for them on any day.
    return Array.from({ length: kept === 0 ? 1 : END + 1 }, (_, on) => on).every((on) => {
      const others = [...old, { due: on, qty: kept, who: 'kept' }];
      const without = play(instance, others, lent);
      const all = [...old, { due: t, qty, who: 'new' }, { due: on, qty: kept, who: 'kept' }];
      const withNew = play(instance, all, lent);
      const names = all.flatMap(({ who, qty: units }) => Array.from({ length: units }, (_, i) => `${who}.${i}`));
      return names.every((name) =>
        name.startsWith('new') ? (withNew.get(name) ?? END + 1) <= t : withNew.get(name) === without.get(name),
      );
    });
  };
  let qty = 0;
  while (qty < 40 && isGood(qty + 1)) qty += 1;
  return qty;
}

// TA1
it('equals what a unit-by-unit play allows, in 10,000 random instances', () => {
  fc.assert(
    fc.property(instances, channel, day, (instance, by, t) => {
      expect(atpOf(instance, by, t)).toBe(played(instance, by, t));
    }),
    { numRuns: 10_000 },
  );
});

it('allows the backorders that such a play allows', () => {
  fc.assert(
    fc.property(instances, channel, (instance, by) => {
      const allowed = backorderableOf(instance, by);
      if (allowed !== undefined) expect(allowed).toBe(played(instance, by, END, true));
    }),
    { numRuns: 2_000 },
  );
});

// TA2, TA3
it('never falls with time, with more or earlier supply, by a receipt, or by a release', () => {
  fc.assert(
    fc.property(instances, channel, day, fc.integer({ min: 1, max: 3 }), (instance, by, on, qty) => {
      const { supply = [], promises = [], sellable } = instance;
      const atps = (other: Instance) => atpsOf(other, by, LAST_DAY);
      const before = atps(instance);
      const notBelow = (other: Instance) => {
        for (const [t, atp] of atps(other).entries()) expect(atp).toBeGreaterThanOrEqual(before[t] as number);
      };
      for (const [t, atp] of before.entries()) expect(atp).toBeGreaterThanOrEqual(before[t - 1] ?? 0);
      notBelow({ ...instance, supply: [...supply, { qty, day: on }] });
      notBelow({ ...instance, supply: supply.map((each) => ({ ...each, day: Math.max(0, each.day - 1) })) });
      const [first, ...others] = supply;
      if (first !== undefined) {
        const received = { ...instance, sellable: sellable + 1, supply: [{ ...first, qty: first.qty - 1 }, ...others] };
        notBelow({ ...received, supply: received.supply.filter((each) => each.qty > 0) });
      }
      const released = promises.findIndex(({ group }: PromisedUnits) => group === by);
      if (released >= 0) notBelow({ ...instance, promises: promises.toSpliced(released, 1) });
    }),
    { numRuns: 2_000 },
  );
});
