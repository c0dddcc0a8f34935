/**
 * An owner is paused beyond its lease (SIGSTOP), another node takes over, and the owner wakes with requests in its sockets.
 *
 * An ATP answer is stale if its version is below one that the new owner had given when the request was sent. A grant is stale if both
 * owners give the same units away, so every trial offers the last units to both.
 */
import { request } from 'node:http';
import { compareVersions } from '../../../harness/callers/auditor.ts';
import { askUntilDecided } from '../../../harness/callers/http-caller.ts';
import type { NodeProcess } from '../../../harness/processes/node-process.ts';
import { until } from '../../../harness/until.ts';
import { inLanes } from '../../rig/lanes.ts';
import { prepareServers } from '../../rig/prepared.ts';
import type { Rig } from '../../rig/rig.ts';
import { balanced, probeSkus, stockProbes } from '../../rig/served.ts';
import type { Outcome, Run, Scenario } from '../../scenario.ts';

export const pausedOwner: Scenario = {
  name: 'paused-owner',
  injects:
    'SIGSTOP of an owner until its partitions have been taken over, with reads and reservations in its sockets, then SIGCONT (lease 2 s)',
  holds: 'no answer of old stock, no unit given twice',
  trials: 500,
  slice: 4,
  run: pauseOwners,
};

/** Units of each SKU, and units per reservation, so that two reservations cannot both be granted. */
const [UNITS, TAKEN] = [3, 2];
const PER_PARTITION = 1;

interface Counts {
  stale: string[];
  twice: string[];
  answered: number;
  asked: number;
}

async function pauseOwners({ rig, trials, say }: Run): Promise<Outcome> {
  const lanes = Math.min(3, Math.ceil(trials / 4));
  const pairs = await Promise.all(Array.from({ length: lanes }, () => pairOf(rig)));
  const counts: Counts = { stale: [], twice: [], answered: 0, asked: 0 };
  let done = 0;
  await inLanes(lanes, trials, async (trial, lane) => {
    const [one, two] = pairs[lane] as [NodeProcess, NodeProcess];
    await (trial % 2 === 0 ? pauseOnce(one, two, trial, counts) : pauseOnce(two, one, trial, counts));
    done += 1;
    if (done % 25 === 0) say(`${done} of ${trials}, ${counts.stale.length} stale, ${counts.twice.length} given twice`);
  });
  return {
    trials,
    broken: [...counts.stale, ...counts.twice],
    figures: {
      'stale answers': counts.stale.length,
      'given twice': counts.twice.length,
      'requests that the woken node found': counts.asked,
      'of them answered with stock': counts.answered,
    },
  };
}

async function pairOf(rig: Rig): Promise<NodeProcess[]> {
  // In memory, because a shared disk that is slow for a second could end a lease of 2 s.
  const servers = await prepareServers(
    rig.nats({ dataDir: rig.memoryPath('nats') }),
    rig.redis({ dataDir: rig.memoryPath('redis') }),
  );
  const nodes = await Promise.all(
    ['one', 'two'].map((name) => rig.node(servers, { name, env: { HOLDFAST_LEASE: '2s' } })),
  );
  for (const node of nodes) node.start();
  await balanced(nodes);
  return nodes;
}

async function pauseOnce(paused: NodeProcess, other: NodeProcess, trial: number, counts: Counts): Promise<void> {
  const skus = probeSkus().flatMap((sku) => Array.from({ length: PER_PARTITION }, (_, i) => skuOf(sku, trial, i)));
  await stockProbes(other.url, skus, UNITS);
  await paused.pause();
  // These requests wait in its socket before another node owns its partitions. Whichever node decides them later must know what was
  // granted.
  const grabs = skus.map((sku) =>
    waiting(paused, 'POST', '/v1/reservations', { id: `late-${sku}`, lines: [{ sku, qty: TAKEN }] }),
  );
  await until(
    async () => (await other.readiness())?.owned === 32,
    120_000,
    () => `${other.name} owns all`,
  );
  const given = new Map<string, string>();
  await Promise.all(
    skus.map(async (sku) => {
      const placed = await askUntilDecided(() => other.url, 'POST', '/v1/reservations', {
        id: `taken-${sku}`,
        lines: [{ sku, qty: TAKEN }],
      });
      if (placed.status !== 201)
        counts.twice.push(`trial ${trial}: ${sku} was refused at its new owner: ${placed.status}`);
      given.set(sku, (await askUntilDecided(() => other.url, 'GET', `/v1/atp/${sku}`)).body.version);
    }),
  );
  const reads = skus.map((sku) => waiting(paused, 'GET', `/v1/atp/${sku}`));
  paused.resume();
  for (const [i, { status, body }] of (await Promise.all(reads)).entries()) {
    const sku = skus[i] as string;
    counts.asked += 1;
    if (status !== 200) continue;
    counts.answered += 1;
    const floor = given.get(sku) as string;
    if (body.atp !== UNITS - TAKEN || compareVersions(body.version, floor) < 0)
      counts.stale.push(`trial ${trial}: ${sku} answered ${body.atp} at ${body.version}, after ${floor} had been told`);
  }
  for (const [i, { status }] of (await Promise.all(grabs)).entries())
    if (status === 201) counts.twice.push(`trial ${trial}: ${skus[i]} was granted by the woken node too`);
  await balanced([paused, other]);
  await Promise.all(skus.map((sku) => checkStock(paused, sku, trial, counts)));
}

async function checkStock(node: NodeProcess, sku: string, trial: number, counts: Counts): Promise<void> {
  const { body } = await askUntilDecided(() => node.url, 'GET', `/v1/stock/${sku}/x`);
  if (body.sellable !== UNITS || body.held !== TAKEN)
    counts.twice.push(`trial ${trial}: ${sku} has ${body.held} held of ${body.sellable}`);
}

/** A SKU of its own for each trial. Its partition differs from the probe's. */
function skuOf(probe: string, trial: number, index: number): string {
  return `${probe}-${trial}-${index}`;
}

/** Sends a request on a socket of its own. The status is 503 if the connection ends without an answer. */
function waiting(
  node: NodeProcess,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: { atp?: number; version: string } }> {
  return new Promise((resolve) => {
    const none = () => resolve({ status: 503, body: { version: '' } });
    const sent = request(
      `${node.url}${path}`,
      { method, agent: false, headers: { 'content-type': 'application/json' } },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (more: string) => {
          text += more;
        });
        response.once('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
        response.once('error', none);
      },
    );
    sent.once('error', none);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
