/** Redis is emptied, read-only, full, killed or locked. Serving goes on, and snapshots return when Redis is healthy. */
import type { Servers } from '../../../harness/processes/node-process.ts';
import { until } from '../../../harness/until.ts';
import { redisCommand } from '../../rig/prepared.ts';
import { UnderLoad } from '../../rig/under-load.ts';
import type { Outcome, Run, Scenario } from '../../scenario.ts';

export const redis: Scenario = {
  name: 'redis',
  injects:
    'FLUSHALL, REPLICAOF a host that is none (read-only), maxmemory 1mb, kill -9, a password that the node has not, under load',
  holds:
    'reservations and facts go on, snapshots of every partition follow afterwards, a restart says what was acknowledged',
  trials: 10,
  slice: 3,
  run: hurtRedis,
};

interface Fault {
  readonly name: string;
  readonly hurt: (servers: Servers) => Promise<unknown>;
  readonly heal: (servers: Servers) => Promise<unknown>;
}
const set = (servers: Servers, ...words: string[]) => redisCommand(servers.redis, 'CONFIG', 'SET', ...words);
const FAULTS: readonly Fault[] = [
  { name: 'emptied', hurt: ({ redis }) => redisCommand(redis, 'FLUSHALL'), heal: async () => undefined },
  {
    name: 'read-only',
    hurt: ({ redis }) => redisCommand(redis, 'REPLICAOF', '127.0.0.1', '1'),
    heal: ({ redis }) => redisCommand(redis, 'REPLICAOF', 'NO', 'ONE'),
  },
  {
    name: 'full',
    hurt: (servers) => set(servers, 'maxmemory', '1mb'),
    heal: (servers) => set(servers, 'maxmemory', '0'),
  },
  { name: 'killed', hurt: ({ redis }) => redis.kill(), heal: ({ redis }) => redis.restart() },
  {
    name: 'locked',
    hurt: async (servers) => {
      await set(servers, 'requirepass', 'other');
      // Existing connections stay authenticated until they end, so close them.
      await redisCommand(servers.redis, 'CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes').catch(() => undefined);
    },
    // A restart removes the password, which the node does not know.
    heal: ({ redis }) => redis.restart(),
  },
];

async function hurtRedis({ rig, trials, say }: Run): Promise<Outcome> {
  const servers = await rig.servers();
  const node = await rig.node(servers);
  await node.up();
  const load = new UnderLoad([node]);
  await load.start();
  const broken: string[] = [];
  for (let trial = 0; trial < trials; trial++) {
    const { name, hurt, heal } = FAULTS[trial % FAULTS.length] as Fault;
    await load.more(50);
    await hurt(servers);
    await load.more(150);
    await heal(servers);
    await until(
      async () => Number(await redisCommand(servers.redis, 'DBSIZE').catch(() => 0)) === 32,
      120_000,
      () => `snapshots of all partitions follow after ${name}: ${node.tail(4)}`,
    );
    await load.more(50);
    say(`${name}: served on, snapshots followed`);
  }
  broken.push(...(await load.findings()));
  await node.kill();
  await node.up();
  broken.push(...(await load.auditor.findings(node.url)).map((what) => `after a restart: ${what}`));
  return { trials, broken, figures: { 'reservations granted': load.auditor.granted, operations: load.done } };
}
