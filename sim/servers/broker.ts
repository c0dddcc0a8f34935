/** The broker as a host sees it through its link. A request or its answer may be lost, and then the call times out. */
import {
  type Broker,
  BrokerError,
  type FollowHandlers,
  type Following,
  type FollowOptions,
  type KeyEntry,
  type Keys,
  type PublishOptions,
  type StoredMessage,
  type StreamFacts,
} from '../../streams/broker.ts';
import { type Consumer, type MemoryLog, type Message, matcher } from '../../streams/memory/log.ts';
import type { Host } from '../host.ts';
import type { Link } from './link.ts';
import type { ServerProcess } from './server-process.ts';

const TIMEOUT_MS = 5_000;

export class Connection {
  readonly host: Host;
  readonly link: Link;
  readonly server: ServerProcess;

  constructor(host: Host, link: Link, server: ServerProcess) {
    this.host = host;
    this.link = link;
    this.server = server;
  }

  /** Sends a request to the server. `work` may answer at any later time. */
  ask<T>(work: (log: MemoryLog, answer: (outcome: T | Error) => void) => void, timeoutMs = TIMEOUT_MS): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.host.clock.after(timeoutMs, () => reject(new BrokerError('unknown', 'no answer in time')));
      const answer = (outcome: T | Error) =>
        this.link.toHost(() => {
          cancel();
          if (outcome instanceof Error) reject(outcome);
          else resolve(outcome);
        });
      this.link.toServer(() => this.server.reach(() => work(this.server.log, answer)));
    });
  }

  /** Sends a request that the server answers immediately. */
  call<T>(work: (log: MemoryLog) => T): Promise<T> {
    return this.ask((log, answer) => {
      try {
        answer(work(log));
      } catch (error) {
        answer(error as Error);
      }
    });
  }
}

export class SimBroker implements Broker {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  get server() {
    return { version: '2.15.1', url: 'sim', maxPayload: this.#connection.server.maxPayloadBytes };
  }

  async publish(subject: string, data: Uint8Array, options: PublishOptions = {}): Promise<number> {
    if (data.length > this.server.maxPayload) throw new BrokerError('too-large', `${data.length} bytes`);
    const { server } = this.#connection;
    const { headers = {}, expectLast } = options;
    return await this.#connection.ask<number>(
      (log, answer) => server.publish(log.route(subject), data, { headers, expectLast }, answer),
      options.timeoutMs,
    );
  }

  stream(name: string): Promise<StreamFacts | undefined> {
    return this.#connection.call((log) => log.info(name));
  }

  annotate(stream: string, metadata: Readonly<Record<string, string>>): Promise<void> {
    return this.#connection.call((log) => log.annotate(stream, metadata));
  }

  async lastOn(stream: string, subject: string): Promise<StoredMessage | undefined> {
    const found = await this.#connection.call((log) => log.lastOn(stream, subject));
    return found === undefined ? undefined : stored(found);
  }

  async message(stream: string, seq: number): Promise<StoredMessage | undefined> {
    const found = await this.#connection.call((log) => log.at(stream, seq));
    return found === undefined ? undefined : stored(found);
  }

  async follow(stream: string, options: FollowOptions, handlers: FollowHandlers): Promise<Following> {
    const { link, server } = this.#connection;
    let closed = false;
    const consumer: Consumer = {
      stream,
      matches: matcher(options.filters),
      next: Math.max(1, options.from),
      deliverySeq: 0,
      deliver: (message, pending, deliverySeq) =>
        link.toHost(() => {
          if (!closed) handlers.message({ ...stored(message), pending, deliverySeq });
        }),
      beat: () =>
        link.toHost(() => {
          if (!closed) handlers.alive();
        }),
    };
    const broken = () => {
      if (!closed) handlers.broken();
    };
    link.broken.add(broken);
    const pending = await this.#connection.call((log) => {
      const waiting = log.pending(consumer);
      server.add(consumer);
      return waiting;
    });
    return {
      pending,
      close: () => {
        closed = true;
        link.broken.delete(broken);
        link.toServer(() => server.log.consumers.delete(consumer));
      },
    };
  }
}

export class SimKeys implements Keys {
  readonly #connection: Connection;
  readonly #bucket: string;

  constructor(connection: Connection, bucket: string) {
    this.#connection = connection;
    this.#bucket = bucket;
  }

  get(key: string): Promise<KeyEntry | undefined> {
    return this.#connection.call((log) => log.get(this.#bucket, key));
  }

  all(): Promise<KeyEntry[]> {
    return this.#connection.call((log) => log.all(this.#bucket));
  }

  put(key: string, value: string, expected?: number): Promise<number> {
    return this.#connection.call((log) => log.put(this.#bucket, key, value, expected));
  }

  async delete(key: string, expected?: number): Promise<void> {
    await this.#connection.call((log) => log.delete(this.#bucket, key, expected));
  }
}

function stored({ seq, subject, data, headers, recordedAt }: Message): StoredMessage {
  return { seq, subject, data, recordedAt, header: (name) => headers[name] };
}
