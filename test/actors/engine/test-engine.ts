/** A core on real servers, without fronts. */

import { buildCore } from '../../../actors/engine/core.ts';
import type { MakeObserver } from '../../../actors/partition/observer.ts';
import { baselineSources } from '../../../actors/retention/baseline-store.ts';
import {
  HORIZONS_BUCKET,
  MARKS_BUCKET,
  NODES_BUCKET,
  OWNERS_BUCKET,
  SKIPS_BUCKET,
  WRITERS_BUCKET,
} from '../../../config/topology.ts';
import { NatsPeers, serveOwned } from '../../../src/node/peers.ts';
import { SteadyClock, SYSTEM } from '../../../src/process/steady-clock.ts';
import { RedisSnapshots } from '../../../src/redis/snapshot-store.ts';
import { sentAsJson } from '../../../streams/fact/sent-body.ts';
import { NatsBroker, nonce } from '../../../streams/nats/broker.ts';
import { provision } from '../../../streams/nats/provision.ts';

export type TestEngine = Awaited<ReturnType<typeof freshEngine>>;

export async function freshEngine(
  nats: string,
  redis: string,
  name: string,
  more: {
    partitions?: number;
    leaseTtlMs?: number;
    snapshotIntervalMs?: number;
    horizonMs?: number | null | undefined;
    observer?: MakeObserver;
    /** How far the wall clock is ahead of the system's. */
    aheadMs?: number;
  } = {},
) {
  const clock = new SteadyClock({ ...SYSTEM, wallMs: () => Date.now() + (more.aheadMs ?? 0) });
  const broker = await NatsBroker.connect(nats, name);
  const store = await RedisSnapshots.open(redis, () => undefined);
  const partitions = more.partitions ?? 32;
  const { created } = await provision(broker, { partitions, replicas: 1 });
  const peers = new NatsPeers(broker);
  const writer = `${name}-${nonce()}`;
  const leaseTtlMs = more.leaseTtlMs ?? 3_000;
  const nodes = await broker.keys(NODES_BUCKET, { ttlMs: leaseTtlMs, replicas: 1 });
  const owners = await broker.keys(OWNERS_BUCKET, { replicas: 1 });
  const horizons = await broker.keys(HORIZONS_BUCKET, { replicas: 1 });
  const none = () => undefined;
  const notes: string[] = [];
  const core = buildCore({
    broker,
    clock,
    store,
    baselines: (note) => baselineSources(broker, note),
    nodes,
    owners,
    horizons,
    writers: await broker.keys(WRITERS_BUCKET, { replicas: 1 }),
    skips: await broker.keys(SKIPS_BUCKET, { replicas: 1 }),
    highWaterMarks: await broker.keys(MARKS_BUCKET, { replicas: 1 }),
    peers,
    self: () => ({ name, writer, http: '', process: undefined }),
    ...(more.observer === undefined ? {} : { observer: more.observer }),
    isDead: () => false,
    created,
    nonce,
    settings: {
      partitions,
      horizonMs: 'horizonMs' in more ? more.horizonMs : 7 * 86_400_000,
      leaseTtlMs,
      snapshotIntervalMs: more.snapshotIntervalMs ?? 500,
      reservationMemoryMs: 7 * 86_400_000,
      laneTimeMs: 3 * 86_400_000,
    },
    events: {
      applied: none,
      duplicate: none,
      parked: none,
      expired: none,
      journaled: none,
      snapshot: none,
      recovered: none,
      followerRestarted: none,
      breach: (what) => notes.push(`breach ${what}`),
      note: (level, message, detail) => notes.push(`${level} ${message} ${JSON.stringify(detail)}`),
      failed: (why) => notes.push(`failed ${why}`),
    },
  });
  const { ownership, engine, router, rules, facts: factDesk } = core;
  serveOwned(broker, core, core.handlers);
  await engine.start();
  const until = performance.now() + 20_000;
  while (!engine.readiness.ready) {
    if (performance.now() > until)
      throw new Error(`not ready: ${engine.readiness.reasons.join('; ')}; ${notes.join('\n')}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return {
    engine,
    router,
    facts: { submit: (values: readonly unknown[]) => factDesk.submit(values.map(sentAsJson)) },
    broker,
    peers,
    ownership,
    rules,
    notes,
    writer,
    stop: async () => {
      await engine.stop();
      store.close();
      await broker.close();
    },
  };
}
