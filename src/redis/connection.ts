/**
 * Connections to Redis, to a single server, to the master that Sentinels name, or to a Cluster. This is the one file that imports its
 * client.
 *
 * A node keeps working without Redis, so a caller never waits for Redis to come back. A lost single server is reconnected by the client. A
 * lost Sentinel or Cluster connection is replaced by a new one.
 *
 * Invariants:
 *  RC1 Every command settles. If Redis is away it rejects soon, and its caller tries again later. Nothing waits for Redis to come back.
 *  RC2 The next command finds a new master, a new layout of a Cluster, or the same servers started again.
 *  RC3 A first connection rejects with a RedisRefusal if a server refuses it or does not offer the TLS that is asked for, because a retry
 *     would not help. A connection that was good once is retried without limit.
 *  RC4 With rediss, only a TLS handshake and a PING are sent until TLS is established.
 *
 * createSentinel of node-redis 6.3.1 is not used, because it repeats a command for as long as the master is away. We measured no answer
 * within 10 s without a failover, so a node that starts then would wait for Redis.
 */

import { ConnectionTimeoutError, createClient, createCluster, RESP_TYPES } from 'redis';
import type { RedisAddress, RedisServer } from '../../config/servers/redis-address.ts';
import type { RedisLogin } from '../../config/servers/redis-login.ts';
import { tlsOptionsOf } from '../../config/servers/tls.ts';
import { backOffMs } from '../../streams/clock.ts';
import { RedisRefusal, refusalOf, speaksPlainly } from './refusal.ts';

/** The commands that snapshots need. Values are bytes. */
export interface RedisCommands {
  hSet(key: string, fields: Readonly<Record<string, Buffer>>): Promise<unknown>;
  hmGet(key: string, fields: readonly string[]): Promise<(Buffer | null)[]>;
  hKeys(key: string): Promise<Buffer[]>;
  eval(script: string, options: { keys: string[]; arguments: (string | Buffer)[] }): Promise<unknown>;
  ping(): Promise<unknown>;
  info(section: string): Promise<Buffer>;
}
export interface RedisConnection {
  /** Rejects if Redis cannot be reached now (RC1). */
  commands(): Promise<RedisCommands>;
  close(): void;
}

type Trouble = (message: string) => void;
type Client = ReturnType<typeof createClient>;

/** How long a node waits for the first connection before it goes on without one. */
const FIRST_MS = 3_000;
const CONNECT_MS = 3_000;
/** How long the master that the Sentinels named is used without asking them again. */
const MASTER_KNOWN_MS = 2_000;
/** For this long after a failed connection no other is tried, because a node that starts asks once for each of its partitions. */
const FAILED_FOR_MS = 1_000;
/** A command's socket that is silent for this long is closed. */
const SILENT_MS = 30_000;
const PING_EVERY_MS = 10_000;

/** Resolves once connected, or once the first try fails or takes FIRST_MS, because Redis may be away. Rejects with a RedisRefusal. */
export async function connectRedis(login: RedisLogin, trouble: Trouble): Promise<RedisConnection> {
  const { address } = login;
  switch (address.kind) {
    case 'single':
      return connectSingle(login, address, trouble);
    case 'sentinel':
      return tried(new Renewed(new SentinelSource(login, address, trouble)), login, address.sentinels, trouble);
    case 'cluster':
      return tried(new Renewed(new ClusterSource(login, address, trouble)), login, address.servers, trouble);
  }
}

async function tried(
  connection: RedisConnection,
  login: RedisLogin,
  servers: readonly RedisServer[],
  trouble: Trouble,
): Promise<RedisConnection> {
  const first = connection.commands().catch((error: Error) => error);
  return accepted(connection, first, login, servers, trouble);
}

/** Waits FIRST_MS for a first connection and decides: it is good, its server is away, or it is refused (RC3). */
async function accepted(
  connection: RedisConnection,
  first: Promise<unknown>,
  { address, shown }: RedisLogin,
  servers: readonly RedisServer[],
  trouble: Trouble,
): Promise<RedisConnection> {
  const outcome = await Promise.race([first, pause(FIRST_MS).then(() => new ConnectionTimeoutError())]);
  if (!(outcome instanceof Error)) return connection;
  let why = refusalOf(outcome);
  // A server without TLS may read the handshake as an unfinished command and stay silent, so a PING without TLS finds out.
  if (address.tls && why === undefined && (await Promise.all(servers.map(speaksPlainly))).includes(true))
    why = 'the server does not speak TLS; nothing but a PING was sent to it';
  if (why === undefined) {
    trouble(outcome.message);
    return connection;
  }
  connection.close();
  throw new RedisRefusal(`Redis at ${shown} ${why}`);
}

