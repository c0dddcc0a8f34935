/** Properties of plans, checked against simple sheets of stock and promises. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StockBook } from '../../../actors/stock/book.ts';
import { ANYBODY } from '../../../actors/stock/dated/atp.ts';
import { applyDecision, applyFact } from '../../../actors/stock/evolve.ts';
import { audit } from '../../../actors/stock/invariants.ts';
import { type SourcedLine, sourceLines, type WantedLine } from '../../../actors/stock/sourcing.ts';
import type { Granted } from '../../../streams/journal/stock-decisions.ts';
import { total } from './by-definition.ts';
import { granted, step } from './given.ts';

const PLACES = ['a', 'b', 'c'];
const placeOf = fc.constantFrom(...PLACES);
const hereOf = fc.constantFrom('mug', 'pan');

/** Reservations as a shopkeeper would record them: a sheet of stock, a sheet of promises, and promises in progress. */
interface Promised {
  readonly id: string;
  readonly lines: readonly { place: string; qty: number }[];
  readonly expiresAtMs: number;
  state: 'pending' | 'held' | 'allocated' | 'ended';
}
type Sheet = Map<string, number>;

const anyLine = fc.record({
  sku: hereOf,
  qty: fc.integer({ min: 1, max: 6 }),
  locations: fc.option(fc.uniqueArray(fc.constantFrom(...PLACES, 'moon'), { minLength: 1, maxLength: 3 }), {
    nil: undefined,
  }),
  split: fc.boolean(),
});
const anyRequest = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      ask: fc.constant('place' as const),
      partial: fc.boolean(),
      lines: fc.array(anyLine, { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      ask: fc.constantFrom('confirmed', 'released', 'expired'),
      of: fc.nat(8),
      late: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ ask: fc.constantFrom('stored', 'dropped') }) },
  {
    weight: 2,
    arbitrary: fc.record({
      ask: fc.constant('move' as const),
      sku: hereOf,
      location: placeOf,
      delta: fc.integer({ min: -4, max: 8 }).filter((delta) => delta !== 0),
    }),
  },
);
type Asked = typeof anyRequest extends fc.Arbitrary<infer T> ? T : never;

const nameOf = (sku: string, location: string) => `${sku}/${location}`;

/** Free units by place: stock minus promises and promises in progress. */
function leftOn(stock: Sheet, promises: readonly Promised[]): Sheet {
  const left = new Map(stock);
  for (const { lines, state } of promises) {
    if (state === 'ended') continue;
    for (const { place, qty } of lines) left.set(place, (left.get(place) ?? 0) - qty);
  }
  return left;
}

/** Whether all lines fit whole at the same time. Tries every placement of undivided lines, and Hall's condition for split lines. */
function fits(lines: readonly WantedLine[], left: Sheet): boolean {
  const placesOf = (line: WantedLine) =>
    PLACES.filter((each) => line.locations?.includes(each) ?? true).map((each) => nameOf(line.sku, each));
  const [first, ...others] = [...lines].sort((a, b) => Number(a.split) - Number(b.split));
  if (first === undefined) return true;
  if (!first.split) {
    return placesOf(first).some((place) => {
      const rest = (left.get(place) ?? 0) - first.qty;
      return rest >= 0 && fits(others, new Map(left).set(place, rest));
    });
  }
  return subsets(lines).every((some) => {
    const places = new Set(some.flatMap(placesOf));
    return total(some, (line) => line.qty) <= total([...places], (place) => Math.max(0, left.get(place) ?? 0));
  });
}

function subsets<T>(things: readonly T[]): T[][] {
  return things.reduce<T[][]>((all, thing) => all.flatMap((some) => [some, [...some, thing]]), [[]]);
}

