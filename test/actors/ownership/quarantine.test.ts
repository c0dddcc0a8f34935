/** Only the failed partition stops being served. The other partitions of the node go on. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditAll } from '../../../actors/engine/self-audit.ts';
import { Quarantine } from '../../../actors/partition/quarantine.ts';
import { names } from '../../../harness/callers/auditor.ts';
import { KeptNode } from '../../../harness/processes/kept-node.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { SteadyClock } from '../../../src/process/steady-clock.ts';
import { encodeRecord } from '../../../streams/journal/record.ts';
import { journalSubject, partitionOf } from '../../../streams/subjects.ts';
import { freshEngine, type TestEngine } from '../engine/test-engine.ts';

const skus = names('Q', 30);

describe('a chain that breaks', () => {
  let kept: KeptNode;
  beforeAll(async () => {
    kept = await KeptNode.up();
    await kept.facts('a', skus);
    for (const sku of skus) expect(await kept.reserve(`a-${sku}`, sku, 1)).toBe(201);
  });
  afterAll(() => kept.close());

  it('stops the partitions that have not folded what stands behind the break, and no others', async () => {
    // Wait until every partition has a snapshot from before the break.
    const age = async () =>
      /^holdfast_snapshot_age_seconds (\S+)$/m.exec(await (await fetch(`${kept.url()}/metrics`)).text())?.[1];
    await expect.poll(age, { timeout: 20_000 }).toBe('0');
    // A writer without earlier records cannot be judged, so this one begins with a valid record.
    await kept.enrol('nobody');
    const good = { writer: 'nobody', n: 1, before: '', decisions: [] };
    await kept.broker.publish(journalSubject('nobody'), encodeRecord(good));
    const bad = { writer: 'nobody', n: 7, before: 'lost', decisions: [] };
    const broken = await kept.broker.publish(journalSubject('nobody'), encodeRecord(bad));
    const after = skus.filter((_, i) => i % 3 === 0);
    for (const sku of after) expect(await kept.reserve(`b-${sku}`, sku, 1)).toBe(201);
    const numbers = await kept.numbers(after);
    expect(await kept.node.stop()).toBe(0);
    kept.node.start();
    const safe = new Set(after.map((sku) => partitionOf(sku, 32)));
    // Reservation ids have coordinators, whose partitions have folded later decisions too.
    for (const sku of after) safe.add(partitionOf(`b-${sku}`, 32));
    await expect.poll(async () => (await kept.node.readiness())?.owned, { timeout: 20_000 }).toBeGreaterThan(0);
    const ready = await kept.node.readiness();
    expect(ready?.ready).not.toBe(true);
    expect(ready?.reasons).toHaveLength(1);
    expect(ready?.reasons?.[0]).toMatch(
      new RegExp(`^quarantined, not served: partitions .*: JOURNAL breaks at sequence ${broken}: record 7 of nobody`),
    );
    const said =
      /partitions ([\d, ]+):/
        .exec(ready?.reasons?.[0] ?? '')?.[1]
        ?.split(', ')
        .map(Number) ?? [];
    expect(said.length + (ready?.owned ?? 0)).toBe(32);
    expect(said.filter((number) => after.some((sku) => partitionOf(sku, 32) === number))).toEqual([]);
    expect(await kept.numbers(after)).toEqual(numbers);
    const lost = skus.find((sku) => said.includes(partitionOf(sku, 32))) as string;
    expect((await fetch(`${kept.url()}/v1/stock/${lost}/dc`)).status).toBe(503);
    // Served partitions accept reservations.
    const id = names('c', 500).find((each) => safe.has(partitionOf(each, 32))) as string;
    expect(await kept.reserve(id, after[0] as string, 1)).toBe(201);
    expect((await kept.holdfast('verify')).answer.faults[0]).toMatchObject({ seq: broken, writer: 'nobody', n: 7 });
  }, 60_000);
});

describe('a book that does not add up', () => {
  let one: TestEngine;
  beforeAll(async () => {
    const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
    one = await freshEngine(nats.url, redis.url, 'one', { partitions: 4 });
    const occurredAt = new Date().toISOString();
    const facts = skus.map((sku) => ({ id: `f-${sku}`, type: 'receipt', sku, location: 'dc', occurredAt, qty: 5 }));
    expect((await one.facts.submit(facts)).accepted).toBe(30);
  });
  afterAll(() => one?.stop());

  it('is built again at once from what does, and its partition alone is not served meanwhile', async () => {
    const [sku] = skus as [string];
    const number = partitionOf(sku, 4);
    const key = one.engine.partitions.get(number)?.book.findKey(sku, 'dc') as { sellable: number };
    key.sellable += 1;
    await auditAll(new SteadyClock(), one.engine.partitions, (what) => one.notes.push(`breach ${what}`));
    expect(one.notes).toContainEqual(expect.stringMatching(/^breach N1 /));
    expect([one.engine.partitions.quarantine.keys(), one.engine.partitions.size]).toEqual([[number], 3]);
    expect(one.engine.readiness.reasons).toContainEqual(
      expect.stringMatching(/partition \d: its book does not add up: N1/),
    );
    await expect.poll(() => one.engine.readiness.ready, { timeout: 10_000 }).toBe(true);
    expect((await one.router.stock(sku, 'dc')).sellable).toBe(5);
    expect(one.engine.partitions.quarantine.size).toBe(0);
  });

  it('is not built from a snapshot that does not add up either, but from what comes before it', async () => {
    const sku = skus[1] as string;
    const number = partitionOf(sku, 4);
    const partition = one.engine.partitions.get(number);
    const key = partition?.book.findKey(sku, 'dc') as {
      movements: readonly number[];
      sellable: number;
    };
    // Out of order. A snapshot keeps movements unchanged, so it contains the fault too.
    const at = Date.now() * 1000;
    key.movements = [at + 9, 2, at + 3, 3];
    key.sellable = 5;
    const entry = partition?.book.skus.get(sku);
    partition?.book.pages.touch(entry as NonNullable<typeof entry>);
    if (partition !== undefined) partition.book.seq += 1;
    for (let n = 0; n < 2; n++) {
      const taken = partition?.snapshotAtMs;
      await expect.poll(() => partition?.snapshotAtMs !== taken, { timeout: 5_000 }).toBe(true);
      if (partition !== undefined) partition.book.seq += 1;
    }
    const told = one.notes.length;
    await auditAll(new SteadyClock(), one.engine.partitions, (what) => one.notes.push(`breach ${what}`));
    await expect.poll(() => one.engine.readiness.ready, { timeout: 10_000 }).toBe(true);
    const bad = expect.stringMatching(/^warn a snapshot is not used .*does not add up: N2/);
    expect(one.notes.slice(told)).toEqual(expect.arrayContaining([expect.stringMatching(/^breach N2/), bad]));
    expect(one.notes.slice(told)).toContainEqual(expect.stringMatching(/^info partitions are served/));
    expect((await one.router.stock(sku, 'dc')).sellable).toBe(5);
  });
});

it('a partition whose book fails twice waits before it is tried again, one that the log lost too', () => {
  let now = 1000;
  const quarantine = new Quarantine(() => now);
  quarantine.suspect(3, 'N1');
  expect(quarantine.due()).toEqual([3]);
  quarantine.suspect(3, 'N1');
  quarantine.put(5, 'lost');
  quarantine.put(4, 'lost');
  expect(quarantine.due()).toEqual([]);
  expect(quarantine.reasons).toEqual([
    'quarantined, not served: partition 3: N1',
    'quarantined, not served: partitions 4, 5: lost',
  ]);
  now += 15_000;
  expect(quarantine.due()).toEqual([3, 5, 4]);
  quarantine.release(3);
  expect(quarantine.size).toBe(2);
});