/** One server. The client reconnects by itself without limit, and rejects commands until then (RC1). */
async function connectSingle(
  login: RedisLogin,
  address: RedisAddress & { kind: 'single' },
  trouble: Trouble,
): Promise<RedisConnection> {
  const client = clientOf(address.server, login, address, address.database, UNLESS_REFUSED);
  client.on('error', (error: Error) => trouble(error.message));
  const connecting = client.connect().catch((error: Error) => error);
  const commands = binary(client);
  const connection = { commands: async () => commands, close: () => destroyed(client) };
  return accepted(connection, connecting, login, [address.server], trouble);
}

/** Opens the connections that a Renewed hands out, a new one after every loss. */
interface Source {
  open(lost: () => void): Promise<{ commands: RedisCommands; close(): void }>;
  /** Whether the open connection still leads to the right server; asked before it is handed out. */
  current(): Promise<boolean>;
}

/** A connection that is replaced, not repaired: the first command after a loss opens a new one (RC2). */
class Renewed implements RedisConnection {
  readonly #source: Source;
  #open: { commands: RedisCommands; close(): void } | undefined;
  #opening: Promise<RedisCommands> | undefined;
  #closed = false;
  #failed: { readonly why: Error; readonly atMs: number } | undefined;

  constructor(source: Source) {
    this.#source = source;
  }

  async commands(): Promise<RedisCommands> {
    if (this.#failed !== undefined && performance.now() - this.#failed.atMs < FAILED_FOR_MS) throw this.#failed.why;
    this.#opening ??= this.#renew()
      .catch((why: Error) => {
        this.#failed = { why, atMs: performance.now() };
        throw why;
      })
      .finally(() => {
        this.#opening = undefined;
      });
    return this.#opening;
  }

  close(): void {
    this.#closed = true;
    this.#drop();
  }

  async #renew(): Promise<RedisCommands> {
    if (this.#open !== undefined && !(await this.#source.current())) this.#drop();
    if (this.#closed) throw new Error('the connection to Redis is closed');
    if (this.#open !== undefined) return this.#open.commands;
    let lost = false;
    let opened: { commands: RedisCommands; close(): void } | undefined;
    opened = await this.#source.open(() => {
      lost = true;
      if (opened !== undefined && this.#open === opened) this.#drop();
    });
    if (lost || this.#closed) {
      opened.close();
      throw new Error('the connection to Redis was lost at once');
    }
    this.#open = opened;
    return opened.commands;
  }

  #drop(): void {
    const open = this.#open;
    this.#open = undefined;
    open?.close();
  }
}

/** The master that the Sentinels name. */
class SentinelSource implements Source {
  readonly #login: RedisLogin;
  readonly #address: RedisAddress & { kind: 'sentinel' };
  readonly #trouble: Trouble;
  #master: RedisServer = { host: '', port: 0 };
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(login: RedisLogin, address: RedisAddress & { kind: 'sentinel' }, trouble: Trouble) {
    this.#login = login;
    this.#address = address;
    this.#trouble = trouble;
  }

