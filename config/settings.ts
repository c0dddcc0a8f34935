/**
 * Settings: one schema with defaults, units and reasons. Flags win over environment over the config file over defaults; a
 * wrong one stops the start with its name, its value and what is allowed. `holdfast node --help` prints this table.
 *
 * A secret may be given by a file: NAME_FILE, `--flag-file` and `nameFile` of the config file name it. Its value is never said, and a
 * setting that is nothing but secret has no flag of its own, since everybody on a machine can read command lines.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';
import { ANOMALY_DEFAULTS, type AnomalyParameters } from './anomalies.ts';
import { checkTogether } from './logins.ts';
import { NATS_ADDRESS_RULE, parseNatsAddress } from './nats-address.ts';
import { parseRedisAddress, REDIS_ADDRESS_RULE } from './redis-address.ts';
import { Secret, secretAddress, shownAddress } from './secret.ts';
import { type Certificates, certificateFault } from './tls.ts';

const HOST_PORT = /^(?:https?:\/\/)?(\[[0-9a-fA-F:]+\]|[^:\s/]+):(\d{1,5})$/;
const hostPort = z.string().refine((text) => Number(HOST_PORT.exec(text)?.[2] ?? Number.NaN) <= 65_535, {
  error: 'HOST:PORT, such as 127.0.0.1:8080; port 0 takes a free one',
});
/** An address that may hold a user and a password. */
const address = (isOne: (text: string) => boolean, error: string) =>
  z.string().refine(isOne, { error }).transform(secretAddress);
const monitors = (text: string) =>
  text.split(',').every((each) => /^https?:\/\/[^\s/]/.test(each.trim()) && URL.canParse(each.trim()));
const SECRET_CHARACTERS = 4096;
/** What stands in a file may hold control characters by mistake only. */
const secret = (least: number, error: string) =>
  z
    .string()
    .refine((text) => text.length <= SECRET_CHARACTERS, {
      error: `${error}, and at most ${SECRET_CHARACTERS} characters`,
    })
    .refine((text) => Buffer.byteLength(text) >= least && !/\p{Cc}/u.test(text), { error })
    .transform((text) => new Secret(text))
    .optional();
const content = (error: string, fits: (text: string) => boolean) => z.string().refine(fits, { error });
const certificate = content('a PEM file of certificates', (text) => fitsTls({ ca: text })).optional();
const privateKey = (error: string, fits: (text: string) => boolean) =>
  content(error, fits)
    .transform((text) => new Secret(text))
    .optional();
const pemKey = privateKey('a PEM file of a private key without a passphrase', (text) =>
  fitsTls({ key: new Secret(text) }),
);
const fitsTls = (certificates: Certificates) => certificateFault(certificates) === undefined;
const user = z.string().min(1, { error: 'a user name' }).optional();

const whole = (min: number, max: number) => {
  const error = `a whole number from ${min} to ${max}`;
  return z.coerce.number({ error }).int({ error }).min(min, { error }).max(max, { error });
};

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION_RULE = 'a duration such as 500ms, 30s, 15m, 12h or 7d';

/** Milliseconds of a duration such as 7d, or undefined. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim());
  if (match === null) return undefined;
  return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
}
const duration = (min: string, max: string) => {
  const error = `${DURATION_RULE}, from ${min} to ${max}`;
  return z.string().transform((text, context) => {
    const ms = parseDuration(text);
    if (ms === undefined || ms < (parseDuration(min) ?? 0) || ms > (parseDuration(max) ?? 0)) {
      context.addIssue({ code: 'custom', message: error });
      return z.NEVER;
    }
    return ms;
  });
};

const HORIZON_RULE = `off, or ${DURATION_RULE}, from 1m to 3650d`;
const horizonSchema = z.union([z.literal('off').transform(() => null), duration('1m', '3650d')], {
  error: HORIZON_RULE,
});

/** Milliseconds of a horizon, null for `off`. Throws a SettingError. */
export function parseHorizon(text: string): number | null {
  const result = horizonSchema.safeParse(text);
  if (result.success) return result.data;
  throw new SettingError(`the horizon is "${text}", but must be ${HORIZON_RULE}`);
}

