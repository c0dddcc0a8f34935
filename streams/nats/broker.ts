/**
 * The connection to NATS. Code outside of this folder uses it as a Broker (streams/broker.ts), or sends and serves requests through it.
 *
 * Invariants:
 *  BK1 It reconnects without limit. A publish during a disconnect has an unknown outcome, never a good one.
 *  BK2 No handler of messages can end the client's reader, because its exceptions go to `onFault`. A message that is too large for the
 *     server is not sent, because the server would close the connection and everything in flight would be lost.
 */

import {
  AckPolicy,
  type ConsumerMessages,
  DeliverPolicy,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
  jetstream,
  jetstreamManager,
  type StreamConfig,
} from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { connect, type NatsConnection, nanos, nuid } from '@nats-io/transport-node';
import { LIMITS } from '../../config/limits.ts';
import { JOURNAL_STREAM, PARKED_STREAM } from '../../config/topology.ts';
import { at } from '../assert.ts';
import type {
  Broker,
  FollowHandlers,
  Following,
  FollowOptions,
  MessageFault,
  MessageKind,
  PublishOptions,
  StoredMessage,
  StreamFacts,
} from '../broker.ts';
import { parseInstant } from '../instant.ts';
import { isApiError, made, sorted } from './errors.ts';
import { Durable } from './events/durable.ts';
import { Exchange, type Server } from './exchange.ts';
import { NatsKeys } from './keys.ts';
import {
  type ConnectError,
  connectFault,
  connectionOptions,
  firstConnectFault,
  loginOf,
  type NatsLogin,
} from './login.ts';
import { Delivered, headerOf, roomOf, toHeaders } from './messages.ts';
import { Objects } from './objects.ts';
import { registerService, type ServiceEndpoint } from './service.ts';

export interface NatsStreamFacts extends StreamFacts {
  readonly config: Partial<StreamConfig>;
}

/** A nonce for names that must be unique to each start. */
export function nonce(): string {
  return nuid.next();
}

export class NatsBroker implements Broker {
  readonly #nc: NatsConnection;
  readonly #login: NatsLogin;
  readonly #js: JetStreamClient;
  readonly #jsm: JetStreamManager;
  /** Called when a lost connection is back. */
  readonly #following = new Set<() => void>();
  readonly #exchange: Exchange;
  /** Called for each message that could not be read, sent or handled. */
  onFault: MessageFault = () => undefined;

  private constructor(nc: NatsConnection, jsm: JetStreamManager, login: NatsLogin) {
    this.#nc = nc;
    this.#login = login;
    this.#js = jetstream(nc);
    this.#jsm = jsm;
    this.#exchange = new Exchange(nc, (kind, error) => this.onFault(kind, error));
    this.#watch().catch(() => undefined);
  }

