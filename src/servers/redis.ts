/**
 * A local redis-server on loopback, for `holdfast up` and for tests. It holds snapshots, which can be rebuilt from the
 * log, so it writes to disk only every few minutes and at SIGTERM (see config/redis/local.conf).
 *
 * Invariant: a probe counts only if the process that answers is the one that was started.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../process/package-root.ts';
import { findServer } from './fetch/find.ts';
import type { Program } from './fetch/program.ts';
import { firstAnswer } from './first-answer.ts';
import { type ServerHandle, startServer } from './local-server.ts';

const READY_WITHIN_MS = 30_000;

export interface StartRedisOptions {
  readonly dataDir: string;
  /** Used as given. Default: a free port. */
  readonly port?: number;
  /** Directives that override config/redis/local.conf, for instance { maxmemory: '10mb' }. */
  readonly config?: Readonly<Record<string, string>>;
  /**
   * Runs as a Sentinel. `config` then says what it watches, for instance { 'sentinel monitor m': '127.0.0.1 6379 2' }.
   */
  readonly sentinel?: boolean;
  /** The server program to use. Default: found or fetched (find.ts). */
  readonly binaries?: { readonly redis: Program };
  readonly report?: (line: string) => void;
  /** The server ends with this process even if that is killed, where the system supports it. Default: true. */
  readonly tethered?: boolean;
  readonly readyWithinMs?: number;
}

export async function startRedis(options: StartRedisOptions): Promise<ServerHandle> {
  const report = options.report ?? (() => undefined);
  return startServer({
    kind: 'redis',
    program: options.binaries?.redis ?? (await findServer('redis', { report })),
    dataDir: options.dataDir,
    port: options.port,
    readyWithinMs: options.readyWithinMs ?? READY_WITHIN_MS,
    tethered: options.tethered ?? true,
    report,
    configName: 'redis.conf',
    config: ({ port }, dataDir) => redisConfig(port, dataDir, options.config ?? {}),
    args: (configFile) => (options.sentinel === true ? [configFile, '--sentinel'] : [configFile]),
    probe: async ({ port }, pid) => isReady(await firstAnswer(port, 'PING\r\nINFO server\r\n', isComplete), pid),
    url: ({ port }) => `redis://127.0.0.1:${port}`,
  });
}

/** Redis takes the last value of a repeated directive, so the overrides follow the template. */
function redisConfig(port: number, dataDir: string, overrides: Readonly<Record<string, string>>): string {
  const template = readFileSync(join(packageRoot(), 'config', 'redis', 'local.conf'), 'utf8');
  const lines = [`port ${port}`, `dir ${JSON.stringify(dataDir)}`];
  for (const [directive, value] of Object.entries(overrides)) lines.push(`${directive} ${value}`);
  return `${template}\n${lines.join('\n')}\n`;
}

/** Any answer but PONG is conclusive at once: the server is not ready, or it is not Redis. */
function isComplete(received: string): boolean {
  return (received.length >= 5 && !received.startsWith('+PONG')) || /process_id:\d+\r/.test(received);
}

function isReady(answer: string | undefined, pid: number): boolean {
  if (!answer?.startsWith('+PONG')) return false;
  const answering = /process_id:(\d+)/.exec(answer)?.[1];
  return answering === String(pid);
}
