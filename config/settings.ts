/**
 * Settings. One schema gives each its default, its unit and its reason. Flags override the environment, which overrides the config
 * file, which overrides the defaults. A wrong value stops the start with an error that names the setting, the value and what is
 * allowed. `holdfast node --help` prints this table.
 *
 * NAME_FILE, `--flag-file` or `nameFile` in the config file names a file that holds a secret. A secret's value is never printed. A
 * setting that is only a secret has no flag of its own, because every user of a machine can read command lines.
 */
import { hostname } from 'node:os';
import { z } from 'zod';
import { NATS_ADDRESS_RULE, parseNatsAddress } from './servers/nats-address.ts';
import { parseRedisAddress, REDIS_ADDRESS_RULE } from './servers/redis-address.ts';
import {
  address,
  certificate,
  duration,
  HORIZON_RULE,
  horizonSchema,
  hostPort,
  monitors,
  parseParameters,
  pemKey,
  piecesSchema,
  privateKey,
  secret,
  size,
  user,
  whole,
} from './setting-forms.ts';

/**
 * How a setting may be given. `plain` comes by flag, environment or config file, and `address` also by a file that holds it. `secret` is
 * like `address`, but without the flag that would show it. `content` comes only by the path of a file.
 */
type Kind = 'plain' | 'address' | 'secret' | 'content';

interface Setting<T extends z.ZodType> {
  readonly env: string;
  readonly flag: string;
  readonly schema: T;
  /** If undefined, the setting is absent unless it is given. */
  readonly fallback: string | undefined;
  readonly why: string;
  readonly kind: Kind;
}
function setting<T extends z.ZodType>(
  env: string,
  flag: string,
  schema: T,
  fallback: string | undefined,
  why: string,
  kind: Kind = 'plain',
): Setting<T> {
  return { env, flag, schema, fallback, why, kind };
}

