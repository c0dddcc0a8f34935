/**
 * Data folders of servers that were used and then ended in a certain way, with the truth at that time. A trial copies one, damages the copy
 * and starts on it.
 */
import { cpSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createClient, RESP_TYPES } from 'redis';
import type { NodeHighWaterMarks } from '../../actors/recovery/high-water-marks.ts';
import { FACT_STREAM_NAMES, JOURNAL_STREAM, MARKS_BUCKET, PARKED_STREAM } from '../../config/topology.ts';
import { ask } from '../../harness/callers/http-caller.ts';
import { chance, pick } from '../../harness/chance.ts';
import type { NodeProcess, Servers } from '../../harness/processes/node-process.ts';
import { until } from '../../harness/until.ts';
import type { ServerHandle } from '../../src/servers/local-server.ts';
import { NatsBroker } from '../../streams/nats/broker.ts';
import type { Rig } from './rig.ts';
import { differences, type Known, type Truth, takeTruth } from './truth.ts';

export interface Prepared {
  /** How the servers and the node ended, and what Redis holds. */
  readonly name: string;
  readonly nats: string;
  readonly redis: string;
  readonly truth: Truth;
  readonly known: Known;
}

const LOCATIONS = ['dc', 'shop'];
/** No periodic snapshot comes between those that a clean end takes. */
const SELDOM = { HOLDFAST_SNAPSHOT_INTERVAL: '1d', HOLDFAST_LEASE: '15s' };

/**
 * - `stopped`: everything ended cleanly, and the snapshots cover everything.
 * - `killed`: the snapshots cover the first half. The node and NATS were killed.
 * - `killed-stopped`: the same, but NATS ended cleanly, so it trusts its index at the next start.
 * - `flushed`: as `killed`, and Redis is empty.
 * - `flushed-stopped`: as `killed-stopped`, and Redis is empty.
 */
export async function prepare(rig: Rig, seed = 1): Promise<Prepared[]> {
  const servers = await prepareServers(
    rig.nats({ dataDir: rig.memoryPath('nats') }),
    rig.redis({ dataDir: rig.memoryPath('redis') }),
  );
  const node = await rig.node(servers, { env: SELDOM });
  const load = new Load(seed);
  await node.up();
  await load.write(node, servers.nats.url);
  await mustEnd(node);
  const prepared: Prepared[] = [];
  const keep = async (name: string, truth: Truth) => {
    const [nats, redis] = [rig.memoryPath(`${name}-nats`), rig.memoryPath(`${name}-redis`)];
    cpSync(servers.nats.dataDir, nats, { recursive: true });
    cpSync(servers.redis.dataDir, redis, { recursive: true });
    prepared.push({ name, nats, redis, truth, known: { ...load.known } });
  };
  await node.up();
  const whole = await takeTruth(node.url, load.known);
  await mustEnd(node);
  await saveRedis(servers.redis);
  await servers.nats.stop();
  await keep('stopped', whole);
  await servers.nats.restart();
  await node.up();
  await load.write(node, servers.nats.url);
  const later = await takeTruth(node.url, load.known);
  await marked(servers.nats.url);
  await node.kill();
  await servers.nats.kill();
  await keep('killed', later);
  await servers.nats.restart();
  await servers.nats.stop();
  await keep('killed-stopped', later);
  for (const name of ['killed', 'killed-stopped']) {
    const from = prepared.find((each) => each.name === name) as Prepared;
    const redis = rig.memoryPath(`${name}-flushed`);
    cpSync(from.redis, redis, { recursive: true });
    rmSync(join(redis, 'dump.rdb'));
    prepared.push({ ...from, name: name === 'killed' ? 'flushed' : 'flushed-stopped', redis });
  }
  return prepared;
}

/** Starts both servers. The rig knows each server that started, even if the other fails. */
export async function prepareServers(nats: Promise<ServerHandle>, redis: Promise<ServerHandle>): Promise<Servers> {
  const [first, second] = await Promise.all([nats, redis]);
  return { nats: first, redis: second };
}

/** Ends cleanly, with a snapshot of everything. */
async function mustEnd(node: NodeProcess): Promise<void> {
  const code = await node.stop();
  if (code !== 0) throw new Error(`the node ended with ${code}: ${node.tail()}`);
}

/**
 * Waits until the high-water marks name the ends of all streams. With Redis empty, messages after the last mark could be lost unnoticed
 * (HW3).
 */
async function marked(url: string): Promise<void> {
  const broker = await NatsBroker.connect(url, 'marked');
  try {
    const keys = await broker.keys(MARKS_BUCKET, { replicas: 1 });
    const behind = async () => {
      const known = (await keys.all()).map(({ value }) => (JSON.parse(value) as NodeHighWaterMarks).streams);
      const names = [...FACT_STREAM_NAMES, JOURNAL_STREAM, PARKED_STREAM];
      const ends = await Promise.all(names.map(async (name) => (await broker.stream(name))?.lastSeq ?? 0));
      return names.filter((name, i) => Math.max(0, ...known.map((marks) => marks[name]?.seq ?? 0)) < (ends[i] ?? 0));
    };
    let late: string[] = [];
    await until(
      async () => {
        late = await behind();
        return late.length === 0;
      },
      60_000,
      () => `marks know the ends of ${late.join()}`,
    );
  } finally {
    await broker.close();
  }
}

export async function redisCommand(redis: ServerHandle, ...command: string[]): Promise<unknown> {
  return withRedis(redis.url, (client) => client.sendCommand(command));
}

const binary = (url: string) => createClient({ url }).withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });

/** A client that answers with bytes. */
export async function withRedis<T>(url: string, use: (client: ReturnType<typeof binary>) => Promise<T>): Promise<T> {
  const client = binary(url);
  await client.connect();
  try {
    return await use(client);
  } finally {
    client.destroy();
  }
}

