/**
 * Restart with a million actors. The time to load the snapshots is compared with a bare read of the same bytes. The whole start is measured
 * too.
 */
import type { BenchContext } from '../context.ts';
import { atMost, bound, type Figure } from '../figure.ts';
import { Worker } from '../processes.ts';
import { ready } from './reservations.ts';

const SKUS = 100_000;
const LOCATIONS = 10;
const MEMORY_ARGS = ['--max-old-space-size=6144'];
const GOAL_SECONDS = 5;
const PASSES = 2;

export async function restartFigures(context: BenchContext): Promise<Figure[]> {
  const { servers } = context;
  const [nats, redis] = await Promise.all([servers.nats('nats-restart'), servers.redis('redis-restart')]);
  const deps = { nats: nats.url, redis: redis.url };
  const writer = new Worker({ nodeArgs: MEMORY_ARGS });
  const written = await writer.run('writeSnapshots', { ...deps, skus: SKUS, locations: LOCATIONS });
  await writer.end();
  const loads: number[] = [];
  const reads: number[] = [];
  let bytes = 0;
  for (let pass = 0; pass < PASSES; pass++) {
    const reader = new Worker();
    const raw = await reader.run('readSnapshotsRaw', deps);
    await reader.end();
    reads.push(raw.seconds);
    bytes = raw.bytes;
    const loader = new Worker({ nodeArgs: [...MEMORY_ARGS, ...context.profileArgs('load')] });
    const loaded = await loader.run('loadSnapshots', deps);
    await loader.end();
    if (loaded.actors !== written.actors) throw new Error(`${loaded.actors} of ${written.actors} actors were loaded`);
    loads.push(loaded.seconds);
  }
  const began = performance.now();
  const node = context.nodeWorker(MEMORY_ARGS);
  const http = await node.run('startHoldfast', {
    nats: nats.url,
    natsMonitor: nats.monitorUrl ?? '',
    redis: redis.url,
    name: 'restart',
  });
  await ready(http);
  const whole = (performance.now() - began) / 1000;
  await node.run('stopHoldfast');
  await node.end();
  context.profiled();
  await Promise.all([nats.stop(), redis.stop()]);
  const load = Math.min(...loads);
  const read = Math.min(...reads);
  const size = `${(bytes / 2 ** 20).toFixed(0)} MiB, ${(bytes / written.actors).toFixed(0)} B an actor with two ids`;
  return [
    {
      name: 'restart-load',
      title: `loading the snapshots of ${written.actors} actors`,
      value: load,
      unit: 's',
      comparisons: [atMost(4, load, read, 'bare read of the same bytes from Redis')],
      notes: [
        size,
        `writing them took ${written.seconds.toFixed(1)} s`,
        `bare ${(bytes / 2 ** 20 / read).toFixed(0)} MiB/s`,
      ],
    },
    {
      name: 'restart',
      title: 'a node from its process to ready, with these',
      value: whole,
      unit: 's',
      comparisons: [bound(`≤ ${GOAL_SECONDS} s`, whole <= GOAL_SECONDS)],
      notes: ['process, connections, claims, snapshots, journal, facts'],
    },
  ];
}
