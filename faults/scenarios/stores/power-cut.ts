/** The power fails under load. Everything that had not reached the disk is lost. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Auditor, names } from '../../../harness/callers/auditor.ts';
import { chance } from '../../../harness/chance.ts';
import { NodeProcess, type Servers } from '../../../harness/processes/node-process.ts';
import { until } from '../../../harness/until.ts';
import { LoopDisk, lacksLoopDisk } from '../../rig/loop-disk.ts';
import { prepareServers } from '../../rig/prepared.ts';
import type { Rig } from '../../rig/rig.ts';
import type { Outcome, Run, Scenario } from '../../scenario.ts';

export const powerCut: Scenario = {
  name: 'power-cut',
  injects:
    'a disk in a file, with the data of NATS and Redis, copied under load while mounted; everything starts again on the copy',
  holds:
    'with sync always no acknowledged fact or reservation is lost; with the default sync the loss is shown, is refused, and strict does not start',
  trials: 20,
  slice: 1,
  lacks: lacksLoopDisk,
  run: cutPower,
};

async function cutPower({ rig, trials, say }: Run): Promise<Outcome> {
  const broken: string[] = [];
  const { disk, servers, node } = await onDisk(rig, 'always');
  const auditor = new Auditor({ callers: 16, scarce: names('S', 8), busy: names('B', 8), locations: ['dc', 'shop'] });
  const url = () => node.url;
  await node.up({}, 120_000);
  await auditor.stock(url, 3_000);
  const random = chance(3);
  for (let trial = 0; trial < trials; trial++) {
    const load = auditor.load(url);
    const more = 60 + Math.floor(random() * 300);
    await until(
      () => load.done() > more,
      120_000,
      () => 'the load goes on',
    );
    await cut(disk, servers, node);
    await node.up({}, 120_000);
    const from = load.done();
    await until(
      () => load.done() > from + 30,
      120_000,
      () => 'the load goes on after the cut',
    );
    await load.stop();
    const wrong = await auditor.findings(node.url);
    broken.push(...wrong.map((what) => `cut ${trial + 1}: ${what}`));
    say(`cut ${trial + 1}: ${auditor.granted} grants checked, ${wrong.length} findings`);
    if (wrong.length > 0) break;
  }
  const shown = await defaultSync(rig, broken);
  return {
    trials,
    broken,
    figures: { 'reservations checked': auditor.granted, 'findings with sync always': broken.length, ...shown },
  };
}

async function onDisk(
  rig: Rig,
  syncInterval: string,
): Promise<{ disk: LoopDisk; servers: Servers; node: NodeProcess }> {
  const disk = new LoopDisk(rig, `disk-${syncInterval}`);
  const folder = (name: string) => {
    const path = join(disk.folder, name);
    mkdirSync(path);
    return path;
  };
  const servers = await prepareServers(
    rig.nats({ dataDir: folder('nats'), config: { syncInterval } }),
    rig.redis({ dataDir: folder('redis'), config: { save: '1 1' } }),
  );
  return { disk, servers, node: await rig.node(servers) };
}

/** Pauses the servers, copies the disk, kills everything, and restarts the servers on the copy. */
async function cut(disk: LoopDisk, { nats, redis }: Servers, node: NodeProcess): Promise<void> {
  await Promise.all([nats.pause(), redis.pause()]);
  disk.freeze();
  await Promise.all([node.kill(), nats.kill(), redis.kill()]);
  disk.thaw();
  // One after the other, so that none is still starting when the other has failed.
  await nats.restart();
  await redis.restart();
}

/** The same with the default of NATS, which acknowledges before it syncs. */
async function defaultSync(rig: Rig, broken: string[]): Promise<Record<string, number | string>> {
  const { disk, servers, node } = await onDisk(rig, '2m');
  await node.up({}, 120_000);
  const auditor = new Auditor({ callers: 16, scarce: names('S', 8), busy: names('B', 8), locations: ['dc', 'shop'] });
  await auditor.stock(() => node.url, 3_000);
  const load = auditor.load(() => node.url);
  await until(
    () => load.done() > 200,
    60_000,
    () => 'the load goes on',
  );
  await Promise.all([servers.nats.pause(), servers.redis.pause()]);
  const env = { HOLDFAST_DURABILITY: 'strict', HOLDFAST_SNAPSHOT_KEY: 'a key of this node, of 32 bytes or more' };
  const strict = await NodeProcess.at(servers, { name: 'strict', env });
  servers.nats.resume();
  servers.redis.resume();
  await load.stop();
  const granted = auditor.granted;
  await cut(disk, servers, node);
  strict.start();
  const code = await strict.ended();
  const said = strict.logged('durability is strict').length;
  if (code === 0 || said === 0)
    broken.push(`strict durability started on a server that does not sync: ${code} ${strict.tail()}`);
  node.start();
  await until(
    async () =>
      (await node.readiness())?.ready === true ||
      ((await node.readiness())?.reasons ?? []).some((each) => /lost|anew|lacks/.test(each)),
    120_000,
    () => `it serves or says what is lost: ${node.tail()}`,
  );
  const readiness = await node.readiness();
  const lost = readiness?.ready === true ? (await auditor.findings(node.url)).length : granted;
  return {
    'default sync':
      readiness?.ready === true
        ? `${lost} findings of ${granted} grants, served`
        : `refused: ${readiness?.reasons?.[0]?.slice(0, 90)}`,
    strict: 'does not start without sync always',
  };
}
