/** Flipped bits and cut files in the data of nats-server while it is stopped. A node must refuse damaged data or serve the truth. */
import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { chance, pick } from '../../../harness/chance.ts';
import { inLanes } from '../../rig/lanes.ts';
import { filesOf, judge, type Prepared, prepare, type TrialResult } from '../../rig/prepared.ts';
import type { Rig } from '../../rig/rig.ts';
import type { Outcome, Run, Scenario } from '../../scenario.ts';

export const journalDamage: Scenario = {
  name: 'journal-damage',
  injects:
    'one flipped bit, a flipped byte in eight places, a zeroed sector, a cut tail, a lost index, in block files of every stream and bucket, with snapshots, with old ones, with none',
  holds: 'the node refuses and says why, or everything is as it was',
  trials: 200,
  slice: 6,
  run: damageFiles,
};

const KINDS = ['bit', 'bit', 'bit', 'bytes', 'sector', 'tail', 'tail', 'half', 'index+bit', 'index+tail'] as const;

async function damageFiles({ rig, trials, first, say }: Run): Promise<Outcome> {
  const states = await prepare(rig);
  const broken: string[] = [];
  const counts = { equal: 0, refused: 0, wrong: 0 };
  /** How often each reason was given, and the first trial that gave it. */
  const reasons = new Map<string, { count: number; first: number }>();
  await inLanes(3, trials, async (each) => {
    const trial = first + each;
    const random = chance(trial + 1);
    const state = pick(random, states);
    const { result, what } = await damaged(rig, state, random);
    counts[result.is] += 1;
    if (result.is === 'wrong') broken.push(`trial ${trial} (${state.name}, ${what}): ${result.why}`);
    if (result.is === 'refused') {
      const kind = result.why.replaceAll(/\d+/g, 'N').slice(0, 80);
      const known = reasons.get(kind);
      reasons.set(kind, { count: (known?.count ?? 0) + 1, first: known?.first ?? trial });
    }
    if (result.is === 'wrong') say(broken.at(-1) as string);
    else if ((each + 1) % 20 === 0) say(`${each + 1} of ${trials}: ${JSON.stringify(counts)}`);
  });
  for (const [reason, { count, first: at }] of reasons) say(`${count} × (trial ${at}) ${reason}`);
  return {
    trials,
    broken,
    figures: { refused: counts.refused, 'as before': counts.equal, 'served wrong': counts.wrong },
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
  const what = hurt(natsDir, random);
  const ended: (() => Promise<void>)[] = [];
  try {
    const redis = await rig.redis({ dataDir: redisDir });
    ended.push(() => redis.kill());
    let nats: Awaited<ReturnType<Rig['nats']>>;
    try {
      nats = await rig.nats({ dataDir: natsDir });
    } catch (error) {
      return { result: { is: 'refused', why: `nats-server: ${(error as Error).message}` }, what };
    }
    ended.push(() => nats.kill());
    const node = await rig.node({ nats, redis }, { env: { HOLDFAST_LEASE: '15s' } });
    ended.push(() => node.kill());
    node.start();
    return { result: await judge(node, state), what };
  } finally {
    await Promise.all(ended.map((end) => end()));
    for (const folder of [natsDir, redisDir]) rmSync(folder, { recursive: true, force: true });
  }
}

/** Damages one file and returns a description of the damage. */
function hurt(natsDir: string, random: () => number): string {
  const blocks = filesOf(natsDir).filter(({ path, bytes }) => path.endsWith('.blk') && bytes > 0);
  // More trials damage JOURNAL than its size would suggest, because it holds the promises.
  const journal = blocks.filter(({ path }) => path.includes('/JOURNAL/'));
  const { path, bytes } = pick(random, random() < 0.4 && journal.length > 0 ? journal : blocks);
  const kind = pick(random, KINDS);
  const at = Math.floor(random() * bytes);
  if (kind.startsWith('index')) rmSync(join(dirname(path), 'index.db'), { force: true });
  if (kind.endsWith('tail')) truncateSync(path, Math.max(0, bytes - 1 - Math.floor(random() * Math.min(bytes, 4_000))));
  else if (kind === 'half') truncateSync(path, at);
  else {
    const content = readFileSync(path);
    if (kind.endsWith('bit')) flip(content, at, 1 << Math.floor(random() * 8));
    else if (kind === 'sector') content.fill(0, at - (at % 512), Math.min(bytes, at - (at % 512) + 512));
    else for (let i = 0; i < 8; i++) flip(content, Math.floor(random() * bytes), 0xff);
    writeFileSync(path, content);
  }
  const stream = basename(dirname(dirname(path)));
  return `${kind} in ${stream}/${basename(path)} at ${at} of ${bytes}`;
}

function flip(content: Buffer, at: number, mask: number): void {
  content[at] = (content[at] ?? 0) ^ mask;
}
