/** Rules change, such as the idempotency horizon and what can be read. The verdicts on stored facts do not. */
import { beforeEach, describe, expect, it } from 'vitest';
import { CHUNK_IDS } from '../../../actors/idempotency/fact-ids.ts';
import { Rules } from '../../../actors/idempotency/rules.ts';
import { RulesList } from '../../../actors/idempotency/rules-list.ts';
import { baselineSources } from '../../../actors/retention/baseline-store.ts';
import { changeRules } from '../../../actors/retention/change-rules.ts';
import { RULES_VERSION } from '../../../config/rules.ts';
import { HORIZONS_BUCKET, JOURNAL_STREAM, NODES_BUCKET, RULES_METADATA } from '../../../config/topology.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { SteadyClock } from '../../../src/process/steady-clock.ts';
import { encodeBody, JSON_TYPE } from '../../../streams/codec.ts';
import { announceFloors, floorsOf, readStreams } from '../../../streams/journal/floors.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';
import { provision } from '../../../streams/nats/provision.ts';
import { Horizons as OldHorizons } from '../../streams/golden/streams-0.1/horizons.ts';
import { freshEngine, type TestEngine } from '../engine/test-engine.ts';

const HOUR_MS = 3_600_000;
/** More than one chunk of ids, so that a full chunk could be forgotten. */
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
const engineWith = (horizonMs: number | null | undefined) =>
  freshEngine(nats, redis, 'one', { partitions: 1, horizonMs });
/** Sets the horizon as `holdfast horizon` does. */
async function horizon(ms: number | null, live: { name: string }[] = []) {
  const broker = await NatsBroker.connect(nats, 'operator');
  try {
    return await changeRules({ ...(await listDeps(broker)), live: async () => live as never }, { horizonMs: ms });
  } finally {
    await broker.close();
  }
}
async function listDeps(broker: NatsBroker) {
  return {
    broker,
    clock: new SteadyClock(),
    keys: await broker.keys(HORIZONS_BUCKET, { replicas: 1 }),
    live: async () => [],
    baselines: (note: Parameters<typeof baselineSources>[1]) => baselineSources(broker, note),
    firstHorizonMs: undefined,
    firstPieces: undefined,
  };
}
const sellable = async (engine: TestEngine) => (await engine.router.stock('A', 'x')).sellable;
const parked = (engine: TestEngine) => engine.broker.subjects('PARKED', 'parked.').then(({ length }) => length);

/** Counts facts of three hours ago under `off`. */
async function history(engine: TestEngine) {
  const old = Array.from({ length: FACTS }, (_, i) => fact(`old-${i}`, 3 * HOUR_MS + i));
  for (let at = 0; at < FACTS; at += 1_000) {
    const some = old.slice(at, at + 1_000);
    expect((await engine.facts.submit(some)).accepted).toBe(some.length);
  }
  return old;
}
/** Waits until old movements are summed up and a snapshot records it. Ids are remembered from the time they were stored, which is now. */
async function forgotten(engine: TestEngine) {
  const partition = engine.engine.partitions.get(0);
  await expect.poll(() => partition?.remembersMs, { timeout: 20_000 }).toBeLessThan(Number.POSITIVE_INFINITY);
  expect(engine.engine.factIds.size).toBe(FACTS);
  expect((await engine.facts.submit([fact(`fresh-${engine.writer}`, 0)])).accepted).toBe(1);
  await expect.poll(() => partition?.snapshotSeq === partition?.book.seq, { timeout: 20_000 }).toBe(true);
}

