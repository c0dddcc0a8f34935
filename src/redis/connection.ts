/**
 * Connections to Redis, the one file that imports its client: a single server, the master that Sentinels name, or a Cluster.
 *
 * Invariants:
 *  RC1 A command ends: where Redis is away it rejects, soon, and whoever asked tries again later. Nothing waits for Redis to come back.
 *  RC2 A new master, a new layout of a Cluster, or the same servers started again are found by the next command.
 *  RC3 A first connection that a server refuses, or that lacks the TLS that is asked for, rejects with a RedisRefusal: nothing that is tried
 *     again would mend it. One that was good once is tried for ever.
 *  RC4 With rediss, nothing but a TLS handshake and a PING is sent before TLS stands.
 *
 * Not used is createSentinel of node-redis 6.3.1: it repeats a command for as long as the master is away (tried: no answer after 10 s
 * without a failover), so that a node that starts then would wait for Redis.
 */

import { ConnectionTimeoutError, createClient, createCluster, RESP_TYPES } from 'redis';
import type { RedisAddress, RedisServer } from '../../config/servers/redis-address.ts';
import type { RedisLogin } from '../../config/servers/redis-login.ts';
import { tlsOptionsOf } from '../../config/servers/tls.ts';
import { backOffMs } from '../../streams/clock.ts';
import { RedisRefusal, refusalOf, speaksPlainly } from './refusal.ts';

/** The commands that snapshots need; values are bytes. */
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

/** The first connection may take so long before a node goes on without. */
const FIRST_MS = 3_000;
const CONNECT_MS = 3_000;
/** How long it is taken for granted that the master is the one that the Sentinels named. */
const MASTER_KNOWN_MS = 2_000;
/** So long after a connection could not be made nothing new is tried: a node that starts asks once for each of its partitions. */
const FAILED_FOR_MS = 1_000;
/** A command's socket that hears nothing for so long is given up. */
const SILENT_MS = 30_000;
const PING_EVERY_MS = 10_000;

/** Resolves when it is connected, or after a moment without: Redis may be away. Rejects with a RedisRefusal. */
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

/** What became of a first connection within a moment: it stands, its server is away, or it is refused (RC3). */
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
  // A server that takes the handshake for a command that is not over yet says nothing about it.
  if (address.tls && why === undefined && (await Promise.all(servers.map(speaksPlainly))).includes(true))
    why = 'the server does not speak TLS; nothing but a PING was sent to it';
  if (why === undefined) {
    trouble(outcome.message);
    return connection;
  }
  connection.close();
  throw new RedisRefusal(`Redis at ${shown} ${why}`);
}

/** One server: the client reconnects for ever by itself, and refuses commands meanwhile. */
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

/** What a Renewed connection is made of, anew whenever it is lost. */
interface Source {
  open(lost: () => void): Promise<{ commands: RedisCommands; close(): void }>;
  /** Whether what was opened is still the right one; asked before commands. */
  current(): Promise<boolean>;
}

/** A connection that is not mended but replaced: at the first command after it was lost (RC2). */
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
    // A master that was deposed while it was away says so only after the Sentinels have told it; a replica refuses to write.
    const role = (await client.role().catch(() => undefined))?.role ?? 'it does not say';
    if (role === 'master') return { commands: binary(client), close };
    close();
    throw new Error(`${shown(this.#master)} is no master (${role}), though the Sentinels name it`);
  }

  /** False when the Sentinels name another one. When none of them answers, the one that is connected stays. */
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
 * All masters of a Cluster, each connected when the first command needs it and then for ever. While one is away, the client reads the
 * layout of the slots from the others every few seconds, so that a promoted replica is found.
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
      // A server that is away must not keep the others from being used.
      minimizeConnections: true,
    });
    let refused: string | undefined;
    const told = (error: Error) => {
      refused ??= refusalOf(error);
      this.#trouble(error.message);
    };
    cluster.on('error', told);
    cluster.on('node-error', told);
    // The client says no more than that none of them can be used.
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
/** It is replaced instead; the client tells its loss as an error only if the strategy answers with one. */
const NEVER: Reconnect = (_, cause) => cause;
const FOR_EVER: Reconnect = (attempt) => backOffMs(attempt, 100, 2_000);
/** For ever, but for a first connection that is refused. */
const UNLESS_REFUSED: Reconnect = (attempt, cause) =>
  attempt === 0 && refusalOf(cause) !== undefined ? cause : FOR_EVER(attempt, cause);
/** For ever, but a first connection that fails is left to the next command: the one that waits for it would have no end. */
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

// RC4.
function optionsOf({ certificates }: RedisLogin, { username, password, tls }: Access, reconnectStrategy: Reconnect) {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    // The per-command timer of 5 s costs six times the throughput on Node 20 and does not bound an answer; the socket's does.
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

/** Destroying what has ended already throws, and says nothing of use. */
function destroyed(client: { destroy(): void }): void {
  try {
    client.destroy();
  } catch {
    // It had ended.
  }
}

function shown({ host, port }: RedisServer): string {
  return `${host}:${port}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
