/** Partitions move between nodes while callers write. Nothing acknowledged is lost, and no caller waits for long. */
import { beforeEach, expect, it } from 'vitest';
import { Auditor, names } from '../../../harness/callers/auditor.ts';
import { NodeProcess, type Servers } from '../../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';

const shape = { callers: 24, scarce: names('S', 8), busy: names('B', 8), locations: ['dc', 'shop'] };
let servers: Servers;
let [one, two]: NodeProcess[] = [];

beforeEach(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  servers = { nats, redis };
  one = await NodeProcess.at(servers, { name: 'one' });
  two = await NodeProcess.at(servers, { name: 'two' });
  await one.up();
});

it('a node joins and leaves under load, again and again, and one is killed: callers of any node get their answers', async () => {
  const [first, second] = [one as NodeProcess, two as NodeProcess];
  const auditor = new Auditor(shape);
  await auditor.stock(() => first.url, 200);
  let both = false;
  let turn = 0;
  const load = auditor.load(() => (both && turn++ % 2 === 0 ? second.url : first.url));
  const more = async (count: number) => {
    const from = load.done();
    await expect.poll(load.done, { timeout: 20_000 }).toBeGreaterThan(from + count);
  };
  for (let round = 0; round < 3; round++) {
    await second.up();
    both = true;
    await expect.poll(async () => (await second.readiness())?.owned ?? 0, { timeout: 10_000 }).toBeGreaterThan(4);
    await expect.poll(() => owned(first, second), { timeout: 10_000 }).toBe(32);
    await more(100);
    both = false;
    if (round < 2) expect(await second.stop()).toBe(0);
    else await second.kill();
    await expect.poll(() => owned(first), { timeout: 10_000 }).toBe(32);
    await more(50);
  }
  await load.stop();
  await auditor.audit(first.url);
  // The survivor's memory must equal the state in the log.
  await first.kill();
  await first.up();
  await auditor.audit(first.url);
}, 120_000);

async function owned(...nodes: NodeProcess[]): Promise<number> {
  const all = await Promise.all(nodes.map((node) => node.readiness()));
  return all.every((each) => each?.ready === true) ? all.reduce((sum, each) => sum + (each?.owned ?? 0), 0) : -1;
}
