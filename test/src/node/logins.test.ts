/** A node on real servers that require logins of every kind, and its messages when a login is refused. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadSettings } from '../../../config/load-settings.ts';
import { askUntilDecided } from '../../../harness/callers/http-caller.ts';
import {
  type AskingNats,
  type AskingRedis,
  certificate,
  clusterWithTls,
  type Env,
  natsWithClientCertificate,
  natsWithNkey,
  natsWithOperator,
  natsWithTls,
  natsWithToken,
  natsWithUser,
  redisWithPassword,
  redisWithTls,
  redisWithUser,
  SECRET,
  sentinelWithTls,
} from '../../../harness/servers/logins.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { type RunningNode, startNode } from '../../../src/node/node.ts';
import { createLog } from '../../../src/process/log.ts';
import { RedisSnapshots } from '../../../src/redis/snapshot-store.ts';
import type { ServerHandle } from '../../../src/servers/local-server.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';

let [plainNats, plainRedis]: ServerHandle[] = [];
const askingNats: Record<string, AskingNats> = {};
const askingRedis: Record<string, AskingRedis> = {};

const NATS_WAYS = {
  user: natsWithUser,
  token: natsWithToken,
  nkey: natsWithNkey,
  operator: natsWithOperator,
  tls: natsWithTls,
  certificate: natsWithClientCertificate,
};
const REDIS_WAYS = {
  password: redisWithPassword,
  user: redisWithUser,
  tls: () => redisWithTls('no'),
  certificate: () => redisWithTls('yes'),
  sentinel: sentinelWithTls,
  cluster: clusterWithTls,
};

beforeAll(async () => {
  await Promise.all([
    freshNats().then((server) => {
      plainNats = server;
    }),
    freshRedis().then((server) => {
      plainRedis = server;
    }),
    ...Object.entries(NATS_WAYS).map(async ([way, start]) => {
      askingNats[way] = await start();
    }),
    ...Object.entries(REDIS_WAYS).map(async ([way, start]) => {
      askingRedis[way] = await start();
    }),
  ]);
});

const BASE = {
  HOLDFAST_HTTP: '127.0.0.1:0',
  HOLDFAST_LEASE: '5s',
  HOLDFAST_PARTITIONS: '2',
  HOLDFAST_SNAPSHOT_INTERVAL: '100ms',
};

async function started(env: Env, name: string): Promise<RunningNode> {
  const settings = loadSettings({}, { ...BASE, HOLDFAST_NAME: name, ...env });
  return startNode(settings, createLog({ level: 'silent', name }));
}

describe('a node', () => {
  const pairs = Object.keys(NATS_WAYS).map((way, i) => [way, Object.keys(REDIS_WAYS)[i] as string] as const);

  it.each(pairs)(
    'with NATS by %s and Redis by %s owns partitions, decides, and keeps a snapshot',
    async (nats, redis) => {
      const login = { ...askingNats[nats]?.login, ...askingRedis[redis]?.login };
      const node = await started(login, nats);
      try {
        const url = () => `http://${node.http}`;
        const fact = {
          id: 'r',
          type: 'receipt',
          sku: 'A',
          location: 'dc',
          occurredAt: new Date().toISOString(),
          qty: 5,
        };
        expect((await askUntilDecided(url, 'POST', '/v1/facts', [fact])).body.accepted).toBe(1);
        const held = await askUntilDecided(url, 'POST', '/v1/reservations', { id: 'c', lines: [{ sku: 'A', qty: 2 }] });
        expect(held.status).toBe(201);
        const snapshots = await RedisSnapshots.open(loadSettings({}, login), () => undefined);
        const kept = () => Promise.all([0, 1].map(async (partition) => (await snapshots.manifests(partition)).length));
        await expect.poll(async () => Math.max(...(await kept())), { timeout: 20_000 }).toBeGreaterThan(0);
        snapshots.close();
      } finally {
        await node.stop();
      }
    },
  );
});

/** Why a start ends, and after how long. */
async function refused(env: Env): Promise<{ message: string; ms: number }> {
  const began = performance.now();
  const message = await started(
    { NATS_URL: plainNats?.url ?? '', REDIS_URL: plainRedis?.url ?? '', ...env },
    'refused',
  ).then(
    async (node) => {
      await node.stop();
      return 'it started';
    },
    (error: Error) => error.message,
  );
  expect(message).not.toContain(SECRET);
  return { message, ms: performance.now() - began };
}
const without = (env: Env | undefined, ...names: string[]) =>
  Object.fromEntries(Object.entries(env ?? {}).filter(([name]) => !names.some((each) => name.startsWith(each))));

