/** The broker and its buckets in memory. Calls complete at once, and followers are served between turns of the event loop. */
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
} from '../broker.ts';
import { type Clock, every } from '../clock.ts';
import { type Consumer, type MemoryLog, type Message, matcher } from './log.ts';

const HEARTBEAT_MS = 500;
const MAX_PAYLOAD = 8 * 1024 * 1024;

export class MemoryBroker implements Broker {
  readonly server = { version: 'memory', url: 'memory', maxPayload: MAX_PAYLOAD };
  readonly #log: MemoryLog;
  readonly #clock: Clock;

  constructor(log: MemoryLog, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  async publish(subject: string, data: Uint8Array, options: PublishOptions = {}): Promise<number> {
    if (data.length > MAX_PAYLOAD) throw new BrokerError('too-large', `${data.length} bytes`);
    const { stream, stored } = this.#log.route(subject);
    this.#log.expect(stream, stored, options.expectLast);
    return this.#log.store(stream, stored, data, options.headers ?? {});
  }

  async stream(name: string): Promise<StreamFacts | undefined> {
    return this.#log.info(name);
  }

  async annotate(stream: string, metadata: Readonly<Record<string, string>>): Promise<void> {
    this.#log.annotate(stream, metadata);
  }

  async lastOn(stream: string, subject: string): Promise<StoredMessage | undefined> {
    return storedOf(this.#log.lastOn(stream, subject));
  }

  async message(stream: string, seq: number): Promise<StoredMessage | undefined> {
    return storedOf(this.#log.at(stream, seq));
  }

  async follow(stream: string, { filters, from, batch }: FollowOptions, handlers: FollowHandlers): Promise<Following> {
    const consumer: Consumer = {
      stream,
      matches: matcher(filters),
      next: Math.max(1, from),
      deliverySeq: 0,
      deliver: (message, pending, deliverySeq) =>
        handlers.message({ ...(storedOf(message) as StoredMessage), pending, deliverySeq }),
      beat: () => handlers.alive(),
    };
    const pending = this.#log.pending(consumer);
    let waits = false;
    const pump = () => {
      if (waits) return;
      waits = true;
      this.#clock.turn(() => {
        waits = false;
        if (!this.#log.consumers.has(consumer)) return;
        this.#log.pump(consumer, batch);
        if (this.#log.pending(consumer) > 0) pump();
      });
    };
    this.#log.consumers.add(consumer);
    const unhear = this.#log.hear((on) => {
      if (on === stream) pump();
    });
    const endBeats = every(this.#clock, HEARTBEAT_MS, consumer.beat);
    pump();
    return {
      pending,
      close: () => {
        this.#log.consumers.delete(consumer);
        unhear();
        endBeats();
      },
    };
  }
}

export class MemoryKeys implements Keys {
  readonly #log: MemoryLog;
  readonly #bucket: string;

  /** @param ttlMs time after which a key expires unless it is written again, in milliseconds */
  constructor(log: MemoryLog, bucket: string, ttlMs = Number.POSITIVE_INFINITY) {
    this.#log = log;
    this.#bucket = bucket;
    log.bucket(bucket, ttlMs);
  }

  async get(key: string): Promise<KeyEntry | undefined> {
    return this.#log.get(this.#bucket, key);
  }

  async all(): Promise<KeyEntry[]> {
    return this.#log.all(this.#bucket);
  }

  async put(key: string, value: string, expected?: number): Promise<number> {
    return this.#log.put(this.#bucket, key, value, expected);
  }

  async delete(key: string, expected?: number): Promise<void> {
    this.#log.delete(this.#bucket, key, expected);
  }
}

function storedOf(message: Message | undefined): StoredMessage | undefined {
  if (message === undefined) return undefined;
  const { seq, subject, data, headers, recordedAt } = message;
  return { seq, subject, data, recordedAt, header: (name) => headers[name] };
}
