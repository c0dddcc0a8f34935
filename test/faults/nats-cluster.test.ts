/** Three nats-servers under two nodes and callers. They are killed, paused and restarted, and nothing is lost or counted twice. */
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { JOURNAL_STREAM } from '../../config/topology.ts';
import { Auditor, type Load, names } from '../../harness/callers/auditor.ts';
import { NodeProcess } from '../../harness/processes/node-process.ts';
import { NatsCluster } from '../../harness/servers/nats-cluster.ts';
import { freshRedis } from '../../harness/servers/servers.ts';
import { NatsBroker } from '../../streams/nats/broker.ts';

const shape = { callers: 16, scarce: names('S', 8), busy: names('B', 8), locations: ['dc', 'shop'] };
let cluster: NatsCluster;
let nodes: NodeProcess[];

beforeAll(async () => {
  cluster = await NatsCluster.start();
  const [redis, [nats]] = [await freshRedis(), cluster.servers];
  if (nats === undefined) throw new Error('no server');
  const env = {
    NATS_URL: cluster.url,
    NATS_MONITOR_URL: cluster.monitorUrl,
    HOLDFAST_REPLICAS: '3',
    HOLDFAST_DURABILITY: 'strict',
    HOLDFAST_SNAPSHOT_KEY: 'a key of these nodes, of 32 bytes or more',
    // Longer than an election, and than the time after which a client abandons a silent server.
    HOLDFAST_LEASE: '15s',
  };
  nodes = [
    await NodeProcess.at({ nats, redis }, { name: 'one', env }),
    await NodeProcess.at({ nats, redis }, { name: 'two', env }),
  ];
  // At the same moment, as an orchestrator starts them.
  for (const node of nodes) node.start();
  await Promise.all(nodes.map((node) => node.serves(60_000)));
}, 180_000);

async function more(load: Load, count: number, timeout = 90_000): Promise<void> {
  const from = load.done();
  await expect.poll(load.done, { timeout }).toBeGreaterThan(from + count);
}

const allOwned = async () => {
  const all = await Promise.all(nodes.map((node) => node.readiness()));
  return all.every((each) => each?.ready === true) ? all.reduce((sum, each) => sum + (each?.owned ?? 0), 0) : -1;
};

it('makes a bucket on three servers at the same moment, and reads what another has just written', async () => {
  const brokers = await Promise.all(cluster.servers.map(({ url }, i) => NatsBroker.connect(url, `reader-${i}`)));
  onTestFinished(async () => void (await Promise.all(brokers.map((broker) => broker.close()))));
  const read: string[] = [];
  for (let round = 0; round < 4; round++) {
    const buckets = await Promise.all(brokers.map((broker) => broker.keys(`fresh-${round}`, { replicas: 3 })));
    await buckets[round % 3]?.put('k', 'v');
    for (let times = 0; times < 25; times++)
      for (const entries of await Promise.all(buckets.map((bucket) => bucket.all())))
        read.push(entries.map(({ key, value }) => `${key}=${value}`).join());
  }
  expect(read).toEqual(Array(4 * 25 * 3).fill('k=v'));
}, 120_000);

it('keeps what is promised while its leader dies, another server is paused, and each comes back', async () => {
  const [one, two] = nodes as [NodeProcess, NodeProcess];
  expect(one.logged('3 copies, 3 servers sync always').length).toBe(1);
  await expect.poll(allOwned, { timeout: 60_000 }).toBe(32);
  const auditor = new Auditor(shape);
  let turn = 0;
  const urls = () => (turn++ % 2 === 0 ? one.url : two.url);
  await auditor.stock(urls, 200);
  const load = auditor.load(urls);
  await more(load, 100);

  // The journal's leader dies under load. The two others elect a new one, and the lease outlives the election.
  const leader = await cluster.leaderOf(JOURNAL_STREAM);
  await leader.kill();
  await more(load, 100);
  await leader.restart();
  await cluster.healthy();
  await more(load, 50);

  // The current leader stops answering without closing connections, so only a time-out reveals it.
  const second = await cluster.leaderOf(JOURNAL_STREAM);
  await second.pause();
  await more(load, 100);
  second.resume();
  await cluster.healthy();
  await more(load, 50);

  // With two servers down, no decision is possible. Callers get "undecided", and work resumes afterwards.
  const third = await cluster.leaderOf(JOURNAL_STREAM);
  const [other] = cluster.others(third);
  await Promise.all([third.kill(), other?.pause()]);
  await expect
    .poll(async () => (await one.readiness())?.reasons, { timeout: 40_000 })
    .toContainEqual(expect.stringMatching(/lease/));
  other?.resume();
  await third.restart();
  await cluster.healthy();
  await more(load, 100);
  await load.stop();
  await auditor.audit(one.url);
  await auditor.audit(two.url);
  expect(auditor.granted).toBeGreaterThan(100);

  // The state in memory must equal the state in the log.
  for (const node of nodes) await node.kill();
  for (const node of nodes) node.start();
  await expect.poll(allOwned, { timeout: 60_000 }).toBe(32);
  await auditor.audit(two.url);
  for (const node of nodes) expect(await node.stop()).toBe(0);
}, 400_000);