describe('a start ends with a sentence, and without another try', () => {
  const hostPort = (server: ServerHandle | undefined) => `127.0.0.1:${server?.port}`;
  const cases: Record<string, readonly [() => Env, RegExp]> = {
    'at a NATS that asks for a login, without one': [
      () => ({ NATS_URL: askingNats.user?.url ?? '' }),
      /^NATS at nats:\/\/127\.0\.0\.1:\d+ refuses the login: .*Authorization Violation.*; set NATS_USER/,
    ],
    'with a wrong password': [
      () => ({ NATS_URL: `nats://node:${SECRET}-wrong@${hostPort(askingNats.user?.server)}` }),
      /^NATS at nats:\/\/…@127\.0\.0\.1:\d+ refuses the login/,
    ],
    'with a wrong token': [
      () => ({ ...askingNats.token?.login, NATS_TOKEN_FILE: '', NATS_TOKEN: `${SECRET}-wrong` }),
      /refuses the login/,
    ],
    'with an NKey that the server does not know': [
      () => ({
        ...askingNats.user?.login,
        NATS_URL: askingNats.user?.url ?? '',
        NATS_NKEY_FILE: askingNats.nkey?.login.NATS_NKEY_FILE ?? '',
      }),
      /refuses the login/,
    ],
    'with tls:// at a NATS without TLS': [
      () => ({ NATS_URL: `tls://${hostPort(plainNats)}` }),
      /^NATS at tls:\/\/127\.0\.0\.1:\d+ does not offer TLS, and nothing was sent to it/,
    ],
    'where another CA is trusted for NATS': [
      () => ({ ...askingNats.tls?.login, NATS_CA_FILE: certificate('foreign-ca.pem') }),
      /^NATS at tls:.* cannot be reached over TLS: .*; look at NATS_CA_FILE/,
    ],
    'without the client certificate that NATS asks for': [
      () => without(askingNats.certificate?.login, 'NATS_CERT', 'NATS_KEY'),
      /cannot be reached over TLS: the server asks for a client certificate that it trusts/,
    ],
    'with a wrong password for Redis': [
      () => ({ REDIS_URL: `redis://:${SECRET}-wrong@${hostPort(askingRedis.password?.server)}` }),
      /^Redis at redis:\/\/…@127\.0\.0\.1:\d+ refuses the login: WRONGPASS.*; set REDIS_USER and REDIS_PASSWORD/,
    ],
    'without a password for Redis': [
      () => ({ REDIS_URL: askingRedis.password?.url ?? '' }),
      /refuses the login: NOAUTH/,
    ],
    'with rediss:// at a Redis without TLS': [
      () => ({ REDIS_URL: `rediss://${hostPort(plainRedis)}` }),
      /^Redis at rediss:\/\/127\.0\.0\.1:\d+ .*does not speak TLS/,
    ],
    'where another CA is trusted for Redis': [
      () => ({ ...askingRedis.tls?.login, REDIS_CA_FILE: certificate('foreign-ca.pem') }),
      /cannot be reached over TLS: .*; look at REDIS_CA_FILE/,
    ],
    'without the client certificate that Redis asks for': [
      () => without(askingRedis.certificate?.login, 'REDIS_CERT', 'REDIS_KEY'),
      /cannot be reached over TLS: the server asks for a client certificate/,
    ],
    'with rediss+sentinel:// at a Sentinel without TLS': [
      () => ({ REDIS_URL: `rediss+sentinel://${hostPort(plainRedis)}/stock` }),
      /does not speak TLS/,
    ],
    'with a wrong password for a Sentinel': [
      () => ({
        ...askingRedis.sentinel?.login,
        REDIS_SENTINEL_PASSWORD_FILE: '',
        REDIS_SENTINEL_PASSWORD: `${SECRET}-wrong`,
      }),
      /refuses the login: WRONGPASS/,
    ],
    'with a wrong password for the master of a Sentinel': [
      () => ({ ...askingRedis.sentinel?.login, REDIS_PASSWORD: `${SECRET}-wrong` }),
      /refuses the login: WRONGPASS/,
    ],
    'with a wrong password for a Cluster': [
      () => ({
        ...askingRedis.cluster?.login,
        REDIS_URL: askingRedis.cluster?.url ?? '',
        REDIS_PASSWORD: `${SECRET}-wrong`,
      }),
      /refuses the login: WRONGPASS/,
    ],
    'with rediss+cluster:// at a Redis without TLS': [
      () => ({ REDIS_URL: `rediss+cluster://${hostPort(plainRedis)}` }),
      /does not speak TLS/,
    ],
  };

  it.concurrent.each(Object.keys(cases))('%s', async (name) => {
    const [env, says] = cases[name] as (typeof cases)[string];
    const { message, ms } = await refused(env());
    expect(message).toMatch(says);
    expect(ms).toBeLessThan(10_000);
  });
});

it('a connection that NATS no longer lets in ends with what it said', async () => {
  const { server, login } = askingNats.user as AskingNats;
  const broker = await NatsBroker.connect(loadSettings({}, login), 'revoked');
  const file = join(server.dataDir, 'nats-server.conf');
  writeFileSync(file, readFileSync(file, 'utf8').replace(`${SECRET}@/user`, 'another'));
  process.kill(server.pid, 'SIGHUP');
  expect((await broker.closed)?.message).toMatch(/refuses the login: .*Authorization Violation/);
});
