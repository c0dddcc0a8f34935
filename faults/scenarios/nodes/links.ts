/** Faults of the link between one of two nodes and NATS, in every way that TCP allows. */
import { setTimeout as delay } from 'node:timers/promises';
import type { NodeProcess } from '../../../harness/processes/node-process.ts';
import { TcpProxy } from '../../../harness/proxy.ts';
import { until } from '../../../harness/until.ts';
import { balanced, PARTITIONS } from '../../rig/served.ts';
import { UnderLoad } from '../../rig/under-load.ts';
import type { Outcome, Run, Scenario } from '../../scenario.ts';

export const links: Scenario = {
  name: 'links',
  injects:
    'full cut, one-way cut to and from NATS (acknowledgements lost), silence that ends with everything delivered late, half-open connections, flapping, 150 ms delay, by a TCP proxy before one of two nodes under load',
  holds: 'the other node takes over, nothing acknowledged is lost or doubled, both serve again when it is healed',
  trials: 14,
  slice: 2,
  run: hurtLinks,
};

const KINDS = ['lost acks', 'cut', 'half-open', 'one-way to NATS', 'late', 'flapping', 'delay'] as const;

async function hurtLinks({ rig, trials, say }: Run): Promise<Outcome> {
  const servers = await rig.servers();
  const proxy = await TcpProxy.to(servers.nats.port);
  rig.defer(() => proxy.close());
  const far = await rig.node(servers, { name: 'far', env: { NATS_URL: `nats://127.0.0.1:${proxy.port}` } });
  const near = await rig.node(servers, { name: 'near' });
  for (const node of [far, near]) node.start();
  await balanced([far, near]);
  const load = new UnderLoad([far, near]);
  await load.start();
  const broken: string[] = [];
  const took: string[] = [];
  for (let trial = 0; trial < trials; trial++) {
    const kind = KINDS[trial % KINDS.length] as (typeof KINDS)[number];
    await load.more(50);
    const began = performance.now();
    await hurt(kind, proxy, near, load);
    await load.more(20);
    await balanced([far, near], 120_000);
    await load.more(50);
    took.push(`${kind} ${Math.round(performance.now() - began)} ms`);
    say(`${took.at(-1)} until both serve again`);
  }
  broken.push(...(await load.findings()));
  return { trials, broken, figures: { 'reservations granted': load.auditor.granted, operations: load.done } };
}

/** Injects the fault, waits until it shows, and heals it. */
async function hurt(kind: (typeof KINDS)[number], proxy: TcpProxy, near: NodeProcess, load: UnderLoad): Promise<void> {
  const takenOver = () =>
    until(
      async () => (await near.readiness())?.owned === PARTITIONS,
      120_000,
      () => `${near.name} owns all: ${near.tail()}`,
    );
  switch (kind) {
    case 'cut':
      proxy.cut();
      await takenOver();
      return proxy.heal();
    case 'lost acks':
      proxy.hold('down');
      await takenOver();
      return proxy.heal(false);
    case 'one-way to NATS':
      proxy.hold('up');
      await takenOver();
      return proxy.heal(false);
    case 'late':
      proxy.hold('up', 'down');
      await takenOver();
      return proxy.heal();
    case 'half-open':
      proxy.halfOpen();
      await takenOver();
      return proxy.heal();
    case 'flapping':
      for (let i = 0; i < 12; i++) {
        proxy.cut();
        await delay(60 + 40 * i);
        proxy.heal();
        await delay(500 - 40 * i);
      }
      return;
    case 'delay':
      proxy.delay(150);
      await load.more(100, 120_000);
      return proxy.heal();
  }
}