const UNIT_BYTES = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const;
const SIZE_RULE = 'a size from 1MiB such as 512MiB, 4GiB or 1TiB, or off for no bound';
/** Bytes; undefined for `off`. */
const size = z.string().transform((text, context) => {
  if (text === 'off') return undefined;
  const match = /^(\d{1,7})(KiB|MiB|GiB|TiB)$/.exec(text.trim());
  const bytes = match === null ? 0 : Number(match[1]) * UNIT_BYTES[match[2] as keyof typeof UNIT_BYTES];
  if (bytes >= UNIT_BYTES.MiB) return bytes;
  context.addIssue({ code: 'custom', message: SIZE_RULE });
  return z.NEVER;
});

/** `name=value,name=value` over the defaults; what is allowed, if it is not that. */
function parseParameters(text: string): AnomalyParameters | string {
  const parameters: Record<string, number> = { ...ANOMALY_DEFAULTS };
  for (const part of text.split(',').map((each) => each.trim())) {
    if (part === '') continue;
    const [name = '', value = ''] = part.split('=').map((each) => each.trim());
    if (!Object.hasOwn(ANOMALY_DEFAULTS, name))
      return `name=value with names of ${Object.keys(ANOMALY_DEFAULTS).join(', ')}`;
    if (value === '' || !(Number(value) >= 0)) return `${name}= and a number from 0`;
    parameters[name] = Number(value);
  }
  return parameters as AnomalyParameters;
}

/**
 * How it may be given: `plain` by flag, environment or file of settings; `address` besides by a file that holds it; `secret` likewise, but
 * by no flag that would show it; `content` by the path of a file only.
 */
type Kind = 'plain' | 'address' | 'secret' | 'content';

