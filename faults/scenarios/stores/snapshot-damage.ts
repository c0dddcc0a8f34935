/** Snapshots in Redis are damaged, torn, missing, foreign or old. None is used, and the log gives the same state. */
import { cpSync, rmSync } from 'node:fs';
import { chance, pick } from '../../../harness/chance.ts';
import type { ServerHandle } from '../../../src/servers/local-server.ts';
import { inLanes } from '../../rig/lanes.ts';
import { judge, type Prepared, prepare, type TrialResult, withRedis } from '../../rig/prepared.ts';
import type { Rig } from '../../rig/rig.ts';
import type { Outcome, Run, Scenario } from '../../scenario.ts';

export const snapshotDamage: Scenario = {
  name: 'snapshot-damage',
  injects:
    'flipped bits and cut bytes in pages, ids and manifests of snapshots, fields that are gone, a manifest of another partition, a lost or wrong epoch',
  holds: 'the state is as it was, from the generation before or from the log alone, or the node refuses and says why',
  trials: 200,
  slice: 6,
  run: damageSnapshots,
};

const KINDS = ['bit', 'bit', 'cut', 'gone', 'emptied', 'swapped', 'epoch', 'older'] as const;

async function damageSnapshots({ rig, trials, first, say }: Run): Promise<Outcome> {
  const states = (await prepare(rig)).filter(({ name }) => !name.startsWith('flushed'));
  const broken: string[] = [];
  const counts = { equal: 0, refused: 0, wrong: 0 };
  await inLanes(3, trials, async (each) => {
    const trial = first + each;
    const random = chance(trial + 1);
    const state = pick(random, states);
    const { result, what } = await damaged(rig, state, random);
    counts[result.is] += 1;
    if (result.is === 'wrong') {
      broken.push(`trial ${trial} (${state.name}, ${what}): ${result.why}`);
      say(broken.at(-1) as string);
    } else if ((each + 1) % 20 === 0) say(`${each + 1} of ${trials}: ${JSON.stringify(counts)}`);
  });
  return {
    trials,
    broken,
    figures: { 'as before': counts.equal, refused: counts.refused, 'served wrong': counts.wrong },
  };
}

async function damaged(
  rig: Rig,
  state: Prepared,
  random: () => number,
): Promise<{ result: TrialResult; what: string }> {
  const [natsDir, redisDir] = [rig.memoryPath('nats'), rig.memoryPath('redis')];
  cpSync(state.nats, natsDir, { recursive: true });
  cpSync(state.redis, redisDir, { recursive: true });
  const [nats, redis] = await Promise.all([rig.nats({ dataDir: natsDir }), rig.redis({ dataDir: redisDir })]);
  const what = await hurt(redis, random);
  const node = await rig.node({ nats, redis }, { env: { HOLDFAST_LEASE: '15s' } });
  try {
    node.start();
    return { result: await judge(node, state), what };
  } finally {
    await Promise.all([node.kill(), nats.kill(), redis.kill()]);
    for (const folder of [natsDir, redisDir]) rmSync(folder, { recursive: true, force: true });
  }
}

/** Damages up to eight snapshots in one way and returns a description. */
async function hurt(redis: ServerHandle, random: () => number): Promise<string> {
  const kind = pick(random, KINDS);
  const many = 1 + Math.floor(random() * 8);
  const done: string[] = [];
  await withRedis(redis.url, async (client) => {
    for (let i = 0; i < many; i++) {
      // List the keys each time, because a snapshot that was deleted cannot be damaged again.
      const keys = (await client.keys('holdfast:*')).map(String).sort();
      if (keys.length === 0) return;
      const key = pick(random, keys);
      const fields = (await client.hKeys(key)).map(String).sort();
      const manifests = fields.filter((name) => name === 'm0' || name === 'm1');
      const field = random() < 0.3 && manifests.length > 0 ? pick(random, manifests) : pick(random, fields);
      const value = (await client.hGet(key, field)) as unknown as Buffer | null;
      if (value === null) continue;
      done.push(`${key} ${field}`);
      if (kind === 'gone') await client.hDel(key, field);
      else if (kind === 'emptied') await client.del(key);
      else if (kind === 'epoch') await client.hSet(key, 'epoch', pick(random, ['0', '1', '999999', 'x']));
      else if (kind === 'older') await older(client, key);
      else if (kind === 'swapped') {
        const other = (await client.hGet(pick(random, keys), 'm0')) as unknown as Buffer | null;
        if (other !== null) await client.hSet(key, 'm0', other);
      } else await client.hSet(key, field, kind === 'cut' ? cut(value, random) : flipped(value, random));
    }
  });
  return `${kind}: ${done.join(', ')}`;
}

/** Puts the previous generation in force, as after a restore of Redis from a backup. */
async function older(client: Parameters<Parameters<typeof withRedis>[1]>[0], key: string): Promise<void> {
  const before = (await client.hGet(key, 'm1')) as unknown as Buffer | null;
  if (before !== null) await client.hSet(key, 'm0', before);
}

function cut(value: Buffer, random: () => number): Buffer {
  return value.subarray(0, Math.floor(random() * value.length));
}

function flipped(value: Buffer, random: () => number): Buffer {
  const copy = Buffer.from(value);
  const at = Math.floor(random() * copy.length);
  copy[at] = (copy[at] ?? 0) ^ (1 << Math.floor(random() * 8));
  return copy;
}
