/**
 * The one file, beside nats-login.ts, that imports the NATS client. Everything else sees a Broker (streams/broker.ts), or asks and serves
 * requests through it.
 *
 * Invariant B1: it reconnects for ever; what was published while disconnected has an unknown outcome, never a good one.
 */
import {
  AckPolicy,
  type ConsumerMessages,
  DeliverPolicy,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
  jetstream,
  jetstreamManager,
  type StreamConfig,
} from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import { Svcm } from '@nats-io/services';
import {
  connect,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  nanos,
  headers as newHeaders,
  nuid,
} from '@nats-io/transport-node';
import {
  type Broker,
  BrokerError,
  type FollowedMessage,
  type FollowHandlers,
  type Following,
  type Headers,
  type KeyEntry,
  type Keys,
  type PublishOptions,
  type StoredMessage,
  type StreamFacts,
} from './broker.ts';
import { EndpointStats } from './endpoint-stats.ts';
import {
  type ConnectError,
  connectFault,
  connectionOptions,
  firstConnectFault,
  loginOf,
  type NatsLogin,
} from './nats-login.ts';
import { Objects } from './objects.ts';

export interface NatsStreamFacts extends StreamFacts {
  readonly config: Partial<StreamConfig>;
}
export interface ServiceReply {
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly errorCode?: number | undefined;
  readonly errorText?: string | undefined;
}
export interface ServiceEndpoint {
  readonly group: string;
  readonly name: string;
  readonly handler: (data: Uint8Array, contentType: string | undefined) => Promise<ServiceReply>;
}

const CONFLICTS = new Set([10071, 10164]);
const UNKNOWN_OUTCOMES = new Set([10158, 10163, 10167]);

/** Longest wait for all keys of a bucket. */
const ALL_KEYS_MS = 4_000;

/** A nonce for names that must be new at every start. */
export function nonce(): string {
  return nuid.next();
}

export class NatsBroker implements Broker {
  readonly #nc: NatsConnection;
  readonly #login: NatsLogin;
  readonly #js: JetStreamClient;
  readonly #jsm: JetStreamManager;
  /** Told when the connection was lost and is there again. */
  readonly #following = new Set<() => void>();

  private constructor(nc: NatsConnection, jsm: JetStreamManager, login: NatsLogin) {
    this.#nc = nc;
    this.#login = login;
    this.#js = jetstream(nc);
    this.#jsm = jsm;
    void this.#watch();
  }

