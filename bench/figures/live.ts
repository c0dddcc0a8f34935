/** The cost of a thousand live-feed readers, a hundred of them slow, in a node's memory and in ATP latency. */
import type { ServerHandle } from '../../src/servers/local-server.ts';
import type { BenchContext } from '../context.ts';
import { atMost, bound, type Figure } from '../figure.ts';
import { Worker } from '../processes.ts';
import { ready } from './reservations.ts';

const READERS = 1_000;
const SLOW = 100;
const SKUS = 1_000;
const ATP_PER_SECOND = 200;
const FACTS_PER_SECOND = 200;
/** Rounds of each side, in turn. One stall of the machine can decide a p99, so a single round would prove little. */
const ROUNDS = 5;
/** Limit for all connections with their buffers, which may hold 64 KiB and a message per topic each. */
const GOAL_MIB = 128;

export async function liveFigures(context: BenchContext): Promise<Figure[]> {
  const { servers } = context;
  const [nats, redis] = await Promise.all([servers.nats('nats-live'), servers.redis('redis-live')]);
  const node = context.nodeWorker(['--expose-gc']);
  const [load, readers] = [new Worker(), new Worker()];
  try {
    return await measured(context, { nats, redis, node, load, readers });
  } finally {
    await Promise.all([node.end(), load.end(), readers.end()]);
    context.profiled();
    await Promise.all([nats.stop(), redis.stop()]);
  }
}

interface Scene {
  readonly nats: ServerHandle;
  readonly redis: ServerHandle;
  readonly node: Worker;
  readonly load: Worker;
  readonly readers: Worker;
}

async function measured({ seconds }: BenchContext, { nats, redis, node, load, readers }: Scene): Promise<Figure[]> {
  const deps = { nats: nats.url, natsMonitor: nats.monitorUrl ?? '', redis: redis.url };
  const address = await node.run('startHoldfast', { ...deps, name: 'live' });
  await ready(address);
  const paced = { address, perSecond: ATP_PER_SECOND, factsPerSecond: FACTS_PER_SECOND, skus: SKUS };
  // Make every SKU known and warm up the code.
  await load.run('receiveAll', { address, skus: SKUS });
  await load.run('paceAtp', { ...paced, seconds: 2 });
  const [alone, watched]: [number[], number[]] = [[], []];
  const before = await node.run('memoryUsed');
  let most = before;
  let messages = 0;
  for (let round = 0; round < ROUNDS; round++) {
    alone.push((await load.run('paceAtp', { ...paced, seconds })).p99Ms);
    await readers.run('openReaders', { address, readers: READERS, slow: SLOW, skus: SKUS });
    watched.push((await load.run('paceAtp', { ...paced, seconds })).p99Ms);
    const used = await node.run('memoryUsed');
    most = { heapMiB: Math.max(most.heapMiB, used.heapMiB), rssMiB: Math.max(most.rssMiB, used.rssMiB) };
    const read = await readers.run('closeReaders');
    if (read.closed > SLOW) throw new Error(`${read.closed} readers were closed, and only ${SLOW} were slow`);
    messages += read.messages;
  }
  await node.run('stopHoldfast');
  const middle = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
  const grown = most.heapMiB - before.heapMiB;
  const listed = (values: number[]) => values.map((value) => value.toFixed(1)).join(', ');
  return [
    {
      name: 'live-atp',
      title: `ATP p99 over HTTP at ${ATP_PER_SECOND} a second with ${READERS} live readers, ${SLOW} of them slow`,
      value: middle(watched),
      unit: 'ms',
      comparisons: [atMost(2, middle(watched), middle(alone), 'the same without readers')],
      notes: [
        `${FACTS_PER_SECOND} facts a second meanwhile`,
        `with: ${listed(watched)}`,
        `without: ${listed(alone)}`,
        `${Math.round(messages / ROUNDS / seconds)} messages a second taken`,
      ],
    },
    {
      name: 'live-memory',
      title: `memory that ${READERS} live readers add, ${SLOW} of them slow`,
      value: grown,
      unit: 'MiB',
      comparisons: [bound(`≤ ${GOAL_MIB} MiB`, grown <= GOAL_MIB)],
      notes: [
        'heap and buffers after a collection',
        `resident: ${before.rssMiB.toFixed(0)} to ${most.rssMiB.toFixed(0)} MiB`,
      ],
    },
  ];
}