interface Setting<T extends z.ZodType> {
  readonly env: string;
  readonly flag: string;
  readonly schema: T;
  /** Undefined: without it, it is not there. */
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

/** The table of all settings. `fallback` is written as an operator would write it. */
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
    'key by which snapshots are signed, the same on all nodes; without it, whoever can write to Redis can change the stock, and strict refuses to start',
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
  horizon: setting(
    'HOLDFAST_HORIZON',
    '--horizon',
    z.union([z.literal('recorded').transform(() => undefined), horizonSchema], { error: `recorded, ${HORIZON_RULE}` }),
    'recorded',
    'idempotency horizon: how long ids are remembered; facts that happened longer ago are parked; off for replaying history. It is recorded with the streams by the first node (7d if it is not set); `holdfast horizon` changes it',
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
    'how long ended reservations are remembered, so that a late retry of an id gets its answer',
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
const NAMES = Object.keys(SETTINGS) as SettingName[];
export type Settings = { readonly [Name in SettingName]: z.output<(typeof SETTINGS)[Name]['schema']> };

/** A wrong setting, said in one sentence: name, value (never that of a secret), what is allowed. */
export class SettingError extends Error {
  override readonly name = 'SettingError';
}

export type SettingFlags = Readonly<Partial<Record<SettingName | `${SettingName}File` | 'config', string | undefined>>>;
type Env = Readonly<Record<string, string | undefined>>;

/** The option of a setting on a command line, and that of the file which holds it. */
export function optionsOf(
  name: SettingName,
): readonly { readonly key: string; readonly flag: string; readonly env: string }[] {
  const { env, flag, kind } = SETTINGS[name];
  const value = { key: name, flag, env };
  const file = { key: `${name}File`, flag: `${flag}-file`, env: `${env}_FILE` };
  return { plain: [value], address: [value, file], secret: [file], content: [file] }[kind];
}

/**
 * Flags win over environment over file over defaults.
 * @param flags values given on the command line, by setting name
 * @param env such as process.env; HOLDFAST_CONFIG names the file when `flags.config` does not
 */
export function loadSettings(flags: SettingFlags, env: Env): Settings {
  const file = readConfigFile(flags.config ?? env.HOLDFAST_CONFIG);
  const settings: Record<string, unknown> = {};
  for (const name of NAMES) {
    const { schema, fallback } = SETTINGS[name];
    const given = find(name, flags, env, file);
    if (given === undefined && fallback === undefined) continue;
    const result = schema.safeParse(given === undefined ? fallback : given.value);
    if (!result.success) {
      const { source, shown } = given ?? { source: name, shown: fallback };
      throw new SettingError(`${source} is "${shown}", but must be ${result.error.issues[0]?.message}`);
    }
    settings[name] = result.data;
  }
  const wrong = checkTogether(settings as Settings);
  if (wrong !== undefined) throw new SettingError(wrong);
  return settings as Settings;
}

/** Whether a setting was given at all, by flag, environment or file. */
export function isGiven(name: SettingName, flags: SettingFlags, env: Env): boolean {
  return levelOf(name, flags, env, readConfigFile(flags.config ?? env.HOLDFAST_CONFIG)) !== undefined;
}

interface Level {
  readonly value: string | undefined;
  /** Path of the file that holds it. */
  readonly path: string | undefined;
  readonly source: string;
  readonly fileSource: string;
}

/** The first of flags, environment and file that gives it. */
function levelOf(
  name: SettingName,
  flags: SettingFlags,
  env: Env,
  file: Record<string, unknown> | undefined,
): Level | undefined {
  const { env: variable, flag, kind } = SETTINGS[name];
  const text = (value: unknown) => (value === undefined || value === '' ? undefined : String(value));
  const inFile = (key: string) => (file?.[key] === undefined ? undefined : String(file[key]));
  const levels: Level[] = [
    { value: flags[name], path: flags[`${name}File`], source: flag, fileSource: `${flag}-file` },
    {
      value: text(env[variable]),
      path: text(env[`${variable}_FILE`]),
      source: variable,
      fileSource: `${variable}_FILE`,
    },
    {
      value: inFile(name),
      path: inFile(`${name}File`),
      source: `${name} in the config file`,
      fileSource: `${name}File in the config file`,
    },
  ];
  return levels
    .map((level) => ({
      ...level,
      ...(kind === 'plain' ? { path: undefined } : {}),
      ...(kind === 'content' ? { value: undefined } : {}),
    }))
    .find(({ value, path }) => value !== undefined || path !== undefined);
}

function find(name: SettingName, flags: SettingFlags, env: Env, file: Record<string, unknown> | undefined) {
  const level = levelOf(name, flags, env, file);
  if (level === undefined) return undefined;
  const { value, path, source, fileSource } = level;
  if (path === undefined) return { value, source, shown: shown(name, value ?? '') };
  if (value !== undefined) throw new SettingError(`${source} and ${fileSource} are both given; give one of them`);
  return { value: readValueFile(path, fileSource), source: fileSource, shown: path };
}

/** A wrong value as it may be said. */
function shown(name: SettingName, value: string): string {
  const { kind } = SETTINGS[name];
  if (kind === 'plain') return value;
  return kind === 'address' ? shownAddress(value) : String(new Secret(value));
}

/** A bundle of certificates is the largest of what settings name. */
const FILE_BYTES = 1024 * 1024;

/** A file need not end: a device gives bytes for ever. */
function readAtMost(path: string, most: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(most);
    let length = 0;
    for (let read = -1; read !== 0 && length < most; length += read)
      read = readSync(file, bytes, length, most - length, null);
    return bytes.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

/** Without the line end that editors and `echo` leave. */
function readValueFile(path: string, source: string): string {
  let bytes: Buffer;
  try {
    bytes = readAtMost(path, FILE_BYTES + 1);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SettingError(`${source} is "${path}", but that file cannot be read (${code})`);
  }
  if (bytes.length > FILE_BYTES)
    throw new SettingError(`${source} is "${path}", but that file holds more than ${FILE_BYTES / 1024} KiB`);
  const text = bytes.toString('utf8');
  if (!Buffer.from(text).equals(bytes))
    throw new SettingError(`${source} is "${path}", but that file does not hold text in UTF-8`);
  return text.replace(/(\r?\n)+$/, '');
}

function readConfigFile(path: string | undefined): Record<string, unknown> | undefined {
  if (path === undefined || path === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(readAtMost(path, FILE_BYTES).toString('utf8'));
  } catch (error) {
    // What the parser says quotes the file, which may hold a secret.
    const why =
      error instanceof SyntaxError
        ? `it is no JSON${/ at position \d+/.exec(error.message)?.[0] ?? ''}`
        : (error as NodeJS.ErrnoException).code;
    throw new SettingError(`HOLDFAST_CONFIG is "${path}", but that file cannot be read: ${why}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SettingError(`HOLDFAST_CONFIG is "${path}", but must hold one JSON object of settings`);
  }
  const known = NAMES.flatMap((name) => {
    const keys = optionsOf(name).map(({ key }) => key);
    return SETTINGS[name].kind === 'secret' ? [name, ...keys] : keys;
  });
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw new SettingError(`${unknown} in the config file "${path}" is no setting; they are ${known.join(', ')}`);
  return value as Record<string, unknown>;
}