/** Everything that must be true of a plan, given the units left when it was made. */
function checkPlan(
  wanted: readonly WantedLine[],
  sourced: readonly SourcedLine[],
  short: readonly { sku: string; requested: number; available: number }[],
  left: Sheet,
  partial: boolean,
): void {
  const drawn: Sheet = new Map();
  for (const { line, key, qty } of sourced) {
    const place = nameOf(key.sku.name, key.location);
    drawn.set(place, (drawn.get(place) ?? 0) + qty);
    expect(qty).toBeGreaterThan(0);
    expect(key.sku.name).toBe(line.sku);
    if (line.locations !== undefined) expect(line.locations).toContain(key.location);
  }
  for (const [place, qty] of drawn)
    expect(qty, `granted of ${place}, which had ${left.get(place)}`).toBeLessThanOrEqual(left.get(place) ?? 0);
  expect(sourced.map((each) => each.line.index)).toEqual(sourced.map((each) => each.line.index).sort((a, b) => a - b));
  let shortLines = 0;
  for (const line of wanted) {
    const of = sourced.filter((each) => each.line === line);
    const got = total(of, (each) => each.qty);
    if (!line.split) expect(of.length).toBeLessThanOrEqual(1);
    expect(new Set(of.map((each) => each.key)).size).toBe(of.length);
    if (got === line.qty) continue;
    shortLines += 1;
    const said = short.find(
      (each) => each.sku === line.sku && each.requested === line.qty && (!partial || each.available === got),
    );
    expect(said, `shortage of line ${line.index}`).toBeDefined();
    if (!partial) expect(got).toBe(0);
  }
  expect(short.length).toBe(shortLines);
  for (const each of short) expect(each.available).toBeLessThan(each.requested);
  for (const sku of new Set(wanted.map((line) => line.sku))) {
    const group = wanted.filter((line) => line.sku === sku);
    expect(
      short.every((each) => each.sku !== sku),
      `all of ${sku} granted`,
    ).toBe(fits(group, left));
  }
}

/** A line that is alone in its SKU gets exactly what the contract says. */
function checkAlone(
  line: WantedLine,
  sourced: readonly SourcedLine[],
  short: readonly { sku: string; available: number }[],
  left: Sheet,
): void {
  const known = PLACES.filter((each) => left.has(nameOf(line.sku, each)));
  const roomAt = (place: string) => Math.max(0, left.get(nameOf(line.sku, place)) ?? 0);
  const places = line.locations === undefined ? known : line.locations.filter((each) => known.includes(each));
  const most = Math.max(0, ...places.map(roomAt));
  const said = short.find((each) => each.sku === line.sku);
  const available = line.split ? total(places, roomAt) : most;
  if (said !== undefined) expect(said.available).toBe(available);
  const of = sourced.filter((each) => each.line === line);
  if (of.length === 0 || line.split) return;
  const enough = places.find((each) => roomAt(each) >= line.qty);
  const place = of[0]?.key.location as string;
  if (line.locations === undefined || enough === undefined) expect(roomAt(place)).toBe(most);
  else expect(place).toBe(enough);
}

