/** Mixed load for a long time with a fault every minute. A heap snapshot at the end shows what the memory is used for. */
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ask } from '../../../harness/callers/http-caller.ts';
import { chance, pick } from '../../../harness/chance.ts';
import { type HeapSummary, heapLine, heapTable, summarizeHeap } from '../../../harness/heap/heap-summary.ts';
import type { NodeProcess, Servers } from '../../../harness/processes/node-process.ts';
import { until } from '../../../harness/until.ts';
import { MemorySampler } from '../../rig/memory.ts';
import { redisCommand } from '../../rig/prepared.ts';
import { balanced } from '../../rig/served.ts';
import { UnderLoad } from '../../rig/under-load.ts';
import type { Outcome, Run, Scenario } from '../../scenario.ts';

export const soak: Scenario = {
  name: 'soak',
  injects:
    'for --minutes: mixed load on two nodes, and every minute one of: a node killed, NATS killed, Redis killed, Redis emptied, a node paused for 4 s, NATS paused for 2 s',
  holds: 'both nodes serve again after each, nothing acknowledged is lost or doubled, no version goes back',
  trials: 1,
  slice: 1,
  minutes: 60,
  run: soakNodes,
};

const FAULTS = ['kill node', 'kill NATS', 'kill Redis', 'empty Redis', 'pause node', 'pause NATS'] as const;
const EVERY_MS = 60_000;
/** A shorter soak skips the heap snapshot. */
const HEAP_FROM_MINUTES = 1;

async function soakNodes({ rig, minutes, say }: Run): Promise<Outcome> {
  const servers = await rig.servers();
  // This node is never killed, because its memory is measured.
  const heaps = rig.path('heaps');
  mkdirSync(heaps);
  const env = { NODE_OPTIONS: `--heapsnapshot-signal=SIGUSR2 --diagnostic-dir=${heaps}` };
  const watched = await rig.node(servers, { name: 'watched', env });
  const other = await rig.node(servers, { name: 'other' });
  for (const node of [watched, other]) node.start();
  await balanced([watched, other]);
  const load = new UnderLoad([watched, other], 8);
  await load.start();
  const memory = new MemorySampler(() => watched.pid, 1_000);
  const heap = [await heapMib(watched)];
  const random = chance(11);
  const end = performance.now() + minutes * 60_000;
  const counts = new Map<string, number>();
  for (let minute = 0; performance.now() < end || minute === 0; minute++) {
    await delay(Math.min(EVERY_MS, Math.max(0, end - performance.now())));
    const fault = minute < FAULTS.length ? (FAULTS[minute] as string) : pick(random, FAULTS);
    await inject(fault, servers, watched, other);
    await balanced([watched, other], 120_000);
    await load.more(30);
    counts.set(fault, (counts.get(fault) ?? 0) + 1);
    heap.push(await heapMib(watched));
    say(`minute ${minute + 1}: ${fault}; ${load.done} operations, ${Math.round(memory.samples.at(-1)?.mib ?? 0)} MiB`);
  }
  memory.stop();
  const broken = await load.findings();
  const held = minutes < HEAP_FROM_MINUTES ? undefined : await heapOf(watched, heaps);
  if (held !== undefined) for (const line of heapTable(held, load.done)) say(line);
  return {
    trials: [...counts.values()].reduce((sum, count) => sum + count, 0),
    broken,
    figures: {
      minutes,
      operations: load.done,
      'reservations granted': load.auditor.granted,
      'MiB at the end': Math.round(memory.samples.at(-1)?.mib ?? 0),
      'MiB an hour behind the first third': Math.round(memory.slopePerHour(1 / 3)),
      'heap MiB, start · middle · end': [heap[0], heap[heap.length >> 1], heap.at(-1)].join(' · '),
      ...(held === undefined ? {} : { 'heap at the end': heapLine(held, load.done) }),
      faults: [...counts].map(([name, count]) => `${count} × ${name}`).join(' · '),
    },
  };
}

/** JavaScript heap and external memory in MiB, as the node reports them. */
async function heapMib(node: NodeProcess): Promise<number> {
  const text = String((await ask(node.url, 'GET', '/metrics')).body);
  const of = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  return Math.round((of('nodejs_heap_size_used_bytes') + of('nodejs_external_memory_bytes')) / 2 ** 20);
}

/** Writing a heap snapshot stops the node, possibly for longer than the lease, so it comes last. */
async function heapOf(node: NodeProcess, folder: string): Promise<HeapSummary> {
  process.kill(node.pid, 'SIGUSR2');
  await until(
    async () => readdirSync(folder).length > 0 && (await node.readiness()) !== undefined,
    600_000,
    () => `${node.name} writes a heap snapshot`,
    200,
  );
  const [file = ''] = readdirSync(folder);
  return summarizeHeap(join(folder, file));
}

async function inject(
  fault: string,
  { nats, redis }: Servers,
  watched: NodeProcess,
  other: NodeProcess,
): Promise<void> {
  switch (fault) {
    case 'kill node':
      await other.kill();
      return other.start();
    case 'kill NATS':
      await nats.kill();
      return nats.restart();
    case 'kill Redis':
      await redis.kill();
      return redis.restart();
    case 'empty Redis':
      return void (await redisCommand(redis, 'FLUSHALL'));
    case 'pause node':
      await watched.pause();
      await delay(4_000);
      return watched.resume();
    default:
      await nats.pause();
      await delay(2_000);
      return nats.resume();
  }
}
