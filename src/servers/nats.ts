/**
 * A local nats-server with JetStream on loopback, for `holdfast up` and for tests.
 *
 * Invariant: its configuration is config/nats/local.conf with the values that this start fills in, so the file that an
 * operator can read is the one that runs.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { packageRoot } from '../process/package-root.ts';
import { findServer } from './fetch/find.ts';
import type { Program } from './fetch/program.ts';
import { firstAnswer } from './first-answer.ts';
import { type Ports, type ServerHandle, startServer } from './local-server.ts';

const READY_WITHIN_MS = 60_000;

export interface NatsSettings {
  /** JetStream's fsync policy. Default: always. Any other value makes an acknowledgement worth less. */
  readonly syncInterval?: string;
  /** Default 8MB. */
  readonly maxPayload?: string;
  /** The most that JetStream may store, for tests of a full disk. Default: -1, no limit of our own. */
  readonly maxFileStore?: string;
  /** Appended to the configuration unchanged. */
  readonly extra?: string;
}

export interface StartNatsOptions {
  readonly dataDir: string;
  /** Used as given. Default: a free port. */
  readonly port?: number;
  readonly config?: NatsSettings;
  /** The server program to use. Default: found or fetched (find.ts). */
  readonly binaries?: { readonly nats: Program };
  readonly report?: (line: string) => void;
  /** The server ends with this process even if that is killed, where the system supports it. Default: true. */
  readonly tethered?: boolean;
  readonly readyWithinMs?: number;
}

export async function startNats(options: StartNatsOptions): Promise<ServerHandle> {
  const report = options.report ?? (() => undefined);
  const name = `local-${createHash('sha256').update(resolve(options.dataDir)).digest('hex').slice(0, 10)}`;
  return startServer({
    kind: 'nats',
    program: options.binaries?.nats ?? (await findServer('nats', { report })),
    dataDir: options.dataDir,
    port: options.port,
    readyWithinMs: options.readyWithinMs ?? READY_WITHIN_MS,
    tethered: options.tethered ?? true,
    report,
    configName: 'nats-server.conf',
    config: (ports, dataDir) => natsConfig(name, ports, dataDir, options.config ?? {}),
    args: (configFile) => ['-c', configFile],
    probe: async ({ port }) => isReady(await firstAnswer(port, '', (text) => text.includes('\r\n')), name),
    url: ({ port }) => `nats://127.0.0.1:${port}`,
    monitorUrl: ({ monitorPort }) => `http://127.0.0.1:${monitorPort}`,
  });
}

/**
 * The configuration language of nats-server has variables, so the values are defined before the file that uses them.
 */
function natsConfig(name: string, ports: Ports, dataDir: string, settings: NatsSettings): string {
  const values: Readonly<Record<string, string>> = {
    HOLDFAST_NATS_NAME: JSON.stringify(name),
    HOLDFAST_NATS_PORT: String(ports.port),
    HOLDFAST_NATS_MONITOR_PORT: String(ports.monitorPort),
    HOLDFAST_NATS_STORE: JSON.stringify(join(dataDir, 'jetstream')),
    HOLDFAST_NATS_SYNC: JSON.stringify(settings.syncInterval ?? 'always'),
    HOLDFAST_NATS_MAX_PAYLOAD: settings.maxPayload ?? '8MB',
    HOLDFAST_NATS_MAX_STORE: settings.maxFileStore ?? '-1',
  };
  const definitions = Object.entries(values).map(([key, value]) => `${key}: ${value}`);
  const template = readFileSync(join(packageRoot(), 'config', 'nats', 'local.conf'), 'utf8');
  return [...definitions, template, settings.extra ?? '', ''].join('\n');
}

/** The server sends its INFO line once it accepts clients, which is after JetStream has recovered its streams. */
function isReady(line: string | undefined, name: string): boolean {
  if (!line?.startsWith('INFO ')) return false;
  try {
    const info = JSON.parse(line.slice(5, line.indexOf('\r\n'))) as { server_name?: unknown; jetstream?: unknown };
    return info.server_name === name && info.jetstream === true;
  } catch {
    return false;
  }
}
