/**
 * A running server process, whoever started it: how it is signalled and how its end is known.
 *
 * Invariants:
 *  RG1 A process is ended by its own pid, never by a program's name.
 *  RG2 Servers have their own process group, so that Ctrl-C at the terminal reaches Holdfast alone, which then ends
 *     them in the right order.
 *  RG3 Whatever still runs when this process exits gets SIGKILL. Against a SIGKILL of this process, servers on Linux are
 *     tied to it by the kernel (setpriv --pdeathsig); elsewhere the next start deals with the orphan (orphan.ts).
 *     What was acknowledged is on disk by then, so SIGKILL loses nothing.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { executables } from './fetch/path-search.ts';
import type { Program } from './fetch/program.ts';
import { isRunning } from './process-table.ts';

const ADOPTED_POLL_MS = 50;

export type ServerSignal = 'SIGTERM' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT';

export interface Running {
  readonly pid: number;
  alive(): boolean;
  signal(signal: ServerSignal): void;
  /** Resolves when the process has ended; never rejects. */
  readonly exited: Promise<void>;
}

export interface Launch {
  readonly program: Program;
  readonly dataDir: string;
  readonly args: readonly string[];
  /** An open file that takes stdout and stderr. */
  readonly log: number;
  /** End with this process even when it is killed, where the system can do that. */
  readonly tethered: boolean;
}

const live = new Set<Running>();

export function launch({ program, dataDir, args, log, tethered }: Launch): Promise<Running> {
  const tether = tethered ? tetherCommand() : undefined;
  const [file, ...rest] = [...(tether ?? []), program.path, ...args] as [string, ...string[]];
  const child = spawn(file, rest, {
    stdio: ['ignore', log, log],
    env: { ...process.env, ...program.env },
    detached: true,
    cwd: dataDir,
  });
  return started(child);
}

/** Takes over a process that another, ended parent had started (RG1). */
export function adopt(pid: number): Running {
  let timer: NodeJS.Timeout | undefined;
  const exited = new Promise<void>((resolve) => {
    timer = setInterval(() => {
      if (!isRunning(pid)) resolve();
    }, ADOPTED_POLL_MS);
  });
  const signal = (name: ServerSignal) => {
    if (isRunning(pid)) process.kill(pid, name);
  };
  return register({ pid, alive: () => isRunning(pid), signal, exited: exited.then(() => clearInterval(timer)) });
}

// RG2.
function started(child: ChildProcess): Promise<Running> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => {
      const pid = child.pid;
      if (pid === undefined) return reject(new Error('a started process has no pid'));
      const ended = () => child.exitCode !== null || child.signalCode !== null;
      const signal = (name: ServerSignal) => {
        if (!ended()) child.kill(name);
      };
      const exited = new Promise<void>((done) => child.once('exit', () => done()));
      return resolve(register({ pid, alive: () => !ended(), signal, exited }));
    });
  });
}

function register(running: Running): Running {
  if (live.size === 0) {
    process.removeListener('exit', killLive);
    process.on('exit', killLive);
  }
  live.add(running);
  running.exited.then(() => live.delete(running)).catch(() => undefined);
  return running;
}

// RG3.
function killLive(): void {
  for (const running of live) running.signal('SIGKILL');
}

let tetherKnown: { readonly command: readonly string[] | undefined } | undefined;

/** A command prefix that makes the kernel end the process with its parent, where there is one that works. */
function tetherCommand(): readonly string[] | undefined {
  tetherKnown ??= { command: findTether() };
  return tetherKnown.command;
}

function findTether(): readonly string[] | undefined {
  if (process.platform !== 'linux') return undefined;
  const setpriv = executables('setpriv', process.env)[0];
  if (setpriv === undefined) return undefined;
  const command = [setpriv, '--pdeathsig', 'KILL', '--'];
  // Not every setpriv has the option (busybox has not).
  const works =
    spawnSync(setpriv, [...command.slice(1), process.execPath, '--version'], { stdio: 'ignore' }).status === 0;
  return works ? command : undefined;
}
