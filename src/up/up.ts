/**
 * `holdfast up` runs everything on one machine: private NATS and Redis under the data folder, one or several nodes, and the demo
 * retailer.
 *
 * Any reason to stop ends everything, in the order callers, nodes, servers. A second run continues where the first one stopped.
 */

import { setMaxListeners } from 'node:events';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DEMO } from '../../config/demo/demo.ts';
import { armFailpoint } from '../../config/failpoints.ts';
import { isGiven, loadSettings } from '../../config/load-settings.ts';
import { secretAddress } from '../../config/servers/secret.ts';
import type { SettingFlags, Settings } from '../../config/settings.ts';
import { FACT_STREAM_NAMES } from '../../config/topology.ts';
import { baseUrl } from '../client/base-url.ts';
import { type Ask, Client } from '../client/client.ts';
import { readMonth } from '../demo/month.ts';
import { Retailer } from '../demo/retailer.ts';
import { Storefront } from '../demo/storefront.ts';
import { type RunningNode, startNode } from '../node/node.ts';
import { signalled } from '../node/run-node.ts';
import { catchStrayErrors } from '../node/stray-errors.ts';
import { type RunFile, readRunFile, removeRunFile, writeRunFile } from '../operate/discover.ts';
import { processIdentity } from '../process/identity.ts';
import { LimitedLog } from '../process/limited-log.ts';
import { createLog, type Log } from '../process/log.ts';
import { packageRoot } from '../process/package-root.ts';
import { SteadyClock } from '../process/steady-clock.ts';
import { httpSender } from '../replay/http-sender.ts';
import type { ServerHandle } from '../servers/local-server.ts';
import { startNats } from '../servers/nats.ts';
import { startRedis } from '../servers/redis.ts';
import { addressBeside, type ChildNode, startChildNode } from './child-nodes.ts';
import { EMPTY_LIVE_LINE, foldLive, formatLive } from './status-line.ts';

export interface UpFlags {
  /** Starts again from nothing: data of an earlier run is removed. */
  readonly fresh?: boolean | undefined;
  readonly noDemo?: boolean | undefined;
  /** Number of nodes that share the partitions. Default: 1. */
  readonly nodes?: number | undefined;
}
/** Paths that `up` makes under the data folder and --fresh removes. */
const FOLDERS = ['nats', 'redis', 'demo.json'] as const;
const LINE_EVERY_MS = 1_000;
/** A start that is not ready after this time says what it waits for, and goes on waiting. */
const READY_WITHIN_MS = 5_000;

/** Resolves with the exit code once everything has ended, after a signal or a failure. */
export async function runUp(flags: SettingFlags & UpFlags): Promise<number> {
  const { fresh, noDemo, nodes = 1, ...given } = flags;
  const env = {
    HOLDFAST_LOG: 'warn',
    HOLDFAST_NAME: 'up',
    ...process.env,
  };
  const settings = loadSettings(given, env);
  armFailpoint(process.env.HOLDFAST_FAILPOINT);
  const data = resolve(settings.data);
  const running = readRunFile(data);
  if (running !== undefined) {
    say(
      `Holdfast is up already under ${data} (process ${running.pid}): ${baseUrl(running.http)}/. Stop it first, or name another folder with --data.`,
    );
    return 1;
  }
  if (fresh === true) for (const folder of FOLDERS) rmSync(join(data, folder), { recursive: true, force: true });
  mkdirSync(data, { recursive: true });
  const ended = signalled();
  const servers: ServerHandle[] = [];
  const children: ChildNode[] = [];
  let node: RunningNode | undefined;
  try {
    const addresses = await startServers(settings, given, data, servers);
    node = await start({ ...settings, ...addresses }, given);
    writeRunFile(data, {
      http: node.address,
      ...withoutLogins(addresses),
      pid: process.pid,
      process: processIdentity(),
    });
    const first = node;
    for (let n = 1; n < nodes; n++) {
      const http = await addressBeside(first.http, n);
      const name = `${settings.name.slice(0, 44)}-${n + 1}`;
      const told = (how: string) =>
        say(`\n  The node ${name} has ended (${how}); the others take its partitions over.`);
      children.push(await startChildNode(name, { ...given, ...revealed(addresses), http }, env, told));
    }
    const crash = Promise.race(
      servers.map(
        (server) =>
          new Promise<string>((done) =>
            server.onExit(({ expected }) => expected || done(`a server ended by itself; see ${server.logFile}`)),
          ),
      ),
    );
    const stop = new AbortController();
    // Every simulated caller listens on it, which is more than Node's limit for a warning.
    setMaxListeners(0, stop.signal);
    const all = [first.address, ...children.map(({ address }) => address)];
    const demo = served(first, all, addresses, data, stop.signal).then(() =>
      noDemo === true || stop.signal.aborted ? undefined : runDemo(first, children, data, stop.signal),
    );
    const failed = demo.then(
      () => new Promise<string>(() => undefined),
      (error) => `the demo failed: ${(error as Error).message}`,
    );
    const why = await Promise.race([ended.then(() => undefined), first.failed, crash, failed]);
    say(why === undefined ? '\nStopping …' : `\nStopping: ${why}`);
    stop.abort();
    await demo.catch(() => undefined);
    return why === undefined && !children.some((child) => child.failed) ? 0 : 1;
  } finally {
    await Promise.all([node?.stop(), ...children.map((child) => child.stop())]);
    removeRunFile(data);
    await Promise.all(servers.map((server) => server.stop()));
  }
}

