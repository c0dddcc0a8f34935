/**
 * Everything that a run of a scenario has started and must undo, such as servers, nodes and folders. All of it ends with the run, newest
 * first, also after a failure or a signal.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type NodeOptions, NodeProcess, type Servers } from '../../harness/processes/node-process.ts';
import type { ServerHandle } from '../../src/servers/local-server.ts';
import { type StartNatsOptions, startNats } from '../../src/servers/nats.ts';
import { type StartRedisOptions, startRedis } from '../../src/servers/redis.ts';

const MEMORY = '/dev/shm';
const open = new Set<Rig>();

/** Ends everything that any run has started. */
export async function endRigs(): Promise<void> {
  await Promise.all([...open].map((rig) => rig.end()));
}

export class Rig {
  readonly #undo: (() => unknown)[] = [];
  readonly #folders = new Map<string, string>();
  #count = 0;

  constructor() {
    open.add(this);
  }

  /** A path in the run's folder that does not exist yet. */
  path(name: string): string {
    return this.#in(tmpdir(), name);
  }

  /** The same in memory if the machine has such a place, for trials that do not depend on a disk and should not wait for one. */
  memoryPath(name: string): string {
    return this.#in(existsSync(MEMORY) ? MEMORY : tmpdir(), name);
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

  /** Creates a node without starting it. */
  async node(servers: Servers, options: NodeOptions = {}): Promise<NodeProcess> {
    const node = await NodeProcess.at(servers, options);
    this.defer(() => node.kill());
    return node;
  }

  /** Runs `undo` at the end. The last one deferred runs first. */
  defer(undo: () => unknown): void {
    this.#undo.push(undo);
  }

  async end(): Promise<void> {
    open.delete(this);
    for (const undo of this.#undo.splice(0).reverse()) {
      try {
        await undo();
      } catch (error) {
        console.error(`clearing up: ${(error as Error).message}`);
      }
    }
  }

  #in(place: string, name: string): string {
    let folder = this.#folders.get(place);
    if (folder === undefined) {
      const made = mkdtempSync(join(place, 'holdfast-faults-'));
      this.defer(() => rmSync(made, { recursive: true, force: true, maxRetries: 5 }));
      this.#folders.set(place, made);
      folder = made;
    }
    this.#count += 1;
    return join(folder, `${this.#count}-${name}`);
  }

  #kept(handle: ServerHandle): ServerHandle {
    this.defer(() => handle.kill());
    return handle;
  }
}
