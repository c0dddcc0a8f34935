/** The node is killed with kill -9 at every failpoint under load, and restarted. Nothing acknowledged is lost or counted twice. */
import { beforeAll, expect, it } from 'vitest';
import type { Failpoint } from '../../config/failpoints.ts';
import { Auditor, names } from '../../harness/callers/auditor.ts';
import { NodeProcess } from '../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../harness/servers/servers.ts';

const shape = { callers: 24, scarce: names('S', 8), busy: names('B', 8), locations: ['dc', 'shop'] };
let node: NodeProcess;
let auditor: Auditor;
const url = () => node.url;

beforeAll(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  node = await NodeProcess.at({ nats, redis });
  await node.up();
  auditor = new Auditor(shape);
  await auditor.stock(url, 150);
});

const whileServing: readonly (readonly [Failpoint, number])[] = [
  ['fact-received', 150],
  ['fact-applied', 150],
  ['before-append', 40],
  ['append-stored', 40],
  ['decision-folded', 40],
  ['snapshot-half-written', 20],
  ['snapshot-before-swap', 45],
];

it.each(whileServing)('loses and doubles nothing when it dies at %s', async (failpoint, count) => {
  await node.kill();
  const load = auditor.load(url);
  node.start({ failpoint: `${failpoint}@${count}` });
  expect(await node.ended(), node.tail()).toBe('SIGKILL');
  await node.up();
  await afterSomeMore(load);
});

const whileTakingOver: readonly (readonly [Failpoint, number])[] = [
  ['claimed', 1],
  ['fenced', 1],
  ['mid-replay', 3],
];

it.each(whileTakingOver)(
  'loses and doubles nothing when it dies at %s, again and again, while it takes over',
  async (failpoint, count) => {
    const load = auditor.load(url);
    await expect.poll(load.done, { timeout: 20_000 }).toBeGreaterThan(60);
    for (let round = 0; round < 2; round++) {
      await node.kill();
      node.start({ failpoint: `${failpoint}@${count}` });
      expect(await node.ended(), node.tail()).toBe('SIGKILL');
    }
    await node.up();
    await afterSomeMore(load);
  },
);

it('granted enough for the audit to mean something', () => {
  expect(auditor.granted).toBeGreaterThan(500);
});

async function afterSomeMore(load: ReturnType<Auditor['load']>): Promise<void> {
  const before = load.done();
  await expect.poll(load.done, { timeout: 20_000 }).toBeGreaterThan(before + 100);
  await load.stop();
  await auditor.audit(node.url);
}