type Addresses = Pick<Settings, 'nats' | 'natsMonitor' | 'redis'>;

/** Starts the servers for which no setting gives an address. */
async function startServers(
  settings: Settings,
  given: SettingFlags,
  data: string,
  servers: ServerHandle[],
): Promise<Addresses> {
  const own = (name: 'nats' | 'redis') => !isGiven(name, given, process.env);
  let { nats, natsMonitor, redis } = settings;
  if (own('nats')) {
    const handle = await startNats({ dataDir: join(data, 'nats'), report: say });
    servers.push(handle);
    nats = secretAddress(handle.url);
    natsMonitor = handle.monitorUrl === undefined ? natsMonitor : secretAddress(handle.monitorUrl);
  }
  if (own('redis')) {
    const handle = await startRedis({ dataDir: join(data, 'redis'), report: say });
    servers.push(handle);
    redis = secretAddress(handle.url);
  }
  return { nats, natsMonitor, redis };
}

/** The addresses for child nodes, with logins. They travel in the environment. */
function revealed({ nats, natsMonitor, redis }: Addresses): SettingFlags {
  return { nats: nats.reveal(), natsMonitor: natsMonitor.reveal(), redis: redis.reveal() };
}

/**
 * The addresses for the run file, which others can read. Logins are left out; anyone who needs one must have it from the settings.
 */
function withoutLogins({ nats, natsMonitor, redis }: Addresses): Pick<RunFile, 'nats' | 'natsMonitor' | 'redis'> {
  const [plainNats, plainMonitor, plainRedis] = [nats, natsMonitor, redis].map((each) =>
    String(each).replaceAll('…@', ''),
  );
  return { nats: plainNats ?? '', natsMonitor: plainMonitor ?? '', redis: plainRedis ?? '' };
}

/** Starts the node. If the default port is taken and no port was asked for, it gets a free one. */
async function start(settings: Settings, given: SettingFlags): Promise<RunningNode> {
  const log = createLog({ level: settings.logLevel, name: settings.name, to: 'stderr' });
  try {
    return guarded(await startNode(settings, log), log);
  } catch (error) {
    if (isGiven('http', given, process.env) || !(error as Error).message.includes('EADDRINUSE')) throw error;
    say(`${settings.http} is taken; a free port is used.`);
    return guarded(await startNode({ ...settings, http: '127.0.0.1:0' }, log), log);
  }
}

function guarded(node: RunningNode, log: Log): RunningNode {
  catchStrayErrors(node, new LimitedLog(log));
  return node;
}

/**
 * Announces the addresses when the node serves. If that takes longer than READY_WITHIN_MS, they are also announced then, with the
 * reason.
 */
