/**
 * The front of the live feed serves WebSocket connections at /v1/live.
 *
 * Invariants:
 *  WS1 Refusals come before the upgrade where possible, as HTTP problems: foreign callers, unknown topics, too many readers.
 *  WS2 A connection whose peer does not answer a ping within PING_MS is cut, and the hub closes a connection that reads nothing. A dead
 *      reader therefore costs only its socket, for half a minute.
 *  WS3 A reader has a budget of topic changes. A reader that exceeds it is disconnected.
 *  WS4 Every connection ends with a code and a reason, as long as its peer can still receive them.
 */
import { fastifyWebsocket, type WebSocket } from '@fastify/websocket';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { wrongField } from '../../actors/ports/refusal.ts';
import { LIMITS } from '../../config/limits.ts';
import type { Hub, Reader, Sink } from '../../dashboards/feed/hub.ts';
import { parseTopic, parseTopics, TOPIC_RULE } from '../../dashboards/feed/topic-name.ts';
import { liveQuery } from '../../streams/contract/system.ts';
import { refuseUnknown } from '../api/checks.ts';
import { FrontProblem } from '../error-status.ts';
import type { LiveEnding } from '../metrics/families.ts';
import { addRoute } from './operation.ts';
import { live } from './routes/system.ts';

const PING_MS = 15_000;
/** How long a connection may take to close before it is cut. */
const CLOSE_MS = 1_000;

/** Close codes (RFC 6455, 7.4.1; 1013 is in the IANA registry). */
const CODES = { left: 1000, stopping: 1001, misused: 1008, slow: 1013, silent: 1008 } as const;

interface LiveFrontDeps {
  readonly hub: Hub;
  /** Called when a connection has ended, with the reason. */
  readonly closed: (ending: LiveEnding) => void;
}

export class LiveFront {
  readonly #deps: LiveFrontDeps;
  readonly #connections = new Set<Connection>();
  #stopping = false;
  #pings: NodeJS.Timeout | undefined;

  constructor(deps: LiveFrontDeps) {
    this.#deps = deps;
  }

