/**
 * The life of one local server: start on a free port, readiness, signals, restart with the same port and data, end. A
 * Blueprint carries everything that is specific to NATS or Redis.
 *
 * Invariants:
 *  LS1 A handle is returned only after the server itself, not another one on its port, has answered.
 *  LS2 Port and data folder never change during a handle's life.
 *  LS3 Every wait is for a condition (an answer, an exit). Start, adoption and stop have a deadline, and a failed
 *     start's error carries the log's last lines.
 */

import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EXECUTABLE, type ServerKind } from './fetch/kind.ts';
import type { Program } from './fetch/program.ts';
import { findOrphan, removeRecord, type ServerRecord, writeRecord } from './orphan.ts';
import { freePort } from './ports.ts';
import { isStopped } from './process-table.ts';
import { adopt, launch, type Running } from './running.ts';

const PROBE_EVERY_MS = 20;
const ADOPTION_PROBE_MS = 3_000;
const STOP_WITHIN_MS = 10_000;
const START_TRIES = 8;
const LOG_ROTATE_BYTES = 8 * 1024 * 1024;

export interface ServerExit {
  /** True if stop(), kill() or restart() of this handle ended it. */
  readonly expected: boolean;
}

export interface ServerHandle {
  readonly url: string;
  readonly port: number;
  /** Changes with restart(). */
  readonly pid: number;
  readonly dataDir: string;
  readonly logFile: string;
  /** NATS only: the address of its monitoring, http://127.0.0.1:PORT. */
  readonly monitorUrl?: string;
  /**
   * Sends SIGTERM, then SIGKILL after 10 s. A paused server is resumed so that it can end. Does nothing if the server
   * does not run.
   */
  stop(): Promise<void>;
  /** Sends SIGKILL and waits for the exit. */
  kill(): Promise<void>;
  /** Sends SIGSTOP and waits until no thread runs. Connections stay open and nothing answers. */
  pause(): Promise<void>;
  resume(): void;
  /** Ends the server if it runs, then starts it again with the same port and data (LS2). */
  restart(): Promise<void>;
  /** True while the process exists, even if it is paused. */
  alive(): boolean;
  /** Calls back at every exit of the process; returns a function that removes the callback. */
  onExit(callback: (exit: ServerExit) => void): () => void;
}

export interface Ports {
  readonly port: number;
  readonly monitorPort: number;
}

export interface Blueprint {
  readonly kind: ServerKind;
  readonly program: Program;
  readonly dataDir: string;
  readonly port: number | undefined;
  readonly readyWithinMs: number;
  readonly tethered: boolean;
  readonly report: (line: string) => void;
  readonly configName: string;
  readonly config: (ports: Ports, dataDir: string) => string;
  readonly args: (configFile: string) => string[];
  /** Tries once to reach the server. True if the server with this pid answers and is ready (LS1). */
  readonly probe: (ports: Ports, pid: number) => Promise<boolean>;
  readonly url: (ports: Ports) => string;
  readonly monitorUrl?: (ports: Ports) => string;
}

export async function startServer(blueprint: Blueprint): Promise<ServerHandle> {
  mkdirSync(blueprint.dataDir, { recursive: true });
  const plan = { ...blueprint, dataDir: realpathSync(blueprint.dataDir) };
  const taken = await takeOver(plan);
  if (taken) return handle(plan, taken.ports, taken.running);
  for (let tried = 1; ; tried += 1) {
    const ports = { port: plan.port ?? (await freePort()), monitorPort: await freePort() };
    try {
      return handle(plan, ports, await bringUp(plan, ports));
    } catch (error) {
      const conflict = error instanceof PortTaken && (plan.port === undefined || error.monitor);
      if (!conflict || tried === START_TRIES) throw error;
    }
  }
}

class PortTaken extends Error {
  readonly monitor: boolean;
  constructor(message: string, monitor: boolean) {
    super(message);
    this.monitor = monitor;
  }
}

function handle(plan: Blueprint, ports: Ports, first: Running): ServerHandle {
  let running = first;
  let ending = false;
  let paused = false;
  const callbacks = new Set<(exit: ServerExit) => void>();
  const watch = (process: Running) => {
    process.exited
      .then(() => {
        removeRecord(plan.dataDir);
        for (const callback of callbacks) callback({ expected: ending });
      })
      .catch(() => undefined);
  };
  const end = async (gently: boolean) => {
    if (!running.alive()) return;
    ending = true;
    if (gently) await endProcess(running, paused);
    else running.signal('SIGKILL');
    await running.exited;
    paused = false;
  };
  watch(running);
  return {
    url: plan.url(ports),
    port: ports.port,
    dataDir: plan.dataDir,
    logFile: logFile(plan),
    ...(plan.monitorUrl ? { monitorUrl: plan.monitorUrl(ports) } : {}),
    get pid() {
      return running.pid;
    },
    stop: () => end(true),
    kill: () => end(false),
    pause: async () => {
      running.signal('SIGSTOP');
      paused = true;
      while (running.alive() && !isStopped(running.pid)) await delay(1);
    },
    resume: () => {
      running.signal('SIGCONT');
      paused = false;
    },
    restart: async () => {
      await end(true);
      running = await bringUp(plan, ports);
      ending = false;
      watch(running);
    },
    alive: () => running.alive(),
    onExit: (callback) => {
      callbacks.add(callback);
      return () => callbacks.delete(callback);
    },
  };
}

