/**
 * The front of the live feed: WebSocket connections at /v1/live. The one file that imports ws.
 *
 * Invariants:
 *  WS1 What can be refused is refused before the upgrade, as an HTTP problem: foreign callers, unknown topics, too many readers.
 *  WS2 A connection whose peer does not answer a ping within PING_MS is cut, and one that takes nothing is closed by the hub: a dead
 *      reader costs its socket for half a minute, nothing else.
 *  WS3 A reader has a budget of topic changes; beyond it, it is closed.
 *  WS4 Every connection ends with a code and a reason where there is still somebody to tell.
 */
import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { LIMITS } from '../../config/limits.ts';
import type { Hub, Reader, Sink } from '../../dashboards/feed/hub.ts';
import { parseTopic, parseTopics, TOPIC_RULE } from '../../dashboards/feed/topic-name.ts';
import { type Callers, refusalOfCaller } from '../api/callers.ts';
import type { LiveEnding, Metrics } from '../metrics/metrics.ts';
import type { ProblemKind } from '../problems.ts';
import { sendBare } from './problems.ts';

export const LIVE_PATH = '/v1/live';
const PING_MS = 15_000;
/** How long a closing connection may take before it is cut. */
const CLOSE_MS = 1_000;

/** Close codes (RFC 6455, 7.4.1; 1013 by IANA's registry). */
const CODES = { left: 1000, stopping: 1001, misused: 1008, slow: 1013, silent: 1008 } as const;

export interface LiveFrontWorld {
  readonly hub: Hub;
  readonly callers: Callers;
  readonly metrics: Pick<Metrics, 'liveClosed'>;
}

/** Takes upgrades of a server; closes every connection when it is called. */
export function attachLive(server: Server, world: LiveFrontWorld): () => Promise<void> {
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: LIMITS.liveMessageBytes,
  });
  const connections = new Set<Connection>();
  let stopping = false;
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') return answerPlainly(server, request, socket);
    // Until it is upgraded nobody else listens for its errors.
    const ignore = () => undefined;
    socket.on('error', ignore);
    const refusal = stopping ? (['not-ready', 'the node is stopping'] as const) : refusalOf(request, world);
    if (refusal !== undefined) return sendBare(socket, ...refusal);
    sockets.handleUpgrade(request, socket, head, (client) => {
      socket.removeListener('error', ignore);
      const connection = new Connection(client, world, () => connections.delete(connection));
      connections.add(connection);
      connection.subscribe(topicsOf(request).map(({ name }) => name));
    });
  };
  server.on('upgrade', upgrade);
  const pings = setInterval(() => {
    for (const connection of connections) connection.ping();
  }, PING_MS);
  // A node that cannot start ends without a stop.
  pings.unref();
  return async () => {
    stopping = true;
    clearInterval(pings);
    const ended = [...connections].map((connection) => connection.end('stopping', 'the node stops; come back'));
    await Promise.all(ended);
  };
}

class Connection implements Sink {
  readonly #client: WebSocket;
  readonly #world: LiveFrontWorld;
  readonly #reader: Reader;
  readonly #changes = new TopicChanges(() => performance.now());
  #alive = true;
  #ending: LiveEnding | undefined;
  readonly #gone: Promise<void>;

