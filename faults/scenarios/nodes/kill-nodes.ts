/** Repeatedly kills any of three nodes under load with kill -9. */
import { spawnSync } from 'node:child_process';
import { Auditor, names } from '../../../harness/callers/auditor.ts';
import { chance, pick } from '../../../harness/chance.ts';
import { until } from '../../../harness/until.ts';
import { balanced, median, probeSkus, stockProbes, untilServed } from '../../rig/served.ts';
import type { Outcome, Run, Scenario } from '../../scenario.ts';

const LEASE_MS = 3_000;
/** Time allowed for a take-over in addition to the lease. */
const TAKE_OVER_MS = 5_000;
/** As if on another machine. No other node can see that the process is dead, so its lease must run out. */
const APART = ['unshare', '--pid', '--fork', '--kill-child', '--'];

export const killNodes: Scenario = {
  name: 'kill-nodes',
  injects:
    'kill -9 of any of three nodes under load, two of them in process namespaces of their own, as on other machines',
  holds: `all 32 partitions answer within lease (${LEASE_MS / 1000} s) + ${TAKE_OVER_MS / 1000} s, nothing acknowledged is lost, nothing promised twice, no version goes back`,
  trials: 10,
  slice: 1,
  run: killOneOfThree,
};

async function killOneOfThree({ rig, trials, say }: Run): Promise<Outcome> {
  const servers = await rig.servers();
  const env = { HOLDFAST_LEASE: `${LEASE_MS}ms` };
  const apart = spawnSync('unshare', [...APART.slice(1), 'true']).status === 0 ? APART : [];
  if (apart.length === 0) say('no process namespaces here: every death is seen at once');
  const nodes = await Promise.all(
    ['one', 'two', 'three'].map((name) => rig.node(servers, { name, env, under: name === 'one' ? [] : apart })),
  );
  for (const node of nodes) node.start();
  await balanced(nodes);
  const random = chance(7);
  const alive = () => nodes.filter((node) => node.alive);
  const url = () => pick(random, alive()).url;
  const skus = probeSkus();
  await stockProbes(url(), skus);
  const auditor = new Auditor({ callers: 16, scarce: names('S', 12), busy: names('B', 12), locations: ['dc', 'shop'] });
  await auditor.stock(url, 400);
  const load = auditor.load(url);
  const took: number[] = [];
  const broken: string[] = [];
  for (let trial = 0; trial < trials; trial++) {
    const from = load.done();
    await until(
      () => load.done() > from + 100,
      120_000,
      () => 'the load goes on',
    );
    const victim = pick(random, nodes);
    await victim.kill();
    // Both survivors are asked, because either one answers for all partitions.
    const ms = Math.max(
      ...(await Promise.all(alive().map((node) => untilServed(node.url, skus, LEASE_MS + 4 * TAKE_OVER_MS)))),
    );
    took.push(ms);
    say(`${victim.name} killed: all partitions answer after ${Math.round(ms)} ms`);
    if (ms > LEASE_MS + TAKE_OVER_MS)
      broken.push(`kill ${trial + 1}: all partitions answered only after ${Math.round(ms)} ms`);
    victim.start();
    await balanced(nodes);
  }
  await load.stop();
  for (const node of nodes) broken.push(...(await auditor.findings(node.url)).map((what) => `${node.name}: ${what}`));
  return {
    trials,
    broken,
    figures: {
      'served again p50': `${Math.round(median(took))} ms`,
      max: `${Math.round(Math.max(...took))} ms`,
      'reservations granted': auditor.granted,
    },
  };
}
