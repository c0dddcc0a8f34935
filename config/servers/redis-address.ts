/**
 * The address of Redis in REDIS_URL. It names one server, a master that Sentinels watch, or a Cluster.
 *
 *   redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]
 *   redis+sentinel://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT]…/MASTER[/DATABASE]
 *   redis+cluster://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT]…
 *
 * `rediss` in place of `redis` requires TLS, without fallback. User and password are those of the Redis servers. Sentinels have their own
 * settings.
 */

export interface RedisServer {
  readonly host: string;
  readonly port: number;
}
interface RedisAccess {
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly tls: boolean;
}
export type RedisAddress = RedisAccess &
  (
    | { readonly kind: 'single'; readonly server: RedisServer; readonly database: number }
    | {
        readonly kind: 'sentinel';
        /** The name under which the Sentinels watch the master. */
        readonly master: string;
        readonly sentinels: readonly RedisServer[];
        readonly database: number;
      }
    | { readonly kind: 'cluster'; readonly servers: readonly RedisServer[] }
  );

export const REDIS_ADDRESS_RULE =
  'redis://HOST:PORT, redis+sentinel://HOST:PORT,HOST:PORT/MASTER or redis+cluster://HOST:PORT,HOST:PORT (rediss… for TLS)';

const SHAPE = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^@/?#]+)(?:\/([^?#]*))?$/;
const SERVER = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+))(?::(\d{1,5}))?$/;
const DEFAULT_PORT = { single: 6379, sentinel: 26_379, cluster: 6379 } as const;

/** Undefined if the text is not such an address. */
export function parseRedisAddress(text: string): RedisAddress | undefined {
  const [, scheme, flavour, credentials, hosts, path = ''] = SHAPE.exec(text.trim()) ?? [];
  if (hosts === undefined) return undefined;
  const kind = (flavour ?? 'single') as RedisAddress['kind'];
  const servers = hosts.split(',').map((each) => serverOf(each.trim(), DEFAULT_PORT[kind]));
  const access = accessOf(credentials, scheme === 'rediss');
  const [first] = servers;
  if (access === undefined || first === undefined || !servers.every((each) => each !== undefined)) return undefined;
  const words = path === '' ? [] : path.split('/');
  if (kind === 'cluster') return words.length > 0 ? undefined : { ...access, kind, servers };
  if (kind === 'sentinel') {
    const [master = '', number] = words;
    const database = databaseOf(number);
    if (!/^[A-Za-z0-9._-]+$/.test(master) || database === undefined || words.length > 2) return undefined;
    return { ...access, kind, master, sentinels: servers, database };
  }
  const database = databaseOf(words[0]);
  if (database === undefined || words.length > 1 || servers.length > 1) return undefined;
  return { ...access, kind, server: first, database };
}

function serverOf(text: string, defaultPort: number): RedisServer | undefined {
  const [whole, v6, name, port] = SERVER.exec(text) ?? [];
  if (whole === undefined || Number(port ?? 1) > 65_535 || Number(port ?? 1) < 1) return undefined;
  return { host: v6 ?? name ?? '', port: port === undefined ? defaultPort : Number(port) };
}

function accessOf(credentials: string | undefined, tls: boolean): RedisAccess | undefined {
  if (credentials === undefined) return { username: undefined, password: undefined, tls };
  const colon = credentials.indexOf(':');
  const [user, password] = colon < 0 ? [credentials, ''] : [credentials.slice(0, colon), credentials.slice(colon + 1)];
  try {
    return {
      username: decodeURIComponent(user) || undefined,
      password: decodeURIComponent(password) || undefined,
      tls,
    };
  } catch {
    return undefined;
  }
}

function databaseOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return 0;
  return /^\d{1,4}$/.test(text) ? Number(text) : undefined;
}
