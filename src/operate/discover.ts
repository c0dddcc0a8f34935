/** Finds the HTTP address of a node: from the file that a running `up` leaves, or from the nodes' bucket on NATS. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NODES_BUCKET } from '../../config/topology.ts';
import { NatsBroker } from '../../streams/nats/broker.ts';
import type { ConnectError, NatsLogin } from '../../streams/nats/login.ts';
import { isDead } from '../process/identity.ts';

/** Addresses of a running `up`. */
export interface RunFile {
  readonly http: string;
  readonly nats: string;
  readonly natsMonitor: string;
  readonly redis: string;
  readonly pid: number;
  /** Identity of the process (src/process/identity.ts); absent on systems where it cannot be read. */
  readonly process?: string | undefined;
}

export function writeRunFile(data: string, run: RunFile): void {
  mkdirSync(data, { recursive: true });
  writeFileSync(join(data, 'run.json'), `${JSON.stringify(run, null, 2)}\n`);
}

export function removeRunFile(data: string): void {
  rmSync(join(data, 'run.json'), { force: true });
}

/** The addresses, or undefined if the process that wrote them is gone. */
export function readRunFile(data: string): RunFile | undefined {
  try {
    const run = JSON.parse(readFileSync(join(data, 'run.json'), 'utf8')) as RunFile;
    process.kill(run.pid, 0);
    if (run.process !== undefined && isDead(run.process)) return undefined;
    return run;
  } catch {
    return undefined;
  }
}

/** The address of a live node on this NATS, or undefined. Rejects if NATS refuses the login. */
export async function discoverHttp(login: NatsLogin): Promise<string | undefined> {
  const broker = await NatsBroker.connect(login, 'holdfast-cli').catch((error: ConnectError) => {
    if (error.final) throw error;
    return undefined;
  });
  if (broker === undefined) return undefined;
  try {
    if ((await broker.stream(`KV_${NODES_BUCKET}`)) === undefined) return undefined;
    const entries = await (await broker.keys(NODES_BUCKET, { replicas: 1 })).all();
    return entries.map((entry) => (JSON.parse(entry.value) as { http: string }).http).find((http) => http !== '');
  } finally {
    await broker.close();
  }
}