  async open(lost: () => void): Promise<{ commands: RedisCommands; close(): void }> {
    this.#master = await this.#ask();
    const client = clientOf(this.#master, this.#login, this.#address, this.#address.database, NEVER);
    client.on('error', (error: Error) => {
      this.#trouble(error.message);
      lost();
    });
    await client.connect().catch(async (error: Error) => {
      if (this.#address.tls && refusalOf(error) === undefined && (await speaksPlainly(this.#master)))
        throw new RedisRefusal(`names the master ${shown(this.#master)}, which does not speak TLS`);
      throw error;
    });
    const close = () => destroyed(client);
    // The Sentinels may name a server that is not a master now. A replica refuses writes, and a master deposed while it was away reports so
    // only after the Sentinels have reached it.
    const role = (await client.role().catch(() => undefined))?.role ?? 'it does not say';
    if (role === 'master') return { commands: binary(client), close };
    close();
    throw new Error(`${shown(this.#master)} is no master (${role}), though the Sentinels name it`);
  }

  /** False if the Sentinels name another master. If none of them answers, the connected master is kept. */
  async current(): Promise<boolean> {
    if (performance.now() - this.#askedAt < MASTER_KNOWN_MS) return true;
    const master = await this.#ask().catch((error: Error) => this.#trouble(error.message));
    return master === undefined || shown(master) === shown(this.#master);
  }

  async #ask(): Promise<RedisServer> {
    const { sentinels, master, tls } = this.#address;
    const why: string[] = [];
    let refused: string | undefined;
    this.#askedAt = performance.now();
    for (const sentinel of sentinels) {
      const client = clientOf(sentinel, this.#login, { ...this.#login.sentinels, tls }, 0, NEVER);
      client.on('error', () => undefined);
      try {
        await client.connect();
        const found = await client.sendCommand(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', master]);
        if (Array.isArray(found)) return { host: String(found[0]), port: Number(found[1]) };
        why.push(`${shown(sentinel)} knows no master "${master}"`);
      } catch (error) {
        refused ??= refusalOf(error);
        why.push(`${shown(sentinel)}: ${(error as Error).message}`);
      } finally {
        destroyed(client);
      }
    }
    const message = `no Sentinel names the master "${master}": ${why.join('; ')}`;
    throw refused === undefined ? new Error(message) : new RedisRefusal(`${refused} (${message})`);
  }
}

/**
 * All masters of a Cluster. Each is connected when a command first needs it, and then kept connected without limit. While one is away, the
 * client reads the layout of the slots from the others every few seconds, so it finds a promoted replica.
 */
class ClusterSource implements Source {
  readonly #login: RedisLogin;
  readonly #address: RedisAddress & { kind: 'cluster' };
  readonly #trouble: Trouble;

  constructor(login: RedisLogin, address: RedisAddress & { kind: 'cluster' }, trouble: Trouble) {
    this.#login = login;
    this.#address = address;
    this.#trouble = trouble;
  }

  async open(): Promise<{ commands: RedisCommands; close(): void }> {
    const { servers } = this.#address;
    const cluster = createCluster({
      rootNodes: servers.map((server) => ({ socket: { host: server.host, port: server.port } })),
      defaults: optionsOf(this.#login, this.#address, ONCE_CONNECTED),
      // A server that is away must not block the use of the others.
      minimizeConnections: true,
    });
    let refused: string | undefined;
    const told = (error: Error) => {
      refused ??= refusalOf(error);
      this.#trouble(error.message);
    };
    cluster.on('error', told);
    cluster.on('node-error', told);
    // The client's error only says that no server can be used, so a refusal seen before replaces it.
    await cluster.connect().catch((error: Error) => {
      throw refused === undefined ? error : new RedisRefusal(refused);
    });
    return { commands: binary(cluster), close: () => destroyed(cluster) };
  }

  async current(): Promise<boolean> {
    return true;
  }
}

type Access = Pick<RedisAddress, 'username' | 'password' | 'tls'>;
type Reconnect = (attempt: number, cause: Error) => number | Error;
/** The connection is replaced instead. The client reports its loss as an error only if the strategy returns one. */
const NEVER: Reconnect = (_, cause) => cause;
const FOR_EVER: Reconnect = (attempt) => backOffMs(attempt, 100, 2_000);
/** Without limit, except for a first connection that is refused (RC3). */
const UNLESS_REFUSED: Reconnect = (attempt, cause) =>
  attempt === 0 && refusalOf(cause) !== undefined ? cause : FOR_EVER(attempt, cause);
/**
 * Without limit, except that a first connection that fails is left to the next command. A command that waited for it would never settle
 * (RC1).
 */
const ONCE_CONNECTED: Reconnect = (attempt, cause) =>
  attempt === 0 && ((cause as { syscall?: string }).syscall === 'connect' || cause instanceof ConnectionTimeoutError)
    ? cause
    : UNLESS_REFUSED(attempt, cause);

function clientOf(
  server: RedisServer,
  login: RedisLogin,
  access: Access,
  database: number,
  reconnect: Reconnect,
): Client {
  const { socket, ...options } = optionsOf(login, access, reconnect);
  return createClient({ ...options, database, socket: { ...socket, host: server.host, port: server.port } }) as Client;
}

// With rediss the socket itself is TLS, so no command can leave before the handshake (RC4).
function optionsOf({ certificates }: RedisLogin, { username, password, tls }: Access, reconnectStrategy: Reconnect) {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    // The client's per-command timer of 5 s divides throughput by six on Node 20 and does not bound an answer. The socket's timer does.
    commandOptions: { timeout: undefined as unknown as number },
    disableOfflineQueue: true,
    maintNotifications: 'disabled' as const,
    pingInterval: PING_EVERY_MS,
    socket: {
      connectTimeout: CONNECT_MS,
      socketTimeout: SILENT_MS,
      reconnectStrategy,
      ...(tls ? { tls: true as const, ...tlsOptionsOf(certificates) } : {}),
    },
  };
}

function binary(client: { withTypeMapping(mapping: object): unknown }): RedisCommands {
  return client.withTypeMapping({
    [RESP_TYPES.BLOB_STRING]: Buffer,
    [RESP_TYPES.VERBATIM_STRING]: Buffer,
  }) as RedisCommands;
}

/** destroy() throws if the client has already ended; that error says nothing useful. */
function destroyed(client: { destroy(): void }): void {
  try {
    client.destroy();
  } catch {
    // It has already ended.
  }
}

function shown({ host, port }: RedisServer): string {
  return `${host}:${port}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
