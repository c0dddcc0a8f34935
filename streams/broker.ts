/**
 * The broker as a port: streams that are published to, read and followed, and key-value buckets with compare-and-set. The real one is
 * streams/nats/broker.ts, on NATS; a simulation has its own.
 *
 * Trouble is sorted into what the caller should do: `conflict` (an expectation failed), `unknown` (may be stored or not), `too-large` (it will
 * never be taken at this size), `full` (nothing was stored; there may be room later), `refused` (the server said no, and why).
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
  /** When the stream took it, in microseconds since 1970. */
  readonly recordedAt: number;
  header(name: string): string | undefined;
}
export interface FollowedMessage extends StoredMessage {
  /** Messages of the stream behind this one that match the filter. */
  readonly pending: number;
  readonly deliverySeq: number;
}
export interface StreamFacts {
  /** Identity: when the stream was made. */
  readonly created: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly messages: number;
  /** Bytes that it holds, and the most that it may; undefined: as many as the server has room for. */
  readonly bytes?: number;
  readonly maxBytes?: number | undefined;
  /** What whoever made or changed it wrote beside it. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}
export interface FollowOptions {
  readonly filters: readonly string[];
  readonly from: number;
  readonly batch: number;
  /** Messages come without their bytes. */
  readonly headersOnly?: boolean;
}
export interface FollowHandlers {
  readonly message: (message: FollowedMessage) => void;
  readonly alive: () => void;
  readonly broken: () => void;
}
export interface Following {
  /** Messages that match the filter and were not delivered when it began. */
  readonly pending: number;
  /** Stream's last sequence when it began. */
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
  /** The sequence that must be the last on this very subject; 0: none yet. */
  readonly expectLast?: number;
  readonly timeoutMs?: number;
}

export interface Broker {
  readonly server: { readonly version: string; readonly url: string; readonly maxPayload: number };
  /** Stores a message; its sequence. Rejects with a BrokerError. */
  publish(subject: string, data: Uint8Array, options?: PublishOptions): Promise<number>;
  stream(name: string): Promise<StreamFacts | undefined>;
  /** Puts this in place of a stream's metadata (streams/journal/metadata.ts says who may). */
  annotate(stream: string, metadata: Readonly<Record<string, string>>): Promise<void>;
  /** The last message on a subject, which may have wildcards, read through the stream's leader; undefined if there is none. */
  lastOn(stream: string, subject: string): Promise<StoredMessage | undefined>;
  message(stream: string, seq: number): Promise<StoredMessage | undefined>;
  /**
   * Delivers what the stream holds from a sequence on, then what comes. It does not come back by itself: the caller starts anew when
   * `alive`, called with every sign of life of the server, falls silent, and when `broken` says that the connection was lost and is
   * there again: what was on its way then is lost, and on a quiet stream nothing else would show it.
   */
  follow(stream: string, options: FollowOptions, handlers: FollowHandlers): Promise<Following>;
}

/** A key-value bucket: compare-and-set by revision, which only grows. */
export interface Keys {
  get(key: string): Promise<KeyEntry | undefined>;
  all(): Promise<KeyEntry[]>;
  /** The new revision. `expected` undefined: whatever is there; 0: nothing may be there; else: that revision must be. */
  put(key: string, value: string, expected?: number): Promise<number>;
  /** `expected`, if it is given: that revision must be there. */
  delete(key: string, expected?: number): Promise<void>;
}

/** What a message was about, as those that come to nothing are counted: a closed list. */
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
 * Told of a message that came to nothing, and why: a Misfit (streams/messages.ts) does not have the form it must have, a BrokerError
 * `too-large` was not sent, and anything else is a fault of whoever took the message.
 */
export type MessageFault = (kind: MessageKind, error: unknown) => void;
