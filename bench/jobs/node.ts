/** The node under test, which is the whole program in a process of its own. */
import { loadSettings } from '../../config/load-settings.ts';
import { type RunningNode, startNode } from '../../src/node/node.ts';
import { createLog } from '../../src/process/log.ts';

export interface NodeOptions {
  readonly nats: string;
  readonly natsMonitor: string;
  readonly redis: string;
  readonly name: string;
}

let running: RunningNode | undefined;

/** Returns HOST:PORT of the node's HTTP server. */
export async function startHoldfast(options: NodeOptions): Promise<string> {
  const { nats, natsMonitor, redis, name } = options;
  const snapshotKey = 'the key of the node under test, as strict asks for one';
  const flags = {
    nats,
    natsMonitor,
    redis,
    name,
    http: '127.0.0.1:0',
    durability: 'strict',
    logLevel: 'warn',
    snapshotKey,
  };
  const settings = loadSettings(flags, {});
  running = await startNode(settings, createLog({ level: settings.logLevel, name, to: 'stderr' }));
  running.failed.then((why) => {
    console.error(`the node under test failed: ${why}`);
    process.exit(1);
  }, console.error);
  return running.http;
}

export async function stopHoldfast(): Promise<void> {
  await running?.stop();
  running = undefined;
}

/** Waits until `count` facts are folded. Returns facts per second since the first one, and the sum of sellable units. */
export async function awaitFacts(options: {
  count: number;
  withinMs: number;
}): Promise<{ perSecond: number; sellable: number; readyMs: number }> {
  const node = running as RunningNode;
  const deadline = performance.now() + options.withinMs;
  let first: { at: number; size: number } | undefined;
  for (;;) {
    const size = node.engine.factIds.size;
    const at = performance.now();
    if (size > 0) first ??= { at, size };
    if (first !== undefined && size >= options.count) {
      const sums = [...node.engine.partitions.values()].flatMap((partition) => [...partition.book.skus.values()]);
      const sellable = sums.reduce((sum, entry) => sum + entry.keys.reduce((units, key) => units + key.sellable, 0), 0);
      while (!node.engine.readiness.ready && performance.now() < deadline) await pause();
      const readyMs = performance.now() - at;
      return { perSecond: ((size - first.size) / (at - first.at)) * 1000, sellable, readyMs };
    }
    if (at > deadline) throw new Error(`after ${options.withinMs} ms only ${size} facts are folded`);
    await pause();
  }
}

/** Units held, and the smallest number available of any key. */
export async function unitsHeld(): Promise<{ held: number; least: number }> {
  let held = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const partition of (running as RunningNode).engine.partitions.values()) {
    for (const entry of partition.book.skus.values()) {
      for (const key of entry.keys) {
        held += key.held;
        least = Math.min(least, key.sellable - key.held - key.allocated);
      }
    }
  }
  return { held, least };
}

/** CPU time that the process has used, in microseconds. */
export async function cpuMicros(): Promise<number> {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Heap with buffers, and resident memory, in MiB after a garbage collection. */
export async function memoryUsed(): Promise<{ heapMiB: number; rssMiB: number }> {
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapMiB: (heapUsed + external) / 2 ** 20, rssMiB: rss / 2 ** 20 };
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2));
}
