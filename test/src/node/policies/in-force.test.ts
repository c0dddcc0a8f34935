/** A change of a policy is in force on every node when it is answered, also beside nodes that are paused, cut off or killed. */
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOCATIONS_STREAM, POLICIES_STREAM } from '../../../../config/topology.ts';
import { Auditor, names } from '../../../../harness/callers/auditor.ts';
import { ask } from '../../../../harness/callers/http-caller.ts';
import type { NodeProcess } from '../../../../harness/processes/node-process.ts';
import { until } from '../../../../harness/until.ts';
import { NatsBroker } from '../../../../streams/nats/broker.ts';
import { LEASE_MS, PARTITIONS, policyPath, ThreeNodes } from './three-nodes.ts';

let three: ThreeNodes;
let broker: NatsBroker;
beforeAll(async () => {
  three = await ThreeNodes.up();
  broker = await NatsBroker.connect(three.nats.url, 'test');
}, 120_000);
afterAll(async () => {
  three.link.close();
  await broker.close();
});

/** The safety stock that a node answers by; undefined if it does not answer. */
async function safetyStockAt(at: NodeProcess, sku: string): Promise<number | undefined> {
  const { status, body } = await ask(at.url, 'GET', `/v1/stock/${sku}/dc`);
  return status === 200 ? (body.safetyStock as number) : undefined;
}

describe('in force', () => {
  it('100 changes under load are in force on every node when they are answered', async () => {
    const sku = three.fresh('sku');
    await three.receive(sku, 'dc', 5);
    const auditor = new Auditor({
      callers: 8,
      scarce: names('S', 4),
      busy: names('B', 4),
      locations: ['east', 'west'],
    });
    await auditor.stock(() => three.node(0).url, 100);
    const load = auditor.load(() => three.next.url);
    const took: number[] = [];
    for (let i = 1; i <= 100; i++) {
      const began = performance.now();
      expect((await three.put(sku, '*', { safetyStock: i })).status).toBe(200);
      took.push(performance.now() - began);
      const all = await Promise.all(
        [0, 1, 2].map(async (at) => (await three.effective(sku, 'dc', three.node(at))).body.safetyStock),
      );
      expect(all).toEqual([i, i, i]);
      expect(await Promise.all(three.nodes.map((each) => safetyStockAt(each, sku)))).toEqual([i, i, i]);
    }
    await load.stop();
    took.sort((a, b) => a - b);
    console.log(`a change was answered in ${took[50]?.toFixed(0)} ms, p99 ${took[98]?.toFixed(0)} ms, under load`);
    expect(took[50]).toBeLessThan(1_000);
  });

  it('a paused node makes a change wait until its lease has ended, and does not answer by the old policy after that', async () => {
    const sku = three.fresh('sku');
    await three.receive(sku, 'dc', 5);
    await three.put(sku, 'dc', { safetyStock: 1 });
    const [paused, other] = [three.node(1), three.node(0)];
    await paused.pause();
    const began = performance.now();
    const answer = ask(other.url, 'PUT', policyPath(sku, 'dc'), { safetyStock: 2 }, 30_000);
    await until(
      async () => (await ask(other.url, 'GET', `${policyPath(sku, 'dc')}/effective`)).body.safetyStock === 2,
      5_000,
      () => 'the change is stored',
    );
    const early = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 300, 'waits'))]);
    expect(early).toBe('waits');
    expect((await answer).status).toBe(200);
    const tookMs = performance.now() - began;
    console.log(`a change took ${tookMs.toFixed(0)} ms beside a paused node with keys of ${LEASE_MS} ms`);
    expect(tookMs).toBeLessThan(LEASE_MS + 3_000);
    paused.resume();
    // Whatever it answers from now on is by the new policy.
    for (let i = 0; i < 50; i++) expect([undefined, 2]).toContain(await safetyStockAt(paused, sku));
    await three.allShare();
    expect(await safetyStockAt(paused, sku)).toBe(2);
  });

  it('a node that is cut off makes a change wait, and no longer answers when the change is in force', async () => {
    const skus = Array.from({ length: PARTITIONS }, (_, partition) => three.fresh('sku', partition));
    for (const sku of skus) await three.receive(sku, 'dc', 5);
    await three.put('*', 'dc', { safetyStock: 1 });
    three.link.cut();
    const began = performance.now();
    const set = await ask(three.node(0).url, 'PUT', policyPath('*', 'dc'), { safetyStock: 2 }, 30_000);
    expect(set.status).toBe(200);
    expect(performance.now() - began).toBeLessThan(LEASE_MS + 3_000);
    for (const sku of skus) expect(await safetyStockAt(three.node(2), sku)).toBeUndefined();
    three.link.heal();
    await three.allShare();
    for (const sku of skus) expect(await safetyStockAt(three.node(2), sku)).toBe(2);
    await three.asked('DELETE', policyPath('*', 'dc'));
  });

  it('a change that its node had stored when it was killed is in force on the others, and none is lost (DC1)', async () => {
    const skus = Array.from({ length: 40 }, () => three.fresh('sku'));
    const killed = three.node(0);
    const answers = skus.map((sku) => ask(killed.url, 'PUT', policyPath(sku, '*'), { safetyStock: 7 }));
    // The first answer shows that some are stored. The others are in flight.
    await Promise.race(answers);
    await killed.kill();
    const done = await Promise.all(answers);
    const stored = new Set<string>();
    for (const [i, sku] of skus.entries()) {
      const { status } = await ask(three.node(1).url, 'GET', policyPath(sku, '*'));
      if (status === 200) stored.add(sku);
      else expect(done[i]?.status, sku).not.toBe(200);
    }
    expect(stored.size).toBeGreaterThan(0);
    await until(
      async () => {
        const found = await Promise.all(
          [...stored].flatMap((sku) => [1, 2].map((at) => three.effective(sku, 'x', three.node(at)))),
        );
        return found.every(({ body }) => body.safetyStock === 7);
      },
      1_000,
      () => 'what is stored is in force',
    );
    // A node that joins has it before it answers.
    await killed.up();
    for (const sku of stored) expect((await three.effective(sku, 'x', three.node(0))).body.safetyStock).toBe(7);
    await three.allShare();
  });
});

it('the journal gives the same book without any policy, because decisions hold their results', async () => {
  const sku = three.fresh('sku');
  await three.receive(sku, 'dc', 10);
  await three.put(sku, '*', { safetyStock: 4 });
  const held = { id: three.fresh('r'), lines: [{ sku, qty: 6 }] };
  expect((await three.asked('POST', '/v1/reservations', held)).status).toBe(201);
  expect(await three.stock(sku, 'dc')).toMatchObject({ sellable: 10, held: 6, safetyStock: 4, available: 0 });
  for (const each of three.nodes) await each.kill();
  const connection = await connect({ servers: three.nats.url });
  const { streams } = await jetstreamManager(connection);
  for (const stream of [POLICIES_STREAM, LOCATIONS_STREAM]) await streams.delete(stream);
  await connection.close();
  const snapshots = await createClient({ url: three.redis.url }).connect();
  await snapshots.flushAll();
  snapshots.destroy();
  for (const each of three.nodes) await each.up();
  await three.allShare();
  expect(await three.stock(sku, 'dc')).toMatchObject({ sellable: 10, held: 6, safetyStock: 0, available: 4 });
});