async function saveRedis(redis: ServerHandle): Promise<void> {
  await redisCommand(redis, 'SAVE');
}

/** Facts of every stream, a parked conflict, and reservations at every step. */
class Load {
  readonly known: { skus: string[]; reservations: string[] } = { skus: [], reservations: [] };
  readonly #random: () => number;
  #count = 0;

  constructor(seed: number) {
    this.#random = chance(seed);
    this.known.skus.push(...Array.from({ length: 40 }, (_, i) => `SKU-${i}`));
  }

  async write(node: NodeProcess, nats: string): Promise<void> {
    for (let round = 0; round < 4; round++) {
      await accepted(
        node,
        Array.from({ length: 150 }, () => this.#fact()),
      );
      await Promise.all(Array.from({ length: 24 }, () => this.#reserve(node)));
    }
    // Two facts with one id in different streams. The first one stored counts, and the other is parked.
    const broker = await NatsBroker.connect(nats, 'device');
    const twice = this.#fact('receipt');
    await broker.publish(`receipt.${twice.location}.${twice.sku}`, Buffer.from(JSON.stringify(twice)));
    await ask(node.url, 'POST', '/v1/facts', [{ ...twice, type: 'sale' }]);
    await broker.close();
  }

  #fact(type = pick(this.#random, ['sale', 'receipt', 'return', 'count', 'adjustment', 'transfer'])) {
    this.#count += 1;
    const qty = 1 + Math.floor(this.#random() * 9);
    const more: Record<string, object> = {
      return: { disposition: 'restock' },
      count: { counted: 40 + qty },
      adjustment: { delta: qty, reason: 'found' },
      transfer: { phase: 'shipped', transfer: `t-${this.#count}`, from: 'dc', to: 'shop' },
    };
    return {
      id: `f-${this.#count}`,
      type,
      sku: pick(this.#random, this.known.skus),
      location: type === 'transfer' ? 'dc' : pick(this.#random, LOCATIONS),
      occurredAt: new Date().toISOString(),
      ...(type === 'count' || type === 'adjustment' ? {} : { qty }),
      ...more[type],
    };
  }

  async #reserve(node: NodeProcess): Promise<void> {
    this.#count += 1;
    const id = `r-${this.#count}`;
    const lines = [pick(this.#random, this.known.skus), pick(this.#random, this.known.skus)]
      .filter((sku, i, all) => all.indexOf(sku) === i)
      .map((sku) => ({ sku, qty: 1 }));
    const { status } = await ask(node.url, 'POST', '/v1/reservations', { id, lines, ttlSeconds: 86_000 });
    if (status !== 201 && status !== 409) throw new Error(`reservation ${id}: ${status}`);
    if (status === 409) return;
    this.known.reservations.push(id);
    const turn = this.#random();
    if (turn < 0.3) await ask(node.url, 'POST', `/v1/reservations/${id}/confirm`);
    else if (turn < 0.5) await ask(node.url, 'DELETE', `/v1/reservations/${id}`);
  }
}

async function accepted(node: NodeProcess, facts: readonly object[]): Promise<void> {
  const { status, body } = await ask(node.url, 'POST', '/v1/facts', facts);
  if (status !== 200 || body.rejected.length > 0) throw new Error(`facts: ${status} ${JSON.stringify(body)}`);
}

export type TrialResult =
  | { readonly is: 'equal' }
  | { readonly is: 'refused'; readonly why: string }
  | { readonly is: 'wrong'; readonly why: string };

/** Reasons for not being ready that pass by themselves. They are not refusals. */
const PASSING =
  /catching up|owns no partition yet|lease is not confirmed|has taken nothing|has been heard|has been folded|has not been read|have waited/;

/** Whether a node started on damaged data serves the truth, or refuses and says why. */
export async function judge(node: NodeProcess, { truth, known }: Prepared, withinMs = 120_000): Promise<TrialResult> {
  const until = performance.now() + withinMs;
  let last: string | undefined;
  while (performance.now() < until) {
    if (!node.alive) {
      const why = node.log.at(-1)?.msg.trim() ?? '';
      if (why.includes('HTTP cannot listen')) throw new Error(why);
      return why === '' ? { is: 'wrong', why: 'it ended without a word' } : { is: 'refused', why };
    }
    const readiness = await node.readiness();
    const refusal = readiness?.reasons?.find((reason) => !PASSING.test(reason));
    if (refusal !== undefined) return refused(node, known, refusal);
    if (readiness?.ready === true) {
      const wrong = differences(truth, await takeTruth(node.url, known));
      return wrong.length === 0
        ? { is: 'equal' }
        : { is: 'wrong', why: `${wrong.length} differ: ${wrong.slice(0, 3).join('; ').slice(0, 400)}` };
    }
    last = readiness?.reasons?.join('; ');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return {
    is: 'wrong',
    why: `neither serves nor says why after ${withinMs} ms: ${last ?? 'no answer'}; ${node.tail(3)}`,
  };
}

/** A node that reports a refusal must not answer ATP queries. */
async function refused(node: NodeProcess, known: Known, why: string): Promise<TrialResult> {
  for (const sku of known.skus.slice(0, 8)) {
    const { status } = await ask(node.url, 'GET', `/v1/atp/${sku}`);
    // No answer within the caller's patience is acceptable too.
    if (status !== 503 && status !== 0)
      return { is: 'wrong', why: `it says "${why}" and answers ATP of ${sku} with ${status}` };
  }
  return { is: 'refused', why };
}

/** Every file below a folder, with its size. */
export function filesOf(folder: string): { path: string; bytes: number }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path, bytes: statSync(path).size }));
}