  async #watch(): Promise<void> {
    for await (const { type } of this.#nc.status()) {
      if (type === 'reconnect') for (const broken of [...this.#following]) broken();
    }
  }

  /**
   * Rejects with a ConnectError.
   * @param at settings that say where NATS is and who logs in, or URLs with commas alone
   */
  static async connect(at: NatsLogin | string, name: string): Promise<NatsBroker> {
    const login = loginOf(at);
    const nc = await connect({
      ...connectionOptions(login),
      name,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 250,
      pingInterval: 5_000,
      maxPingOut: 2,
      noAsyncTraces: true,
      timeout: 5_000,
    }).catch(async (error) => Promise.reject(await firstConnectFault(login, error)));
    return new NatsBroker(nc, await jetstreamManager(nc, { checkAPI: false, timeout: 5_000 }), login);
  }

  get server(): { version: string; url: string; maxPayload: number } {
    return {
      version: this.#nc.info?.version ?? '',
      url: this.#nc.getServer(),
      maxPayload: this.#nc.info?.max_payload ?? 0,
    };
  }

  /** Resolves when it is closed for good, with the reason if nobody here has closed it. */
  get closed(): Promise<ConnectError | undefined> {
    return this.#nc.closed().then((error) => (error === undefined ? undefined : connectFault(this.#login, error)));
  }

  async close(): Promise<void> {
    await this.#nc.drain().catch(() => this.#nc.close());
  }

  async flush(): Promise<void> {
    await this.#nc.flush();
  }

  async publish(subject: string, data: Uint8Array, options: PublishOptions = {}): Promise<number> {
    try {
      const ack = await this.#js.publish(subject, data, {
        timeout: options.timeoutMs ?? 5_000,
        ...(options.headers === undefined ? {} : { headers: toHeaders(options.headers) }),
        ...(options.expectLast === undefined ? {} : { expect: { lastSubjectSequence: options.expectLast } }),
      });
      return ack.seq;
    } catch (error) {
      throw sorted(error);
    }
  }

  async stream(name: string): Promise<NatsStreamFacts | undefined> {
    try {
      const { config, created, state } = await this.#jsm.streams.info(name);
      return {
        config,
        metadata: config.metadata,
        created: String(created),
        firstSeq: state.first_seq,
        lastSeq: state.last_seq,
        messages: state.messages,
      };
    } catch (error) {
      if (isApiError(error, 10059)) return undefined;
      throw sorted(error);
    }
  }

  async addStream(config: Partial<StreamConfig> & { name: string }): Promise<void> {
    try {
      await this.#jsm.streams.add(config);
    } catch (error) {
      throw sorted(error);
    }
  }

  async updateStream(name: string, config: Partial<StreamConfig>): Promise<void> {
    await this.#jsm.streams.update(name, config).catch((error) => Promise.reject(sorted(error)));
  }

  /** Removes messages below a sequence, of one subject if it is given: never one at or behind it, however late the request comes. */
  async purgeBelow(stream: string, seq: number, subject?: string): Promise<number> {
    const query = subject === undefined ? { seq } : { seq, filter: subject };
    const { purged } = await this.#jsm.streams.purge(stream, query).catch((error) => Promise.reject(sorted(error)));
    return purged;
  }

  /** Subjects that a stream holds under a prefix that ends in a dot. */
  async subjects(stream: string, prefix: string): Promise<string[]> {
    const info = await this.#jsm.streams
      .info(stream, { subjects_filter: `${prefix}>` })
      .catch((error) => Promise.reject(sorted(error)));
    return Object.keys(info.state.subjects ?? {});
  }

  /** Opens an object store, made if it is missing. */
  async objects(bucket: string, replicas: number): Promise<Objects> {
    return Objects.open(this.#js, bucket, replicas).catch((error) => Promise.reject(sorted(error)));
  }

  async lastOn(stream: string, subject: string): Promise<StoredMessage | undefined> {
    return this.#get(stream, { last_by_subj: subject });
  }

  async message(stream: string, seq: number): Promise<StoredMessage | undefined> {
    return this.#get(stream, { seq });
  }

  async #get(stream: string, query: { last_by_subj: string } | { seq: number }): Promise<StoredMessage | undefined> {
    try {
      const found = await this.#jsm.streams.getMessage(stream, query);
      if (found === null) return undefined;
      return {
        seq: found.seq,
        subject: found.subject,
        data: found.data,
        recordedAt: found.time.getTime() * 1000,
        header: (name) => headerOf(found.header, name),
      };
    } catch (error) {
      if (isApiError(error, 10037)) return undefined;
      throw sorted(error);
    }
  }

  /**
   * Delivers what the stream holds from a sequence on, then what comes: one ephemeral pull consumer without acks, whose position
   * the caller keeps. It does not come back by itself: `alive` is called with every sign of life, and the caller starts anew.
   */
  async follow(
    stream: string,
    options: { filters: readonly string[]; from: number; batch: number },
    handlers: FollowHandlers,
  ): Promise<Following> {
    let ms: ConsumerMessages | undefined;
    try {
      const info = await this.#jsm.consumers.add(stream, {
        name: `h${nuid.next()}`,
        ...(options.filters.length === 1
          ? { filter_subject: options.filters[0] as string }
          : options.filters.length === 0
            ? {}
            : { filter_subjects: [...options.filters] }),
        ack_policy: AckPolicy.None,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: Math.max(1, options.from),
        mem_storage: true,
        num_replicas: 1,
        inactive_threshold: nanos(30_000),
      });
      ms = await this.#js.consumers.getConsumerFromInfo(info).consume({
        max_messages: options.batch,
        expires: 3_000,
        idle_heartbeat: 500,
        bind: true,
        callback: (message: JsMsg) => handlers.message(new Delivered(message)),
      });
      // Heartbeats alone are the server's: `next` says only that the client has asked again.
      const statuses = ms.status();
      void (async () => {
        for await (const status of statuses) if (status.type === 'heartbeat') handlers.alive();
      })();
      const consuming = ms;
      this.#following.add(handlers.broken);
      return {
        pending: info.num_pending,
        close: () => {
          this.#following.delete(handlers.broken);
          void consuming.close().catch(() => undefined);
          void this.#jsm.consumers.delete(stream, info.name).catch(() => undefined);
        },
      };
    } catch (error) {
      void ms?.close().catch(() => undefined);
      throw sorted(error);
    }
  }

  /** Opens a key-value bucket, made if it is missing; reads go through the leader. */
  async keys(bucket: string, options: { ttlMs?: number; replicas: number }): Promise<NatsKeys> {
    try {
      const kv = await new Kvm(this.#js).create(bucket, {
        history: 1,
        replicas: options.replicas,
        allow_direct: false,
        ...(options.ttlMs === undefined ? {} : { ttl: options.ttlMs, markerTTL: Math.max(options.ttlMs, 1_000) }),
      });
      return new NatsKeys(kv, bucket, this.#js, this.#jsm);
    } catch (error) {
      throw sorted(error);
    }
  }

  /**
   * Answers requests on a subject. The handler's answer is sent when it comes; a rejection is sent as an empty message. What is on its
   * way when it stops is still answered: an unsubscribe would drop it, and its caller would wait for nothing.
   */
  serve(subject: string, handler: (data: Uint8Array) => Promise<Uint8Array>): { stop(): void } {
    const subscription = this.#nc.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) return;
        handler(message.data).then(
          (answer) => message.respond(answer),
          () => message.respond(new Uint8Array()),
        );
      },
    });
    return { stop: () => void subscription.drain().catch(() => undefined) };
  }

  /** Sends a message to whoever listens now; what is sent while disconnected is lost. */
  send(subject: string, data: Uint8Array): void {
    if (!this.#nc.isClosed()) this.#nc.publish(subject, data);
  }

  /** Passes on messages of a subject. What it throws is the listener's own fault and ends nothing else. */
  listen(subject: string, listener: (data: Uint8Array) => void): { stop(): void } {
    const subscription = this.#nc.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) listener(message.data);
      },
    });
    return { stop: () => subscription.unsubscribe() };
  }

  async request(subject: string, data: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    try {
      return (await this.#nc.request(subject, data, { timeout: timeoutMs })).data;
    } catch (error) {
      throw sorted(error);
    }
  }

  /** Registers a NATS micro service ($SRV.PING, INFO, STATS) with its endpoints `<group>.<name>`. */
  async service(
    name: string,
    version: string,
    description: string,
    endpoints: readonly ServiceEndpoint[],
  ): Promise<{ stop(): Promise<void> }> {
    const stats = new Map<string, EndpointStats>();
    const statsHandler = async (endpoint: { subject: string }) => stats.get(endpoint.subject)?.show(endpoint);
    const service = await new Svcm(this.#nc as never).add({ name, version, description, statsHandler });
    for (const { group, name: endpoint, handler } of endpoints) {
      const counted = new EndpointStats();
      stats.set(`${group}.${endpoint}`, counted);
      service.addGroup(group).addEndpoint(endpoint, {
        handler: (error, message) => {
          if (error !== null) return;
          void answer(message as unknown as Msg, handler, counted);
        },
      });
    }
    return { stop: async () => void (await service.stop()) };
  }
}

export class NatsKeys implements Keys {
  readonly #kv: KV;
  readonly #bucket: string;
  readonly #js: JetStreamClient;
  readonly #jsm: JetStreamManager;
  constructor(kv: KV, bucket: string, js: JetStreamClient, jsm: JetStreamManager) {
    this.#kv = kv;
    this.#bucket = bucket;
    this.#js = js;
    this.#jsm = jsm;
  }

  async get(key: string): Promise<KeyEntry | undefined> {
    const entry = await this.#kv.get(key).catch((error) => Promise.reject(this.#sorted(error)));
    if (entry === null || entry.operation !== 'PUT') return undefined;
    return { key, value: entry.string(), revision: entry.revision, createdMs: entry.created.getTime() };
  }

  /** Through a consumer of its own that is deleted at once: those of `kv.history` stay for minutes, and this is asked every second. */
  async all(): Promise<KeyEntry[]> {
    const entries: KeyEntry[] = [];
    const stream = `KV_${this.#bucket}`;
    try {
      const info = await this.#jsm.consumers.add(stream, {
        name: `h${nuid.next()}`,
        filter_subject: `$KV.${this.#bucket}.>`,
        ack_policy: AckPolicy.None,
        deliver_policy: DeliverPolicy.LastPerSubject,
        mem_storage: true,
        num_replicas: 1,
        inactive_threshold: nanos(5_000),
      });
      try {
        if (info.num_pending === 0) return entries;
        const consumer = this.#js.consumers.getConsumerFromInfo(info);
        const messages = await consumer.fetch({ max_messages: info.num_pending, expires: 2_000 });
        // A fetch over a connection that breaks may end early, or not at all.
        const late = setTimeout(() => void messages.close(), ALL_KEYS_MS);
        let read = 0;
        for await (const message of messages) {
          read += 1;
          const entry = entryOf(message, this.#bucket);
          if (entry !== undefined) entries.push(entry);
        }
        clearTimeout(late);
        // Part of a bucket must not pass for all of it: who is missing would be taken for dead.
        if (read < info.num_pending)
          throw new BrokerError('unknown', `${read} of ${info.num_pending} keys of ${this.#bucket} came`);
      } finally {
        void this.#jsm.consumers.delete(stream, info.name).catch(() => undefined);
      }
    } catch (error) {
      throw this.#sorted(error);
    }
    return entries;
  }

  async put(key: string, value: string, expected?: number): Promise<number> {
    try {
      if (expected === undefined) return await this.#kv.put(key, value);
      return expected === 0 ? await this.#kv.create(key, value) : await this.#kv.update(key, value, expected);
    } catch (error) {
      throw this.#sorted(error);
    }
  }

  async delete(key: string, expected?: number): Promise<void> {
    const options = expected === undefined ? {} : { previousSeq: expected };
    await this.#kv.delete(key, options).catch((error) => Promise.reject(this.#sorted(error)));
  }

  /** A time-out alone would not say what does not answer. */
  #sorted(error: unknown): BrokerError {
    const { kind, message } = sorted(error);
    return new BrokerError(kind, `bucket ${this.#bucket}: ${message}`, { cause: error });
  }
}

