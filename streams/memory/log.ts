/**
 * The log in memory, for tests and simulations. It behaves as we measured nats-server 2.15: streams with dense sequences, expectations
 * per subject, consumers, and key-value buckets with expiry. Callers reach it through streams/memory/broker.ts.
 *
 * As in a cluster, a publish can be proposed first and stored later. Until it is stored, another publish with an expectation on the same
 * subject fails (error 10164).
 */
import { FACT_STREAM_NAMES, FACT_STREAMS, JOURNAL_STREAM, PARKED_STREAM } from '../../config/topology.ts';
import { BrokerError, type Headers, type KeyEntry, type StreamFacts } from '../broker.ts';
import { NO_LOCATION, partitionOfToken } from '../subjects.ts';

export interface Message {
  readonly seq: number;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Headers;
  readonly recordedAt: number;
}
interface Stream {
  readonly messages: Message[];
  readonly lastOn: Map<string, Message>;
  created: string;
  metadata: Readonly<Record<string, string>>;
  /** Number of publishes by subject that are proposed and not stored yet. */
  readonly proposed: Map<string, number>;
}
export interface Consumer {
  readonly stream: string;
  readonly matches: (subject: string) => boolean;
  /** The next sequence to look at. */
  next: number;
  deliverySeq: number;
  readonly deliver: (message: Message, pending: number, deliverySeq: number) => void;
  readonly beat: () => void;
}
interface Entry extends KeyEntry {
  readonly expiresAt: number;
}

export class MemoryLog {
  readonly streams = new Map<string, Stream>();
  readonly #buckets = new Map<
    string,
    { revision: number; readonly ttlMs: number; readonly entries: Map<string, Entry> }
  >();
  readonly consumers = new Set<Consumer>();
  readonly #partitions: number;
  readonly #nowMs: () => number;
  readonly #listeners = new Set<(stream: string, message: Message) => void>();
  /** Called with every key that is written. */
  onPut: (bucket: string, key: string, value: string) => void = () => undefined;

  /** @param nowMs clock in milliseconds since 1970, which stamps messages and expires keys */
  constructor(partitions: number, nowMs: () => number) {
    this.#partitions = partitions;
    this.#nowMs = nowMs;
    for (const name of [...FACT_STREAM_NAMES, JOURNAL_STREAM, PARKED_STREAM]) {
      this.streams.set(name, {
        messages: [],
        lastOn: new Map(),
        created: `${name} made`,
        metadata: {},
        proposed: new Map(),
      });
    }
  }

  get created(): Record<string, string> {
    return Object.fromEntries([...this.streams].map(([name, { created }]) => [name, created]));
  }

  /** The stream that takes a published subject, and the subject as it is stored. */
  route(subject: string): { stream: string; stored: string } {
    const tokens = subject.split('.');
    if (tokens[0] === 'journal') return { stream: JOURNAL_STREAM, stored: subject };
    if (tokens[0] === 'parked' || tokens[0] === 'mark') return { stream: PARKED_STREAM, stored: subject };
    const again = tokens[0] === 'again' && tokens.length === 5;
    const bundle = tokens[0] === 'bundle';
    const stream = FACT_STREAM_NAMES.find((name) =>
      (FACT_STREAMS[name] as readonly string[]).includes(tokens[again ? 2 : bundle ? 1 : 0] ?? ''),
    );
    if (stream !== undefined && again) return { stream, stored: subject };
    const isItem = stream === 'ITEMS';
    if (isItem && bundle && tokens.length === 3) return { stream, stored: subject };
    if (stream === undefined || tokens.length !== (isItem ? 2 : 3))
      throw new BrokerError('unknown', `no stream takes ${subject}`);
    const [type, location, sku] = (isItem ? [tokens[0], NO_LOCATION, tokens[1]] : tokens) as [string, string, string];
    return { stream, stored: `${type}.${partitionOfToken(sku, this.#partitions)}.${location}.${sku}` };
  }

  /** Throws the server's error unless a message on this subject may be stored now. */
  expect(stream: string, subject: string, expected: number | undefined): void {
    if (expected === undefined) return;
    const { lastOn, proposed } = this.#stream(stream);
    if ((proposed.get(subject) ?? 0) > 0) throw new BrokerError('conflict', 'wrong last sequence (10164)');
    const last = lastOn.get(subject)?.seq ?? 0;
    if (last !== expected) throw new BrokerError('conflict', `wrong last sequence: ${last} (10071)`);
  }

  propose(stream: string, subject: string, by: 1 | -1): void {
    const { proposed } = this.#stream(stream);
    proposed.set(subject, (proposed.get(subject) ?? 0) + by);
  }

