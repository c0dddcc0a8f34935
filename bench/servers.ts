/** Servers of a run, all on loopback. Their data is in one temporary folder that is removed when the run ends. */
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { ServerHandle } from '../src/servers/local-server.ts';
import { startNats } from '../src/servers/nats.ts';
import { freePort } from '../src/servers/ports.ts';
import { startRedis } from '../src/servers/redis.ts';

const NOBODY = 65_534;
const POSTGRES_HOME = '/usr/lib/postgresql';

export class Servers {
  readonly #folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  readonly #handles: ServerHandle[] = [];
  readonly #postgres: (() => Promise<void>)[] = [];

  /** @param syncInterval `always` unless only reading is measured */
  async nats(name: string, syncInterval = 'always'): Promise<ServerHandle> {
    return this.#keep(
      await startNats({ dataDir: join(this.#folder, name), config: { syncInterval }, report: console.log }),
    );
  }

  async redis(name: string): Promise<ServerHandle> {
    return this.#keep(await startRedis({ dataDir: join(this.#folder, name), report: console.log }));
  }

  /** Starts a PostgreSQL with its defaults (fsync on). Returns undefined if this machine has none. */
  async postgres(): Promise<string | undefined> {
    const bin = postgresFolder();
    if (bin === undefined) return undefined;
    const folder = join(this.#folder, 'postgres');
    mkdirSync(folder);
    // PostgreSQL refuses to run as root.
    const asRoot = process.getuid?.() === 0;
    const user = asRoot ? { uid: NOBODY, gid: NOBODY } : {};
    if (asRoot) {
      chownSync(this.#folder, NOBODY, NOBODY);
      chownSync(folder, NOBODY, NOBODY);
    }
    const options = { ...user, cwd: folder, env: { ...process.env, LC_ALL: 'C' } };
    const made = spawnSync(
      join(bin, 'initdb'),
      ['-D', join(folder, 'data'), '-U', 'bench', '-A', 'trust', '-E', 'UTF8'],
      options,
    );
    if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr?.toString() ?? made.error?.message}`);
    const port = await freePort();
    const args = ['-D', join(folder, 'data'), '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-k', folder];
    const child = spawn(join(bin, 'postgres'), args, { ...options, stdio: 'ignore' });
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const kill = () => child.kill('SIGQUIT');
    process.once('exit', kill);
    this.#postgres.push(async () => {
      process.removeListener('exit', kill);
      child.kill('SIGINT');
      await exited;
    });
    const url = `postgres://bench@127.0.0.1:${port}/postgres`;
    await answers(url);
    return url;
  }

  async stop(handle: ServerHandle): Promise<void> {
    await handle.stop();
  }

  async end(): Promise<void> {
    await Promise.all([...this.#handles.map((handle) => handle.kill()), ...this.#postgres.map((stop) => stop())]);
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #keep(handle: ServerHandle): ServerHandle {
    this.#handles.push(handle);
    return handle;
  }
}

function postgresFolder(): string | undefined {
  const versions = existsSync(POSTGRES_HOME) ? readdirSync(POSTGRES_HOME).sort().reverse() : [];
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter),
    ...versions.map((version) => join(POSTGRES_HOME, version, 'bin')),
  ];
  return folders.find((folder) => existsSync(join(folder, 'postgres')) && existsSync(join(folder, 'initdb')));
}

async function answers(url: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const client = new pg.Client(url);
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (attempt > 100) throw error;
      await delay(100);
    }
  }
}
