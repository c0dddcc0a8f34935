/** A node process on servers of its own, with the operations that tests of baselines need: facts, reservations and commands. */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createClient, RESP_TYPES } from 'redis';
import { loadSettings } from '../../config/load-settings.ts';
import type { Settings } from '../../config/settings.ts';
import { runCli } from '../../src/cli/program.ts';
import { writersOf } from '../../src/operate/retention-commands.ts';
import { NatsBroker } from '../../streams/nats/broker.ts';
import { askUntilDecided } from '../callers/http-caller.ts';
import { freshNats, freshRedis } from '../servers/servers.ts';
import { type NodeOptions, NodeProcess, type Servers } from './node-process.ts';

export class KeptNode {
  readonly servers: Servers;
  readonly node: NodeProcess;
  readonly broker: NatsBroker;
  readonly url = () => this.node.url;

  private constructor(servers: Servers, node: NodeProcess, broker: NatsBroker) {
    this.servers = servers;
    this.node = node;
    this.broker = broker;
  }

  static async up(options: NodeOptions = {}): Promise<KeptNode> {
    const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
    return KeptNode.on({ nats, redis }, options);
  }

  static async on(servers: Servers, options: NodeOptions = {}): Promise<KeptNode> {
    const node = await NodeProcess.at(servers, options);
    await node.up();
    return new KeptNode(servers, node, await NatsBroker.connect(servers.nats.url, 'test'));
  }

  get env(): Record<string, string> {
    return { NATS_URL: this.servers.nats.url, REDIS_URL: this.servers.redis.url };
  }

  get settings(): Settings {
    return loadSettings({}, this.env);
  }

  /** Submits a receipt of each SKU at dc, and then a sale of one unit. */
  async facts(tag: string, skus: readonly string[], qty = 10): Promise<void> {
    const occurredAt = new Date().toISOString();
    const facts = skus.flatMap((sku) => [
      { id: `${tag}-r-${sku}`, type: 'receipt', sku, location: 'dc', occurredAt, qty },
      { id: `${tag}-s-${sku}`, type: 'sale', sku, location: 'dc', occurredAt, qty: 1 },
    ]);
    for (let i = 0; i < facts.length; i += 1000) {
      const { status, body } = await askUntilDecided(this.url, 'POST', '/v1/facts', facts.slice(i, i + 1000));
      if (status !== 200 || body.rejected.length > 0) throw new Error(`facts: ${status} ${JSON.stringify(body)}`);
    }
  }

  async reserve(id: string, sku: string, qty: number): Promise<number> {
    const body = { id, ttlSeconds: 3600, lines: [{ sku, qty }] };
    return (await askUntilDecided(this.url, 'POST', '/v1/reservations', body)).status;
  }

  /** Enrols a writer so that its records count, as a node does when it starts. */
  async enrol(writer: string): Promise<void> {
    await (await writersOf(this.broker, this.settings)).enrol(writer, writer);
  }

  /** The node's answers for these SKUs, to compare before and after a change. */
  async numbers(skus: readonly string[]): Promise<unknown[]> {
    const answers = await Promise.all(
      skus.map((sku) => askUntilDecided(this.url, 'GET', `/v1/stock/${encodeURIComponent(sku)}/dc`)),
    );
    return answers.map(({ body }) => [body.sku, body.sellable, body.held, body.allocated, body.available]);
  }

  /** Runs a command of the command line with --json and returns its parsed output. */
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of an answer
  async holdfast(...args: string[]): Promise<{ code: number; answer: any; err: string }> {
    let out = '';
    let err = '';
    const stderr = { write: (text: string) => (err += text) } as unknown as NodeJS.WritableStream;
    const stdout = { write: (text: string) => (out += text) };
    const code = await runCli([...args, '--json'], { stdout, stderr, env: this.env });
    return { code, answer: out === '' ? undefined : JSON.parse(out), err };
  }

  /** The snapshots in Redis, as bytes by hash and field. */
  async snapshots(): Promise<Map<string, Record<string, Buffer>>> {
    return this.#redis(async (client) => {
      const found = new Map<string, Record<string, Buffer>>();
      for (const key of await client.keys('holdfast:*'))
        found.set(String(key), (await client.hGetAll(key)) as unknown as Record<string, Buffer>);
      return found;
    });
  }

  /** Replaces everything in Redis with these snapshots. Without an argument, Redis is emptied. */
  async setSnapshots(snapshots: ReadonlyMap<string, Record<string, Buffer>> = new Map()): Promise<void> {
    await this.#redis(async (client) => {
      await client.flushAll();
      for (const [key, fields] of snapshots) await client.hSet(key, fields);
    });
  }

  async #redis<T>(work: (client: ReturnType<typeof binaryClient>) => Promise<T>): Promise<T> {
    const client = binaryClient(this.servers.redis.url);
    await client.connect();
    try {
      return await work(client);
    } finally {
      client.destroy();
    }
  }

  /** Runs the compiled program, which dies at a failpoint. Resolves with its exit code or signal. */
  async program(args: readonly string[], failpoint: string): Promise<number | string> {
    const bin = fileURLToPath(new URL('../../bin/holdfast.js', import.meta.url));
    const env = { ...process.env, ...this.env, HOLDFAST_FAILPOINT: failpoint };
    const child = spawn(process.execPath, [bin, ...args], { env, stdio: 'ignore' });
    return new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code ?? -1)));
  }

  /** Number of messages in each stream. */
  async messages(): Promise<Record<'SALES' | 'RECEIPTS' | 'JOURNAL', number>> {
    const held = { SALES: 0, RECEIPTS: 0, JOURNAL: 0 };
    for (const name of ['SALES', 'RECEIPTS', 'JOURNAL'] as const)
      held[name] = (await this.broker.stream(name))?.messages ?? -1;
    return held;
  }

  async close(): Promise<void> {
    await this.node.kill();
    await this.broker.close();
  }
}

function binaryClient(url: string) {
  return createClient({ url }).withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
}