describe('requests', () => {
  function run(stock: Sheet, asked: readonly Asked[]): void {
    const book = new StockBook(0);
    for (const [place, qty] of stock) {
      const [sku, location] = place.split('/') as [string, string];
      applyFact(book, { type: 'count', id: place, sku, location, at: 0, counted: qty });
    }
    const promises: Promised[] = [];
    const waiting: { promise: Promised; decision: Granted; sourced: readonly SourcedLine[] }[] = [];
    const take = (request: Asked, number: number): void => {
      switch (request.ask) {
        case 'place': {
          const wanted = request.lines.map((line, index) => ({ ...line, index }));
          const left = leftOn(stock, promises);
          const { sourced, shortages } = sourceLines(wanted, () => book, { ...ANYBODY, now: 0 }, request.partial);
          const refused = sourced.length === 0 || (shortages.length > 0 && !request.partial);
          checkPlan(wanted, sourced, shortages, left, request.partial);
          for (const line of wanted) {
            if (wanted.filter((each) => each.sku === line.sku).length === 1) checkAlone(line, sourced, shortages, left);
          }
          if (refused) return;
          for (const each of sourced) each.key.pending += each.qty;
          const lines = sourced.map(({ key, qty }) => ({ sku: key.sku.name, location: key.location, qty }));
          const decision = granted(`r${number}`, lines);
          const promise: Promised = {
            id: decision.id,
            lines: lines.map((line) => ({ place: nameOf(line.sku, line.location), qty: line.qty })),
            expiresAtMs: decision.expiresAtMs,
            state: 'pending',
          };
          promises.push(promise);
          waiting.push({ promise, decision, sourced });
          return;
        }
        case 'stored':
        case 'dropped': {
          const next = waiting.shift();
          if (next === undefined) return;
          for (const each of next.sourced) each.key.pending -= each.qty;
          if (request.ask === 'stored') applyDecision(book, next.decision);
          next.promise.state = request.ask === 'stored' ? 'held' : 'ended';
          return;
        }
        case 'move': {
          const place = nameOf(request.sku, request.location);
          stock.set(place, (stock.get(place) ?? 0) + request.delta);
          const { sku, location, delta } = request;
          applyFact(book, { type: 'adjustment', id: `m${number}`, sku, location, at: 1, delta, bucket: 'sellable' });
          return;
        }
        case 'confirmed':
        case 'released':
        case 'expired': {
          const stored = promises.filter((each) => book.parts.has(each.id));
          const promise = stored[request.of % Math.max(1, stored.length)];
          if (promise === undefined) return;
          const nowMs = promise.expiresAtMs - (request.late ? 0 : 1);
          if (request.ask === 'confirmed') {
            const may = promise.state === 'allocated' || (promise.state === 'held' && !request.late);
            if (!may) return;
          }
          const changes = { confirmed: ['held'], released: ['held', 'allocated'], expired: ['held'] }[request.ask];
          if (!changes.includes(promise.state)) return;
          applyDecision(book, step(request.ask, promise.id, nowMs));
          promise.state = request.ask === 'confirmed' ? 'allocated' : 'ended';
          return;
        }
      }
    };
    asked.forEach((request, number) => {
      take(request, number);
      checkBook(book, stock, promises);
    });
  }

  function checkBook(book: StockBook, stock: Sheet, promises: readonly Promised[]): void {
    expect(audit(book)).toEqual([]);
    for (const entry of book.skus.values()) {
      for (const key of entry.keys) {
        const place = nameOf(entry.name, key.location);
        const of = (state: string) =>
          total(
            promises.filter((each) => each.state === state).flatMap((each) => each.lines),
            (line) => (line.place === place ? line.qty : 0),
          );
        const { sellable, held, allocated, pending } = key;
        expect({ place, sellable, held, allocated, pending }).toEqual({
          place,
          sellable: stock.get(place) ?? 0,
          held: of('held'),
          allocated: of('allocated'),
          pending: of('pending'),
        });
      }
    }
  }

  it('in any sequence, some still on their way to the journal, are never granted more than was free, nor refused what fits', () => {
    const shelf = fc.integer({ min: 0, max: 12 });
    const sheet = fc.record(
      Object.fromEntries(['mug', 'pan'].flatMap((sku) => PLACES.map((place) => [nameOf(sku, place), shelf]))),
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(sheet, fc.array(anyRequest, { maxLength: 40 }), (stock, asked) => {
        run(new Map(Object.entries(stock)), asked);
      }),
      { numRuns: 1500 },
    );
  });
});

describe('lines that compete for one SKU', () => {
  const tight = fc.array(
    fc.record({
      qty: fc.integer({ min: 1, max: 4 }),
      locations: fc.option(fc.shuffledSubarray(PLACES, { minLength: 1, maxLength: 2 }), { nil: undefined }),
      split: fc.boolean(),
    }),
    { minLength: 2, maxLength: 4 },
  );
  const shelves = fc.tuple(...PLACES.map(() => fc.integer({ min: -1, max: 5 })));

  it.each([
    ['are all granted exactly when some combination of locations fits', tight],
    [
      'are all granted exactly when it fits, however often split lines have to make room',
      tight.map((lines) => lines.map((line) => ({ ...line, split: true }))),
    ],
  ])('%s', (_does, some) => {
    fc.assert(
      fc.property(shelves, some, fc.boolean(), (units, lines, partial) => {
        const book = new StockBook(0);
        const wanted = lines.map((line, index) => ({ ...line, sku: 'mug', index }));
        for (const [i, location] of PLACES.entries()) {
          applyFact(book, {
            type: 'adjustment',
            id: location,
            sku: 'mug',
            location,
            at: 0,
            delta: units[i] as number,
            bucket: 'sellable',
          });
        }
        const left: Sheet = new Map(PLACES.map((location, i) => [nameOf('mug', location), units[i] as number]));
        const { sourced, shortages } = sourceLines(wanted, () => book, { ...ANYBODY, now: 0 }, partial);
        checkPlan(wanted, sourced, shortages, left, partial);
      }),
      { numRuns: 4000 },
    );
  });
});
