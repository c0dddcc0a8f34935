/** Baselines, trimming and recovery from them, on real servers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BaselineStore, SupersededError } from '../../../actors/retention/baseline-store.ts';
import type { Baseline } from '../../../actors/snapshot/baseline-format.ts';
import { BASELINES_OBJECTS, BUNDLE_LANES } from '../../../config/topology.ts';
import { names } from '../../../harness/callers/auditor.ts';
import { askUntilDecided } from '../../../harness/callers/http-caller.ts';
import { KeptNode } from '../../../harness/processes/kept-node.ts';
import { objectStream } from '../../../streams/nats/objects.ts';
import { partitionOf } from '../../../streams/subjects.ts';

const skus = names('K', 40);

describe('a baseline, and the streams trimmed to it', () => {
  let kept: KeptNode;
  let before: Map<string, Record<string, Buffer>>;
  let numbers: unknown[];
  beforeAll(async () => {
    kept = await KeptNode.up();
    await kept.facts('a', skus);
    for (const [i, sku] of skus.slice(0, 10).entries()) expect(await kept.reserve(`r${i}`, sku, 3)).toBe(201);
    // The snapshots in Redis now end before the baseline.
    expect(await kept.node.stop()).toBe(0);
    before = await kept.snapshots();
    await kept.node.up();
    await kept.facts('b', skus);
    for (const [i, sku] of skus.slice(0, 10).entries()) expect(await kept.reserve(`s${i}`, sku, 3)).toBe(201);
    const { code, answer, err } = await kept.holdfast('baseline');
    expect([code, err]).toEqual([0, '']);
    expect(
      answer.baseline.parts.map((part: { keys: number }) => part.keys).reduce((a: number, b: number) => a + b),
    ).toBe(40);
    await kept.facts('c', skus);
    for (const [i, sku] of skus.slice(0, 10).entries()) expect(await kept.reserve(`t${i}`, sku, 3)).toBe(201);
    numbers = await kept.numbers(skus);
  });
  afterAll(() => kept.close());

  it('removes what the baseline holds and nothing else, but the last record of each writer', async () => {
    const stood = await kept.messages();
    const { code, answer, err } = await kept.holdfast('trim');
    expect([code, err]).toEqual([0, '']);
    expect(answer).toMatchObject({
      // Each of the two uploads is one bundle in each lane of its streams.
      removed: { SALES: 2 * BUNDLE_LANES, RECEIPTS: 2 * BUNDLE_LANES },
      floors: { SALES: 2 * BUNDLE_LANES, RECEIPTS: 2 * BUNDLE_LANES },
      notes: [],
    });
    const left = await kept.messages();
    expect([left.SALES, left.RECEIPTS]).toEqual([BUNDLE_LANES, BUNDLE_LANES]);
    // There are two writers up to the baseline, and each keeps its last record.
    expect(stood.JOURNAL - answer.removed.JOURNAL).toBe(left.JOURNAL);
    expect(answer.removed.JOURNAL).toBe(answer.floors.JOURNAL - 2);
    expect(await kept.numbers(skus)).toEqual(numbers);
    expect(await kept.holdfast('trim')).toMatchObject({ code: 0, answer: { removed: { SALES: 0, JOURNAL: 0 } } });
  });

  it('still has every chain, snapshot and number verified', async () => {
    const { code, answer } = await kept.holdfast('verify');
    expect(answer).toMatchObject({
      good: true,
      faults: [],
      checked: { baselines: 1, keys: 40, messages: 2 * BUNDLE_LANES, reservations: 30 },
    });
    expect(answer.checked.snapshots).toBeGreaterThanOrEqual(32);
    expect(code).toBe(0);
  });

  it('goes on under the running node: it grants, journals and snapshots', async () => {
    expect(await kept.reserve('u0', skus[20] as string, 3)).toBe(201);
    await askUntilDecided(kept.url, 'DELETE', '/v1/reservations/u0');
    expect(await kept.numbers(skus)).toEqual(numbers);
  });

  it('starts from a newer snapshot as ever', async () => {
    await kept.node.stop();
    const logged = kept.node.log.length;
    await kept.node.up();
    // A partition without later changes may start from a snapshot that is older than the baseline.
    const fromBaseline = kept.node.log.slice(logged).filter(({ msg }) => msg === 'a partition starts from a baseline');
    const busy = new Set(skus.map(of));
    expect(fromBaseline.filter(({ partition }) => busy.has(partition as number))).toEqual([]);
    expect(await kept.numbers(skus)).toEqual(numbers);
  });

  it('starts from the baseline when Redis is empty, to the same numbers, ids and reservations', async () => {
    await kept.node.kill();
    await kept.setSnapshots();
    const logged = kept.node.log.length;
    await kept.node.up();
    const since = kept.node.log.slice(logged);
    expect(since.filter(({ msg }) => msg === 'a partition starts from a baseline')).toHaveLength(32);
    expect(await kept.numbers(skus)).toEqual(numbers);
    // Facts from before the baseline still count once, and grants from before it are still known.
    const again = {
      id: `a-r-${skus[0]}`,
      type: 'receipt',
      sku: skus[0],
      location: 'dc',
      occurredAt: new Date().toISOString(),
      qty: 11,
    };
    const sent = await askUntilDecided(kept.url, 'POST', '/v1/facts', again);
    expect(sent.body.rejected).toMatchObject([{ code: 'id-conflict' }]);
    expect(await kept.reserve('r3', skus[3] as string, 3)).toBe(200);
    expect(await kept.numbers(skus)).toEqual(numbers);
  });

  it('does not start from a snapshot that ends before what was trimmed', async () => {
    await kept.node.kill();
    await kept.setSnapshots(before);
    const logged = kept.node.log.length;
    await kept.node.up();
    const since = kept.node.log.slice(logged);
    expect(since.filter(({ msg }) => msg === 'a partition starts from a baseline')).toHaveLength(32);
    expect(since.find(({ msg }) => msg === 'a snapshot is not used')?.why).toMatch(
      /begins behind \d+, and it ends before/,
    );
    expect(await kept.numbers(skus)).toEqual(numbers);
  });

  it('explains a number from the sum in the baseline to what it is now', async () => {
    const { body } = await askUntilDecided(kept.url, 'GET', `/v1/explain/${skus[0]}/dc`);
    expect(body.adds).toBe(true);
    expect(body.steps[0]).toMatchObject({ what: 'baseline', change: { sellable: 18 } });
    expect(body.steps.map((step: { what: string }) => step.what).sort()).toEqual(
      ['baseline', 'granted', 'granted', 'granted', 'receipt', 'sale'].sort(),
    );
    expect(body.steps.at(-1).total).toMatchObject({ sellable: 27, held: 9 });
    expect(body.notes).toContainEqual(expect.stringMatching(/summed up in it/));
  });

  it('has doctor tell of it', async () => {
    const { answer } = await kept.holdfast('doctor');
    expect(answer.find(({ what }: { what: string }) => what === 'baselines')).toMatchObject({ state: 'good' });
  });

  it('quarantines a partition whose part of the baseline is damaged, and serves the others', async () => {
    await kept.node.kill();
    await kept.setSnapshots();
    const [broken, other] = [skus[0], skus.find((sku) => of(sku) !== of(skus[0] as string))] as [string, string];
    const objects = await kept.broker.objects(BASELINES_OBJECTS, 1);
    const name = (await objects.names()).find((each) => each.endsWith(`/p${of(broken)}`)) as string;
    const whole = (await objects.get(name)) as Buffer;
    const damaged = Buffer.from(whole);
    damaged[damaged.length - 1] = (damaged.at(-1) as number) ^ 1;
    await objects.put(name, damaged);
    kept.node.start();
    await expect.poll(async () => (await kept.node.readiness())?.owned, { timeout: 20_000 }).toBe(31);
    const ready = await kept.node.readiness();
    expect(ready?.reasons).toEqual([
      expect.stringMatching(
        new RegExp(`quarantined, not served: partition ${of(broken)}: .*begins behind \\d+, and neither`),
      ),
    ]);
    expect((await fetch(`${kept.url()}/v1/stock/${broken}/dc`)).status).toBe(503);
    expect(await kept.numbers([other])).toEqual([numbers[skus.indexOf(other)]]);
    expect(await (await fetch(`${kept.url()}/metrics`)).text()).toMatch(/^holdfast_partitions_quarantined 1$/m);
    const { code, answer } = await kept.holdfast('doctor');
    expect(code).toBe(1);
    expect(JSON.stringify(answer)).toMatch(/quarantined, not served: partition/);
    const report = await kept.holdfast('verify');
    expect(report.code).toBe(1);
    expect(JSON.stringify(report.answer)).toContain(`/p${of(broken)} is damaged`);
    // The object is restored from a copy, and the partition recovers by itself.
    await objects.put(name, whole);
    await kept.node.serves(40_000);
    expect(await kept.numbers(skus)).toEqual(numbers);
  }, 90_000);

  it('refuses to serve anything when no snapshot and no baseline holds what was trimmed', async () => {
    await kept.node.kill();
    await kept.setSnapshots();
    const objects = await kept.broker.objects(BASELINES_OBJECTS, 1);
    for (const name of await objects.names()) await objects.delete(name);
    kept.node.start();
    await expect
      .poll(async () => (await kept.node.readiness())?.reasons, { timeout: 20_000 })
      .toContainEqual(expect.stringMatching(/neither a snapshot nor a baseline/));
    expect((await fetch(`${kept.url()}/v1/stock/${skus[0]}/dc`)).status).toBe(503);
    expect(await kept.holdfast('baseline')).toMatchObject({ code: 1, err: expect.stringMatching(/no whole baseline/) });
    expect((await kept.holdfast('doctor')).answer).toContainEqual(
      expect.objectContaining({ what: 'baselines', state: 'bad' }),
    );
  }, 60_000);
});

describe('generations of baselines', () => {
  let kept: KeptNode;
  beforeAll(async () => {
    kept = await KeptNode.up();
    await kept.facts('a', skus);
    expect(await kept.reserve('r', skus[0] as string, 1)).toBe(201);
  });
  afterAll(() => kept.close());
  const idsStored = async () => {
    const objects = await kept.broker.objects(BASELINES_OBJECTS, 1);
    return new Set((await objects.names()).map((name) => name.split('/')[0]));
  };

  it('are two, the newest first', async () => {
    const made: string[] = [];
    for (let n = 0; n < 3; n++) {
      await kept.facts(`g${n}`, skus.slice(0, 5));
      made.push((await kept.holdfast('baseline')).answer.baseline.id);
    }
    const store = (await BaselineStore.find(kept.broker)) as BaselineStore;
    expect((await store.generations()).map(({ id }) => id)).toEqual([made[2], made[1]]);
    expect(await idsStored()).toEqual(new Set([made[1], made[2]]));
  });

  it('can both be started from after a trim to the older, but only the newest after one to the newest', async () => {
    const { answer } = await kept.holdfast('trim', '--older');
    const store = (await BaselineStore.find(kept.broker)) as BaselineStore;
    expect(answer.baseline).toBe((await store.generations())[1]?.id);
    expect(await kept.holdfast('verify')).toMatchObject({ code: 0, answer: { checked: { baselines: 2 } } });
    expect((await kept.holdfast('trim')).answer.baseline).toBe((await store.generations())[0]?.id);
    const { answer: report } = await kept.holdfast('verify');
    expect(report.good).toBe(true);
    expect(report.notes).toContainEqual(expect.stringMatching(/ends before what has been trimmed: it is not compared/));
  });

  it('never go back: who begins later takes the place, and one that is behind does not come in force', async () => {
    const store = await BaselineStore.open(kept.broker, 1);
    const [first] = await store.generations();
    const newest = first?.baseline as Baseline;
    const [slow, quick] = [await store.begin('slow'), await store.begin('quick')];
    await expect(slow.finish({ ...newest, id: 'slow' })).rejects.toThrow(SupersededError);
    await quick.finish({ ...newest, id: 'quick' });
    const behind = { ...newest.positions, SALES: newest.positions.SALES - 1 };
    await expect((await store.begin('b')).finish({ ...newest, id: 'b', positions: behind })).rejects.toThrow(
      /is ahead/,
    );
    const deposed = newest.epochs.map(([partition, epoch]) => [partition, epoch - 1] as const);
    expect(deposed).not.toEqual([]);
    await expect((await store.begin('c')).finish({ ...newest, id: 'c', epochs: deposed })).rejects.toThrow(/is ahead/);
    expect((await store.generations()).map(({ id }) => id)).toEqual(['quick', newest.id]);
  });

  it('leave nothing behind when a maker is killed, in whatever it was', async () => {
    await kept.facts('z', skus);
    await kept.broker.publish(`$O.${BASELINES_OBJECTS}.C.torn`, Buffer.alloc(1000));
    for (const failpoint of ['baseline-half-written@1', 'baseline-before-swap@1']) {
      const before = await (await BaselineStore.open(kept.broker, 1)).generations();
      expect(await kept.program(['baseline'], failpoint)).toBe('SIGKILL');
      expect((await idsStored()).size).toBe(3);
      expect(await (await BaselineStore.open(kept.broker, 1)).generations()).toEqual(before);
    }
    const { code, answer } = await kept.holdfast('baseline');
    expect(code).toBe(0);
    expect(await idsStored()).toContain(answer.baseline.id);
    expect((await idsStored()).size).toBe(2);
    const { stream, chunks } = objectStream(BASELINES_OBJECTS);
    const objects = await kept.broker.objects(BASELINES_OBJECTS, 1);
    expect((await kept.broker.subjects(stream, chunks)).length).toBe((await objects.names()).length);
    expect((await kept.holdfast('baseline')).code).toBe(0);
    expect(await kept.holdfast('verify')).toMatchObject({ code: 0, answer: { faults: [] } });
  }, 60_000);
});

function of(sku: string): number {
  return partitionOf(sku, 32);
}
