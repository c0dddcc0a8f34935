/** NATS and Redis are killed under load, Redis is emptied, and a snapshot is damaged. Everything acknowledged stays and counts once. */
import { cpSync, rmSync } from 'node:fs';
import { createClient } from 'redis';
import { beforeEach, expect, it } from 'vitest';
import { ask, askUntilDecided } from '../../harness/callers/http-caller.ts';
import { NodeProcess, type Servers } from '../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../harness/servers/servers.ts';

let servers: Servers;
let node: NodeProcess;
beforeEach(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  servers = { nats, redis };
  node = await NodeProcess.at(servers);
  await node.up();
});

/** Writes until it is stopped. Returns what was acknowledged. */
function load(callers = 8) {
  let stopped = false;
  const acknowledged = { units: 0, granted: [] as string[] };
  const url = () => node.url;
  const work = Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      for (let round = 0; !stopped; round++) {
        const name = `${caller}-${round}`;
        const fact = {
          id: `f-${name}`,
          type: 'receipt',
          sku: 'L',
          location: 'x',
          occurredAt: new Date().toISOString(),
          qty: 2,
        };
        const stocked = await askUntilDecided(url, 'POST', '/v1/facts', fact);
        expect(stocked.body.rejected).toEqual([]);
        acknowledged.units += 2;
        const placed = await askUntilDecided(url, 'POST', '/v1/reservations', {
          id: `r-${name}`,
          ttlSeconds: 600,
          lines: [{ sku: 'L', qty: 1 }],
        });
        expect([200, 201]).toContain(placed.status);
        acknowledged.granted.push(`r-${name}`);
      }
    }),
  );
  return {
    acknowledged,
    end: async () => {
      stopped = true;
      await work;
    },
  };
}

async function audit({ units, granted }: { units: number; granted: string[] }): Promise<void> {
  const { body } = await askUntilDecided(() => node.url, 'GET', '/v1/stock/L/x');
  expect({ sellable: body.sellable, held: body.held }).toEqual({ sellable: units, held: granted.length });
  expect(granted.length).toBeGreaterThan(0);
  for (const id of granted)
    expect((await askUntilDecided(() => node.url, 'GET', `/v1/reservations/${id}`)).body.status).toBe('held');
}

type RedisNow = ReturnType<typeof connectionTo>;
const connectionTo = (url: string) => createClient({ url });

async function redisNow<T>(use: (client: RedisNow) => Promise<T>): Promise<T> {
  const client = connectionTo(servers.redis.url);
  await client.connect();
  try {
    return await use(client);
  } finally {
    client.destroy();
  }
}
const progress = (load: { acknowledged: { granted: string[] } }, more: number) => {
  const from = load.acknowledged.granted.length;
  return expect.poll(() => load.acknowledged.granted.length, { timeout: 40_000 }).toBeGreaterThan(from + more);
};

it('NATS killed and started again under load', async () => {
  const writing = load();
  await progress(writing, 50);
  await servers.nats.kill();
  await servers.nats.restart();
  await progress(writing, 50);
  await writing.end();
  await audit(writing.acknowledged);
  await node.kill();
  await node.up();
  await audit(writing.acknowledged);
}, 120_000);

it('NATS paused while appends are in flight: what timed out is settled by what the journal holds', async () => {
  const writing = load();
  await progress(writing, 50);
  await servers.nats.pause();
  const seen = writing.acknowledged.granted.length;
  // Longer than a publish waits, so that its outcome is unknown.
  await expect
    .poll(async () => (await node.readiness())?.reasons, { timeout: 20_000 })
    .toContainEqual(expect.stringMatching(/lease/));
  expect(writing.acknowledged.granted.length).toBeLessThanOrEqual(seen + 8);
  servers.nats.resume();
  await progress(writing, 50);
  await writing.end();
  await audit(writing.acknowledged);
}, 120_000);

it('Redis killed under load: serving goes on, and snapshots follow when it is back', async () => {
  const writing = load();
  await progress(writing, 50);
  await servers.redis.kill();
  await progress(writing, 100);
  await servers.redis.restart();
  await expect.poll(() => redisNow((client) => client.dbSize()), { timeout: 30_000 }).toBeGreaterThan(0);
  await writing.end();
  await node.kill();
  await node.up();
  await audit(writing.acknowledged);
}, 120_000);

it('Redis emptied, then the node killed: the log alone gives the same state', async () => {
  const writing = load();
  await progress(writing, 100);
  await writing.end();
  await node.kill();
  await redisNow((client) => client.flushAll());
  await node.up();
  await audit(writing.acknowledged);
}, 120_000);

it('a flipped byte in every blob of every snapshot: none is used, and the state is the same', async () => {
  const writing = load();
  await progress(writing, 100);
  await writing.end();
  expect(await node.stop()).toBe(0);
  const flipped = await redisNow(async (client) => {
    let count = 0;
    for (const key of await client.keys('holdfast:*')) {
      for (const field of await client.hKeys(key)) {
        if (field === 'epoch' || field === 'm1') continue;
        const script =
          "local v = redis.call('HGET', KEYS[1], ARGV[1]) local i = math.floor(#v / 2) + 1 local b = string.char(bit.bxor(string.byte(v, i), 4)) redis.call('HSET', KEYS[1], ARGV[1], string.sub(v, 1, i - 1) .. b .. string.sub(v, i + 1))";
        await client.eval(script, { keys: [key], arguments: [field] });
        count += 1;
      }
    }
    return count;
  });
  expect(flipped).toBeGreaterThan(1);
  await node.up();
  expect(node.logged('a snapshot is not used').length).toBeGreaterThan(0);
  await audit(writing.acknowledged);
}, 120_000);

it('NATS restored from an older copy, behind what a snapshot knows: the node refuses to serve and says why', async () => {
  const copy = `${servers.nats.dataDir}-copy`;
  const first = load();
  await progress(first, 30);
  await first.end();
  expect(await node.stop()).toBe(0);
  await servers.nats.stop();
  cpSync(servers.nats.dataDir, copy, { recursive: true });
  await servers.nats.restart();
  await node.up();
  const fact = { id: 'newer', type: 'receipt', sku: 'L', location: 'x', occurredAt: new Date().toISOString(), qty: 1 };
  expect((await askUntilDecided(() => node.url, 'POST', '/v1/facts', fact)).body.accepted).toBe(1);
  expect(await node.stop()).toBe(0);
  await servers.nats.stop();
  rmSync(servers.nats.dataDir, { recursive: true });
  cpSync(copy, servers.nats.dataDir, { recursive: true });
  rmSync(copy, { recursive: true });
  await servers.nats.restart();
  node.start();
  await expect
    .poll(async () => (await node.readiness())?.reasons, { timeout: 20_000 })
    .toContainEqual(
      expect.stringMatching(/stream RECEIPTS ends at \d+, but a snapshot knows it up to \d+: its end has been lost/),
    );
  const answer = await ask(node.url, 'GET', '/v1/atp/L');
  expect(answer.status).toBe(503);
}, 120_000);
