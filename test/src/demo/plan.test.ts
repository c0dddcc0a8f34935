/** The plan of the demo's month, folded into a book without servers, to check what the page will show. */
import { beforeAll, describe, expect, test } from 'vitest';
import { StockBook } from '../../../actors/stock/book.ts';
import { applyFact } from '../../../actors/stock/evolve.ts';
import { onOrder } from '../../../actors/stock/supply/on-order.ts';
import { DEMO } from '../../../config/demo/demo.ts';
import { type Month, paceOf, readMonth } from '../../../src/demo/month.ts';
import { storesOf } from '../../../src/demo/movements.ts';
import type { SentFact } from '../../../src/replay/entry.ts';
import { parseFact, type StockFact } from '../../../streams/fact/fact.ts';
import { SHIPPED_MONTH } from '../replay/given/data-folder.ts';
import { scripted } from './scripted.ts';

const STAGED = DEMO.staged.map(({ sku }) => keyOf({ sku, location: DEMO.warehouse })).sort();
const DAY_MS = 86_400_000;
let month: Month;
/** The month played twice. */
let runs: readonly (readonly SentFact[])[];
let read: readonly (readonly StockFact[])[];
beforeAll(async () => {
  month = await readMonth(SHIPPED_MONTH, DEMO);
  runs = [await scripted(month, 1, 'demo-x-1:'), await scripted(month, 2, 'demo-x-2:')];
  read = runs.map((facts) => facts.map(parsed));
}, 240_000);

function parsed(fact: SentFact): StockFact {
  const result = parseFact(fact);
  if (!result.ok) throw new Error(`${JSON.stringify(fact)}: ${result.message}`);
  return result.fact as StockFact;
}

function keyOf({ sku, location }: { readonly sku: string; readonly location: string }): string {
  return `${sku} at ${location}`;
}

test('nearly every SKU has a name, which is its most frequent description in the file', () => {
  expect(month.names.get('85123A')).toBe('WHITE HANGING HEART T-LIGHT HOLDER');
  expect(month.names.size).toBeGreaterThan(0.95 * month.skus.length);
  for (const [sku, name] of month.names)
    expect(parseFact({ id: sku, type: 'item', sku, occurredAt: month.firstAt, name })).toMatchObject({ ok: true });
});

describe('stock keys', () => {
  test('never go below zero in two months, but for the staged ones, which all do in each', () => {
    const book = new StockBook(0);
    const seen = read.map((facts, index) => {
      const below = new Set<string>();
      for (const fact of facts.map((each) => ({ ...each, at: each.at + index * 40 * DAY_MS * 1000 }))) {
        applyFact(book, fact);
        if (book.key(fact.sku, fact.location).sellable < 0) below.add(keyOf(fact));
      }
      return [...below].sort();
    });
    expect(seen).toEqual([STAGED, STAGED]);
  });

  test('open with at least what the month takes, in whatever order it is read, but for the staged ones', () => {
    const left = new Map(month.balances.map((balance) => [keyOf(balance), balance.opens]));
    for (const fact of read[0] ?? []) {
      const key = keyOf(fact);
      const taken = takenBy(fact);
      if (taken > 0) left.set(key, (left.get(key) ?? 0) - taken);
    }
    expect(
      [...left]
        .filter(([, units]) => units < 0)
        .map(([key]) => key)
        .sort(),
    ).toEqual(STAGED);
  });

  test('are promised at stores only, and no fact takes a unit from a store, so that none can be oversold', () => {
    const takenAt = new Set((read[0] ?? []).filter((fact) => takenBy(fact) > 0).map(({ location }) => location));
    expect([...takenAt]).toEqual([DEMO.warehouse]);
    expect(storesOf(DEMO)).not.toContain(DEMO.warehouse);
  });

  test('are all at zero or above for nine tenths of the time that the month is played', () => {
    const pace = paceOf(DEMO, 0);
    const book = new StockBook(0);
    const below = new Set<string>();
    let [lastMs, belowMs, dueMs] = [0, 0, 0];
    for (const [index, fact] of (read[0] ?? []).entries()) {
      dueMs = Math.max(dueMs, pace.next(runs[0]?.[index] ?? {}).dueMs ?? 0);
      if (below.size > 0) belowMs += dueMs - lastMs;
      lastMs = dueMs;
      applyFact(book, fact);
      const key = keyOf(fact);
      if (book.key(fact.sku, fact.location).sellable < 0) below.add(key);
      else below.delete(key);
    }
    expect(below.size).toBe(0);
    expect(belowMs).toBeGreaterThan(30_000);
    expect(belowMs / lastMs).toBeLessThan(0.1);
  });
});

