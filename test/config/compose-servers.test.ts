/** The files that docker-compose.yml mounts into NATS and Valkey, tested on real servers: who can log in, and what each login may do. */
import { chmodSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from 'redis';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { NodeProcess } from '../../harness/processes/node-process.ts';
import {
  composeClusterNats,
  composeNats,
  composeSentinel,
  composeValkey,
  freshSecrets,
  secretOf,
} from '../../harness/servers/compose-servers.ts';
import { command } from '../../harness/servers/redis-sets.ts';
import { packageRoot } from '../../src/process/package-root.ts';
import { RedisSnapshots } from '../../src/redis/snapshot-store.ts';
import { firstAnswer } from '../../src/servers/first-answer.ts';
import type { ServerHandle } from '../../src/servers/local-server.ts';
import { freePort } from '../../src/servers/ports.ts';

let secrets: string;
beforeAll(() => {
  secrets = freshSecrets();
});

describe('the secret files', () => {
  it('are random, readable inside a folder that only its owner can enter, and kept by the next run', () => {
    expect(statSync(secrets).mode & 0o777).toBe(0o700);
    const names = ['nats_password', 'redis_password', 'snapshot_key', 'grafana_admin_password', 'nats_device_password'];
    const before = names.map((name) => secretOf(secrets, name));
    for (const value of before) expect(value).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set(before).size).toBe(names.length);
    freshSecrets(secrets);
    expect(names.map((name) => secretOf(secrets, name))).toEqual(before);
  });

  it('are changed one by one: the file of the server follows', () => {
    const folder = freshSecrets();
    const old = secretOf(folder, 'redis_password');
    const servers = readFileSync(join(folder, 'redis_auth.conf'), 'utf8');
    expect(servers).not.toContain(old);
    rmSync(join(folder, 'redis_password'));
    chmodSync(folder, 0o755);
    freshSecrets(folder);
    expect(existsSync(join(folder, 'redis_password'))).toBe(true);
    expect(secretOf(folder, 'redis_password')).not.toBe(old);
    expect(readFileSync(join(folder, 'redis_auth.conf'), 'utf8')).not.toBe(servers);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });
});

describe('NATS with config/nats/compose.conf', () => {
  let server: ServerHandle;
  beforeAll(async () => {
    server = await composeNats(secrets);
  });

  /** The server's answer to these lines after a login, or undefined if it closes without one. */
  const said = (login: object, lines: string[], last: RegExp) => {
    const say = [`CONNECT ${JSON.stringify({ verbose: false, ...login })}`, ...lines, 'PING', ''].join('\r\n');
    return firstAnswer(server.port, say, (text) => last.test(text));
  };
  const as = (user: string, file: string) => ({ user, pass: secretOf(secrets, file) });
  const pub = (subject: string) => [`PUB ${subject} 0`, ''];

  it('refuses who has no password, or a wrong one', async () => {
    for (const login of [
      {},
      { user: 'holdfast', pass: 'x' },
      { user: 'device', pass: secretOf(secrets, 'nats_password') },
    ]) {
      expect(await said(login, [], /-ERR|PONG/)).toContain("-ERR 'Authorization Violation'");
    }
  });

  it('lets nodes in, with JetStream', async () => {
    const answer = await said(
      as('holdfast', 'nats_password'),
      ['SUB _INBOX.a 1', 'PUB $JS.API.INFO _INBOX.a 0', ''],
      /streams/,
    );
    expect(answer).toContain('"streams":0');
  });

  it('lets a device report facts and ask, and nothing of what nodes do', async () => {
    const device = as('device', 'nats_device_password');
    const allowed = [
      ...pub('sale.store-12.85123A'),
      ...pub('atp.query'),
      ...pub('reservation.place'),
      'SUB _INBOX_device.a 1',
    ];
    expect(await said(device, allowed, /-ERR|PONG/)).toMatch(/PONG\r\n$/);
    for (const subject of [
      'journal.x',
      'parked.x',
      'holdfast.live.nodes',
      '$JS.API.STREAM.PURGE.JOURNAL',
      '$KV.holdfast_owners.0',
    ]) {
      expect(await said(device, pub(subject), /-ERR|PONG\r\n$/), subject).toContain(
        'Permissions Violation for Publish',
      );
    }
    for (const subject of ['>', '_INBOX.>', 'journal.>', 'sale.>', 'holdfast.>']) {
      const answer = await said(device, [`SUB ${subject} 1`], /-ERR|PONG\r\n$/);
      expect(answer, subject).toContain('Permissions Violation for Subscription');
    }
  });

  it('syncs before it acknowledges, and takes what the limits of Holdfast allow', async () => {
    const jsz = (await (await fetch(`${server.monitorUrl}/jsz`)).json()) as { config: Record<string, unknown> };
    expect(jsz.config).toMatchObject({ sync_always: true });
    const varz = (await (await fetch(`${server.monitorUrl}/varz`)).json()) as Record<string, unknown>;
    expect(varz).toMatchObject({ max_payload: 8 * 1024 * 1024, auth_required: true });
  });
});

