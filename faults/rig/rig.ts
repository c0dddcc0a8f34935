/**
 * What one run of a scenario has started: servers, nodes, folders, whatever else is to be undone. All of it goes at the end, the
 * newest first, also after a failure.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServerHandle } from '../../src/servers/local-server.ts';
import { type StartNatsOptions, startNats } from '../../src/servers/nats.ts';
import { type StartRedisOptions, startRedis } from '../../src/servers/redis.ts';
import { type NodeOptions, NodeProcess, type Servers } from '../../test/fixtures/node-process.ts';

export class Rig {
  readonly #undo: (() => unknown)[] = [];
  #folder: string | undefined;
  #count = 0;

  /** A folder that does not exist yet, for a server's data or whatever else. */
  path(name: string): string {
    if (this.#folder === undefined) {
      const folder = mkdtempSync(join(tmpdir(), 'holdfast-faults-'));
      this.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
      this.#folder = folder;
    }
    this.#count += 1;
    return join(this.#folder, `${this.#count}-${name}`);
  }

  async nats(options: Partial<StartNatsOptions> = {}): Promise<ServerHandle> {
    return this.#kept(await startNats({ dataDir: this.path('nats'), ...options }));
  }

  async redis(options: Partial<StartRedisOptions> = {}): Promise<ServerHandle> {
    return this.#kept(await startRedis({ dataDir: this.path('redis'), ...options }));
  }

  async servers(): Promise<Servers> {
    const [nats, redis] = await Promise.all([this.nats(), this.redis()]);
    return { nats, redis };
  }

  /** A node's place; it is not started. */
  async node(servers: Servers, options: NodeOptions = {}): Promise<NodeProcess> {
    const node = await NodeProcess.at(servers, options);
    this.defer(() => node.kill());
    return node;
  }

  /** Runs at the end; what was given last runs first. */
  defer(undo: () => unknown): void {
    this.#undo.push(undo);
  }

  async end(): Promise<void> {
    for (const undo of this.#undo.splice(0).reverse()) {
      try {
        await undo();
      } catch (error) {
        console.error(`clearing up: ${(error as Error).message}`);
      }
    }
  }

  #kept(handle: ServerHandle): ServerHandle {
    this.defer(() => handle.kill());
    return handle;
  }
}
