/** The disk of NATS is full. It is a real file system, a small tmpfs. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ask } from '../../../harness/callers/http-caller.ts';
import { until } from '../../../harness/until.ts';
import { prepareServers } from '../../rig/prepared.ts';
import { UnderLoad } from '../../rig/under-load.ts';
import type { Outcome, Run, Scenario } from '../../scenario.ts';

export const diskFull: Scenario = {
  name: 'disk-full',
  injects: 'a tmpfs of 24 MiB as the disk of NATS, filled by facts under load; then room, and NATS started again',
  holds: 'nothing is acknowledged that is not stored; with room all goes on, nothing acknowledged is lost',
  trials: 3,
  slice: 1,
  lacks: () =>
    process.platform === 'linux' && process.getuid?.() === 0 ? undefined : 'mounting a tmpfs needs Linux and root',
  run: fillDisk,
};

const [SMALL, MORE] = ['24m', '256m'];

async function fillDisk({ rig, trials, say }: Run): Promise<Outcome> {
  const broken: string[] = [];
  let operations = 0;
  for (let trial = 0; trial < trials; trial++) {
    const folder = rig.path('small-disk');
    mkdirSync(folder);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SMALL}`, 'tmpfs', folder]);
    rig.defer(() => execFileSync('umount', ['-l', folder]));
    const servers = await prepareServers(rig.nats({ dataDir: join(folder, 'nats') }), rig.redis());
    const node = await rig.node(servers);
    await node.up();
    const load = new UnderLoad([node], 8);
    await load.start();
    await load.more(50);
    // Facts with a padding field fill the disk. They use a SKU of their own, and acknowledged ones must count like any others.
    const padding = 'x'.repeat(60_000);
    let stored = 0;
    for (let i = 0; ; i++) {
      const fact = {
        id: `pad-${i}`,
        type: 'receipt',
        sku: 'PAD',
        location: 'x',
        qty: 1,
        occurredAt: new Date().toISOString(),
        padding,
      };
      const { status } = await ask(node.url, 'POST', '/v1/facts', fact, 3_000);
      if (status !== 200) break;
      stored += 1;
      if (i > 1_000) throw new Error('the disk does not fill');
    }
    execFileSync('mount', ['-o', `remount,size=${MORE}`, folder]);
    await servers.nats.restart();
    await until(
      async () => (await node.readiness())?.ready === true,
      120_000,
      () => `it serves again: ${node.tail()}`,
    );
    await load.more(50);
    broken.push(...(await load.findings()).map((what) => `disk ${trial + 1}: ${what}`));
    const { body } = await ask(node.url, 'GET', '/v1/stock/PAD/x');
    // The last fact got no acknowledgement, so it may be stored or not.
    if (body.sellable !== stored && body.sellable !== stored + 1)
      broken.push(`disk ${trial + 1}: ${body.sellable} of ${stored} acknowledged facts that filled the disk are there`);
    operations += load.done;
    say(`disk ${trial + 1}: full after ${stored} facts of 60 kB, all there afterwards`);
    await Promise.all([node.kill(), servers.nats.kill(), servers.redis.kill()]);
  }
  return { trials, broken, figures: { operations } };
}