function takenBy(fact: StockFact): number {
  if (fact.type === 'sale') return fact.qty;
  if (fact.type === 'transfer' && fact.phase === 'shipped') return fact.qty;
  return fact.type === 'adjustment' ? -fact.delta : 0;
}

describe('opening balances', () => {
  test('are counts before the first sale, one for each SKU at the warehouse and some at stores', () => {
    const facts = (runs[0] ?? []).filter(({ type }) => type === 'count');
    for (const { id, location, sku } of facts) expect(id).toBe(`demo-x-1:opening:${location}:${sku}`);
    expect(runs[0]?.slice(0, facts.length)).toEqual(facts);
    expect(facts.filter((fact) => fact.location === DEMO.warehouse).length).toBe(2_752);
    expect(new Set(facts.map((fact) => fact.location)).size).toBe(DEMO.locations.length);
  });
});

describe('the script of a month', () => {
  test('has facts of all types that can be read, every real one, and ids of its own in each run', async () => {
    const [first = [], second = []] = runs;
    const ids = new Set([...first, ...second].map((fact) => String(fact.id)));
    expect(ids.size).toBe(first.length + second.length);
    const unreadable = [...first, ...second].map((fact) => parseFact(fact)).filter((read) => !read.ok);
    expect(unreadable).toEqual([]);
    expect(new Set(first.map((fact) => fact.type))).toEqual(
      new Set(['count', 'sale', 'return', 'adjustment', 'purchase', 'receipt', 'transfer']),
    );
    expect(first.filter((fact) => /^demo-x-1:C?\d+:\d+$/.test(String(fact.id))).length).toBe(42_286);
    expect(await scripted(month, 1, 'demo-x-1:')).toEqual(first);
    expect(second.some((fact) => fact.type === 'count')).toBe(false);
  });

  test('delivers every purchase, some late and some short, and is left with nothing on order', () => {
    const book = new StockBook(0);
    const ordered = new Map<unknown, SentFact>();
    let [late, short, most] = [0, 0, 0];
    for (const [index, fact] of (runs[0] ?? []).entries()) {
      applyFact(book, read[0]?.[index] as StockFact);
      const { purchaseOrder } = fact;
      const before = ordered.get(purchaseOrder);
      if (fact.type === 'purchase' && before === undefined) ordered.set(purchaseOrder, fact);
      most = Math.max(most, onOrder(book.key(String(fact.sku), String(fact.location))));
      if (fact.type !== 'receipt' || before === undefined) continue;
      if (String(fact.occurredAt) > String(before.promisedAt)) late += 1;
      if (Number(fact.qty) < Number(before.qty)) short += 1;
    }
    expect(new Set([...ordered.values()].map(({ vendor }) => vendor))).toEqual(new Set(DEMO.vendors));
    expect([late / ordered.size, short / ordered.size].map((share) => Math.round(share * 20))).toEqual([2, 1]);
    const left = [...book.skus.values()].flatMap(({ keys }) => keys.filter((key) => onOrder(key) > 0));
    expect([left, most > 50]).toEqual([[], true]);
  });

  test('ends every transfer that it begins, after it', () => {
    const shipped = new Map<unknown, SentFact>();
    for (const fact of (runs[0] ?? []).filter(({ type }) => type === 'transfer')) {
      if (fact.phase === 'shipped') shipped.set(fact.transfer, fact);
      else {
        const before = shipped.get(fact.transfer);
        expect(before?.eta).toBe(fact.occurredAt);
        expect(Number(fact.qty) + Number(fact.damaged ?? 0)).toBeLessThanOrEqual(Number(before?.qty));
        shipped.delete(fact.transfer);
      }
    }
    expect(runs[0]?.some(({ phase }) => phase === 'received')).toBe(true);
    expect(shipped.size).toBe(0);
  });
});
