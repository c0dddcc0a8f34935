/** All nodes must use the same lease. The bucket's keys last equally long for all, and a longer lease would outlive them. */
import { expect, it } from 'vitest';
import { NODES_BUCKET } from '../../../config/topology.ts';
import { NodeProcess } from '../../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';

it('a node with another lease than those that are alive is refused; alone it starts, and the keys last as it says', async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  const short = await NodeProcess.at({ nats, redis }, { name: 'short', env: { HOLDFAST_LEASE: '3s' } });
  const long = await NodeProcess.at({ nats, redis }, { name: 'long', env: { HOLDFAST_LEASE: '9s' } });
  const broker = await NatsBroker.connect(nats.url, 'lease');
  const lastsMs = async () => ((await broker.stream(`KV_${NODES_BUCKET}`))?.config.max_age ?? 0) / 1e6;
  await short.up();
  expect(await lastsMs()).toBe(3_000);
  long.start();
  expect(await long.ended()).not.toBe(0);
  expect(long.tail()).toContain('HOLDFAST_LEASE is 9 s, but the nodes that are alive have 3 s');
  expect(await short.readiness()).toMatchObject({ ready: true });
  expect(await short.stop()).toBe(0);
  await long.up();
  expect(await lastsMs()).toBe(9_000);
  expect(await long.stop()).toBe(0);
  await short.up();
  expect(await lastsMs()).toBe(3_000);
  expect(await short.stop()).toBe(0);
  await broker.close();
}, 60_000);