it('three NATS servers with config/nats/cluster.conf find each other by the password of the routes', async () => {
  const ports = [await freePort(), await freePort(), await freePort()];
  const servers = await Promise.all(ports.map((_, i) => composeClusterNats(secrets, i, ports)));
  const [server] = servers;
  const state = async () => (await (await fetch(`${server?.monitorUrl}/jsz`)).json()) as Record<string, unknown>;
  await expect
    .poll(state, { timeout: 30_000 })
    .toMatchObject({ meta_cluster: { name: 'holdfast', cluster_size: 3, leader: expect.stringMatching(/^nats-\d$/) } });
  expect(await state()).toMatchObject({ config: { sync_always: true } });
  const stranger = 'CONNECT {"verbose":false,"server_id":"x","name":"x"}\r\nPING\r\n';
  expect(await firstAnswer(ports[0] ?? 0, stranger, (text) => text.includes('-ERR'))).toContain(
    'Authorization Violation',
  );
}, 60_000);

describe('Valkey with config/redis/compose.conf', () => {
  let master: ServerHandle;
  const url = ({ port }: ServerHandle, user: string, password: string) =>
    `redis://${user}:${password}@127.0.0.1:${port}`;
  const node = (server: ServerHandle) => url(server, 'holdfast', secretOf(secrets, 'redis_password'));
  beforeAll(async () => {
    master = await composeValkey(secrets);
  });

  it('tells who has no password that it is alive, and nothing else', async () => {
    expect(await command(master, 'PING')).toBe('PONG');
    for (const words of [
      ['INFO'],
      ['HKEYS', 'holdfast:{p0}'],
      ['CONFIG', 'GET', '*'],
      ['FLUSHALL'],
      ['ACL', 'LIST'],
      ['SHUTDOWN'],
    ]) {
      await expect(command(master, ...words), words[0]).rejects.toThrow(/NOPERM/);
    }
    const wrong = createClient({ url: url(master, 'holdfast', 'wrong'), socket: { reconnectStrategy: false } });
    wrong.on('error', () => undefined);
    await expect(wrong.connect()).rejects.toThrow(/WRONGPASS/);
  });

  it('lets a node do all that snapshots need', async () => {
    const trouble: string[] = [];
    const store = await RedisSnapshots.open(node(master), (message) => trouble.push(message));
    await store.ping();
    expect(await store.version()).toMatch(/^\d+\./);
    expect(await store.manifests(0)).toEqual([]);
    const bytes = Buffer.from([0, 255, 1]);
    await store.write(0, [
      { name: 'a', bytes },
      { name: 'b', bytes },
    ]);
    expect(await store.swap(0, 1, Buffer.from('one'), [], false)).toBe('swapped');
    await store.write(0, [{ name: 'c', bytes }]);
    expect(await store.swap(0, 1, Buffer.from('two'), ['a'], true)).toBe('swapped');
    expect(await store.swap(0, 0, Buffer.from('late'), [], false)).toBe('older');
    expect((await store.manifests(0)).map(String)).toEqual(['two', 'one']);
    expect((await store.names(0)).sort()).toEqual(['b', 'c']);
    expect(await store.read(0, ['b', 'a'])).toEqual([bytes, undefined]);
    store.close();
    expect(trouble).toEqual([]);
  });

  it('lets a node do nothing else: other keys, other commands, and neither by a script', async () => {
    const client = createClient({ url: node(master), socket: { reconnectStrategy: false } });
    client.on('error', () => undefined);
    await client.connect();
    for (const words of [
      ['HSET', 'other', 'a', 'b'],
      ['DEL', 'holdfast:{p0}'],
      ['KEYS', '*'],
      ['FLUSHALL'],
      ['CONFIG', 'SET', 'dir', '/tmp'],
      ['ACL', 'SETUSER', 'holdfast', '+@all'],
      ['REPLICAOF', '127.0.0.1', '1'],
      ['SCRIPT', 'FLUSH'],
      ['EVAL', "return redis.call('HSET', 'other', 'a', 'b')", '0'],
      ['EVAL', "return redis.call('DEL', KEYS[1])", '1', 'holdfast:{p0}'],
    ]) {
      await expect(client.sendCommand(words), words.join(' ')).rejects.toThrow(
        /NOPERM|ACL failure|The user executing the script/,
      );
    }
    client.destroy();
  });

  it('has a replica and a Sentinel with passwords of their own; the Sentinel can be asked and not be told', async () => {
    const replica = await composeValkey(secrets, master);
    const copied = await RedisSnapshots.open(node(replica), () => undefined);
    const source = await RedisSnapshots.open(node(master), () => undefined);
    await source.write(7, [{ name: 'x', bytes: Buffer.from('x') }]);
    await expect.poll(() => copied.names(7), { timeout: 20_000 }).toEqual(['x']);
    copied.close();
    source.close();
    const sentinel = await composeSentinel(secrets, master);
    const asked = command(sentinel, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'stock');
    expect(await asked).toEqual(['127.0.0.1', String(master.port)]);
    // The Sentinel learns of the replica only from the master, and so only after its own login there.
    const seen = async () => String(await command(sentinel, 'INFO', 'sentinel'));
    await expect.poll(seen, { timeout: 20_000 }).toMatch(/status=ok,address=127\.0\.0\.1:\d+,slaves=1/);
    for (const words of [
      ['SET', 'stock', 'quorum', '1'],
      ['FAILOVER', 'stock'],
      ['REMOVE', 'stock'],
      ['MONITOR', 'x', '127.0.0.1', '1', '1'],
    ]) {
      await expect(command(sentinel, 'SENTINEL', ...words), words[0]).rejects.toThrow(/NOPERM/);
    }
  });
});