async function served(
  node: RunningNode,
  all: readonly string[],
  addresses: Addresses,
  data: string,
  signal: AbortSignal,
): Promise<void> {
  const up = all.length === 1 ? 'Holdfast is up.' : `Holdfast is up, on ${all.length} nodes.`;
  const late = performance.now() + READY_WITHIN_MS;
  let told = '';
  while (!signal.aborted) {
    const { ready, reasons } = node.engine.readiness;
    if (ready) return announce(up, all, addresses, data);
    const why = reasons.join('; ');
    if (performance.now() > late && told === '') {
      announce(`Holdfast does not serve yet: ${why}.`, all, addresses, data);
      told = why;
    }
    await delay(20, undefined, { signal }).catch(() => undefined);
  }
}

function announce(how: string, nodes: readonly string[], { nats, redis }: Addresses, data: string): void {
  const [http = '', ...others] = nodes.map(baseUrl);
  say(
    [
      '',
      `  ${how}`,
      '',
      `    live page   ${http}/`,
      `    API         ${http}/v1/atp/85123A    (all of it: ${http}/openapi.json)`,
      `    metrics     ${http}/metrics`,
      ...others.map((other, i) => `    node ${i + 2}      ${other}/           (metrics: ${other}/metrics)`),
      `    NATS        ${nats}`,
      `    Redis       ${redis}`,
      `    data        ${data}`,
      '',
      '  Ctrl-C stops all of it; the next start goes on from here.',
      '',
    ].join('\n'),
  );
}

/** Runs the retailer of config/demo: real sales of one month in compressed time, made-up opening stock, and simulated callers. */
async function runDemo(
  node: RunningNode,
  children: readonly ChildNode[],
  data: string,
  signal: AbortSignal,
): Promise<void> {
  const file = join(packageRoot(), DEMO.month);
  if (!existsSync(file)) throw new Error(`${DEMO.month} is missing from this installation`);
  const month = await readMonth(file, DEMO);
  const client = new Client([node.address, ...children.map(({ address }) => address)], DEMO.answerMs);
  const clock = new SteadyClock();
  const deps = {
    month,
    ask: (...asked: Parameters<Ask>) => client.ask(...asked),
    send: httpSender(client),
    clock,
    signal,
  };
  const retailer = new Retailer({
    ...deps,
    demo: DEMO,
    stateFile: join(data, 'demo.json'),
    report: (line) => say(`  ${line}`),
  });
  const storefront = new Storefront({ ...deps, demo: DEMO });
  const staged = DEMO.staged.map(({ sku }) => sku).join(', ');
  say(
    [
      '  The demo retailer replays a month of real sales (see config/demo/ATTRIBUTION.md); its opening stock is made up.',
      `  Staged: the deliveries of ${staged} are booked late. Each goes below zero at ${DEMO.warehouse} once, and the page says so.`,
    ].join('\n'),
  );
  const line = showLive([node, ...children], retailer, storefront, clock);
  try {
    await Promise.all([retailer.run(), storefront.run()]);
  } finally {
    clearInterval(line);
  }
}

/** Rewrites one line on a terminal; elsewhere prints a line every ten seconds. */
function showLive(
  nodes: readonly (RunningNode | ChildNode)[],
  retailer: Retailer,
  storefront: Storefront,
  clock: SteadyClock,
): NodeJS.Timeout {
  const terminal = process.stdout.isTTY === true;
  let live = EMPTY_LIVE_LINE;
  let ticks = 0;
  return setInterval(() => {
    const { atpRequests, reservations, atpMsP99, sales } = storefront.counters();
    const lagMessages = nodes.reduce((sum, node) => sum + lagOf(node), 0);
    live = foldLive(live, {
      atMs: clock.nowMs(),
      facts: retailer.counters().facts + sales,
      atpRequests,
      reservations,
      atpMsP99,
      lagMessages,
    });
    ticks += 1;
    const text = formatLive(live, (process.stdout.columns ?? 120) - 4);
    if (terminal) process.stdout.write(`\r  ${text}\u001b[K`);
    else if (ticks % 10 === 1) process.stdout.write(`  ${text}\n`);
  }, LINE_EVERY_MS);
}

function lagOf(node: RunningNode | ChildNode): number {
  if ('lagMessages' in node) return node.lagMessages;
  return FACT_STREAM_NAMES.reduce((sum, stream) => sum + node.engine.lag(stream), 0);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
