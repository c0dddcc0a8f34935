/** The reports of `holdfast doctor` and /readyz on ownership, with real nodes that join, die and are replaced. */
import { PassThrough } from 'node:stream';
import { beforeAll, expect, it } from 'vitest';
import { NodeProcess, type Servers } from '../../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { runCli } from '../../../src/cli/program.ts';
import type { Finding } from '../../../src/operate/doctor.ts';
import { ranges } from '../../../src/operate/ownership-view.ts';

let servers: Servers;
let [one, two]: NodeProcess[] = [];

beforeAll(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  servers = { nats, redis };
  // Longer than the test, so that a killed node's key still exists when it is examined.
  const env = { HOLDFAST_LEASE: '30s' };
  one = await NodeProcess.at(servers, { name: 'one', env });
  two = await NodeProcess.at(servers, { name: 'two', env });
  await one.up();
  await two.up();
});

async function doctor(...more: string[]) {
  const { nats, redis } = servers;
  const env = { NATS_URL: nats.url, NATS_MONITOR_URL: nats.monitorUrl ?? '', REDIS_URL: redis.url };
  let out = '';
  const stderr = new PassThrough();
  const code = await runCli(['doctor', ...more], { stdout: { write: (text: string) => (out += text) }, stderr, env });
  return { code, out };
}

interface Ready {
  readonly name: string;
  readonly owns: { partition: number; epoch: number }[];
}
const ready = async (node: NodeProcess | undefined) =>
  (await fetch(`${node?.url}/readyz`).then((response) => response.json())) as Ready;

it('every partition is served by one node, which says so with its epoch', async () => {
  await expect
    .poll(async () => (await ready(one)).owns.length + (await ready(two)).owns.length, { timeout: 20_000 })
    .toBe(32);
  const [first, second] = [await ready(one), await ready(two)];
  expect([first.name, second.name]).toEqual(['one', 'two']);
  const all = [...first.owns, ...second.owns];
  expect(all.map(({ partition }) => partition).sort((a, b) => a - b)).toEqual(Array.from({ length: 32 }, (_, i) => i));
  expect(new Set(all.map(({ epoch }) => epoch)).size).toBe(32);

  const { code, out } = await doctor('--json');
  const findings = JSON.parse(out) as Finding[];
  expect(code).toBe(0);
  const owners = findings.flatMap(({ owner }) => owner ?? []);
  expect(owners.map(({ name, partitions }) => ({ name, owns: partitions }))).toEqual(
    expect.arrayContaining([
      { name: 'one', owns: first.owns },
      { name: 'two', owns: second.owns },
    ]),
  );
  expect(findings.find(({ what }) => what === 'partitions')).toMatchObject({ state: 'good', unowned: [] });

  const text = (await doctor()).out;
  const row = (name: string, { owns }: Ready) =>
    new RegExp(
      `^${name} +127\\.0\\.0\\.1:\\d+ +${owns.length} +${ranges(owns.map(({ partition }) => partition))} +\\d+–\\d+$`,
      'm',
    );
  expect(text).toMatch(/^NODE +HTTP +COUNT +PARTITIONS +EPOCHS$/m);
  expect(text).toMatch(row('one', first));
  expect(text).toMatch(row('two', second));
  expect(text).not.toContain('nobody');
});

it('devices whose clocks are wrong are named, and their facts count as of when they were stored', async () => {
  let id = 0;
  const fact = (type: string, device: string | undefined, aheadMs: number, more: object) => {
    const occurredAt = new Date(Date.now() + aheadMs).toISOString();
    return { id: `clock-${++id}`, type, sku: 'mug', location: 'shop', device, occurredAt, ...more };
  };
  const send = async (...facts: object[]) => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${one?.url}/v1/facts`, { method: 'POST', headers, body: JSON.stringify(facts) });
    expect(await response.json()).toMatchObject({ accepted: facts.length, rejected: [] });
  };
  const get = (path: string) => fetch(`${one?.url}${path}`).then((response) => response.json());
  const sellable = async () => ((await get('/v1/stock/mug/shop')) as { sellable: number }).sellable;
  const DAYS = 2 * 86_400_000;
  // In one request, the order in which the device says they happened decides, and not that of the list.
  await send(fact('sale', 'till-2', DAYS + 1_000, { qty: 3 }), fact('count', 'till-2', DAYS, { counted: 40 }));
  expect(await sellable()).toBe(37);
  await send(fact('count', 'till-2', DAYS, { counted: 40 }));
  await send(fact('sale', 'till-2', DAYS, { qty: 3 }));
  expect(await sellable()).toBe(37);
  // True counts and sales of others go on to count.
  await send(fact('sale', 'till-1', 0, { qty: 1 }), fact('sale', 'till-3', -3 * 3_600_000, { qty: 5 }));
  expect(await sellable()).toBe(36);
  await send(fact('count', undefined, 0, { counted: 50 }));
  expect(await sellable()).toBe(50);
  const open = async () => {
    const { anomalies } = (await get('/v1/anomalies?kind=clock_ahead')) as { anomalies: { data: object }[] };
    return anomalies.map(({ data }) => data);
  };
  await expect
    .poll(open, { timeout: 20_000 })
    .toMatchObject([{ device: 'till-2', aheadSeconds: expect.closeTo(DAYS / 1000, -1) }]);
  const { out } = await doctor();
  expect(out).toMatch(/clocks of devices: ahead: till-2 at shop by 2 days; their facts count as of/);
  expect(out).toMatch(/clocks of devices: behind, or always late with their facts: till-3 at shop by 3 hours$/m);
  await send(fact('sale', 'till-2', 0, { qty: 1 }));
  await expect.poll(open, { timeout: 20_000 }).toEqual([]);
  expect((await doctor()).out).not.toContain('till-2');
}, 60_000);

it('a killed node is shown as one that does not answer, beside who replaced it; what the last one leaves is nobody’s', async () => {
  const lost = (await ready(two)).owns.map(({ partition }) => partition);
  await two?.kill();
  // On one machine a killed process is known to be dead immediately, but its key stays until the lease ends.
  await expect.poll(async () => (await ready(one)).owns.length, { timeout: 20_000 }).toBe(32);
  const { code, out } = await doctor();
  expect(out).toMatch(/^one .* 32 +0–31 /m);
  expect(out).toMatch(/node two at .*: its HTTP cannot be reached/);
  expect(code).toBe(0);
  expect(lost.length).toBeGreaterThan(0);

  expect(await one?.stop()).toBe(0);
  const after = await doctor();
  expect(after.code).toBe(1);
  expect(after.out).toMatch(/partitions: 0 of 32 have a live owner; nobody owns 0–31/);
  expect(after.out).toMatch(/^nobody +32 +0–31$/m);
});

it.each([
  [[], 'none'],
  [[4], '4'],
  [[0, 1, 2, 5, 7, 8], '0–2, 5, 7–8'],
])('says %j as %s', (numbers, said) => {
  expect(ranges(numbers)).toBe(said);
});
