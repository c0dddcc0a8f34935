/** A JetStream key-value bucket as the port HistoryKeys (streams/broker.ts). Reads and compare-and-set go through the leader. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  AckPolicy,
  type ConsumerInfo,
  DeliverPolicy,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
} from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import { nanos, nuid } from '@nats-io/transport-node';
import { BrokerError, type HistoryKeys, type KeyEntry } from '../broker.ts';
import { isUnheard, sorted } from './errors.ts';

/** Longest wait for the keys of a bucket to arrive. */
const ALL_KEYS_MS = 4_000;
/** How long the server may not know a new stream or consumer yet. An election takes longer, and the caller must handle it. */
const UNHEARD_MS = 1_000;
/** How long a server of the cluster may lag behind the leader. */
const BEHIND_MS = 1_000;
const AGAIN_MS = 20;

/** The keys of a bucket that one server has, and the latest sequence among their changes. */
interface Listing {
  readonly entries: KeyEntry[];
  sequence: number;
}

export class NatsKeys implements HistoryKeys {
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
    const entry = await this.#heard(() => this.#kv.get(key));
    if (entry === null || entry.operation !== 'PUT') return undefined;
    return { key, value: entry.string(), revision: entry.revision, createdMs: entry.created.getTime() };
  }

  /** Lists what the leader had when it was asked, or something newer. */
  all(): Promise<KeyEntry[]> {
    return this.#list('>', DeliverPolicy.LastPerSubject);
  }

  history(key: string): Promise<KeyEntry[]> {
    return this.#list(key, DeliverPolicy.All);
  }

  async #list(keys: string, which: DeliverPolicy): Promise<KeyEntry[]> {
    const stream = `KV_${this.#bucket}`;
    const subject = `$KV.${this.#bucket}.${keys}`;
    const query = { last_by_subj: subject };
    for (const until = performance.now() + BEHIND_MS; ; await delay(AGAIN_MS)) {
      const latest = await this.#heard(() => this.#jsm.streams.getMessage(stream, query));
      if (latest === null) return [];
      // The consumer lives on any server of the cluster, which may not have the leader's latest change yet.
      const { entries, sequence } = await this.#read(stream, subject, which);
      if (sequence >= latest.seq) return entries;
      if (performance.now() > until)
        throw new BrokerError('unknown', `bucket ${this.#bucket}: a server lacks the latest change ${latest.seq}`);
    }
  }

  /** Uses its own consumer and deletes it at once. The consumers of `kv.history` stay for minutes, and this runs every second. */
  async #read(stream: string, subject: string, which: DeliverPolicy): Promise<Listing> {
    const info = await this.#heard(() =>
      this.#jsm.consumers.add(stream, {
        name: `h${nuid.next()}`,
        filter_subject: subject,
        ack_policy: AckPolicy.None,
        deliver_policy: which,
        mem_storage: true,
        num_replicas: 1,
        inactive_threshold: nanos(5_000),
      }),
    );
    try {
      return info.num_pending === 0 ? { entries: [], sequence: 0 } : await this.#heard(() => this.#fetch(info));
    } finally {
      this.#jsm.consumers.delete(stream, info.name).catch(() => undefined);
    }
  }

  async #fetch(info: ConsumerInfo): Promise<Listing> {
    const listing: Listing = { entries: [], sequence: 0 };
    const consumer = this.#js.consumers.getConsumerFromInfo(info);
    const messages = await consumer.fetch({ max_messages: info.num_pending, expires: 2_000 });
    // If the connection breaks, a fetch may end early or never.
    const late = setTimeout(() => void messages.close().catch(() => undefined), ALL_KEYS_MS);
    let read = 0;
    try {
      for await (const message of messages) {
        read += 1;
        const entry = entryOf(message, this.#bucket);
        if (entry !== undefined) listing.entries.push(entry);
        listing.sequence = Math.max(listing.sequence, message.seq);
      }
    } finally {
      clearTimeout(late);
    }
    // An incomplete list must not pass for the whole bucket, because a missing node would be taken for dead.
    if (read < info.num_pending)
      throw new BrokerError('unknown', `${read} of ${info.num_pending} keys of ${this.#bucket} came`);
    return listing;
  }

  put(key: string, value: string, expected?: number): Promise<number> {
    return this.#heard(() => {
      if (expected === undefined) return this.#kv.put(key, value);
      return expected === 0 ? this.#kv.create(key, value) : this.#kv.update(key, value, expected);
    });
  }

  delete(key: string, expected?: number): Promise<void> {
    const options = expected === undefined ? {} : { previousSeq: expected };
    return this.#heard(() => this.#kv.delete(key, options));
  }

  /** Retries for up to UNHEARD_MS while no server hears the request. Rejects with a BrokerError. */
  async #heard<T>(ask: () => Promise<T>): Promise<T> {
    for (const until = performance.now() + UNHEARD_MS; ; ) {
      try {
        return await ask();
      } catch (error) {
        if (!isUnheard(error) || performance.now() > until) throw this.#sorted(error);
        await delay(AGAIN_MS);
      }
    }
  }

  /** Adds the bucket's name, because a time-out alone does not say which bucket failed to answer. */
  #sorted(error: unknown): BrokerError {
    const { kind, message } = sorted(error);
    return new BrokerError(kind, `bucket ${this.#bucket}: ${message}`, { cause: error });
  }
}

/** The entry of a key; undefined if the message marks a key as deleted or expired. */
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
