/** The disk of NATS is slow or fails. strace delays system calls or makes them fail. */
import { ask } from '../../../harness/callers/http-caller.ts';
import { until } from '../../../harness/until.ts';
import { injectFault, lacksStrace } from '../../rig/strace.ts';
import { UnderLoad } from '../../rig/under-load.ts';
import type { Outcome, Run, Scenario } from '../../scenario.ts';

export const diskTrouble: Scenario = {
  name: 'disk-trouble',
  injects:
    'every fsync of nats-server 50 ms late; every pwrite64 to disk failing with EIO; every fsync failing with EIO, under load; then nats-server killed and started again',
  holds: 'slow: it goes on, slower; failing: nothing is acknowledged that is lost afterwards',
  trials: 6,
  slice: 2,
  lacks: lacksStrace,
  run: troubleDisk,
};

const FAULTS = ['fsync:delay_enter=50000', 'pwrite64:error=EIO', 'fsync:error=EIO'] as const;

async function troubleDisk({ rig, trials, say }: Run): Promise<Outcome> {
  const servers = await rig.servers();
  const node = await rig.node(servers);
  await node.up();
  const load = new UnderLoad([node]);
  await load.start();
  const broken: string[] = [];
  for (let trial = 0; trial < trials; trial++) {
    const fault = FAULTS[trial % FAULTS.length] as string;
    await load.more(60);
    const end = await injectFault(servers.nats.pid, fault);
    if (fault.includes('delay')) {
      await load.more(60, 120_000);
      await end();
    } else {
      // Wait until a fact is not acknowledged. Everything acknowledged before is audited.
      await until(
        async () => {
          const body = { id: `probe-${trial}-${Date.now()}`, lines: [{ sku: 'NONE-SUCH', qty: 1 }] };
          const fact = {
            id: body.id,
            type: 'receipt',
            sku: 'PROBE',
            location: 'x',
            qty: 1,
            occurredAt: new Date().toISOString(),
          };
          return (await ask(node.url, 'POST', '/v1/facts', fact, 8_000)).status !== 200;
        },
        120_000,
        () => 'a fact is not acknowledged',
      );
      await end();
      await servers.nats.kill();
      await servers.nats.restart();
    }
    await load.more(60);
    say(`${fault}: goes on`);
  }
  broken.push(...(await load.findings()));
  return { trials, broken, figures: { 'reservations granted': load.auditor.granted, operations: load.done } };
}