/** All settings. `fallback` is written as an operator would write it. */
export const SETTINGS = {
  nats: setting(
    'NATS_URL',
    '--nats',
    address((text) => parseNatsAddress(text) !== undefined, NATS_ADDRESS_RULE),
    'nats://127.0.0.1:4222',
    'NATS servers, with JetStream; several with commas; tls:// never goes on without TLS',
    'address',
  ),
  natsUser: setting('NATS_USER', '--nats-user', user, undefined, 'user at NATS'),
  natsPassword: setting(
    'NATS_PASSWORD',
    '--nats-password',
    secret(1, 'a password without control characters'),
    undefined,
    'password of NATS_USER',
    'secret',
  ),
  natsToken: setting(
    'NATS_TOKEN',
    '--nats-token',
    secret(1, 'a token without control characters'),
    undefined,
    'token for NATS',
    'secret',
  ),
  natsCreds: setting(
    'NATS_CREDS',
    '--nats-creds',
    privateKey('a .creds file with a user JWT and its seed, as nsc writes it', (text) =>
      /-----BEGIN NATS USER JWT-----[\s\S]+-----BEGIN USER NKEY SEED-----/.test(text),
    ),
    undefined,
    'credentials for NATS in operator mode',
    'content',
  ),
  natsNkey: setting(
    'NATS_NKEY',
    '--nats-nkey',
    privateKey('a file with the seed of a user NKey, which begins with SU', (text) => /^SU[A-Z2-7]{56}$/.test(text)),
    undefined,
    'NKey seed for NATS',
    'content',
  ),
  natsCa: setting(
    'NATS_CA',
    '--nats-ca',
    certificate,
    undefined,
    'whom to trust at tls:// in place of the usual CAs',
    'content',
  ),
  natsCert: setting('NATS_CERT', '--nats-cert', certificate, undefined, 'client certificate for NATS', 'content'),
  natsKey: setting('NATS_KEY', '--nats-key', pemKey, undefined, 'private key of the client certificate', 'content'),
  redis: setting(
    'REDIS_URL',
    '--redis',
    address((text) => parseRedisAddress(text) !== undefined, REDIS_ADDRESS_RULE),
    'redis://127.0.0.1:6379',
    'Redis, for snapshots: a copy that saves time at start; one server, or redis+sentinel://H1:26379,H2:26379/MASTER, or redis+cluster://H1:6379,H2:6379; rediss never goes on without TLS',
    'address',
  ),
  redisUser: setting('REDIS_USER', '--redis-user', user, undefined, 'ACL user at Redis'),
  redisPassword: setting(
    'REDIS_PASSWORD',
    '--redis-password',
    secret(1, 'a password without control characters'),
    undefined,
    'password at Redis, of REDIS_USER or of the default user',
    'secret',
  ),
  redisSentinelUser: setting(
    'REDIS_SENTINEL_USER',
    '--redis-sentinel-user',
    user,
    undefined,
    'ACL user at the Sentinels',
  ),
  redisSentinelPassword: setting(
    'REDIS_SENTINEL_PASSWORD',
    '--redis-sentinel-password',
    secret(1, 'a password without control characters'),
    undefined,
    'password at the Sentinels, which are asked without one otherwise',
    'secret',
  ),
  redisCa: setting(
    'REDIS_CA',
    '--redis-ca',
    certificate,
    undefined,
    'whom to trust at rediss:// in place of the usual CAs',
    'content',
  ),
  redisCert: setting('REDIS_CERT', '--redis-cert', certificate, undefined, 'client certificate for Redis', 'content'),
  redisKey: setting('REDIS_KEY', '--redis-key', pemKey, undefined, 'private key of the client certificate', 'content'),
  snapshotKey: setting(
    'HOLDFAST_SNAPSHOT_KEY',
    '--snapshot-key',
    secret(32, 'text of at least 32 bytes, such as `openssl rand -hex 32` prints'),
    undefined,
    'key by which snapshots are signed, the same on all nodes; without it, anyone who can write to Redis can change the stock, and strict refuses to start',
    'secret',
  ),
  natsMonitor: setting(
    'NATS_MONITOR_URL',
    '--nats-monitor',
    address(monitors, 'a URL that begins with http:// or https://; several with commas'),
    'http://127.0.0.1:8222',
    'monitoring address of NATS, which alone tells whether it syncs before it acknowledges; of a cluster those of all servers, with commas',
    'address',
  ),
  http: setting(
    'HOLDFAST_HTTP',
    '--http',
    hostPort,
    '127.0.0.1:8080',
    'where HTTP listens; a command that asks a node with TLS takes https://HOST:PORT',
  ),
  tlsCert: setting(
    'HOLDFAST_TLS_CERT',
    '--tls-cert',
    certificate,
    undefined,
    'certificate, with its chain, by which HTTP becomes HTTPS',
    'content',
  ),
  tlsKey: setting('HOLDFAST_TLS_KEY', '--tls-key', pemKey, undefined, 'private key of that certificate', 'content'),
  name: setting(
    'HOLDFAST_NAME',
    '--name',
    z.string().regex(/^[A-Za-z0-9_-]{1,48}$/, { error: '1 to 48 characters of A–Z a–z 0–9 _ -' }),
    hostname()
      .replace(/[^A-Za-z0-9_-]/g, '-')
      .slice(0, 48) || 'node',
    "this node's name, unique among the nodes on one NATS",
  ),
  partitions: setting(
    'HOLDFAST_PARTITIONS',
    '--partitions',
    whole(1, 1024),
    '32',
    'partitions; fixed when the streams are made, since every stored subject names one',
  ),
  replicas: setting(
    'HOLDFAST_REPLICAS',
    '--replicas',
    whole(1, 5),
    '1',
    'copies of streams that are made; 3 over three failure domains in production',
  ),
  factsMaxBytes: setting(
    'HOLDFAST_FACTS_MAX_BYTES',
    '--facts-max-bytes',
    size,
    '4GiB',
    'the most that each stream of facts may hold; at it facts get 503 and reservations go on; a store with less room gets less',
  ),
  journalMaxBytes: setting(
    'HOLDFAST_JOURNAL_MAX_BYTES',
    '--journal-max-bytes',
    size,
    '8GiB',
    'room for JOURNAL, reserved before that of facts; at it nothing is decided',
  ),
  parkedMaxBytes: setting(
    'HOLDFAST_PARKED_MAX_BYTES',
    '--parked-max-bytes',
    size,
    '2GiB',
    'room for facts that could not be counted; at it no fact is taken in',
  ),
  eventsMaxBytes: setting(
    'HOLDFAST_EVENTS_MAX_BYTES',
    '--events-max-bytes',
    size,
    '1GiB',
    'the most that the stream of events may hold; at it the oldest events go, read or not',
  ),
  eventsMaxAge: setting(
    'HOLDFAST_EVENTS_MAX_AGE',
    '--events-max-age',
    duration('10m', '365d'),
    '7d',
    'how long an event is kept; then it goes, read or not',
  ),
  webhooksPrivate: setting(
    'HOLDFAST_WEBHOOKS_PRIVATE',
    '--webhooks-private',
    z.enum(['on', 'off'], { error: 'on or off' }),
    'off',
    'on lets webhooks use http:// and private or local addresses; anyone who may set a webhook can then make a node ask services of its own network',
  ),
  horizon: setting(
    'HOLDFAST_HORIZON',
    '--horizon',
    z.union([z.literal('recorded').transform(() => undefined), horizonSchema], { error: `recorded, ${HORIZON_RULE}` }),
    'recorded',
    'idempotency horizon: how long ids are remembered; facts that happened longer ago are parked; off for replaying history. It is recorded with the streams by the first node (7d if it is not set); `holdfast horizon` changes it',
  ),
  onePiece: setting(
    'HOLDFAST_ONE_PIECE',
    '--one-piece',
    z.union([z.literal('recorded').transform(() => undefined), piecesSchema]),
    'recorded',
    'what uom, unit and pack of a fact may say, in any case, because quantities are in single pieces; other facts are refused as invalid. It is recorded with the streams by the first node (EA,each,pc,pcs,unit,1 if it is not set); `holdfast one-piece` changes it',
  ),
  durability: setting(
    'HOLDFAST_DURABILITY',
    '--durability',
    z.enum(['strict', 'relaxed'], { error: 'strict or relaxed' }),
    'relaxed',
    'strict refuses to start on a NATS server that acknowledges before it syncs to disk (sync_interval: always)',
  ),
  laneTime: setting(
    'HOLDFAST_LANE_TIME',
    '--lane-time',
    duration('1m', '365d'),
    '3d',
    'usual time of a transfer whose shipment names no eta; then it is overdue',
  ),
  snapshotInterval: setting(
    'HOLDFAST_SNAPSHOT_INTERVAL',
    '--snapshot-interval',
    duration('100ms', '1d'),
    '10s',
    'time between snapshots of a partition that has changed; bounds the replay at start',
  ),
  leaseTtl: setting(
    'HOLDFAST_LEASE',
    '--lease',
    duration('2s', '5m'),
    '15s',
    'a node that is silent for so long has lost its partitions; must exceed a NATS election of up to 7 s in production',
  ),
  reservationMemory: setting(
    'HOLDFAST_RESERVATION_MEMORY',
    '--reservation-memory',
    duration('1m', '365d'),
    '7d',
    'how long ended reservations are remembered, so that a late retry of an id gets its answer; at least the horizon and an hour',
  ),
  anomalyMemory: setting(
    'HOLDFAST_ANOMALY_MEMORY',
    '--anomaly-memory',
    duration('1s', '365d'),
    '7d',
    'how long resolved anomalies are kept',
  ),
  anomalies: setting(
    'HOLDFAST_ANOMALIES',
    '--anomalies',
    z.string().transform((text, context) => {
      const parameters = parseParameters(text);
      if (typeof parameters !== 'string') return parameters;
      context.addIssue({ code: 'custom', message: parameters });
      return z.NEVER;
    }),
    '',
    'parameters of the detectors that differ from their defaults, such as phantomTail=1e-5,lateMs=3600000; config/anomalies.ts lists them',
  ),
  hosts: setting(
    'HOLDFAST_HOSTS',
    '--hosts',
    z
      .string()
      .transform((text) => text.split(',').map((each) => each.trim().toLowerCase()))
      .transform((hosts) => hosts.filter((each) => each !== ''))
      .refine((hosts) => hosts.every((each) => /^(\*|\[[0-9a-f:.]+\]|[^\s/:*[\]]+)$/.test(each)), {
        error: 'host names or addresses without a port, such as shop.example or [::1], with commas; * for any',
      }),
    'localhost,127.0.0.1,[::1]',
    'host names by which HTTP may be asked, with any port, beside the address on which it listens; with commas; * for any, which lets DNS rebinding in',
  ),
  origins: setting(
    'HOLDFAST_ORIGINS',
    '--origins',
    z
      .string()
      .transform((text) => text.split(',').map((each) => each.trim().toLowerCase().replace(/\/$/, '')))
      .transform((origins) => origins.filter((each) => each !== ''))
      .refine((origins) => origins.every((each) => /^https?:\/\/[^/\s]+$/.test(each)), {
        error: 'origins such as https://shop.example, with commas',
      }),
    '',
    'origins of pages that may ask over HTTP and read the live feed, beside the one that the node serves; with commas',
  ),
  logLevel: setting(
    'HOLDFAST_LOG',
    '--log',
    z.enum(['debug', 'info', 'warn', 'error', 'silent'], { error: 'debug, info, warn, error or silent' }),
    'info',
    'least severity that is logged',
  ),
  data: setting(
    'HOLDFAST_DATA',
    '--data',
    z.string().min(1, { error: 'a folder' }),
    './var',
    "where `up` keeps its servers' data",
  ),
} as const;

export type SettingName = keyof typeof SETTINGS;
export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];
export type Settings = { readonly [Name in SettingName]: z.output<(typeof SETTINGS)[Name]['schema']> };

export type SettingFlags = Readonly<Partial<Record<SettingName | `${SettingName}File` | 'config', string | undefined>>>;
export type Env = Readonly<Record<string, string | undefined>>;

/** The options of a setting: the one that takes its value, and the one that names a file with the value. */
export function optionsOf(
  name: SettingName,
): readonly { readonly key: string; readonly flag: string; readonly env: string }[] {
  const { env, flag, kind } = SETTINGS[name];
  const value = { key: name, flag, env };
  const file = { key: `${name}File`, flag: `${flag}-file`, env: `${env}_FILE` };
  return { plain: [value], address: [value, file], secret: [file], content: [file] }[kind];
}
