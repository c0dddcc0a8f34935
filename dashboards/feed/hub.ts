/**
 * The hub of the live feed. It keeps the newest value of each topic and key, and conflates for slow readers. A value goes straight to a
 * reader whose connection has room. Otherwise it waits, and a newer value under the same key replaces it. No reader can therefore make
 * the hub keep a backlog, and no topic can occupy the event loop.
 *
 * Invariants:
 *  HB1 A value is encoded once, however many readers it has, and only when it is sent.
 *  HB2 A new reader of a topic gets the present value first, then changes. The last value of a versioned topic may be behind the present
 *      version, so a new reader does not get it. The topic is opened again, and the answer goes to the readers that wait for it.
 *  HB3 While a reader's connection holds more than BUFFERED_BYTES, nothing is added to it. A new value replaces the waiting one under the
 *      same key, so a reader never has more values waiting than there are keys. All readers share a value's bytes.
 *  HB4 A reader is closed if its connection takes nothing for STUCK_MS while something waits. It is also closed if too much waits, which
 *      only many anomalies that come and go can cause.
 *  HB5 At most SENDS_PER_TURN messages are sent per turn of the event loop, present values included. A thousand readers of one topic, or
 *      one reader of a thousand values, cannot delay ATP requests. Readers take turns.
 *  HB6 Subscribing and unsubscribing cost the same whatever the topic holds. A topic is kept for LIMITS.liveKeptMs after its last reader
 *      leaves, so that its values are not computed again when readers come and go.
 */
import { LIMITS } from '../../config/limits.ts';
import type { TopicMessage } from '../topics.ts';

/** Bytes that a reader's connection may buffer before values are held back. */
const BUFFERED_BYTES = 64 * 1024;
const STUCK_MS = 30_000;
/** About two milliseconds of sending. */
const SENDS_PER_TURN = 50;
/** Messages that may wait for one reader. */
const WAITING_MOST = 5_000;

/** A reader's connection. */
export interface Sink {
  send(message: Buffer): void;
  /** Bytes that were sent and not yet taken. */
  readonly buffered: number;
  /** Ends the connection and says why, because it takes nothing. */
  stuck(): void;
}

export interface HubEvents {
  /** A topic has its first reader, or a versioned topic has a new one. Its value is wanted, now and until `closed`. */
  readonly opened: (topic: string) => void;
  /** True if the topic's values carry versions, which must not go back for any reader. */
  readonly versioned: (topic: string) => boolean;
  readonly closed: (topic: string) => void;
  readonly sent: () => void;
  readonly encoded: () => void;
  /** A slow reader skipped a value, because a newer one replaced it. */
  readonly skipped: () => void;
  /** Calls back in the next turn of the event loop. */
  readonly turn: (call: () => void) => void;
}

/** A value and its encoding, which all readers share. */
interface Value {
  readonly message: TopicMessage;
  /** Set when the value is first sent. */
  bytes: Buffer | undefined;
}

interface Channel {
  readonly readers: Set<Reader>;
  /** Readers that have had no value yet, if the topic is versioned. */
  readonly expecting: Set<Reader>;
  readonly versioned: boolean;
  /** Newest value by topic and key. Most topics have one value; `anomaly` has one per anomaly. */
  readonly present: Map<string, Value>;
}

export class Reader {
  readonly sink: Sink;
  readonly topics = new Set<string>();
  /** By topic, the present values that the reader has not had yet. */
  readonly opening = new Map<string, Iterator<[string, Value], undefined>>();
  /** Newest waiting value by topic and key. */
  readonly waiting = new Map<string, Value>();
  buffered = 0;
  /** When its connection last took something, in monotonic milliseconds; 0 if unknown. */
  movedAt = 0;

  constructor(sink: Sink) {
    this.sink = sink;
  }

  get isServed(): boolean {
    return this.waiting.size === 0 && this.opening.size === 0;
  }

  /** The next value to send. Present values are read as they are now, so a value waiting under the same key is the same and is dropped. */
  next(): Value | undefined {
    for (const [topic, values] of this.opening) {
      const { value } = values.next();
      if (value !== undefined) {
        this.waiting.delete(value[0]);
        return value[1];
      }
      this.opening.delete(topic);
    }
    for (const [key, value] of this.waiting) {
      this.waiting.delete(key);
      return value;
    }
    return undefined;
  }
}

export class Hub {
  readonly #channels = new Map<string, Channel>();
  readonly #readers = new Set<Reader>();
  /** When the last reader left, by topic, oldest first. */
  readonly #left = new Map<string, number>();
  /** Readers with waiting values. */
  readonly #slow = new Set<Reader>();
  /** Those whose connections have room and that wait for their turn (HB5). */
  readonly #paced = new Set<Reader>();
  #room = SENDS_PER_TURN;
  #turning = false;
  #nowMs = 0;
  readonly #events: HubEvents;

  constructor(events: HubEvents) {
    this.#events = events;
  }

  get size(): number {
    return this.#readers.size;
  }

