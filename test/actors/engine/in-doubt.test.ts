/**
 * A program fault during the fold of a fact or a decision, so that the book may hold half of it. The partition is rebuilt from the log, or
 * stays in quarantine while it cannot be folded. Other partitions go on.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PartitionObserver } from '../../../actors/partition/observer.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { until } from '../../../harness/until.ts';
import { Metrics } from '../../../src/metrics/metrics.ts';
import { assert } from '../../../streams/assert.ts';
import { partitionOf } from '../../../streams/subjects.ts';
import { freshEngine, type TestEngine } from './test-engine.ts';

const PARTITIONS = 4;
let node: TestEngine;
/** Selects the ids that the program cannot fold. */
let poison: (id: string) => boolean = () => false;
let thrown = 0;

const none = () => undefined;
const bite = (id: string) => {
  if (!poison(id)) return;
  thrown += 1;
  throw new TypeError(`cannot read properties of ${id}`);
};
/** Throws in the middle of a fold, after the book has changed. */
const observer = (): PartitionObserver => ({
  factFolded: (_, fact) => bite(fact.id),
  decisionFolded: (_, decision) => bite(decision.id),
  load: none,
  keep: () => new Uint8Array(),
});

const skuIn = (partition: number, nth = 0) =>
  Array.from({ length: 400 }, (_, i) => `sku-${i}`).filter((sku) => partitionOf(sku, PARTITIONS) === partition)[
    nth
  ] as string;
const idIn = (partition: number, name: string) =>
  Array.from({ length: 400 }, (_, i) => `${name}-${i}`).find(
    (id) => partitionOf(id, PARTITIONS) === partition,
  ) as string;
const receipt = (id: string, sku: string) => ({
  id,
  type: 'receipt',
  sku,
  location: 'x',
  occurredAt: new Date().toISOString(),
  qty: 5,
});
const place = (id: string, sku: string) =>
  node.router.place({
    id,
    channel: 'web',
    purpose: 'order',
    ttlSeconds: 60,
    partial: false,
    lines: [{ sku, qty: 1, split: false }],
  });
const reasons = () => node.engine.readiness.reasons.join('; ');
const serves = (partition: number) => node.engine.partitions.get(partition)?.serving === true;

beforeAll(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  node = await freshEngine(nats.url, redis.url, 'one', { partitions: PARTITIONS, leaseTtlMs: 10_000, observer });
  for (let partition = 0; partition < PARTITIONS; partition++)
    await node.facts.submit([receipt(`stock-${partition}`, skuIn(partition))]);
}, 60_000);
afterAll(async () => {
  await node?.stop();
});

it('builds a partition again at once where a fact could not be folded, and loses nothing', async () => {
  let times = 0;
  poison = (id) => id === 'once' && times++ === 0;
  await node.facts.submit([receipt('once', skuIn(0))]);
  await until(() => serves(0), 30_000, reasons);
  expect(await node.router.stock(skuIn(0), 'x')).toMatchObject({ sellable: 10 });
  expect(node.notes.filter((note) => note.includes('while folding'))).toHaveLength(1);
});

it('keeps a partition in quarantine, with the fact in the reason, where it can never be folded', async () => {
  poison = (id) => id === 'never';
  thrown = 0;
  await node.broker.publish(`receipt.x.${skuIn(1)}`, Buffer.from(JSON.stringify(receipt('never', skuIn(1)))));
  // The fold fails when the fact arrives and again during the rebuild. Further attempts follow at the pace of quarantine.
  await until(() => thrown === 2 && !serves(1), 30_000, reasons);
  const { lastSeq } = (await node.broker.stream('RECEIPTS')) ?? { lastSeq: 0 };
  expect(reasons()).toContain(`fact RECEIPTS.${lastSeq} cannot be folded: cannot read properties of never`);
  // The other partitions go on, also with later messages of the same stream.
  expect(await node.facts.submit([receipt('behind', skuIn(2))])).toMatchObject({ accepted: 1 });
  expect((await place(idIn(2, 'next'), skuIn(2))).reservation.status).toBe('held');
  expect(thrown).toBe(2);
});

it('does the same for a decision, which is durable and is not answered as if it were folded', async () => {
  const id = idIn(3, 'bad');
  let times = 0;
  poison = (each) => each === id && times++ === 0;
  await expect(place(id, skuIn(3))).rejects.toMatchObject({ kind: 'undecided' });
  await until(() => serves(3), 30_000, reasons);
  expect(await place(id, skuIn(3))).toMatchObject({ fresh: false, reservation: { status: 'held' } });
  expect(await node.router.stock(skuIn(3), 'x')).toMatchObject({ sellable: 5, held: 1 });
});

it('quarantines a partition whose fold breaks an assertion, counts it, and answers for the others', async () => {
  const failures = async () =>
    Number(
      /^holdfast_assertion_failures_total\{invariant="TEST"\} (\d+)$/m.exec(await new Metrics().render())?.[1] ?? 0,
    );
  poison = (id) => {
    assert(id !== 'broken', 'TEST');
    return false;
  };
  expect(await failures()).toBe(0);
  await node.broker.publish(`receipt.x.${skuIn(2)}`, Buffer.from(JSON.stringify(receipt('broken', skuIn(2)))));
  // The fold fails when the fact arrives, and again when the partition is rebuilt from its log.
  await until(async () => (await failures()) === 2 && !serves(2), 30_000, reasons);
  expect(reasons()).toMatch(/fact RECEIPTS\.\d+ cannot be folded: TEST does not hold/);
  expect(await node.facts.submit([receipt('beside', skuIn(0))])).toMatchObject({ accepted: 1 });
  expect((await place(idIn(3, 'beside'), skuIn(3))).reservation.status).toBe('held');
  await expect(node.router.stock(skuIn(2), 'x')).rejects.toMatchObject({ kind: 'undecided' });
  expect(await failures()).toBe(2);
});
