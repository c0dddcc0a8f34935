/**
 * A running server process, whichever process started it: how it is signalled and how its exit is noticed.
 *
 * Invariants:
 *  RG1 A process is ended by its own pid, never by a program's name.
 *  RG2 Servers have their own process group, so Ctrl-C at the terminal reaches only Holdfast, which then ends them in
 *     the right order.
 *  RG3 Every server that still runs when this process exits gets SIGKILL. If this process itself gets SIGKILL, the
 *     kernel ends tethered servers on Linux (setpriv --pdeathsig); elsewhere the next start deals with the orphan
 *     (orphan.ts). Acknowledged data is already on disk, so SIGKILL loses nothing.
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
  /** Descriptor of an open file that takes stdout and stderr. */
  readonly log: number;
  /** The server ends with this process even if that is killed, where the system supports it. */
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

/** Adopts a process whose own parent has ended; only its pid is known (RG1). */
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

// Resolves once the process runs; launch() has given it a process group of its own (RG2).
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

// Runs at this process's exit, so no server outlives it (RG3).
function killLive(): void {
  for (const running of live) running.signal('SIGKILL');
}

let tetherKnown: { readonly command: readonly string[] | undefined } | undefined;

/** A command prefix that makes the kernel end the process with its parent; undefined if none works here. */
function tetherCommand(): readonly string[] | undefined {
  tetherKnown ??= { command: findTether() };
  return tetherKnown.command;
}

function findTether(): readonly string[] | undefined {
  if (process.platform !== 'linux') return undefined;
  const setpriv = executables('setpriv', process.env)[0];
  if (setpriv === undefined) return undefined;
  const command = [setpriv, '--pdeathsig', 'KILL', '--'];
  // Some versions of setpriv do not have the option, for example busybox's.
  const works =
    spawnSync(setpriv, [...command.slice(1), process.execPath, '--version'], { stdio: 'ignore' }).status === 0;
  return works ? command : undefined;
}