/** A key that is there; undefined for the marker of one that was deleted or has expired. */
function entryOf(message: JsMsg, bucket: string): KeyEntry | undefined {
  const { headers } = message;
  if (headers?.has('KV-Operation') === true || headers?.has('Nats-Marker-Reason') === true) return undefined;
  return {
    key: message.subject.slice(`$KV.${bucket}.`.length),
    value: message.string(),
    revision: message.seq,
    createdMs: Math.floor(Number(message.info.timestampNanos) / 1e6),
  };
}

/** A delivered message whose details are read only when asked for. */
class Delivered implements FollowedMessage {
  readonly #message: JsMsg;
  readonly seq: number;
  constructor(message: JsMsg) {
    this.#message = message;
    this.seq = message.seq;
  }
  get subject(): string {
    return this.#message.subject;
  }
  get data(): Uint8Array {
    return this.#message.data;
  }
  get recordedAt(): number {
    return Math.floor(Number(this.#message.info.timestampNanos) / 1000);
  }
  get pending(): number {
    return this.#message.info.pending;
  }
  get deliverySeq(): number {
    return this.#message.info.deliverySequence;
  }
  header(name: string): string | undefined {
    return headerOf(this.#message.headers, name);
  }
}

async function answer(message: Msg, handler: ServiceEndpoint['handler'], stats: EndpointStats): Promise<void> {
  const began = performance.now();
  const reply = await handler(message.data, headerOf(message.headers, 'Content-Type'));
  const headers = newHeaders();
  headers.set('Content-Type', reply.contentType);
  if (reply.errorCode !== undefined) {
    headers.set('Nats-Service-Error-Code', String(reply.errorCode));
    headers.set('Nats-Service-Error', reply.errorText ?? '');
  }
  message.respond(reply.body, { headers });
  stats.count(
    performance.now() - began,
    reply.errorCode === undefined ? undefined : `${reply.errorCode} ${reply.errorText ?? ''}`,
  );
}

function toHeaders(plain: Headers): MsgHdrs {
  const headers = newHeaders();
  for (const [name, value] of Object.entries(plain)) headers.set(name, value);
  return headers;
}

function headerOf(headers: MsgHdrs | undefined, name: string): string | undefined {
  return headers?.has(name) === true ? headers.get(name) : undefined;
}

function isApiError(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}

function sorted(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof JetStreamApiError)) return new BrokerError('unknown', message, { cause: error });
  if (CONFLICTS.has(error.code)) return new BrokerError('conflict', message, { cause: error });
  if (UNKNOWN_OUTCOMES.has(error.code) || error.status >= 500)
    return new BrokerError('unknown', message, { cause: error });
  return new BrokerError('refused', message, { cause: error });
}