describe('the horizon', () => {
  it('narrowed, it keeps what was counted, parks nothing of it, and parks what comes too late from now on', async () => {
    const off = await engineWith(null);
    await history(off);
    await off.stop();
    await horizon(HOUR_MS / 60);
    // Once with snapshots, and once from the log alone.
    for (const snapshots of [true, false]) {
      if (!snapshots) redis = (await freshRedis()).url;
      const narrow = await engineWith(undefined);
      expect(await sellable(narrow)).toBe(FACTS);
      const before = snapshots ? 0 : 2;
      expect(await parked(narrow)).toBe(before);
      expect((await narrow.facts.submit([fact(`new-${snapshots}`, 2 * HOUR_MS)])).rejected).toMatchObject([
        { code: 'too-old' },
      ]);
      await narrow.broker.publish('receipt.x.A', encodeBody(fact(`new-nats-${snapshots}`, 2 * HOUR_MS), JSON_TYPE));
      await expect.poll(() => parked(narrow)).toBe(before + 2);
      expect(await sellable(narrow)).toBe(FACTS);
      const explained = await narrow.router.explain({ sku: 'A', location: 'x' }, { limit: 10_000, before: undefined });
      expect([explained.adds, explained.steps.length]).toEqual([true, FACTS]);
      await narrow.stop();
    }
  }, 60_000);

  it('widened, it counts once what was counted before and had been forgotten', async () => {
    const off = await engineWith(null);
    const old = await history(off);
    await off.stop();
    await horizon(HOUR_MS / 60);
    const narrow = await engineWith(undefined);
    await forgotten(narrow);
    await narrow.stop();
    await horizon(null);
    const wide = await engineWith(undefined);
    expect(wide.notes).toContainEqual(expect.stringMatching(/a snapshot is not used.*horizon of 1m, and one of off/));
    expect(await wide.facts.submit([old[0], old[FACTS - 1]] as object[])).toEqual({
      accepted: 0,
      duplicates: 2,
      rejected: [],
    });
    expect(await sellable(wide)).toBe(FACTS + 1);
    await wide.stop();
    // No ids are dropped now, so the next start continues from the snapshot.
    const again = await engineWith(undefined);
    expect(again.notes.filter((note) => note.includes('not used'))).toEqual([]);
    expect(await sellable(again)).toBe(FACTS + 1);
    await again.stop();
  }, 60_000);

  it('is recorded by the first node; another setting changes nothing and is told, and nobody changes it beside a node', async () => {
    const first = await engineWith(HOUR_MS);
    await expect(horizon(2 * HOUR_MS, [{ name: 'one' }])).rejects.toThrow(/these nodes live: one; end all nodes first/);
    await first.stop();
    const other = await engineWith(2 * HOUR_MS);
    expect(other.notes.filter((note) => note.startsWith('warn the horizon'))).toEqual([
      expect.stringMatching(/"recorded":"1h","setting":"2h"/),
    ]);
    expect((await other.facts.submit([fact('late', 1.5 * HOUR_MS)])).rejected).toMatchObject([{ code: 'too-old' }]);
    await other.stop();
    expect(await horizon(2 * HOUR_MS)).toMatchObject({ horizonMs: 2 * HOUR_MS, from: { RECEIPTS: 1, SALES: 1 } });
    const wider = await engineWith(2 * HOUR_MS);
    expect(wider.notes.filter((note) => note.startsWith('warn'))).toEqual([]);
    expect(await wider.facts.submit([fact('late', 1.5 * HOUR_MS)])).toMatchObject({ accepted: 1 });
    await wider.stop();
  }, 60_000);
});

describe('an entry that comes while a node runs', () => {
  it('that asks for what was forgotten here: it is built again from the log', async () => {
    const off = await engineWith(null);
    const old = await history(off);
    await off.stop();
    await horizon(HOUR_MS / 60);
    const narrow = await engineWith(undefined);
    await forgotten(narrow);
    await new RulesList(await listDeps(narrow.broker)).add({ horizonMs: null });
    await expect
      .poll(() => narrow.notes.filter((note) => note.includes('not used')), { timeout: 20_000 })
      .not.toEqual([]);
    await expect
      .poll(() => narrow.facts.submit([old[0]] as object[]).catch(() => undefined), { timeout: 20_000 })
      .toEqual({ accepted: 0, duplicates: 1, rejected: [] });
    await expect.poll(() => sellable(narrow).catch(() => undefined)).toBe(FACTS + 1);
    await narrow.stop();
  }, 60_000);

  it('behind which it has judged already: that is judged again, and a start from the log says the same', async () => {
    // The lease is not renewed in between.
    const one = await freshEngine(nats, redis, 'one', { partitions: 1, horizonMs: null, leaseTtlMs: 6_000 });
    expect(await one.facts.submit([fact('before', 3 * HOUR_MS)])).toMatchObject({ accepted: 1 });
    await new RulesList(await listDeps(one.broker)).add({ horizonMs: HOUR_MS });
    expect(await one.facts.submit([fact('behind', 3 * HOUR_MS)])).toMatchObject({ accepted: 1 });
    await expect
      .poll(() => one.notes.filter((note) => note.includes('"late":true')), { timeout: 20_000 })
      .toHaveLength(1);
    await expect.poll(() => sellable(one).catch(() => undefined), { timeout: 20_000 }).toBe(1);
    expect(await parked(one)).toBe(1);
    await one.stop();
    redis = (await freshRedis()).url;
    const again = await engineWith(undefined);
    expect(await sellable(again)).toBe(1);
    await again.stop();
  }, 60_000);
});

