/** Redis with replicas and shards under a node. Snapshots lost in a failover cost time, never state. */
import { expect, it } from 'vitest';
import { Auditor, type Load, names } from '../../harness/callers/auditor.ts';
import { ask } from '../../harness/callers/http-caller.ts';
import { NodeProcess } from '../../harness/processes/node-process.ts';
import { command, freshRedisCluster, freshSentinels } from '../../harness/servers/redis-sets.ts';
import { freshNats } from '../../harness/servers/servers.ts';
import type { ServerHandle } from '../../src/servers/local-server.ts';

const shape = { callers: 12, scarce: names('S', 16), busy: names('B', 32), locations: ['dc', 'shop'] };

async function loaded(first: ServerHandle, url: string): Promise<{ node: NodeProcess; auditor: Auditor; load: Load }> {
  const node = await NodeProcess.at({ nats: await freshNats(), redis: first }, { env: { REDIS_URL: url } });
  await node.up();
  const auditor = new Auditor(shape);
  await auditor.stock(() => node.url, 300);
  const load = auditor.load(() => node.url);
  return { node, auditor, load };
}

async function more(load: Load, count: number): Promise<void> {
  const from = load.done();
  await expect.poll(load.done, { timeout: 30_000 }).toBeGreaterThan(from + count);
}

/** The current manifest of each partition that has one on this server. */
async function manifests(server: ServerHandle): Promise<Map<string, string>> {
  const keys = (await command(server, 'KEYS', 'holdfast:*')) as string[];
  return new Map(
    await Promise.all(keys.map(async (key) => [key, String(await command(server, 'HGET', key, 'm0'))] as const)),
  );
}

/** Number of partitions whose manifest differs from `then`. */
async function renewed(server: ServerHandle, then: ReadonlyMap<string, string>): Promise<number> {
  return [...(await manifests(server))].filter(([key, manifest]) => then.get(key) !== manifest).length;
}

const served = (node: NodeProcess) => node.logged('partitions are served').at(-1) as { decisions?: number } | undefined;

it('a master dies with snapshots that were not copied: serving goes on, whole ones follow, and a restart has all of it', async () => {
  const set = await freshSentinels();
  const { node, auditor, load } = await loaded(set.first, set.url);
  await expect.poll(async () => (await manifests(set.second)).size, { timeout: 20_000 }).toBeGreaterThan(15);
  await more(load, 50);
  // The replica no longer follows its master, so it misses everything acknowledged from here on.
  await command(set.second, 'REPLICAOF', '127.0.0.1', '1');
  const copied = await manifests(set.second);
  await expect.poll(() => renewed(set.first, copied)).toBeGreaterThan(3);
  await set.first.kill();
  await more(load, 100);
  const role = () => command(set.second, 'ROLE').then((answer) => (answer as string[])[0]);
  await expect.poll(role, { timeout: 20_000 }).toBe('master');
  await more(load, 50);
  await expect.poll(() => renewed(set.second, copied), { timeout: 30_000 }).toBeGreaterThan(15);
  await load.stop();
  await auditor.audit(node.url);
  // Everything that changed is in force there, and nothing refers to what was lost.
  const unwritten = async () =>
    /^holdfast_snapshot_age_seconds (.*)$/m.exec((await ask(node.url, 'GET', '/metrics')).body)?.[1];
  await expect.poll(unwritten, { timeout: 20_000 }).toBe('0');
  await node.kill();
  const before = node.logged('a snapshot is not used').length;
  await node.up();
  expect(node.logged('a snapshot is not used').length).toBe(before);
  expect(served(node)?.decisions).toBeLessThan(auditor.granted);
  await auditor.audit(node.url);
  // Without any Redis the log alone gives the same state.
  await node.kill();
  await Promise.all([set.second, ...set.sentinels].map((server) => server.kill()));
  await node.up();
  expect(node.logged('snapshots cannot be read').length).toBeGreaterThan(0);
  expect(served(node)?.decisions).toBeGreaterThan(auditor.granted);
  await auditor.audit(node.url);
}, 180_000);

it('a master of a Cluster dies: partitions of the others are snapshotted on, and nothing is lost', async () => {
  const { url, masters } = await freshRedisCluster();
  const [gone, ...others] = masters as [ServerHandle, ServerHandle, ServerHandle];
  const { node, auditor, load } = await loaded(gone, url);
  for (const master of masters) {
    await expect.poll(async () => (await manifests(master)).size, { timeout: 20_000 }).toBeGreaterThan(5);
  }
  await gone.kill();
  await more(load, 50);
  const then = await Promise.all(others.map(manifests));
  await more(load, 200);
  for (const [i, master] of others.entries()) {
    // Each master has about a third of 32 partitions. More than five of them must be renewed by the load.
    await expect.poll(() => renewed(master, then[i] as Map<string, string>), { timeout: 20_000 }).toBeGreaterThan(5);
  }
  await load.stop();
  await node.kill();
  await node.up();
  await auditor.audit(node.url);
  await gone.restart();
  await expect.poll(async () => (await manifests(gone)).size, { timeout: 30_000 }).toBeGreaterThan(5);
  await node.kill();
  await node.up();
  await auditor.audit(node.url);
}, 180_000);
