/** Facts that a node accepts durably, beside a publisher that stores one message per fact on the same server. */
import type { LoadResult } from '../closed-loop.ts';
import type { BenchContext } from '../context.ts';
import { atLeast, bound, type Contender, type Figure, type Raced, race } from '../figure.ts';
import { Worker } from '../processes.ts';

const SKUS = 1_000;
/** In flight of the publisher, which stores no faster with more. */
const IN_FLIGHT = 512;
const WAYS = [
  {
    name: 'batch',
    title: 'facts accepted durably, 1,000 a request',
    over: 'http',
    perRequest: 1_000,
    callers: 4,
    times: 8,
  },
  {
    name: 'single',
    title: 'facts accepted durably, one a request over HTTP, 64 callers',
    over: 'http',
    perRequest: 1,
    callers: 64,
    times: 1.5,
  },
  {
    name: 'submit',
    title: 'facts accepted durably, one a NATS request, 128 callers',
    over: 'nats',
    perRequest: 1,
    callers: 128,
    times: 2.5,
  },
] as const;
/** A limit on CPU for where the disk is so fast that a multiple of the publisher's rate is out of reach. */
const MOST_MICROS = 30;
const MOST_P50_MS = 25;

export async function ingressFigures(context: BenchContext): Promise<Figure[]> {
  const { servers } = context;
  const [nats, redis] = await Promise.all([servers.nats('nats-ingress'), servers.redis('redis-ingress')]);
  const [node, load, peer] = [context.nodeWorker(), new Worker(), new Worker()];
  const http = await node.run('startHoldfast', {
    nats: nats.url,
    natsMonitor: nats.monitorUrl ?? '',
    redis: redis.url,
    name: 'ingress',
  });
  const alone: Contender = {
    name: 'publisher, one message per fact',
    run: (seconds, warmupSeconds) =>
      peer.run('publishAlone', { nats: nats.url, skus: SKUS, callers: IN_FLIGHT, seconds, warmupSeconds }),
  };
  const figures: Figure[] = [];
  for (const { name, title, over, perRequest, callers, times } of WAYS) {
    let [micros, facts] = [0, 0];
    const to = over === 'http' ? http : nats.url;
    const holdfast: Contender = {
      name: 'holdfast',
      run: async (seconds, warmupSeconds): Promise<LoadResult> => {
        const before = await node.run('cpuMicros');
        const result = await load.run('loadFacts', {
          to,
          over,
          perRequest,
          callers,
          skus: SKUS,
          seconds,
          warmupSeconds,
        });
        if (result.failed > 0) throw new Error(`${result.failed} requests failed`);
        micros += (await node.run('cpuMicros')) - before;
        facts += result.done * perRequest;
        return { ...result, perSecond: result.perSecond * perRequest };
      },
    };
    const raced = await race([holdfast, alone], context.seconds);
    const [ours, theirs] = raced as [Raced, Raced];
    const each = micros / facts;
    const comparison = atLeast(times, ours.perSecond, theirs.perSecond, alone.name);
    figures.push({
      name: `ingress-${name}`,
      title,
      value: ours.perSecond,
      unit: '/s',
      comparisons: [
        name === 'batch'
          ? {
              ...comparison,
              goal: `≥ ${times} × or ≤ ${MOST_MICROS} µs`,
              met: comparison.met === true || each <= MOST_MICROS,
            }
          : comparison,
        ...(name === 'single' ? [bound(`p50 ≤ ${MOST_P50_MS} ms`, ours.p50Ms <= MOST_P50_MS)] : []),
      ],
      notes: [
        `p50 ${ours.p50Ms.toFixed(1)} ms, p99 ${ours.p99Ms.toFixed(1)} ms; ${each.toFixed(1)} µs of the node's CPU per fact`,
      ],
    });
  }
  await node.run('stopHoldfast');
  await Promise.all([node.end(), load.end(), peer.end()]);
  context.profiled();
  return figures;
}