describe('the list', () => {
  const entry = (from: Record<string, number>, horizonMs: number | null) => ({
    from,
    horizonMs,
    slackMs: 0,
    version: RULES_VERSION,
  });
  const copy = (RECEIPTS: number) => ({ positions: { RECEIPTS, SALES: 0 }, atMs: 0 });

  it('judges each message by the entry of its sequence, and a copy by what it has folded', () => {
    const rules = new Rules([entry({}, 1_000), entry({ RECEIPTS: 11, SALES: 5 }, 2_000)]);
    const at = (stream: 'RECEIPTS' | 'SALES' | 'COUNTS', seq: number) =>
      rules.at(stream, { seq, recordedAt: 0 }).horizonMs;
    expect([at('RECEIPTS', 10), at('RECEIPTS', 11), at('SALES', 4), at('SALES', 5)]).toEqual([
      1_000, 2_000, 1_000, 2_000,
    ]);
    // An entry counts from sequence 1 for a stream that it does not name, such as one added later.
    expect(at('COUNTS', 1)).toBe(2_000);
    expect(rules.next(0)?.horizonMs).toBe(2_000);
    expect([rules.changedBy(copy(10), 1), rules.changedBy(copy(11), 1), rules.changedBy(copy(11), 2)]).toEqual([
      false,
      true,
      false,
    ]);
    expect(rules.widestMs(copy(0))).toBe(2_000);
    const narrowed = new Rules([
      entry({}, null),
      entry({ RECEIPTS: 11, SALES: 1, COUNTS: 1, RETURNS: 1, TRANSFERS: 1 }, 2_000),
    ]);
    expect([narrowed.widestMs(copy(9)), narrowed.widestMs(copy(10))]).toEqual([Number.POSITIVE_INFINITY, 2_000]);
  });

  it('tells whether something was judged that a new entry holds for, and never loses one', () => {
    const rules = new Rules();
    const [first, second, third] = [
      entry({}, 1_000),
      entry({ RECEIPTS: 11 }, 2_000),
      entry({ RECEIPTS: 21, SALES: 9 }, 3_000),
    ];
    expect(rules.adopt([first])).toBe('changed');
    rules.at('RECEIPTS', { seq: 10, recordedAt: 0 });
    expect(rules.adopt([first])).toBe('same');
    expect(rules.adopt([first, second])).toBe('changed');
    rules.at('RECEIPTS', { seq: 21, recordedAt: 0 });
    expect(rules.adopt([first, second, third])).toBe('late');
    expect(() => rules.adopt([first, second])).toThrow(/has lost entries/);
  });

  it('is written by one at a time, and nobody undoes what another has written', async () => {
    const one = await engineWith(1_000_000);
    const deps = await listDeps(one.broker);
    await one.stop();
    const broker = await NatsBroker.connect(nats, 'many');
    const many = { ...deps, broker, keys: await broker.keys(HORIZONS_BUCKET, { replicas: 1 }) };
    const floors = Array.from({ length: 4 }, (_, i) => announceFloors(many, { SALES: i }));
    const added = [2_000_000, 3_000_000, null].map((ms) => new RulesList(many).add({ horizonMs: ms }));
    await Promise.all([...floors, ...added]);
    const entries = await new RulesList(many).read();
    expect(entries[0]).toMatchObject({ from: {}, horizonMs: 1_000_000 });
    expect(new Set(entries.map(({ horizonMs }) => horizonMs))).toEqual(
      new Set([1_000_000, 2_000_000, 3_000_000, null]),
    );
    expect(floorsOf(await readStreams(broker)).SALES).toBe(3);
    await broker.close();
  }, 30_000);

  it('of a newer program is not judged by', async () => {
    const one = await engineWith(null);
    await one.broker.annotate(JOURNAL_STREAM, {
      ...(await one.broker.stream(JOURNAL_STREAM))?.metadata,
      [RULES_METADATA]: JSON.stringify([{ ...entry({}, null), version: RULES_VERSION + 1 }]),
    });
    await one.stop();
    await expect(engineWith(undefined)).rejects.toThrow(
      `rules version ${RULES_VERSION + 1}, and this program knows ${RULES_VERSION}: run the newer program`,
    );
  }, 30_000);
});

