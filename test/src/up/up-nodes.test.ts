/** `holdfast up --nodes 3`: one command starts three nodes that share the partitions, and one signal ends all of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, expect, it } from 'vitest';
import { ask, askUntilDecided } from '../../../harness/callers/http-caller.ts';
import { childrenOf, nodeBelow } from '../../../harness/processes/children.ts';
import { freshFolder } from '../../../harness/servers/servers.ts';
import { runCli } from '../../../src/cli/program.ts';
import { packageRoot } from '../../../src/process/package-root.ts';
import { isRunning } from '../../../src/servers/process-table.ts';

const data = freshFolder('up');
let up: ChildProcess | undefined;
let said = '';
let exit: Promise<number | string> = Promise.resolve('never started');
/** Every process started by an `up` of this file. */
const started = new Set<number>();

afterAll(() => {
  up?.kill('SIGKILL');
  for (const pid of started) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
});

/** Starts three nodes. Returns their base URLs as printed. */
async function start(...more: string[]): Promise<string[]> {
  said = '';
  const args = ['up', '--nodes', '3', '--http', '127.0.0.1:0', '--data', data, ...more];
  const child = spawn(process.execPath, [join(packageRoot(), 'bin', 'holdfast.js'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  up = child;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  exit = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code ?? 0)));
  await expect.poll(() => said, { timeout: 60_000 }).toContain('Holdfast is up, on 3 nodes.');
  await expect.poll(() => said).toContain('Ctrl-C');
  for (const { pid } of family()) started.add(pid);
  const urls = [...said.matchAll(/^ {4}(?:live page|node \d) +(http:\/\/[\d.]+:\d+)\//gm)].map(([, url]) => url ?? '');
  expect(urls).toHaveLength(3);
  await expect.poll(() => shares(urls), { timeout: 30_000 }).toEqual([32, true]);
  return urls;
}

/** Total number of partitions served, and whether all nodes are ready. */
async function shares(urls: readonly string[]): Promise<[number, boolean]> {
  const answers = await Promise.all(urls.map((url) => ask(url, 'GET', '/readyz')));
  const owned = answers.reduce((sum, { body }) => sum + (body?.owned ?? 0), 0);
  return [owned, answers.every(({ status }) => status === 200)];
}

/** Child processes of `up`: servers and nodes. */
const family = () => childrenOf(up?.pid);

const alive = () => [...started].filter(isRunning);

it('three nodes share the partitions, any of them answers, and Ctrl-C ends all cleanly', async () => {
  const urls = await start('--no-demo');
  const [first = '', , third = ''] = urls;
  const owns = await Promise.all(urls.map(async (url) => (await ask(url, 'GET', '/readyz')).body.owned));
  expect(Math.min(...owns)).toBeGreaterThan(3);
  expect(started.size).toBe(4);
  const facts = Array.from({ length: 20 }, (_, i) => ({
    id: `f${i}`,
    type: 'receipt',
    sku: `S${i}`,
    location: 'x',
    occurredAt: new Date().toISOString(),
    qty: 5,
  }));
  expect((await askUntilDecided(() => third, 'POST', '/v1/facts', facts)).body).toMatchObject({ accepted: 20 });
  for (let i = 0; i < 20; i++)
    expect((await askUntilDecided(() => first, 'GET', `/v1/atp/S${i}`)).body).toMatchObject({ atp: 5 });
  up?.kill('SIGINT');
  expect(await exit).toBe(0);
  await expect.poll(alive).toEqual([]);
  expect(said).toContain('Stopping …');
}, 120_000);

it('a node that is killed is told of and replaced; a killed `up` leaves no node behind; and all is there again', async () => {
  const urls = await start('--no-demo');
  const [first = '', second = ''] = urls;
  process.kill(nodeBelow(up?.pid, 'up-3'), 'SIGKILL');
  await expect.poll(() => shares([first, second]), { timeout: 40_000 }).toEqual([32, true]);
  expect(said).toContain('The node up-3 has ended (SIGKILL)');
  for (let i = 0; i < 20; i++)
    expect((await askUntilDecided(() => second, 'GET', `/v1/atp/S${i}`)).body).toMatchObject({ atp: 5 });
  up?.kill('SIGKILL');
  expect(await exit).toBe('SIGKILL');
  await expect.poll(alive, { timeout: 30_000 }).toEqual([]);

  const again = await start('--no-demo');
  for (let i = 0; i < 20; i++)
    expect((await askUntilDecided(() => again[2] ?? '', 'GET', `/v1/atp/S${i}`)).body).toMatchObject({ atp: 5 });
  up?.kill('SIGTERM');
  expect(await exit).toBe(0);
}, 180_000);

it('the demo plays on all three', async () => {
  const urls = await start('--fresh');
  const asked = async (url: string) => {
    const text: string = (await ask(url, 'GET', '/metrics')).body;
    return Number(/^holdfast_atp_request_seconds_count(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1] ?? 0);
  };
  for (const url of urls) await expect.poll(() => asked(url), { timeout: 60_000 }).toBeGreaterThan(10);
  await expect.poll(() => said, { timeout: 20_000 }).toMatch(/^ {2}facts .*\/s .* lag \d/m);
  up?.kill('SIGINT');
  expect(await exit).toBe(0);
  await expect.poll(alive).toEqual([]);
}, 180_000);

it.each(['0', '17', 'two', '1.5'])('refuses --nodes %s', async (nodes) => {
  const stderr = new PassThrough();
  const code = await runCli(['up', '--nodes', nodes], { stdout: { write: () => undefined }, stderr, env: {} });
  expect([code, String(stderr.read())]).toEqual([2, expect.stringContaining('whole number from 1 to 16')]);
});
