/**
 * The clock rule: a fact that happened later than it was stored, by more than the slack, counts as of that moment. What older rules had
 * believed counts as of the moment at which the rule began, in the log as in every copy of the state.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rules, type RulesEntry } from '../../../actors/idempotency/rules.ts';
import { asOfClock } from '../../../actors/idempotency/stored-fact.ts';
import { foldFact } from '../../../actors/partition/fold.ts';
import { Partition } from '../../../actors/partition/partition.ts';
import { encodePage, loadPages } from '../../../actors/snapshot/format.ts';
import { audit } from '../../../actors/stock/invariants.ts';
import { RULES_VERSION } from '../../../config/rules.ts';
import { JOURNAL_STREAM, NODES_BUCKET, RULES_METADATA } from '../../../config/topology.ts';
import { findClocks } from '../../../dashboards/query/clock-queries.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { type Fact, parseFact } from '../../../streams/fact/fact.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';
import { provision } from '../../../streams/nats/provision.ts';
import { freshEngine } from '../engine/test-engine.ts';

const SLACK_MS = 300_000;
const YEAR_MS = 365 * 86_400_000;
const sale = (at: number): Fact => ({
  type: 'sale',
  id: 's',
  sku: 'A',
  location: 'x',
  at,
  qty: 1,
  reservation: undefined,
});
const entry = (version: number, more: Partial<RulesEntry> = {}): RulesEntry => ({
  from: {},
  horizonMs: null,
  slackMs: SLACK_MS,
  version,
  ...more,
});

describe('a fact', () => {
  const [v2, v3] = [entry(2), entry(3)];
  const stored = 1_000_000_000;
  const slack = SLACK_MS * 1000;
  it.each([
    ['in time', v3, stored - 5, stored - 5, undefined],
    ['ahead by the slack', v3, stored + slack, stored + slack, undefined],
    ['ahead by more', v3, stored + slack + 1, stored, stored + slack + 1],
    ['ahead by more, under older rules alone', v2, stored + slack + 1, stored + slack + 1, undefined],
    ['of older rules, at the moment the rule began', { ...v2, latest: 7 }, 7, 7, undefined],
    ['of older rules, later than the rule', { ...v2, latest: 7 }, 8, 7, 8],
  ])('%s', (_, rule, occurredAt, at, own) => {
    const fact = asOfClock(rule, { recordedAt: stored }, sale(occurredAt));
    expect([fact.at, fact.own]).toEqual([at, own]);
  });
});

describe('the list of rules', () => {
  const list = [entry(1), entry(2, { from: { SALES: 5 } }), entry(3, { from: { SALES: 9 }, sinceMs: 77 })];
  const latest = (rules: Rules, seq: number) => rules.at('SALES', { seq, recordedAt: 0 }).latest;
  it('gives older messages the moment of the first entry of version 3', () => {
    const rules = new Rules([...list, entry(3, { from: { SALES: 11 }, sinceMs: 99 })]);
    expect([1, 5, 9, 11].map((seq) => latest(rules, seq))).toEqual([77_000, 77_000, undefined, undefined]);
    expect([undefined, 0, 2, 3, 4].map((known) => rules.latestOf(known))).toEqual([
      77_000,
      77_000,
      77_000,
      undefined,
      undefined,
    ]);
  });
  it('has none where all messages are of version 3', () => {
    const rules = new Rules([entry(3, { sinceMs: 77 })]);
    expect([latest(rules, 1), rules.latestOf(1)]).toEqual([undefined, undefined]);
  });
  it('makes a running node rebuild when that entry comes, even if nothing was judged after it', () => {
    const rules = new Rules();
    expect(rules.adopt(list.slice(0, 2))).toBe('changed');
    expect(rules.adopt(list)).toBe('late');
    expect(rules.adopt([...list, entry(3, { from: { SALES: 11 }, sinceMs: 99 })])).toBe('changed');
  });
});

describe('a snapshot of a node that did not know the rule', () => {
  const latest = 10;
  const made = fc.record({ at: fc.integer({ min: 5, max: 14 }), qty: fc.integer({ min: 1, max: 9 }), type: fc.nat(3) });
  const factOf = ({ at, qty, type }: { at: number; qty: number; type: number }, i: number): Fact => {
    const common = { id: `f${i}`, sku: 'A', location: 'x', at };
    if (type === 0) return { type: 'count', ...common, counted: qty };
    if (type === 1) return { type: 'receipt', ...common, qty, damaged: 0 };
    return { type: 'sale', ...common, qty, reservation: undefined };
  };
  const stateOf = ({ book }: Partition) => {
    expect(audit(book)).toEqual([]);
    const { sellable, movements, count, rare } = book.key('A', 'x');
    return { sellable, movements, count, moved: rare?.moved ?? [] };
  };
  const fold = (partition: Partition, rule: RulesEntry, fact: Fact, recordedAt: number) =>
    foldFact(partition, asOfClock(rule, { recordedAt }, fact), recordedAt);

  it('gives the same state as the log, and the shelf is to be counted', () => {
    fc.assert(
      fc.property(fc.array(made, { minLength: 1, maxLength: 8 }), fc.array(made, { maxLength: 5 }), (before, after) => {
        const [old, whole, loaded] = [new Partition(0), new Partition(0), new Partition(0)];
        before.forEach((each, i) => {
          fold(old, entry(2), factOf(each, i), 3);
          fold(whole, entry(2, { latest }), factOf(each, i), 3);
        });
        const pages = old.books.pages.list.map(({ items }, page) => ({ page, bytes: encodePage(old.books, items) }));
        loadPages(loaded.books, pages, latest);
        expect(stateOf(loaded)).toEqual(stateOf(whole));
        // What was moved must be written with the next snapshot, or it would be loaded as it was.
        const moved = before.some(({ at }) => at > latest);
        expect(loaded.books.pages.list.some(({ dirty }) => dirty)).toBe(moved);
        const { uncounted } = findClocks(loaded.book, [], { lag: 0, movedTo: latest });
        expect(uncounted).toHaveLength(moved ? 1 : 0);
        for (const [i, each] of after.entries())
          for (const partition of [whole, loaded])
            fold(partition, entry(3, { slackMs: 0 }), factOf(each, 100 + i), 11 + i);
        expect(stateOf(loaded)).toEqual(stateOf(whole));
      }),
      { numRuns: 500 },
    );
  });
});

it('a node that adopts the rule while it runs lets a count of next year count as of now, and says where to count the shelf', async () => {
  const [nats, redis] = (await Promise.all([freshNats(), freshRedis()])).map(({ url }) => url) as [string, string];
  const broker = await NatsBroker.connect(nats, 'old');
  await provision(broker, { partitions: 1, replicas: 1 });
  const { metadata } = (await broker.stream(JOURNAL_STREAM)) ?? {};
  const rules = JSON.stringify([entry(2)]);
  await broker.annotate(JOURNAL_STREAM, { ...metadata, [RULES_METADATA]: rules });
  const nodes = await broker.keys(NODES_BUCKET, { ttlMs: 3_000, replicas: 1 });
  const renew = () => nodes.put('old', JSON.stringify({ name: 'old', writer: 'old-1', http: '', rules: 2 }));
  await renew();
  const renewing = setInterval(() => void renew(), 500);
  let id = 0;
  const fact = (type: string, aheadMs: number, more: object) => ({
    id: `f${++id}`,
    type,
    sku: 'A',
    location: 'x',
    occurredAt: new Date(Date.now() + aheadMs).toISOString(),
    ...more,
  });
  let one = await freshEngine(nats, redis, 'one', { partitions: 1 });
  const sellable = async () => (await one.router.stock('A', 'x').catch(() => undefined))?.sellable;
  const uncounted = () =>
    findClocks(one.engine.partitions.get(0)?.book as never, [], { lag: 0, movedTo: one.rules.latestOf() ?? null })
      .uncounted;
  await one.facts.submit([fact('count', YEAR_MS, { counted: 40 })]);
  await one.facts.submit([fact('receipt', 0, { qty: 9 })]);
  // The key is frozen, as it was for older versions.
  expect(await sellable()).toBe(40);
  clearInterval(renewing);
  await nodes.delete('old');
  await expect.poll(() => one.rules.newest.version, { timeout: 20_000 }).toBe(RULES_VERSION);
  await expect.poll(sellable, { timeout: 20_000 }).toBe(40);
  expect((await one.facts.submit([fact('sale', 0, { qty: 3 })])).accepted).toBe(1);
  expect(await sellable()).toBe(37);
  expect(uncounted()).toEqual([{ sku: 'A', location: 'x' }]);
  // A restart from the snapshot, and one from the log alone, give the same.
  for (const store of [redis, (await freshRedis()).url]) {
    await one.stop();
    one = await freshEngine(nats, store, 'one', { partitions: 1 });
    expect(await sellable()).toBe(37);
    expect((await one.router.explain({ sku: 'A', location: 'x' }, { limit: 10, before: undefined })).adds).toBe(true);
  }
  await one.facts.submit([fact('count', 0, { counted: 12 })]);
  expect([await sellable(), uncounted()]).toEqual([12, []]);
  await one.stop();
  await broker.close();
}, 60_000);

it('the facts of one request share one moment, even if the clock of its node is ahead of the server', async () => {
  const [{ url: nats }, { url: redis }] = await Promise.all([freshNats(), freshRedis()]);
  const one = await freshEngine(nats, redis, 'one', { partitions: 4, aheadMs: 3_000 });
  await expect.poll(() => one.ownership.aheadMs, { timeout: 20_000 }).toBeGreaterThan(2_900);
  // Both are far ahead, so they count as of the request's moment, and the sale, which is in another stream, as the later one.
  const skus = Array.from({ length: 50 }, (_, i) => `S${i}`);
  const ahead = (ms: number) => new Date(Date.now() + 2 * 86_400_000 + ms).toISOString();
  const facts = skus.flatMap((sku) => [
    { id: `s-${sku}`, type: 'sale', sku, location: 'x', qty: 3, occurredAt: ahead(1_000) },
    { id: `c-${sku}`, type: 'count', sku, location: 'x', counted: 40, occurredAt: ahead(0) },
  ]);
  for (const sku of skus) {
    const own = facts.filter((fact) => fact.sku === sku);
    expect(await one.facts.submit(own)).toEqual({ accepted: 2, duplicates: 0, rejected: [] });
  }
  const left = await Promise.all(skus.map(async (sku) => (await one.router.stock(sku, 'x')).sellable));
  expect(left).toEqual(skus.map(() => 37));
  await one.stop();
}, 60_000);

it('the bytes of a page with moved facts are read for ever', () => {
  const parsed = (fields: object) => {
    const fact = parseFact({ id: 'f', sku: 'A', location: 'x', ...fields }) as { fact: Fact };
    return asOfClock(entry(3), { recordedAt: 1_000_000 }, fact.fact);
  };
  const partition = new Partition(0);
  foldFact(partition, parsed({ type: 'count', counted: 40, occurredAt: '2030-01-01T00:00:00Z' }), 1_000_000);
  foldFact(partition, parsed({ type: 'sale', qty: 3, occurredAt: '2030-01-01T00:00:01Z' }), 1_000_000);
  const [page] = partition.books.pages.list;
  const bytes = encodePage(partition.books, page?.items ?? []);
  expect(bytes.toString('hex')).toBe(GOLDEN);
  for (const each of [GOLDEN, WITHOUT_FORMER_COUNT]) {
    const loaded = new Partition(0);
    loadPages(loaded.books, [{ page: 0, bytes: Buffer.from(each, 'hex') }], undefined);
    expect(loaded.book.key('A', 'x')).toMatchObject({ sellable: 37, count: { own: 1_893_456_000_000_000 } });
  }
});
const GOLDEN =
  '919300a1419196a1780092ce000f4240fd95ce000f4240a16628cb431ae85a511c8000009300000093ce000f4240cb431ae85a51598900fd';
/** As it was before keys kept the count before the latest one. */
const WITHOUT_FORMER_COUNT =
  '919300a1419196a1780092ce000f4240fd94ce000f4240a16628cb431ae85a511c80009300000093ce000f4240cb431ae85a51598900fd';
