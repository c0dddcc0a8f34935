/** Snapshots in every kind of Redis: one server, a master under Sentinels that fails over, and a Cluster that loses a master. */

import { beforeAll, describe, expect, it } from 'vitest';
import { loadSettings } from '../../../config/load-settings.ts';
import { parseRedisAddress } from '../../../config/servers/redis-address.ts';
import { shownAddress } from '../../../config/servers/secret.ts';
import {
  command,
  freshRedisCluster,
  freshSentinels,
  info,
  type SentinelSet,
} from '../../../harness/servers/redis-sets.ts';
import { freshRedis } from '../../../harness/servers/servers.ts';
import { RedisSnapshots } from '../../../src/redis/snapshot-store.ts';

const blob = (name: string, text = name) => ({ name, bytes: Buffer.from(text) });
const opened = (url: string) => RedisSnapshots.open(url, () => undefined);

describe('the address of Redis', () => {
  it.each([
    ['redis://h', { kind: 'single', server: { host: 'h', port: 6379 }, database: 0, tls: false }],
    ['rediss://u:p%40@h:1/2', { kind: 'single', database: 2, username: 'u', password: 'p@', tls: true }],
    ['redis://[::1]:7', { server: { host: '::1', port: 7 } }],
    [
      'redis+sentinel://a:1,b/stock/3',
      {
        kind: 'sentinel',
        master: 'stock',
        sentinels: [
          { host: 'a', port: 1 },
          { host: 'b', port: 26_379 },
        ],
        database: 3,
      },
    ],
    [
      'redis+cluster://:p@a,b:2',
      {
        kind: 'cluster',
        password: 'p',
        servers: [
          { host: 'a', port: 6379 },
          { host: 'b', port: 2 },
        ],
      },
    ],
  ])('reads %s', (text, address) => {
    expect(parseRedisAddress(text)).toMatchObject(address);
  });

  it.each([
    'redis://',
    'http://h',
    'redis://a,b',
    'redis://h:70000',
    'redis://h/x',
    'redis+sentinel://a:1',
    'redis+sentinel://a:1/',
    'redis+sentinel://a:1/two words',
    'redis+cluster://a,/',
    'redis+cluster://a/1',
    'redis+other://a',
  ])('refuses %s, and says the setting, the value and what is allowed', (text) => {
    expect(() => loadSettings({}, { REDIS_URL: text })).toThrow(
      `REDIS_URL is "${text}", but must be redis://HOST:PORT, redis+sentinel://HOST:PORT,HOST:PORT/MASTER or redis+cluster://`,
    );
  });

  it('is shown without user and password, however wrong it is', () => {
    expect(shownAddress('redis+cluster://u:secret@a,b')).toBe('redis+cluster://…@a,b');
    expect(shownAddress('redis+sentinel://:secret@a:1,b:2/stock/3')).toBe('redis+sentinel://…@a:1,b:2/stock/3');
    expect(shownAddress('nats://u:secret@a:1,nats://u:secret@[::1]:2')).toBe('nats://…@a:1,nats://…@[::1]:2');
    expect(shownAddress('nats://u:sec,ret@a:1')).toBe('nats://…@a:1');
    expect(shownAddress('redis://u:se@cret/@a:1/2?password=secret')).toBe('redis://…@a:1/2?…');
    expect(shownAddress('redis://user:secret')).toBe('redis://user:…');
    expect(shownAddress('secret')).toBe('…');
    expect(shownAddress('redis://h:1')).toBe('redis://h:1');
    expect(() => loadSettings({}, { REDIS_URL: 'redis://u:%zz@h' })).toThrow('REDIS_URL is "redis://…@h", but must be');
  });
});

async function swapsTwoGenerations(store: RedisSnapshots, partition: number): Promise<void> {
  await store.write(partition, [blob('p0.1'), blob('p1.1')]);
  expect(await store.swap(partition, 5, Buffer.from('first'), [], false)).toBe('swapped');
  await store.write(partition, [blob('p0.2')]);
  expect(await store.swap(partition, 5, Buffer.from('second'), [], true)).toBe('swapped');
  await store.write(partition, [blob('p0.3')]);
  expect(await store.swap(partition, 5, Buffer.from('third'), ['p0.1'], true)).toBe('swapped');
  expect((await store.manifests(partition)).map(String)).toEqual(['third', 'second']);
  expect((await store.names(partition)).sort()).toEqual(['p0.2', 'p0.3', 'p1.1']);
  expect((await store.read(partition, ['p0.3', 'p0.1'])).map((bytes) => bytes?.toString())).toEqual([
    'p0.3',
    undefined,
  ]);
  expect(await store.swap(partition, 4, Buffer.from('of a deposed owner'), [], false)).toBe('older');
}

