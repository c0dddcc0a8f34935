/**
 * The broker as a port: streams to publish to, read and follow, and key-value buckets with compare-and-set. The real broker is
 * streams/nats/broker.ts, on NATS. A simulation has its own.
 *
 * Errors are sorted by what the caller should do: `conflict` (an expectation failed), `unknown` (stored or not), `too-large` (never
 * accepted at this size), `full` (not stored, but there may be room later), `refused` (the server said no, and why).
 */
export type Headers = Readonly<Record<string, string>>;

export type BrokerTrouble = 'conflict' | 'unknown' | 'too-large' | 'full' | 'refused';

export class BrokerError extends Error {
  override readonly name = 'BrokerError';
  readonly kind: BrokerTrouble;
  constructor(kind: BrokerTrouble, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

export interface StoredMessage {
  readonly seq: number;
  readonly subject: string;
  readonly data: Uint8Array;
  /** When the stream stored it, in microseconds since 1970. */
  readonly recordedAt: number;
  header(name: string): string | undefined;
}
export interface FollowedMessage extends StoredMessage {
  /** Number of messages after this one that match the filter. */
  readonly pending: number;
  readonly deliverySeq: number;
}
export interface StreamFacts {
  /** Time of creation, which identifies the stream. */
  readonly created: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly messages: number;
  /** Bytes that the stream holds, and the most that it may hold; undefined if only the server's room bounds it. */
  readonly bytes?: number;
  readonly maxBytes?: number | undefined;
  /** Entries that were written when the stream was created or changed. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}
export interface FollowOptions {
  readonly filters: readonly string[];
  readonly from: number;
  readonly batch: number;
  /** Deliver messages without their bytes. */
  readonly headersOnly?: boolean;
}
export interface FollowHandlers {
  readonly message: (message: FollowedMessage) => void;
  readonly alive: () => void;
  readonly broken: () => void;
}
export interface Following {
  /** Number of matching messages not delivered when the following began. */
  readonly pending: number;
  close(): void;
}
export interface KeyEntry {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
  readonly createdMs: number;
}

export interface PublishOptions {
  readonly headers?: Headers;
  /** Sequence that must be the last on exactly this subject; 0 if there must be none. */
  readonly expectLast?: number;
  readonly timeoutMs?: number;
}

export interface Broker {
  readonly server: { readonly version: string; readonly url: string; readonly maxPayload: number };
  /** Stores a message and returns its sequence. Rejects with a BrokerError. */
  publish(subject: string, data: Uint8Array, options?: PublishOptions): Promise<number>;
  stream(name: string): Promise<StreamFacts | undefined>;
  /** Replaces all metadata of a stream (streams/journal/metadata.ts says who may). */
  annotate(stream: string, metadata: Readonly<Record<string, string>>): Promise<void>;
  /** The last message on a subject, which may have wildcards, read through the stream's leader; undefined if there is none. */
  lastOn(stream: string, subject: string): Promise<StoredMessage | undefined>;
  message(stream: string, seq: number): Promise<StoredMessage | undefined>;
  /**
   * Delivers the stream from a sequence on, including later messages. It does not recover by itself. `alive` is called at every sign of
   * life of the server, and the caller starts again when the calls stop. `broken` is called when a lost connection is back. The caller then
   * starts again too, because messages in flight are lost and nothing else would show it on a quiet stream.
   */
  follow(stream: string, options: FollowOptions, handlers: FollowHandlers): Promise<Following>;
}

/** A key-value bucket with compare-and-set by revision. Revisions only grow. */
export interface Keys {
  get(key: string): Promise<KeyEntry | undefined>;
  all(): Promise<KeyEntry[]>;
  /** Returns the new revision. `expected` is the revision that must be there, 0 if the key must be absent, undefined for any. */
  put(key: string, value: string, expected?: number): Promise<number>;
  /** If `expected` is given, that revision must be there. */
  delete(key: string, expected?: number): Promise<void>;
}

/** A bucket that keeps the last values of each key. */
export interface HistoryKeys extends Keys {
  /** The values of a key, the oldest first. */
  history(key: string): Promise<KeyEntry[]>;
}

/** Topics of messages, by which failed ones are counted. The list is closed. */
export const MESSAGE_KINDS = [
  'facts',
  'journal',
  'parked',
  'owner',
  'nodes',
  'changes',
  'anomaly',
  'requests',
] as const;
export type MessageKind = (typeof MESSAGE_KINDS)[number];

/**
 * Called for each message that failed, with the reason. A Misfit (streams/messages.ts) means that the message has the wrong form. A
 * BrokerError `too-large` means that it was not sent. Any other error is a fault of the handler.
 */
export type MessageFault = (kind: MessageKind, error: unknown) => void;