  /** Topics with at least one reader. */
  get topics(): Iterable<string> {
    return [...this.#channels].filter(([, { readers }]) => readers.size > 0).map(([topic]) => topic);
  }

  has(topic: string): boolean {
    return (this.#channels.get(topic)?.readers.size ?? 0) > 0;
  }

  join(sink: Sink): Reader {
    const reader = new Reader(sink);
    this.#readers.add(reader);
    return reader;
  }

  leave(reader: Reader): void {
    for (const topic of [...reader.topics]) this.unsubscribe(reader, topic);
    this.#readers.delete(reader);
    this.#slow.delete(reader);
    this.#paced.delete(reader);
  }

  // Present values first. A versioned topic is opened again for each new reader (HB2).
  subscribe(reader: Reader, topic: string): void {
    if (reader.topics.has(topic)) return;
    reader.topics.add(topic);
    let channel = this.#channels.get(topic);
    const first = channel === undefined;
    if (channel === undefined) {
      const versioned = this.#events.versioned(topic);
      channel = { readers: new Set(), expecting: new Set(), versioned, present: new Map() };
      this.#channels.set(topic, channel);
    }
    channel.readers.add(reader);
    this.#left.delete(topic);
    if (channel.versioned) channel.expecting.add(reader);
    else {
      reader.opening.set(topic, channel.present.entries());
      this.#pace(reader);
    }
    if (first || channel.versioned) this.#events.opened(topic);
  }

  unsubscribe(reader: Reader, topic: string): void {
    const channel = this.#channels.get(topic);
    if (!reader.topics.delete(topic) || channel === undefined) return;
    channel.readers.delete(reader);
    channel.expecting.delete(reader);
    // Present values are an iterator, so only the waiting values need a search (HB6).
    reader.opening.delete(topic);
    for (const key of [...reader.waiting.keys()])
      if (key === topic || key.startsWith(`${topic} `)) reader.waiting.delete(key);
    if (channel.readers.size === 0) this.#left.set(topic, this.#nowMs);
  }

  /**
   * Passes a value on to the readers of its topic, and keeps it for new readers.
   * @param part the value's place in a topic with several values. `key` names it, and `gone` says that it is sent for the last time
   */
  publish(message: TopicMessage, part?: { readonly key: string; readonly gone: boolean }): void {
    const channel = this.#channels.get(message.topic);
    if (channel === undefined) return;
    const value = { message, bytes: undefined };
    const key = part === undefined ? message.topic : `${message.topic} ${part.key}`;
    if (part?.gone === true) channel.present.delete(key);
    else channel.present.set(key, value);
    for (const reader of channel.readers) this.#offer(reader, key, value);
    channel.expecting.clear();
  }

  /** Passes on the last value with a newer version, only to readers that have had no value yet. */
  confirm(message: TopicMessage): void {
    const expecting = this.#channels.get(message.topic)?.expecting;
    if (expecting === undefined || expecting.size === 0) return;
    const value = { message, bytes: undefined };
    for (const reader of expecting) this.#offer(reader, message.topic, value);
    expecting.clear();
  }

  /** Gives readers with room their turn, ends stuck readers and closes abandoned topics. Call it several times a second (HB4). */
  drain(nowMs: number): void {
    this.#nowMs = nowMs;
    for (const reader of this.#slow) {
      const { sink, waiting } = reader;
      const { buffered } = sink;
      if (reader.movedAt === 0 || buffered < reader.buffered) reader.movedAt = nowMs;
      if (buffered <= BUFFERED_BYTES) {
        reader.movedAt = nowMs;
        this.#pace(reader);
      }
      reader.buffered = buffered;
      if (nowMs - reader.movedAt > STUCK_MS || waiting.size > WAITING_MOST) {
        this.leave(reader);
        sink.stuck();
      }
    }
    for (const [topic, leftAtMs] of this.#left) {
      if (nowMs - leftAtMs < LIMITS.liveKeptMs) break;
      this.#left.delete(topic);
      this.#channels.delete(topic);
      this.#events.closed(topic);
    }
  }

  // A value that cannot be sent now replaces the waiting one under its key (HB3).
  #offer(reader: Reader, key: string, value: Value): void {
    const room = reader.sink.buffered <= BUFFERED_BYTES;
    if (reader.isServed && room && this.#room > 0) {
      this.#send(reader, value);
      return;
    }
    if (reader.waiting.delete(key)) this.#events.skipped();
    reader.waiting.set(key, value);
    if (room) this.#pace(reader);
    else this.#slow.add(reader);
  }

  /** Gives a reader its place in the next turn. */
  #pace(reader: Reader): void {
    this.#slow.add(reader);
    this.#paced.add(reader);
    this.#turn();
  }

  #turn(): void {
    if (this.#turning) return;
    this.#turning = true;
    this.#events.turn(() => this.#nextTurn());
  }

  /** Sends up to SENDS_PER_TURN waiting values (HB5). Readers without room are left to `drain`. */
  #nextTurn(): void {
    this.#turning = false;
    this.#room = SENDS_PER_TURN;
    for (const reader of this.#paced) {
      this.#paced.delete(reader);
      while (this.#room > 0 && reader.sink.buffered <= BUFFERED_BYTES) {
        const value = reader.next();
        if (value === undefined) break;
        this.#send(reader, value);
      }
      if (reader.isServed) {
        this.#slow.delete(reader);
        reader.movedAt = 0;
      } else if (this.#room === 0) {
        // Goes to the end of the queue, so that the others come first in the next turn.
        this.#paced.add(reader);
        return;
      }
    }
  }

  // All readers share the bytes, so the first send encodes them (HB1).
  #send(reader: Reader, value: Value): void {
    if (value.bytes === undefined) {
      value.bytes = Buffer.from(JSON.stringify(value.message));
      this.#events.encoded();
    }
    reader.sink.send(value.bytes);
    this.#events.sent();
    this.#room -= 1;
    this.#turn();
  }
}
