/** The idempotency horizon changes; what became of stored facts does not. */
import { beforeEach, expect, it } from 'vitest';
import { Horizons } from '../../actors/horizons.ts';
import { CHUNK_IDS } from '../../actors/seen.ts';
import { HORIZONS_BUCKET } from '../../config/topology.ts';
import { encodeBody, JSON_TYPE } from '../../streams/codec.ts';
import { freshNats, freshRedis } from '../fixtures/servers.ts';
import { freshEngine, type TestEngine } from './test-engine.ts';

const HOUR_MS = 3_600_000;
/** More than one chunk of ids, so that a chunk is full and can be forgotten. */
const FACTS = CHUNK_IDS + 100;
let nats: string;
let redis: string;
beforeEach(async () => {
  [nats, redis] = (await Promise.all([freshNats(), freshRedis()])).map(({ url }) => url) as [string, string];
});

const fact = (id: string, ageMs: number, more: object = {}) => ({
  id,
  type: 'receipt',
  sku: 'A',
  location: 'x',
  occurredAt: new Date(Date.now() - ageMs).toISOString(),
  qty: 1,
  ...more,
});
const engineWith = (horizonMs: number | undefined) => freshEngine(nats, redis, 'one', { partitions: 1, horizonMs });
const sellable = async (engine: TestEngine) => (await engine.desk.stock('A', 'x')).sellable;
const parked = (engine: TestEngine) => engine.broker.count('PARKED', 'parked.>');

/** Counts facts of three hours ago under `off`. */
async function history(engine: TestEngine) {
  const old = Array.from({ length: FACTS }, (_, i) => fact(`old-${i}`, 3 * HOUR_MS + i));
  for (let at = 0; at < FACTS; at += 1_000) {
    const some = old.slice(at, at + 1_000);
    expect((await engine.facts.submit(some)).accepted).toBe(some.length);
  }
  return old;
}
/** Waits until ids and movements of long ago are forgotten, and a snapshot says so. */
async function forgotten(engine: TestEngine) {
  const partition = engine.engine.partitions.get(0);
  await expect.poll(() => engine.engine.seen.size, { timeout: 20_000 }).toBeLessThan(FACTS);
  expect((await engine.facts.submit([fact(`fresh-${engine.writer}`, 0)])).accepted).toBe(1);
  await expect.poll(() => partition?.snapshotSeq === partition?.book.seq, { timeout: 20_000 }).toBe(true);
  expect(partition?.remembersMs).toBeLessThan(Number.POSITIVE_INFINITY);
}

it('narrowed, it keeps what was counted, parks nothing of it, and parks what comes too late from now on', async () => {
  const off = await engineWith(undefined);
  await history(off);
  await off.stop();
  // With its snapshots, and from the log alone.
  for (const snapshots of [true, false]) {
    if (!snapshots) redis = (await freshRedis()).url;
    const narrow = await engineWith(HOUR_MS / 60);
    expect(narrow.notes.filter((note) => note.includes('horizon has changed'))).toHaveLength(snapshots ? 1 : 0);
    expect(await sellable(narrow)).toBe(FACTS);
    const before = snapshots ? 0 : 2;
    expect(await parked(narrow)).toBe(before);
    expect((await narrow.facts.submit([fact(`new-${snapshots}`, 2 * HOUR_MS)])).rejected).toMatchObject([
      { code: 'too-old' },
    ]);
    await narrow.broker.publish('receipt.x.A', encodeBody(fact(`new-nats-${snapshots}`, 2 * HOUR_MS), JSON_TYPE));
    await expect.poll(() => parked(narrow)).toBe(before + 2);
    expect(await sellable(narrow)).toBe(FACTS);
    const explained = await narrow.desk.explain('A', 'x');
    expect([explained.adds, explained.steps.length]).toEqual([true, FACTS]);
    await narrow.stop();
  }
}, 60_000);

it('widened, it counts once what was counted before and had been forgotten', async () => {
  const off = await engineWith(undefined);
  const old = await history(off);
  await off.stop();
  const narrow = await engineWith(HOUR_MS / 60);
  await forgotten(narrow);
  await narrow.stop();
  const wide = await engineWith(undefined);
  expect(wide.notes).toContainEqual(expect.stringMatching(/a snapshot is not used.*horizon of 60 s, and one of off/));
  expect(await wide.facts.submit([old[0], old[FACTS - 1]] as object[])).toEqual({
    accepted: 0,
    duplicates: 2,
    rejected: [],
  });
  expect(await sellable(wide)).toBe(FACTS + 1);
  await wide.stop();
  // Nothing is forgotten now: the next start goes on from the snapshot.
  const again = await engineWith(undefined);
  expect(again.notes.filter((note) => note.includes('not used'))).toEqual([]);
  expect(await sellable(again)).toBe(FACTS + 1);
  await again.stop();
}, 60_000);

it('widened by another node, what was forgotten here is built again from the log', async () => {
  const off = await engineWith(undefined);
  const old = await history(off);
  await off.stop();
  const narrow = await engineWith(HOUR_MS / 60);
  await forgotten(narrow);
  const other = new Horizons(await narrow.broker.keys(HORIZONS_BUCKET, { replicas: 1 }), undefined);
  expect(await other.declare(async () => Date.now() * 1000 + 1_000_000)).toBe(true);
  await expect
    .poll(() => narrow.notes.filter((note) => note.includes('not used')), { timeout: 20_000 })
    .not.toEqual([]);
  await expect
    .poll(() => narrow.facts.submit([old[0]] as object[]).catch(() => undefined), { timeout: 20_000 })
    .toEqual({ accepted: 0, duplicates: 1, rejected: [] });
  await expect.poll(() => sellable(narrow).catch(() => undefined)).toBe(FACTS + 1);
  await narrow.stop();
}, 60_000);

it('is one list for all nodes: the first entry holds from the beginning, and of two that differ each is added once', async () => {
  const one = await engineWith(1_000_000);
  const keys = await one.broker.keys(HORIZONS_BUCKET, { replicas: 1 });
  const at = Date.now() * 1000;
  expect(one.notes.filter((note) => note.includes('horizon'))).toEqual([]);
  const same = new Horizons(keys, 1_000_000);
  expect(await same.declare(async () => at)).toBe(false);
  const others = [2_000_000, 2_000_000, undefined].map((ms) => new Horizons(keys, ms));
  await Promise.all(others.map((each) => each.declare(async () => at)));
  const [first, ...rest] = JSON.parse((await keys.get('list'))?.value ?? '[]') as {
    from: number;
    horizonMs: number | null;
  }[];
  expect(first).toEqual({ from: 0, horizonMs: 1_000_000 });
  expect(rest.map(({ from }) => from)).toEqual(rest.map((_, i) => at + i));
  expect(new Set(rest.map(({ horizonMs }) => horizonMs))).toEqual(new Set([2_000_000, null]));
  expect(await same.refresh()).toBe('changed');
  expect([same.microsAt(0), same.microsAt(at - 1)]).toEqual([1e9, 1e9]);
  expect(same.widestMsSince(at - 1)).toBe(Number.POSITIVE_INFINITY);
  // A node that has judged messages of a later moment than an entry is told so.
  same.microsAt(at + 100);
  const late = new Horizons(keys, 5_000_000);
  await late.declare(async () => at + 50);
  expect(await same.refresh()).toBe('late');
  expect([same.changedBy(at + 49, same.known - 1), same.changedBy(at + 50, same.known - 1)]).toEqual([false, true]);
  await one.stop();
}, 30_000);
