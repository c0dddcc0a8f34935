/**
 * The hub of the live feed: passes the newest value of each topic to its readers, and no reader can make it keep more than that.
 *
 * Invariants:
 *  HB1 A value is encoded once, however many read it, and only when it is sent.
 *  HB2 A new reader of a topic gets its present value first, then changes. Where what was last sent may be behind the present version, it
 *      is not sent to who comes: the topic is opened anew, and its answer goes to those that wait for it.
 *  HB3 While a reader's connection holds more than BUFFERED_BYTES, nothing is added to it: what comes for it replaces what waits for it
 *      under the same key, so that what waits is bounded by what there is to know, and shares its bytes with all readers.
 *  HB4 A reader whose connection takes nothing for STUCK_MS while something waits is closed; so is one for whom too much waits, which
 *      only many anomalies that come and go can bring about.
 *  HB5 At most SENDS_PER_TURN messages are sent per turn of the event loop, present values among them: a thousand readers of one topic, or
 *      one of a thousand values, hold up nobody who asks for ATP meanwhile. Readers take turns.
 *  HB6 To subscribe and to unsubscribe costs the same whatever the topic holds. A topic is kept for LIMITS.liveKeptMs when its last
 *      reader has gone, so that coming and going does not make its values again.
 */
import { LIMITS } from '../../config/limits.ts';
import type { TopicMessage } from '../topics.ts';

/** Bytes that may lie in a reader's connection before values are held back. */
const BUFFERED_BYTES = 64 * 1024;
const STUCK_MS = 30_000;
/** About two milliseconds of sending. */
const SENDS_PER_TURN = 50;
/** Messages that may wait for one reader. */
const WAITING_MOST = 5_000;

/** A reader's connection. */
export interface Sink {
  send(message: Buffer): void;
  /** Bytes that were sent and not taken yet. */
  readonly buffered: number;
  /** It takes nothing: end it, and say why. */
  stuck(): void;
}

export interface HubEvents {
  /** The first reader of a topic has come: its value is wanted, now and until `closed`; of a versioned topic each reader. */
  readonly opened: (topic: string) => void;
  /** Values carry versions, which must not go back for anybody. */
  readonly versioned: (topic: string) => boolean;
  readonly closed: (topic: string) => void;
  readonly sent: () => void;
  readonly encoded: () => void;
  /** A value was not sent to a slow reader, because a newer one took its place. */
  readonly skipped: () => void;
  /** Calls back in the next turn of the event loop. */
  readonly turn: (call: () => void) => void;
}

/** A value as it is passed on. */
interface Value {
  readonly message: TopicMessage;
  /** Set when it is first sent. */
  bytes: Buffer | undefined;
}

interface Channel {
  readonly readers: Set<Reader>;
  /** Those of them that have had no value yet. */
  readonly expecting: Set<Reader>;
  readonly versioned: boolean;
  /** Newest value by topic and key: one of most topics, of `anomaly` one each. */
  readonly present: Map<string, Value>;
}

export class Reader {
  readonly sink: Sink;
  readonly topics = new Set<string>();
  /** By topic: the present values that it has not had yet. */
  readonly opening = new Map<string, Iterator<[string, Value], undefined>>();
  /** Newest value by topic and key that waits. */
  readonly waiting = new Map<string, Value>();
  buffered = 0;
  /** When its connection last took something, by monotonic milliseconds. */
  movedAt = 0;

  constructor(sink: Sink) {
    this.sink = sink;
  }

  get isServed(): boolean {
    return this.waiting.size === 0 && this.opening.size === 0;
  }

  /** What is to be sent to it next: of present values those of now, so what waits under the same key is the same. */
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
  /** Topics whose last reader has gone, in the order in which they went, and when. */
  readonly #left = new Map<string, number>();
  /** Readers for whom something waits. */
  readonly #slow = new Set<Reader>();
  /** Those of them whose connections have room: they wait for their turn (HB5). */
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

  /** Topics that somebody reads. */
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

  // HB2.
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
    // Only what waits is looked through, and what was to be sent on opening does not wait.
    reader.opening.delete(topic);
    for (const key of [...reader.waiting.keys()])
      if (key === topic || key.startsWith(`${topic} `)) reader.waiting.delete(key);
    if (channel.readers.size === 0) this.#left.set(topic, this.#nowMs);
  }

  /**
   * Passes a value on to whoever reads its topic, and keeps it for those who come.
   * @param part of a topic that has several values: `key` names which, `gone` says that it is sent for the last time
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

  /** What was said last is said again, with a newer version: it goes to those only that have had nothing yet. */
  confirm(message: TopicMessage): void {
    const expecting = this.#channels.get(message.topic)?.expecting;
    if (expecting === undefined || expecting.size === 0) return;
    const value = { message, bytes: undefined };
    for (const reader of expecting) this.#offer(reader, message.topic, value);
    expecting.clear();
  }

  /** Sends what waits to those whose connections have room, and ends those that are stuck. To be called several times a second (HB4). */
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

  // HB3.
  #offer(reader: Reader, key: string, value: Value): void {
    const room = reader.sink.buffered <= BUFFERED_BYTES;
    if (reader.isServed && room && this.#room > 0) return this.#send(reader, value);
    if (reader.waiting.delete(key)) this.#events.skipped();
    reader.waiting.set(key, value);
    if (room) this.#pace(reader);
    else this.#slow.add(reader);
  }

  /** It has its turn as soon as there is one. */
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

  /** HB5. Who has no room is left to drain. */
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
        // The others come first in the next turn.
        this.#paced.add(reader);
        return;
      }
    }
  }

  // HB1.
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