  constructor(client: WebSocket, world: LiveFrontWorld, gone: () => void) {
    this.#client = client;
    this.#world = world;
    this.#reader = world.hub.join(this);
    client.on('message', (data: Buffer, isBinary: boolean) => this.#take(data, isBinary));
    client.on('pong', () => {
      this.#alive = true;
    });
    // A frame that is too long or no frame at all: ws closes the connection with the code that says so.
    client.on('error', () => {
      this.#ending ??= 'misused';
    });
    this.#gone = new Promise((resolve) => {
      client.once('close', () => {
        world.hub.leave(this.#reader);
        world.metrics.liveClosed(this.#ending ?? 'left');
        gone();
        resolve();
      });
    });
  }

  get buffered(): number {
    return this.#client.bufferedAmount;
  }

  send(message: Buffer): void {
    if (this.#client.readyState === this.#client.OPEN) this.#client.send(message, { binary: false });
  }

  stuck(): void {
    this.end('slow', 'too slow: it took nothing for 30 s').catch(() => undefined);
  }

  subscribe(topics: readonly string[]): void {
    this.#changes.take(topics.length);
    for (const topic of topics) this.#world.hub.subscribe(this.#reader, topic);
  }

  ping(): void {
    if (!this.#alive) {
      this.#ending ??= 'silent';
      this.#client.terminate();
      return;
    }
    this.#alive = false;
    if (this.#client.readyState === this.#client.OPEN) this.#client.ping();
  }

  /** Says why, and cuts it if the other side does not close in time. */
  end(ending: LiveEnding, why: string): Promise<void> {
    this.#ending ??= ending;
    this.#world.hub.leave(this.#reader);
    this.#client.close(CODES[ending], why);
    const late = setTimeout(() => this.#client.terminate(), CLOSE_MS);
    return this.#gone.finally(() => clearTimeout(late));
  }

  #take(data: Buffer, isBinary: boolean): void {
    if (this.#ending !== undefined) return;
    const asked = isBinary ? undefined : readAsked(data);
    if (asked === undefined)
      return void this.end('misused', 'a message is {"subscribe":["…"]} or {"unsubscribe":["…"]} as JSON text');
    if (!this.#changes.take(Math.max(1, asked.subscribe.length + asked.unsubscribe.length)))
      return void this.end(
        'misused',
        `too many topic changes: at most ${LIMITS.liveChangesPerSecond} a second, ${LIMITS.liveChangesAtOnce} at once`,
      );
    for (const text of asked.unsubscribe) {
      const topic = parseTopic(text);
      if (topic !== undefined) this.#world.hub.unsubscribe(this.#reader, topic.name);
    }
    for (const text of asked.subscribe) {
      const topic = parseTopic(text);
      if (topic === undefined) return void this.end('misused', shortened(`there is no topic ${text}`));
      if (!this.#reader.topics.has(topic.name) && this.#reader.topics.size >= LIMITS.liveTopics)
        return void this.end('misused', `at most ${LIMITS.liveTopics} topics`);
      this.#world.hub.subscribe(this.#reader, topic.name);
    }
  }
}

/** The budget of one reader: a token bucket. */
class TopicChanges {
  readonly #nowMs: () => number;
  #left: number = LIMITS.liveChangesAtOnce;
  #at: number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#at = nowMs();
  }

  /** False if there are too many. */
  take(changes: number): boolean {
    const now = this.#nowMs();
    this.#left = Math.min(
      LIMITS.liveChangesAtOnce,
      this.#left + ((now - this.#at) / 1000) * LIMITS.liveChangesPerSecond,
    );
    this.#at = now;
    this.#left -= changes;
    return this.#left >= 0;
  }
}

function readAsked(data: Buffer): { subscribe: readonly string[]; unsubscribe: readonly string[] } | undefined {
  try {
    const { subscribe = [], unsubscribe = [] } = JSON.parse(data.toString()) as Record<string, unknown>;
    return isTexts(subscribe) && isTexts(unsubscribe) ? { subscribe, unsubscribe } : undefined;
  } catch {
    return undefined;
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

/** A close frame holds at most 123 bytes of reason. */
function shortened(why: string): string {
  const bytes = Buffer.from(why.toWellFormed());
  return bytes.length <= 123
    ? why
    : `${bytes
        .subarray(0, 116)
        .toString()
        .replace(/\ufffd+$/, '')}…`;
}

function topicsOf(request: IncomingMessage) {
  const raw = rawTopics(request);
  const parsed = raw === '' ? { topics: [] } : parseTopics(raw);
  return 'topics' in parsed ? parsed.topics : [];
}

/** The query's value as it was sent: ids are encoded within it, and commas stand between them. */
function rawTopics({ url = '' }: IncomingMessage): string {
  const query = url.indexOf('?');
  if (query < 0) return '';
  const given = url
    .slice(query + 1)
    .split('&')
    .filter((part) => part.startsWith('topics='))
    .map((part) => part.slice('topics='.length))
    .filter((part) => part !== '');
  return given.join(',');
}

function refusalOf(request: IncomingMessage, world: LiveFrontWorld): readonly [ProblemKind, string] | undefined {
  const { url = '' } = request;
  const path = url.split('?', 1)[0] as string;
  const foreign = refusalOfCaller(request.rawHeaders, world.callers);
  if (foreign !== undefined) return foreign;
  if (path !== LIVE_PATH) return ['not-found', `there is no WebSocket at ${path.slice(0, 200)}; it is at ${LIVE_PATH}`];
  const raw = rawTopics(request);
  const parsed = raw === '' ? { topics: [] } : parseTopics(raw);
  if ('wrong' in parsed)
    return ['invalid-request', `topics: there is no topic "${parsed.wrong.slice(0, 100)}"; topics are ${TOPIC_RULE}`];
  if (parsed.topics.length > LIMITS.liveTopics)
    return ['invalid-request', `topics: ${parsed.topics.length} are asked for; at most ${LIMITS.liveTopics} are sent`];
  if (world.hub.size >= LIMITS.liveReaders)
    return ['too-many-readers', `${LIMITS.liveReaders} readers are connected to this node; try another one`];
  return undefined;
}

/** An upgrade to something else is an offer, which a server may pass over: it is answered as the request that it is. */
function answerPlainly(server: Server, request: IncomingMessage, socket: Duplex): void {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket as never);
  response.once('finish', () => socket.end());
  server.emit('request', request, response);
}