  /** Adds the route of the live feed. The plugin sees this route only, so on any other path an offer to upgrade is ignored. */
  addTo(app: FastifyInstance): void {
    app.register(async (scope) => {
      await scope.register(fastifyWebsocket, {
        options: { clientTracking: false, perMessageDeflate: false, maxPayload: LIMITS.liveMessageBytes },
        // After a frame that is malformed or too long, ws itself closes the connection with the right code.
        errorHandler: (_error, socket) => {
          if (socket.readyState === socket.OPEN) socket.terminate();
        },
        preClose: (done) => done(),
      });
      const plain = async () => {
        throw new FrontProblem('upgrade-required', 'ask for it with a WebSocket client');
      };
      addRoute(scope, live, plain, {
        // Runs before the upgrade, so a refusal is still an HTTP problem (WS1).
        preValidation: async (request, reply) => {
          if (request.ws) this.#admit(request);
          else reply.header('Upgrade', 'websocket');
        },
        wsHandler: (socket, request) => this.#connect(socket, request),
      });
    });
    this.#pings = setInterval(() => {
      for (const connection of this.#connections) connection.ping();
    }, PING_MS);
    // A node that fails to start never calls end, and this timer must not keep its process alive.
    this.#pings.unref();
  }

  /** Closes every connection and accepts no new ones. */
  async end(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#pings);
    const ended = [...this.#connections].map((connection) => connection.end('stopping', 'the node stops; come back'));
    await Promise.all(ended);
  }

  #admit(request: FastifyRequest): void {
    if (this.#stopping) throw new FrontProblem('not-ready', 'the node is stopping');
    refuseUnknown(liveQuery, request.query);
    const raw = rawTopics(request);
    const parsed = raw === '' ? { topics: [] } : parseTopics(raw);
    if ('wrong' in parsed)
      throw wrongField('topics', `must not be "${parsed.wrong.slice(0, 100)}"; topics are ${TOPIC_RULE}`);
    if (parsed.topics.length > LIMITS.liveTopics)
      throw wrongField('topics', `must be at most ${LIMITS.liveTopics}, not ${parsed.topics.length}`);
    if (this.#deps.hub.size >= LIMITS.liveReaders)
      throw new FrontProblem(
        'too-many-readers',
        `${LIMITS.liveReaders} readers are connected to this node; try another one`,
      );
  }

  #connect(socket: WebSocket, request: FastifyRequest): void {
    const connection = new Connection(socket, this.#deps, () => this.#connections.delete(connection));
    this.#connections.add(connection);
    connection.subscribe(topicsOf(request));
  }
}

class Connection implements Sink {
  readonly #client: WebSocket;
  readonly #deps: LiveFrontDeps;
  readonly #reader: Reader;
  readonly #changes = new TopicChanges(() => performance.now());
  #alive = true;
  #ending: LiveEnding | undefined;
  readonly #gone: Promise<void>;

  constructor(client: WebSocket, deps: LiveFrontDeps, gone: () => void) {
    this.#client = client;
    this.#deps = deps;
    this.#reader = deps.hub.join(this);
    client.on('message', (data: Buffer, isBinary: boolean) => this.#take(data, isBinary));
    client.on('pong', () => {
      this.#alive = true;
    });
    // After a frame that is malformed or too long, ws closes the connection with the right code.
    client.on('error', () => {
      this.#ending ??= 'misused';
    });
    this.#gone = new Promise((resolve) => {
      client.once('close', () => {
        deps.hub.leave(this.#reader);
        deps.closed(this.#ending ?? 'left');
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
    for (const topic of topics) this.#deps.hub.subscribe(this.#reader, topic);
  }

  // Cuts a connection that did not answer the previous ping (WS2).
  ping(): void {
    if (!this.#alive) {
      this.#ending ??= 'silent';
      this.#client.terminate();
      return;
    }
    this.#alive = false;
    if (this.#client.readyState === this.#client.OPEN) this.#client.ping();
  }

  /** Sends the code and the reason, and cuts the connection if the peer does not close it in time (WS4). */
  end(ending: LiveEnding, why: string): Promise<void> {
    this.#ending ??= ending;
    this.#deps.hub.leave(this.#reader);
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
      if (topic !== undefined) this.#deps.hub.unsubscribe(this.#reader, topic.name);
    }
    for (const text of asked.subscribe) {
      const topic = parseTopic(text);
      if (topic === undefined) return void this.end('misused', shortened(`there is no topic ${text}`));
      if (!this.#reader.topics.has(topic.name) && this.#reader.topics.size >= LIMITS.liveTopics)
        return void this.end('misused', `at most ${LIMITS.liveTopics} topics`);
      this.#deps.hub.subscribe(this.#reader, topic.name);
    }
  }
}

/** A token bucket that limits the topic changes of one reader (WS3). */
class TopicChanges {
  readonly #nowMs: () => number;
  #left: number = LIMITS.liveChangesAtOnce;
  #at: number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#at = nowMs();
  }

  /** False if the budget is exceeded. */
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
    const { subscribe = [], unsubscribe = [], ...unknown } = JSON.parse(data.toString()) as Record<string, unknown>;
    if (!isTexts(subscribe) || !isTexts(unsubscribe) || Object.keys(unknown).length > 0) return undefined;
    return { subscribe, unsubscribe };
  } catch {
    return undefined;
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

/** Shortens a reason to the 123 bytes that a close frame can hold. */
function shortened(why: string): string {
  const bytes = Buffer.from(why.toWellFormed());
  return bytes.length <= 123
    ? why
    : `${bytes
        .subarray(0, 116)
        .toString()
        .replace(/\ufffd+$/, '')}…`;
}

function topicsOf(request: FastifyRequest): string[] {
  const raw = rawTopics(request);
  const parsed = raw === '' ? { topics: [] } : parseTopics(raw);
  return 'topics' in parsed ? parsed.topics.map(({ name }) => name) : [];
}

/** The raw value of the query's `topics`. It is split at commas before it is decoded, because an id may contain an encoded comma. */
function rawTopics({ url }: FastifyRequest): string {
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
