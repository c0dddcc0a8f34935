/** Snapshots of a million actors: written by the product, read bare, and loaded by the product. */

import { createClient, RESP_TYPES } from 'redis';
import { FactIds } from '../../actors/idempotency/fact-ids.ts';
import { Partition } from '../../actors/partition/partition.ts';
import { type LoadingDeps, loadSnapshot } from '../../actors/recovery/recovery.ts';
import { Snapshotter } from '../../actors/snapshot/snapshotter.ts';
import { applyFact } from '../../actors/stock/evolve.ts';
import { JOURNAL_STREAM } from '../../config/topology.ts';
import { SteadyClock } from '../../src/process/steady-clock.ts';
import { RedisSnapshots } from '../../src/redis/snapshot-store.ts';
import { hash64 } from '../../streams/hash.ts';
import { NatsBroker } from '../../streams/nats/broker.ts';
import { provision } from '../../streams/nats/provision.ts';
import { partitionOf } from '../../streams/subjects.ts';
import { counted, read, type Shape, sale } from './machine.ts';

const PARTITIONS = 32;

export interface SnapshotWorld {
  readonly nats: string;
  readonly redis: string;
}

/** Folds a sale and a count for each key and writes the snapshots of all partitions. The time covers only the writing. */
export async function writeSnapshots(options: SnapshotWorld & Shape): Promise<{ actors: number; seconds: number }> {
  const { created } = await streams(options.nats);
  const partitions = Array.from({ length: PARTITIONS }, (_, number) => new Partition(number));
  const factIds = new FactIds();
  const count = options.skus * options.locations;
  for (let number = 0; number < count; number++) {
    for (const value of [sale(number, options), counted(number, options)]) {
      const { fact, content } = read(value);
      const partition = partitions[partitionOf(fact.sku, PARTITIONS)] as Partition;
      factIds.add(partition.number, hash64(fact.id, 1), content, fact.at);
      applyFact(partition.book, fact);
    }
  }
  const store = await RedisSnapshots.open(options.redis, () => undefined);
  const context = {
    partitions: PARTITIONS,
    created,
    horizonsKnown: () => 1,
    tip: () => ({ writer: 'bench', n: 0, hash: '', seq: 0 }),
    clock: new SteadyClock(),
    turnMs: 4,
  };
  const began = performance.now();
  for (const partition of partitions) {
    partition.book.epoch = 1;
    if (!(await new Snapshotter(partition, factIds, store, context).take())) throw new Error('no snapshot was written');
  }
  const seconds = (performance.now() - began) / 1000;
  store.close();
  return { actors: partitions.reduce((sum, partition) => sum + partition.book.keyCount, 0), seconds };
}

/** Reads every field of every partition as bytes and discards them. */
export async function readSnapshotsRaw(options: SnapshotWorld): Promise<{ seconds: number; bytes: number }> {
  const client = createClient({ url: options.redis, commandOptions: { timeout: undefined as unknown as number } });
  await client.connect();
  const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  const fields: string[][] = [];
  for (let number = 0; number < PARTITIONS; number++) fields.push(await client.hKeys(`holdfast:{p${number}}`));
  let bytes = 0;
  const began = performance.now();
  for (const [number, names] of fields.entries()) {
    for (let i = 0; i < names.length; i += 64) {
      const found = (await binary.hmGet(`holdfast:{p${number}}`, names.slice(i, i + 64))) as unknown as Buffer[];
      for (const each of found) bytes += each.length;
    }
  }
  const seconds = (performance.now() - began) / 1000;
  client.destroy();
  return { seconds, bytes };
}

/** Loads the snapshots as an engine does when it takes over all partitions. */
export async function loadSnapshots(options: SnapshotWorld): Promise<{ seconds: number; actors: number }> {
  const { created, lastSeqs } = await streams(options.nats);
  const store = await RedisSnapshots.open(options.redis, () => undefined);
  const factIds = new FactIds();
  const deps = {
    broker: { stream: async () => undefined },
    store,
    factIds,
    partitions: PARTITIONS,
    created,
    lastSeqs,
    rules: { changedBy: () => false, widestMs: () => Number.POSITIVE_INFINITY, latestOf: () => undefined },
    note: (message, detail) => console.error(message, detail),
  } satisfies LoadingDeps;
  const began = performance.now();
  let actors = 0;
  for (let number = 0; number < PARTITIONS; number++) {
    const partition = new Partition(number);
    const snapshotter = new Snapshotter(partition, factIds, store, {
      partitions: PARTITIONS,
      created,
      horizonsKnown: () => 1,
      tip: () => ({ writer: 'bench', n: 0, hash: '', seq: 0 }),
      clock: new SteadyClock(),
      turnMs: 4,
    });
    await loadSnapshot(deps, { partition, snapshotter });
    actors += partition.book.keyCount;
    kept.push(partition);
  }
  const seconds = (performance.now() - began) / 1000;
  store.close();
  return { seconds, actors };
}
const kept: Partition[] = [];

async function streams(nats: string) {
  const broker = await NatsBroker.connect(nats, 'bench');
  const { created } = await provision(broker, { partitions: PARTITIONS, replicas: 1 });
  const lastSeqs: Record<string, number> = {};
  for (const name of Object.keys(created)) lastSeqs[name] = (await broker.stream(name))?.lastSeq ?? 0;
  if (lastSeqs[JOURNAL_STREAM] === undefined) throw new Error('no JOURNAL');
  await broker.close();
  return { created, lastSeqs };
}
