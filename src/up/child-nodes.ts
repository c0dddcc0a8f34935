/**
 * Further nodes of `up --nodes N`. Each is a process of its own, like a node on another machine, beside the node that `up` itself
 * runs.
 *
 * Invariants:
 *  CD1 A child node ends with its parent, however the parent ends: its channel to the parent closes, and it stops by itself.
 *  CD2 A child node has a process group of its own. Ctrl-C reaches it only through its parent, once, and then it stops cleanly.
 *  CD3 A child node that ends by itself is reported and does not end the others, which take over its partitions.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { optionsOf, SETTINGS, type SettingFlags, type SettingName } from '../../config/settings.ts';
import { CHILD_MARK, type Report } from '../node/parent-channel.ts';
import { packageRoot } from '../process/package-root.ts';
import { canListen } from '../servers/ports.ts';

export interface ChildNode {
  readonly name: string;
  readonly pid: number;
  /** HOST:PORT. */
  readonly http: string;
  /** The address that the node publishes (baseUrl). */
  readonly address: string;
  /** From its last report; 0 once it has ended. */
  readonly lagMessages: number;
  /** True if it ended by itself (CD3). */
  readonly failed: boolean;
  /** Sends SIGTERM and resolves when the process has ended. */
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 60_000;

/**
 * Starts a node and resolves when it listens.
 * @param flags settings by name, as on the command line. They travel in the environment, which others on the machine cannot read.
 * @param ended called if the node ends by itself
 */
export async function startChildNode(
  name: string,
  flags: SettingFlags,
  env: NodeJS.ProcessEnv,
  ended: (how: string) => void,
): Promise<ChildNode> {
  const child = fork(join(packageRoot(), 'bin', 'holdfast.js'), ['node', SETTINGS.name.flag, name], {
    env: { ...environmentOf(flags, env), [CHILD_MARK]: '1' },
    // A process group of its own, so Ctrl-C does not reach it (CD2).
    detached: true,
    // Its log goes to the parent's stderr, because stdout is for people.
    stdio: ['ignore', 2, 2, 'ipc'],
    execArgv: [],
  });
  let last: Report = { http: '', address: '', lagMessages: 0 };
  let stopping = false;
  let failed = false;
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  exited
    .then((how) => {
      last = { ...last, lagMessages: 0 };
      if (stopping || last.http === '') return;
      failed = true;
      ended(how);
    })
    .catch(() => undefined);
  await firstReport(child, exited, name, (report) => {
    last = report;
  });
  return {
    name,
    pid: child.pid ?? 0,
    http: last.http,
    address: last.address,
    get lagMessages() {
      return last.lagMessages;
    },
    get failed() {
      return failed;
    },
    stop: async () => {
      stopping = true;
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** A setting given as a flag replaces every form of it in the environment. */
function environmentOf(flags: SettingFlags, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const told: NodeJS.ProcessEnv = { ...env };
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    const options = [{ key: name, env: SETTINGS[name].env }, ...optionsOf(name)];
    if (!options.some(({ key }) => flags[key as keyof SettingFlags] !== undefined)) continue;
    for (const { key, env: variable } of options) told[variable] = flags[key as keyof SettingFlags];
  }
  return flags.config === undefined ? told : { ...told, HOLDFAST_CONFIG: flags.config };
}

// Waits for the first report, which says that the node listens. A node that is too late is killed.
async function firstReport(
  child: ChildProcess,
  exited: Promise<string>,
  name: string,
  take: (report: Report) => void,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const heard = new Promise<undefined>((resolve) => {
    child.on('message', (report) => {
      take(report as Report);
      resolve(undefined);
    });
  });
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`did not listen within ${READY_WITHIN_MS / 1000} s`), READY_WITHIN_MS);
  });
  const wrong = await Promise.race([heard, late, exited.then((how) => `ended while starting: ${how}`)]);
  clearTimeout(timer);
  if (wrong === undefined) return;
  child.kill('SIGKILL');
  throw new Error(`the node ${name} ${wrong}; its log says why`);
}

/** HOST:PORT for the n-th node after this one: the first port plus n if that is free, otherwise any free port. */
export async function addressBeside(first: string, n: number): Promise<string> {
  const split = first.lastIndexOf(':');
  const host = first.slice(0, split);
  const port = Number(first.slice(split + 1)) + n;
  const free = port <= 65_535 && (await canListen(port, host.replace(/^\[|\]$/g, '')));
  return `${host}:${free ? port : 0}`;
}