  store(stream: string, subject: string, data: Uint8Array, headers: Headers): number {
    const kept = this.#stream(stream);
    const seq = kept.messages.length + 1;
    const recordedAt = Math.floor(this.#nowMs() * 1000);
    const message = { seq, subject, data: Buffer.from(data), headers, recordedAt };
    kept.messages.push(message);
    kept.lastOn.set(subject, message);
    for (const tell of this.#listeners) tell(stream, message);
    return seq;
  }

  /** Calls back with every stored message before anything else can see it. Returns a function that ends this. */
  hear(tell: (stream: string, message: Message) => void): () => void {
    this.#listeners.add(tell);
    return () => void this.#listeners.delete(tell);
  }

  info(name: string): StreamFacts | undefined {
    const bucket = this.#buckets.get(name.replace(/^KV_/, ''));
    if (bucket !== undefined)
      return { created: name, firstSeq: 1, lastSeq: bucket.revision, messages: bucket.entries.size };
    const stream = this.streams.get(name);
    if (stream === undefined) return undefined;
    const { created, messages, metadata } = stream;
    return { created, metadata, firstSeq: 1, lastSeq: messages.length, messages: messages.length };
  }

  annotate(name: string, metadata: Readonly<Record<string, string>>): void {
    this.#stream(name).metadata = metadata;
  }

  lastOn(stream: string, subject: string): Message | undefined {
    const { lastOn, messages } = this.#stream(stream);
    if (!/[*>]/.test(subject)) return lastOn.get(subject);
    const matches = matcher([subject]);
    return messages.findLast((message) => matches(message.subject));
  }

  at(stream: string, seq: number): Message | undefined {
    const bucket = this.#buckets.get(stream.replace(/^KV_/, ''));
    if (bucket !== undefined) {
      const entry = [...bucket.entries.values()].find(({ revision }) => revision === seq);
      return entry && { seq, subject: entry.key, data: Buffer.from(entry.value), headers: {}, recordedAt: 0 };
    }
    return this.#stream(stream).messages[seq - 1];
  }

  pending(consumer: Consumer): number {
    const { messages } = this.#stream(consumer.stream);
    let count = 0;
    for (let i = consumer.next - 1; i < messages.length; i++) {
      if (consumer.matches((messages[i] as Message).subject)) count += 1;
    }
    return count;
  }

  /** Delivers waiting messages, at most `most`. */
  pump(consumer: Consumer, most: number): void {
    const { messages } = this.#stream(consumer.stream);
    let pending: number | undefined;
    for (let sent = 0; sent < most && consumer.next <= messages.length; ) {
      const message = messages[consumer.next - 1] as Message;
      consumer.next += 1;
      if (!consumer.matches(message.subject)) continue;
      pending = pending === undefined ? this.pending(consumer) : pending - 1;
      consumer.deliverySeq += 1;
      sent += 1;
      consumer.deliver(message, pending, consumer.deliverySeq);
    }
  }

  bucket(name: string, ttlMs: number): void {
    if (!this.#buckets.has(name)) this.#buckets.set(name, { revision: 0, ttlMs, entries: new Map() });
  }

  get(bucket: string, key: string): KeyEntry | undefined {
    return this.#live(bucket).get(key);
  }

  all(bucket: string): KeyEntry[] {
    return [...this.#live(bucket).values()];
  }

  put(name: string, key: string, value: string, expected: number | undefined): number {
    const bucket = this.#bucket(name);
    const present = this.#live(name).get(key)?.revision ?? 0;
    if (expected !== undefined && expected !== present)
      throw new BrokerError('conflict', `wrong last revision: ${present}`);
    bucket.revision += 1;
    const now = this.#nowMs();
    bucket.entries.set(key, { key, value, revision: bucket.revision, createdMs: now, expiresAt: now + bucket.ttlMs });
    this.onPut(name, key, value);
    return bucket.revision;
  }

  delete(name: string, key: string, expected: number | undefined): void {
    const present = this.#live(name).get(key)?.revision ?? 0;
    if (expected !== undefined && expected !== present)
      throw new BrokerError('conflict', `wrong last revision: ${present}`);
    this.#bucket(name).revision += 1;
    this.#bucket(name).entries.delete(key);
  }

  /** Simulates a crash of the server, which loses its consumers and proposed publishes because they live in memory. */
  crash(): void {
    this.consumers.clear();
    for (const { proposed } of this.streams.values()) proposed.clear();
  }

  #live(name: string): Map<string, Entry> {
    const { entries } = this.#bucket(name);
    for (const [key, { expiresAt }] of entries) if (expiresAt <= this.#nowMs()) entries.delete(key);
    return entries;
  }

  #bucket(name: string) {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) throw new Error(`no bucket ${name}`);
    return bucket;
  }

  #stream(name: string): Stream {
    const stream = this.streams.get(name);
    if (stream === undefined) throw new BrokerError('unknown', `no stream ${name}`);
    return stream;
  }
}

/** A test whether a subject matches one of the filters. Without filters every subject matches. */
export function matcher(filters: readonly string[]): (subject: string) => boolean {
  if (filters.length === 0) return () => true;
  const wanted = filters.map((filter) => filter.split('.'));
  return (subject) => {
    const tokens = subject.split('.');
    return wanted.some((filter) => {
      if (filter.at(-1) === '>') return filter.slice(0, -1).every((token, i) => token === tokens[i]);
      return filter.length === tokens.length && filter.every((token, i) => token === '*' || token === tokens[i]);
    });
  };
}
