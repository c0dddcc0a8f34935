/**
 * Settings: one schema with defaults, units and reasons. Flags win over environment over the config file over defaults; a
 * wrong one stops the start with its name, its value and what is allowed. `holdfast node --help` prints this table.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';
import { ANOMALY_DEFAULTS, type AnomalyParameters } from './anomalies.ts';
import { parseRedisAddress, REDIS_ADDRESS_RULE } from './redis-address.ts';

const HOST_PORT = /^(\[[0-9a-fA-F:]+\]|[^:\s/]+):(\d{1,5})$/;
const hostPort = z.string().refine((text) => Number(HOST_PORT.exec(text)?.[2] ?? Number.NaN) <= 65_535, {
  error: 'HOST:PORT, such as 127.0.0.1:8080; port 0 takes a free one',
});
const url = (...schemes: string[]) =>
  z
    .string()
    .refine(
      (text) => text.split(',').every((each) => schemes.some((scheme) => each.trim().startsWith(`${scheme}://`))),
      {
        error: `a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`,
      },
    );
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

interface Setting<T extends z.ZodType> {
  readonly env: string;
  readonly flag: string;
  readonly schema: T;
  readonly fallback: string;
  readonly why: string;
}
function setting<T extends z.ZodType>(env: string, flag: string, schema: T, fallback: string, why: string): Setting<T> {
  return { env, flag, schema, fallback, why };
}

/** The table of all settings. `fallback` is written as an operator would write it. */
export const SETTINGS = {
  nats: setting(
    'NATS_URL',
    '--nats',
    url('nats', 'tls'),
    'nats://127.0.0.1:4222',
    'NATS servers, with JetStream; several with commas',
  ),
  redis: setting(
    'REDIS_URL',
    '--redis',
    z.string().refine((text) => parseRedisAddress(text) !== undefined, { error: REDIS_ADDRESS_RULE }),
    'redis://127.0.0.1:6379',
    'Redis, for snapshots: a copy that saves time at start; one server, or redis+sentinel://H1:26379,H2:26379/MASTER, or redis+cluster://H1:6379,H2:6379',
  ),
  natsMonitor: setting(
    'NATS_MONITOR_URL',
    '--nats-monitor',
    url('http', 'https'),
    'http://127.0.0.1:8222',
    'monitoring address of NATS, which alone tells whether it syncs before it acknowledges; of a cluster those of all servers, with commas',
  ),
  http: setting('HOLDFAST_HTTP', '--http', hostPort, '127.0.0.1:8080', 'where HTTP listens'),
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
  horizon: setting(
    'HOLDFAST_HORIZON',
    '--horizon',
    z.union([z.literal('off').transform(() => undefined), duration('1m', '3650d')], {
      error: `off, or ${DURATION_RULE}, from 1m to 3650d`,
    }),
    '7d',
    'idempotency horizon: how long ids are remembered; facts that happened longer ago are parked; off for replaying history',
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
export type Settings = { readonly [Name in SettingName]: z.output<(typeof SETTINGS)[Name]['schema']> };

/** A wrong setting, said in one sentence: name, value, what is allowed. */
export class SettingError extends Error {
  override readonly name = 'SettingError';
}

/**
 * Flags win over environment over file over defaults.
 * @param flags values given on the command line, by setting name
 * @param env such as process.env; HOLDFAST_CONFIG names the file when `flags.config` does not
 */
export function loadSettings(
  flags: Readonly<Partial<Record<SettingName | 'config', string | undefined>>>,
  env: Readonly<Record<string, string | undefined>>,
): Settings {
  const file = readConfigFile(flags.config ?? env.HOLDFAST_CONFIG);
  const settings: Record<string, unknown> = {};
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    const { env: variable, flag, schema, fallback } = SETTINGS[name];
    const [value, source] =
      flags[name] !== undefined
        ? [flags[name], flag]
        : env[variable] !== undefined && env[variable] !== ''
          ? [env[variable], variable]
          : file?.[name] !== undefined
            ? [String(file[name]), `${name} in the config file`]
            : [fallback, name];
    const result = schema.safeParse(value);
    if (!result.success)
      throw new SettingError(`${source} is "${value}", but must be ${result.error.issues[0]?.message}`);
    settings[name] = result.data;
  }
  return settings as Settings;
}

/** Whether a setting was given at all, by flag, environment or file. */
export function isGiven(
  name: SettingName,
  flags: Readonly<Partial<Record<SettingName | 'config', string | undefined>>>,
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  if (flags[name] !== undefined || (env[SETTINGS[name].env] ?? '') !== '') return true;
  return readConfigFile(flags.config ?? env.HOLDFAST_CONFIG)?.[name] !== undefined;
}

function readConfigFile(path: string | undefined): Record<string, unknown> | undefined {
  if (path === undefined || path === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new SettingError(
      `HOLDFAST_CONFIG is "${path}", but that file cannot be read as JSON: ${(error as Error).message}`,
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SettingError(`HOLDFAST_CONFIG is "${path}", but must hold one JSON object of settings`);
  }
  const unknown = Object.keys(value).find((key) => !(key in SETTINGS));
  if (unknown !== undefined) {
    throw new SettingError(
      `${unknown} in the config file "${path}" is no setting; they are ${Object.keys(SETTINGS).join(', ')}`,
    );
  }
  return value as Record<string, unknown>;
}