it('a node with the settings of docker-compose.yml starts strict on these servers, and counts what a device reports', async () => {
  const [nats, redis] = [await composeNats(secrets), await composeValkey(secrets)];
  const { services } = parse(readFileSync(join(packageRoot(), 'docker-compose.yml'), 'utf8'), { merge: true }) as {
    services: { holdfast: { environment: Record<string, string> } };
  };
  const { NATS_URL, NATS_MONITOR_URL, REDIS_URL, HOLDFAST_HTTP, ...rest } = services.holdfast.environment;
  expect([NATS_URL, NATS_MONITOR_URL, REDIS_URL]).toEqual([
    'nats://nats:4222',
    'http://nats:8222',
    'redis://redis:6379',
  ]);
  expect(HOLDFAST_HTTP).toBe('0.0.0.0:8080');
  const env = Object.fromEntries(
    Object.entries(rest).map(([name, value]) => [name, value.replace('/run/secrets', secrets)]),
  );
  const node = await NodeProcess.at({ nats, redis }, { env });
  await node.up();
  const device = { verbose: false, user: 'device', pass: secretOf(secrets, 'nats_device_password') };
  const fact = { id: 'till-1:1', type: 'receipt', sku: '85123A', location: 'store-12', qty: 5 };
  const body = JSON.stringify({ ...fact, occurredAt: new Date().toISOString() });
  const lines = [`CONNECT ${JSON.stringify(device)}`, `PUB receipt.store-12.85123A ${body.length}`, body, 'PING', ''];
  expect(await firstAnswer(nats.port, lines.join('\r\n'), (text) => /-ERR|PONG/.test(text))).toMatch(/PONG\r\n$/);
  const stock = async () => (await fetch(`${node.url}/v1/stock/85123A/store-12`)).json();
  await expect.poll(stock, { timeout: 20_000 }).toMatchObject({ onHand: 5 });
  // Its snapshots are in Valkey, under the user that has only these permissions.
  const store = await RedisSnapshots.open(
    `redis://holdfast:${secretOf(secrets, 'redis_password')}@127.0.0.1:${redis.port}`,
    () => undefined,
  );
  const names = async () => (await Promise.all(Array.from({ length: 32 }, (_, p) => store.names(p)))).flat().length;
  await expect.poll(names, { timeout: 20_000 }).toBeGreaterThan(0);
  store.close();
  expect(await node.stop()).toBe(0);
}, 60_000);