/** Adopts an orphan that runs with the wanted configuration and answers; ends any other (OP3). */
async function takeOver(plan: Blueprint): Promise<{ ports: Ports; running: Running } | undefined> {
  const orphan = findOrphan(plan.kind, plan.dataDir, configFile(plan));
  if (!orphan) return undefined;
  const running = adopt(orphan.pid);
  const wanted = plan.port === undefined || plan.port === orphan.port;
  if (wanted && orphan.config === hash(plan.config(orphan, plan.dataDir)) && (await answers(plan, orphan))) {
    writeRecord(plan.dataDir, { ...orphan, parentPid: process.pid });
    plan.report(
      `${EXECUTABLE[plan.kind]}: taking over the one that an earlier start left running (process ${orphan.pid})`,
    );
    return { ports: orphan, running };
  }
  plan.report(`${EXECUTABLE[plan.kind]}: ending the one that an earlier start left running (process ${orphan.pid})`);
  await endProcess(running, true);
  await running.exited;
  return undefined;
}

async function answers(plan: Blueprint, orphan: ServerRecord): Promise<boolean> {
  const deadline = Date.now() + ADOPTION_PROBE_MS;
  do {
    if (await plan.probe(orphan, orphan.pid)) return true;
    await delay(PROBE_EVERY_MS);
  } while (Date.now() < deadline);
  return false;
}

async function bringUp(plan: Blueprint, ports: Ports): Promise<Running> {
  const text = plan.config(ports, plan.dataDir);
  writeFileSync(configFile(plan), text);
  const log = openLog(plan);
  const logStart = statSync(logFile(plan)).size;
  let running: Running;
  try {
    const { program, dataDir, tethered } = plan;
    running = await launch({ program, dataDir, tethered, log, args: plan.args(configFile(plan)) });
  } finally {
    closeSync(log);
  }
  const { pid } = running;
  writeRecord(plan.dataDir, { pid, parentPid: process.pid, ...ports, config: hash(text) });
  const deadline = Date.now() + plan.readyWithinMs;
  while (!(await plan.probe(ports, pid))) {
    if (!running.alive()) throw startFailure(plan, ports, logStart, 'ended while starting');
    if (Date.now() > deadline) {
      running.signal('SIGKILL');
      await running.exited;
      throw startFailure(plan, ports, logStart, `did not answer within ${plan.readyWithinMs / 1000} s`);
    }
    await Promise.race([delay(PROBE_EVERY_MS), running.exited]);
  }
  return running;
}

// The error carries the last lines that this start has logged (LS3).
function startFailure(plan: Blueprint, ports: Ports, logStart: number, what: string): Error {
  removeRecord(plan.dataDir);
  const said = readFileSync(logFile(plan)).subarray(logStart).toString('utf8').trim();
  const message = `${EXECUTABLE[plan.kind]} ${what} on port ${ports.port}. The end of ${logFile(plan)}:\n${said.slice(-1500)}`;
  if (!/address already in use/i.test(said)) return new Error(message);
  return new PortTaken(message, said.includes(`:${ports.monitorPort}`) && !said.includes(`:${ports.port}:`));
}

async function endProcess(running: Running, paused: boolean): Promise<void> {
  running.signal('SIGTERM');
  if (paused) running.signal('SIGCONT');
  const stopWaiting = new AbortController();
  const late = delay(STOP_WITHIN_MS, 'late', { signal: stopWaiting.signal }).catch(() => 'waited');
  const first = await Promise.race([running.exited, late]);
  stopWaiting.abort();
  if (first === 'late') running.signal('SIGKILL');
}

function openLog(plan: Blueprint): number {
  const file = logFile(plan);
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_ROTATE_BYTES) renameSync(file, `${file}.old`);
  return openSync(file, 'a');
}

function configFile(plan: Blueprint): string {
  return join(plan.dataDir, plan.configName);
}

function logFile(plan: Blueprint): string {
  return join(plan.dataDir, `${EXECUTABLE[plan.kind]}.log`);
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
