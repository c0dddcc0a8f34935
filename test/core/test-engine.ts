/** An engine with its desks, without the fronts, wired as src/node.ts wires it. */
import { Desk } from '../../actors/desk.ts';
import { Engine } from '../../actors/engine.ts';
import { explain } from '../../actors/explain.ts';
import { StreamFactDesk } from '../../actors/fact-desk.ts';
import { Marks } from '../../actors/marks.ts';
import { Ownership } from '../../actors/ownership.ts';
import { MARKS_BUCKET, NODES_BUCKET, OWNERS_BUCKET } from '../../config/topology.ts';
import { SteadyClock } from '../../src/clock.ts';
import { NatsPeers, serveOwner } from '../../src/peers.ts';
import { RedisSnapshots } from '../../src/snapshots-redis.ts';
import { Broker, nonce } from '../../streams/connection.ts';
import { provision } from '../../streams/provision.ts';

export type TestEngine = Awaited<ReturnType<typeof freshEngine>>;

export async function freshEngine(
  nats: string,
  redis: string,
  name: string,
  more: { partitions?: number; leaseTtlMs?: number; snapshotIntervalMs?: number; horizonMs?: number | undefined } = {},
) {
  const clock = new SteadyClock();
  const broker = await Broker.connect(nats, name);
  const store = await RedisSnapshots.open(redis, () => undefined);
  const partitions = more.partitions ?? 32;
  const { created } = await provision(broker, { partitions, replicas: 1 });
  const peers = new NatsPeers(broker);
  const writer = `${name}-${nonce()}`;
  const leaseTtlMs = more.leaseTtlMs ?? 3_000;
  const nodes = await broker.keys(NODES_BUCKET, { ttlMs: leaseTtlMs, replicas: 1 });
  const owners = await broker.keys(OWNERS_BUCKET, { replicas: 1 });
  const ownership = new Ownership(
    nodes,
    owners,
    clock,
    () => ({ name, writer, http: '', process: undefined }),
    leaseTtlMs,
    () => false,
  );
  const none = () => undefined;
  const notes: string[] = [];
  const horizonMs = 'horizonMs' in more ? more.horizonMs : 7 * 86_400_000;
  const engine = new Engine({
    broker,
    store,
    marks: new Marks(await broker.keys(MARKS_BUCKET, { replicas: 1 }), broker, name, created),
    clock,
    ownership,
    peers,
    writer,
    created,
    settings: {
      partitions,
      horizonMs,
      leaseTtlMs,
      snapshotIntervalMs: more.snapshotIntervalMs ?? 500,
      reservationMemoryMs: 7 * 86_400_000,
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
  const desk = new Desk(
    {
      partitions: engine.partitions,
      count: partitions,
      clock,
      laneTimeMs: 3 * 86_400_000,
      peers,
      leased: () => ownership.leased,
      explain: (partition, sku, location) =>
        explain({ broker, partition, conflicts: engine.intake.conflicts, horizonMs, clock }, sku, location),
    },
    engine.reservations,
  );
  const facts = new StreamFactDesk({
    broker,
    intake: engine.intake,
    owns: (number) => engine.partitions.get(number)?.serving === true,
    peers,
    park: (parking) => engine.park(parking),
    parked: none,
    clock,
    partitions,
    horizonMs,
  });
  const served = new Map<number, { stop(): void }>();
  engine.onServed = (numbers) => {
    for (const each of served.values()) each.stop();
    served.clear();
    for (const number of numbers)
      served.set(
        number,
        serveOwner(
          broker,
          number,
          () => engine.partitions.get(number)?.serving === true,
          (op, body) => desk.serve(op, body),
        ),
      );
  };
  await engine.start();
  const until = performance.now() + 20_000;
  while (!engine.readiness.ready) {
    if (performance.now() > until)
      throw new Error(`not ready: ${engine.readiness.reasons.join('; ')}; ${notes.join('\n')}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return {
    engine,
    desk,
    facts,
    broker,
    peers,
    ownership,
    notes,
    writer,
    stop: async () => {
      await engine.stop();
      store.close();
      await broker.close();
    },
  };
}