  async #watch(): Promise<void> {
    for await (const { type } of this.#nc.status()) {
      if (type === 'reconnect') for (const broken of [...this.#following]) broken();
    }
  }

  /**
   * Connects and logs in. Rejects with a ConnectError.
   * @param at settings with the address and the login, or only URLs separated by commas
   */
  static async connect(at: NatsLogin | string, name: string): Promise<NatsBroker> {
    const login = loginOf(at);
    const nc = await connect({
      ...connectionOptions(login),
      name,
      // -1 retries without limit (BK1).
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

  /** Bytes of data that one message may carry at present. */
  get room(): number {
    return roomOf(this.#nc);
  }

  /** Resolves when the connection is closed for good, with the reason unless this program closed it. */
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
        bytes: state.bytes,
        maxBytes: config.max_bytes > 0 ? config.max_bytes : undefined,
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

  async annotate(stream: string, metadata: Readonly<Record<string, string>>): Promise<void> {
    await this.updateStream(stream, { metadata: { ...metadata } });
  }

  async updateStream(name: string, config: Partial<StreamConfig>): Promise<void> {
    await this.#jsm.streams.update(name, config).catch((error) => Promise.reject(sorted(error)));
  }

  /** Removes the messages below a sequence, on one subject if given. A late request still removes nothing at or after the sequence. */
  async purgeBelow(stream: string, seq: number, subject?: string): Promise<number> {
    const query = subject === undefined ? { seq } : { seq, filter: subject };
    const { purged } = await this.#jsm.streams.purge(stream, query).catch((error) => Promise.reject(sorted(error)));
    return purged;
  }

  /** Subjects that a stream holds under a prefix. The prefix ends in a dot. */
  async subjects(stream: string, prefix: string): Promise<string[]> {
    const info = await this.#jsm.streams
      .info(stream, { subjects_filter: `${prefix}>` })
      .catch((error) => Promise.reject(sorted(error)));
    return Object.keys(info.state.subjects ?? {});
  }

  /** Opens an object store, and creates it if it is missing. */
  async objects(bucket: string, replicas: number): Promise<Objects> {
    return made(() =>
      Objects.open(this.#js, bucket, replicas, this.room).catch((error) => Promise.reject(sorted(error))),
    );
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
        recordedAt: parseInstant(found.timestamp) ?? found.time.getTime() * 1000,
        header: (name) => headerOf(found.header, name),
      };
    } catch (error) {
      if (isApiError(error, 10037)) return undefined;
      throw sorted(error);
    }
  }

  /**
   * Delivers the stream from a sequence on, including later messages. It uses one ephemeral pull consumer without acks, and the caller
   * keeps the position. The consumer does not recover by itself. `alive` is called at every heartbeat, and the caller starts again if
   * the calls stop.
   */
  async follow(stream: string, options: FollowOptions, handlers: FollowHandlers): Promise<Following> {
    const kind = kindOfStream(stream);
    const guarded = (take: () => void) => {
      try {
        take();
      } catch (error) {
        this.onFault(kind, error);
      }
    };
    let ms: ConsumerMessages | undefined;
    try {
      const info = await this.#jsm.consumers.add(stream, {
        name: `h${nuid.next()}`,
        ...(options.filters.length === 1
          ? { filter_subject: at(options.filters, 0) }
          : options.filters.length === 0
            ? {}
            : { filter_subjects: [...options.filters] }),
        ack_policy: AckPolicy.None,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: Math.max(1, options.from),
        mem_storage: true,
        num_replicas: 1,
        headers_only: options.headersOnly ?? false,
        inactive_threshold: nanos(30_000),
      });
      ms = await this.#js.consumers.getConsumerFromInfo(info).consume({
        max_messages: options.batch,
        expires: 3_000,
        idle_heartbeat: 500,
        bind: true,
      });
      this.#deliver(ms, (message) => guarded(() => handlers.message(new Delivered(message)))).catch((error) =>
        this.onFault(kind, error),
      );
      // Only heartbeats come from the server. A `next` status says only that the client has asked again.
      const statuses = ms.status();
      (async () => {
        for await (const status of statuses) if (status.type === 'heartbeat') handlers.alive();
      })().catch((error) => this.onFault(kind, error));
      const consuming = ms;
      this.#following.add(handlers.broken);
      return {
        pending: info.num_pending,
        close: () => {
          this.#following.delete(handlers.broken);
          consuming.close().catch(() => undefined);
          this.#jsm.consumers.delete(stream, info.name).catch(() => undefined);
        },
      };
    } catch (error) {
      ms?.close().catch(() => undefined);
      throw sorted(error);
    }
  }

  /**
   * Passes the messages on, in turns. With a callback the client would pass a whole pull on in one turn. The client pulls more only when
   * the messages of the last pull have been passed on.
   */
  async #deliver(messages: ConsumerMessages, take: (message: JsMsg) => void): Promise<void> {
    let began = performance.now();
    for await (const message of messages) {
      take(message);
      if (performance.now() - began < LIMITS.deliveryTurnMs) continue;
      await new Promise((resolve) => setImmediate(resolve));
      began = performance.now();
    }
  }

  /** A durable consumer of a stream, which need not exist yet. */
  durable(stream: string, name: string): Durable {
    return new Durable(this.#js, this.#jsm, stream, name);
  }

  /** Opens a key-value bucket, and creates it if it is missing. Reads go through the leader. */
  async keys(bucket: string, options: { ttlMs?: number; replicas: number; history?: number }): Promise<NatsKeys> {
    const { history = 1 } = options;
    const wanted = {
      history,
      replicas: options.replicas,
      allow_direct: false,
      ...(options.ttlMs === undefined ? {} : { ttl: options.ttlMs, markerTTL: Math.max(options.ttlMs, 1_000) }),
    };
    const kv = await made(() =>
      new Kvm(this.#js).create(bucket, wanted).catch((error) => Promise.reject(sorted(error))),
    );
    // A bucket that an older version has made keeps fewer changes of a key.
    if (history > 1 && (await this.stream(`KV_${bucket}`))?.config.max_msgs_per_subject !== history)
      await this.updateStream(`KV_${bucket}`, { max_msgs_per_subject: history });
    return new NatsKeys(kv, bucket, this.#js, this.#jsm);
  }

  /** Answers requests on a subject. A large answer goes out in parts; one that is too large is refused (NX1). */
  serve(subject: string, server: Server): { stop(): void } {
    return this.#exchange.serve(subject, server);
  }

  /** Sends a message to the present listeners. It is lost while disconnected, and is not sent if it exceeds the server's max_payload. */
  send(subject: string, data: Uint8Array): void {
    this.#exchange.send(subject, data);
  }

  /** Passes the messages of a subject on. An exception of the listener goes to `onFault`, and listening continues (BK2). */
  listen(subject: string, listener: (data: Uint8Array) => void): { stop(): void } {
    return this.#exchange.listen(subject, listener);
  }

  /** Resolves to the answer of the subject's server. Rejects with a BrokerError. */
  request(subject: string, data: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return this.#exchange.request(subject, data, timeoutMs);
  }

  /** Registers a NATS micro service ($SRV.PING, INFO, STATS). Its endpoints are `<group>.<name>`. */
  async service(
    name: string,
    version: string,
    description: string,
    endpoints: readonly ServiceEndpoint[],
  ): Promise<{ stop(): Promise<void> }> {
    return registerService(this.#nc, { name, version, description }, endpoints, (kind, error) =>
      this.onFault(kind, error),
    );
  }
}

function kindOfStream(stream: string): MessageKind {
  if (stream === JOURNAL_STREAM) return 'journal';
  return stream === PARKED_STREAM ? 'parked' : 'facts';
}