describe('one server', () => {
  it('keeps two generations, and notices what it has lost', async () => {
    const redis = await freshRedis();
    const store = await opened(redis.url);
    await swapsTwoGenerations(store, 1);
    await store.write(1, [blob('p0.4')]);
    await command(redis, 'HDEL', 'holdfast:{p1}', 'p0.4');
    expect(await store.swap(1, 5, Buffer.from('fourth'), [], true)).toBe('lost');
    await command(redis, 'HSET', 'holdfast:{p1}', 'm0', 'of somebody else');
    expect(await store.swap(1, 5, Buffer.from('fourth'), [], true)).toBe('lost');
    expect(await store.swap(1, 5, Buffer.from('whole'), [], false)).toBe('swapped');
    await command(redis, 'FLUSHALL');
    expect(await store.swap(1, 5, Buffer.from('fifth'), [], true)).toBe('lost');
    expect(await store.version()).toMatch(/^\d+\.\d+\.\d+$/);
    store.close();
  });
});

describe('a master under Sentinels', () => {
  let set: SentinelSet;
  let store: RedisSnapshots;
  beforeAll(async () => {
    set = await freshSentinels();
    store = await opened(set.url);
  });

  it('is found through them', async () => {
    await swapsTwoGenerations(store, 1);
    expect(await command(set.first, 'EXISTS', 'holdfast:{p1}')).toBe(1);
    await expect.poll(() => command(set.second, 'EXISTS', 'holdfast:{p1}')).toBe(1);
  });

  it('is followed to its replica when it dies; commands reject meanwhile, and what was not copied yet is noticed', async () => {
    // A replica that no longer follows its master, so everything written from here on is acknowledged and lost.
    await command(set.second, 'REPLICAOF', '127.0.0.1', '1');
    await store.write(1, [blob('p0.9')]);
    expect(await store.swap(1, 5, Buffer.from('acknowledged'), [], true)).toBe('swapped');
    await set.first.kill();
    const began = performance.now();
    await expect(store.manifests(1)).rejects.toThrow();
    expect(performance.now() - began).toBeLessThan(5_000);
    await expect.poll(() => info(set.second, 'replication'), { timeout: 20_000 }).toContain('role:master');
    await store.write(1, [blob('p0.10')]).catch(() => undefined);
    await expect
      .poll(() => store.swap(1, 5, Buffer.from('built on what is gone'), [], true).catch(() => 'away'), {
        timeout: 20_000,
      })
      .toBe('lost');
    await store.write(1, [blob('p0.11'), blob('p1.11')]);
    expect(await store.swap(1, 5, Buffer.from('whole'), [], false)).toBe('swapped');
    expect((await store.manifests(1)).map(String)).toEqual(['whole', 'third']);
  });

  it('is told from its deposed predecessor, which comes back as a replica', async () => {
    await set.first.restart();
    await expect.poll(() => info(set.first, 'replication'), { timeout: 30_000 }).toContain('master_link_status:up');
    expect((await store.manifests(1)).map(String)).toEqual(['whole', 'third']);
    const late = await opened(set.url);
    expect((await late.manifests(1)).map(String)).toEqual(['whole', 'third']);
    late.close();
  }, 60_000);

  it('that no Sentinel can name is said so, and soon', async () => {
    const other = await opened(set.url.replace('/stock', '/other'));
    await expect(other.ping()).rejects.toThrow(/no Sentinel names the master "other"/);
    other.close();
    store.close();
  });
});

describe('a Cluster of three masters', () => {
  it('keeps each partition in one of them, and loses only the partitions of a master that is away', async () => {
    const { url, masters } = await freshRedisCluster();
    const store = await opened(url);
    for (let partition = 0; partition < 12; partition++) await swapsTwoGenerations(store, partition);
    const counts = await Promise.all(masters.map(async (master) => Number(await command(master, 'DBSIZE'))));
    expect(counts.reduce((sum, count) => sum + count)).toBe(12);
    expect(Math.min(...counts)).toBeGreaterThan(0);
    const [gone] = masters;
    await gone?.kill();
    const readable = async () => {
      const read = await Promise.all(
        Array.from({ length: 12 }, (_, partition) =>
          store.manifests(partition).then(
            (found) => found.length > 0,
            () => false,
          ),
        ),
      );
      return read.filter(Boolean).length;
    };
    await expect.poll(readable, { timeout: 20_000 }).toBe(12 - (counts[0] as number));
    await gone?.restart();
    // It has no disk, so it returns empty, and everything is written again.
    const rewritten = async () => {
      for (let partition = 0; partition < 12; partition++)
        await store.swap(partition, 6, Buffer.from('anew'), [], false);
      return readable();
    };
    await expect.poll(() => rewritten().catch(() => 0), { timeout: 20_000 }).toBe(12);
    store.close();
  }, 60_000);
});