describe('beside programs of 0.1', () => {
  const receipt = (id: string, ageMs: number) => encodeBody(fact(id, ageMs), JSON_TYPE);
  /** Does what a 0.1 node does at its start, and returns its key, which does not mention rules. */
  async function oldNode(broker: NatsBroker, horizonMs: number) {
    const nodes = await broker.keys(NODES_BUCKET, { ttlMs: 3_000, replicas: 1 });
    const horizons = new OldHorizons(await broker.keys(HORIZONS_BUCKET, { replicas: 1 }), horizonMs);
    const renew = () => nodes.put('old', JSON.stringify({ name: 'old', writer: 'old-1', http: '' }));
    await horizons.declare(async () => Date.now() * 1000);
    await renew();
    const renewing = setInterval(() => void renew(), 500);
    return {
      horizons,
      end: async () => {
        clearInterval(renewing);
        await nodes.delete('old');
      },
    };
  }

  it('new nodes judge by the list of 0.1; when the last of 0.1 has gone, none can start or take over, and it says why', async () => {
    const broker = await NatsBroker.connect(nats, 'old');
    await provision(broker, { partitions: 1, replicas: 1 });
    const first = await oldNode(broker, 2 * HOUR_MS);
    await broker.publish('receipt.x.A', receipt('counted', 1.5 * HOUR_MS));
    await first.end();
    const old = await oldNode(broker, HOUR_MS);
    await broker.publish('receipt.x.A', receipt('too-old', 1.5 * HOUR_MS));
    await broker.publish('receipt.x.A', receipt('by-header', 1.5 * HOUR_MS), {
      headers: { 'Holdfast-Resubmit': 'yes' },
    });
    const two = await engineWith(undefined);
    await expect.poll(() => sellable(two).catch(() => undefined)).toBe(2);
    expect((await broker.stream(JOURNAL_STREAM))?.metadata?.[RULES_METADATA]).toBeUndefined();
    // A front accepts what 0.1 would count.
    expect(await two.facts.submit([fact('unseen', 0, { location: 'x\u200b' })])).toMatchObject({ accepted: 1 });
    // When the old node renews its lease, it finds its list unchanged.
    expect(await old.horizons.refresh()).toBe('same');
    await old.end();
    await expect
      .poll(
        async () => (await new RulesList(await listDeps(broker)).read()).map((each) => [each.horizonMs, each.version]),
        {
          timeout: 20_000,
        },
      )
      .toEqual([
        [2 * HOUR_MS, 1],
        [HOUR_MS, 1],
        [HOUR_MS, RULES_VERSION],
      ]);
    // This happens at a take-over, at a renewal and at a start.
    await expect(old.horizons.refresh()).rejects.toThrow(/"needs holdfast 0.2" is not valid JSON/);
    await expect(oldNode(broker, HOUR_MS)).rejects.toThrow(/"needs holdfast 0.2" is not valid JSON/);
    expect((await two.facts.submit([fact('unseen-2', 0, { location: 'x\u200b' })])).rejected).toMatchObject([
      { code: 'invalid' },
    ]);
    await broker.publish('receipt.x.A', receipt('header-counts-for-nothing', 1.5 * HOUR_MS), {
      headers: { 'Holdfast-Resubmit': 'yes' },
    });
    await expect.poll(() => parked(two)).toBe(3);
    await expect.poll(() => sellable(two).catch(() => undefined), { timeout: 20_000 }).toBe(2);
    await two.stop();
    redis = (await freshRedis()).url;
    const again = await engineWith(undefined);
    expect([await sellable(again), await parked(again)]).toEqual([2, 3]);
    await again.stop();
    await broker.close();
  }, 60_000);

  it('one that starts while 0.1 is being locked out gets its list back, and the work that was left half done is ended later', async () => {
    const broker = await NatsBroker.connect(nats, 'old');
    await provision(broker, { partitions: 1, replicas: 1 });
    const keys = await broker.keys(HORIZONS_BUCKET, { replicas: 1 });
    const old = await oldNode(broker, HOUR_MS);
    const written = (await keys.get('list'))?.value;
    let asked = 0;
    const started = [{ name: 'old', writer: 'old-1', http: '', process: undefined }];
    const deps = await listDeps(broker);
    // The node is missing at the first look and present when the list is locked.
    const list = new RulesList({ ...deps, live: async () => (asked++ === 0 ? [] : started) });
    expect((await list.current()).map(({ version }) => version)).toEqual([1]);
    expect((await keys.get('list'))?.value).toBe(written);
    expect(await old.horizons.refresh()).toBe('same');
    await old.end();
    // The process is killed after it has overwritten the old list and before it writes the new one.
    await keys.put('list-0.1', written as string);
    await keys.put('list', 'needs holdfast 0.2');
    expect((await new RulesList(deps).read()).map(({ horizonMs, version }) => [horizonMs, version])).toEqual([
      [HOUR_MS, 1],
    ]);
    const one = await engineWith(undefined);
    expect((await new RulesList(deps).read()).map(({ horizonMs, version }) => [horizonMs, version])).toEqual([
      [HOUR_MS, 1],
      [HOUR_MS, RULES_VERSION],
    ]);
    await one.stop();
    await broker.close();
  }, 30_000);
});
