/**
 * The hub of the live feed: passes the newest value of each topic to its readers, and no reader can make it keep more than that.
 *
 * Invariants:
 *  HB1 A value is encoded once, however many read it.
 *  HB2 A new reader of a topic gets its present value first, then changes. Where what was last sent may be behind the present version, it
 *      is not sent to who comes: the topic is opened anew, and its answer goes to those that wait for it.
 *  HB3 While a reader's connection holds more than BUFFERED_BYTES, nothing is added to it: what comes for it replaces what waits for it
 *      under the same key, so that what waits is bounded by what there is to know, and shares its bytes with all readers.
 *  HB4 A reader whose connection takes nothing for STUCK_MS while something waits is closed; so is one for whom too much waits, which
 *      only many anomalies that come and go can bring about.
 *  HB5 In one turn so many messages are sent as SENDS_PER_TURN says, the rest in the next ones: a thousand readers of one topic hold up nobody
 *      who asks for ATP meanwhile.
 */
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
  /** A value was not sent to a slow reader, because a newer one took its place. */
  readonly skipped: () => void;
  /** Calls back in the next turn of the event loop. */
  readonly turn: (call: () => void) => void;
}

interface Channel {
  readonly readers: Set<Reader>;
  /** Those of them that have had no value yet. */
  readonly expecting: Set<Reader>;
  readonly versioned: boolean;
  /** Newest message by key: one of most topics, of `anomaly` one each. */
  readonly present: Map<string, Buffer>;
}

export class Reader {
  readonly sink: Sink;
  readonly topics = new Set<string>();
  /** Newest message by topic and key that waits. */
  readonly waiting = new Map<string, Buffer>();
  buffered = 0;
  /** When its connection last took something, by monotonic milliseconds. */
  movedAt = 0;

  constructor(sink: Sink) {
    this.sink = sink;
  }
}

export class Hub {
  readonly #channels = new Map<string, Channel>();
  readonly #readers = new Set<Reader>();
  /** Readers for whom something waits. */
  readonly #slow = new Set<Reader>();
  /** Those of them whose connections have room: they wait for their turn (HB5). */
  readonly #paced = new Set<Reader>();
  #left = SENDS_PER_TURN;
  #turning = false;
  readonly #events: HubEvents;

  constructor(events: HubEvents) {
    this.#events = events;
  }

  get size(): number {
    return this.#readers.size;
  }

  /** Topics that somebody reads. */
  get topics(): Iterable<string> {
    return this.#channels.keys();
  }

  has(topic: string): boolean {
    return this.#channels.has(topic);
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
    if (channel.versioned) channel.expecting.add(reader);
    else for (const [key, message] of channel.present) this.#offer(reader, topic + key, message);
    if (first || channel.versioned) this.#events.opened(topic);
  }

  unsubscribe(reader: Reader, topic: string): void {
    const channel = this.#channels.get(topic);
    if (!reader.topics.delete(topic) || channel === undefined) return;
    channel.readers.delete(reader);
    channel.expecting.delete(reader);
    for (const key of [...reader.waiting.keys()])
      if (key === topic || key.startsWith(`${topic} `)) reader.waiting.delete(key);
    if (channel.readers.size > 0) return;
    this.#channels.delete(topic);
    this.#events.closed(topic);
  }

  /**
   * Passes a value on to whoever reads its topic, and keeps it for those who come.
   * @param part of a topic that has several values: `key` names which, `gone` says that it is sent for the last time
   */
  publish(message: TopicMessage, part?: { readonly key: string; readonly gone: boolean }): void {
    const channel = this.#channels.get(message.topic);
    if (channel === undefined) return;
    const bytes = Buffer.from(JSON.stringify(message));
    const key = part === undefined ? '' : ` ${part.key}`;
    if (part?.gone === true) channel.present.delete(key);
    else channel.present.set(key, bytes);
    for (const reader of channel.readers) this.#offer(reader, message.topic + key, bytes);
    channel.expecting.clear();
  }

  /** What was said last is said again, with a newer version: it goes to those only that have had nothing yet. */
  confirm(message: TopicMessage): void {
    const expecting = this.#channels.get(message.topic)?.expecting;
    if (expecting === undefined || expecting.size === 0) return;
    const bytes = Buffer.from(JSON.stringify(message));
    for (const reader of expecting) this.#offer(reader, message.topic, bytes);
    expecting.clear();
  }

  /** Sends what waits to those whose connections have room, and ends those that are stuck. To be called several times a second. */
  drain(nowMs: number): void {
    for (const reader of this.#slow) {
      const { sink, waiting } = reader;
      const { buffered } = sink;
      if (reader.movedAt === 0 || buffered < reader.buffered) reader.movedAt = nowMs;
      for (const [key, message] of waiting) {
        if (sink.buffered > BUFFERED_BYTES) break;
        waiting.delete(key);
        this.#send(reader, message);
        reader.movedAt = nowMs;
      }
      reader.buffered = sink.buffered;
      if (waiting.size === 0) {
        this.#slow.delete(reader);
        reader.movedAt = 0;
      } else if (nowMs - reader.movedAt > STUCK_MS || waiting.size > WAITING_MOST) {
        this.leave(reader);
        sink.stuck();
      }
    }
  }

  #offer(reader: Reader, key: string, message: Buffer): void {
    const room = reader.sink.buffered <= BUFFERED_BYTES;
    if (reader.waiting.size === 0 && room && this.#left > 0) return this.#send(reader, message);
    if (reader.waiting.delete(key)) this.#events.skipped();
    reader.waiting.set(key, message);
    this.#slow.add(reader);
    if (room) this.#paced.add(reader);
  }

  /** HB5. Who has no room is left to drain. */
  #nextTurn(): void {
    this.#turning = false;
    this.#left = SENDS_PER_TURN;
    for (const reader of this.#paced) {
      for (const [key, message] of reader.waiting) {
        if (this.#left === 0) return;
        if (reader.sink.buffered > BUFFERED_BYTES) break;
        reader.waiting.delete(key);
        this.#send(reader, message);
      }
      this.#paced.delete(reader);
      if (reader.waiting.size === 0) this.#slow.delete(reader);
    }
  }

  #send(reader: Reader, message: Buffer): void {
    reader.sink.send(message);
    this.#events.sent();
    this.#left -= 1;
    if (this.#turning) return;
    this.#turning = true;
    this.#events.turn(() => this.#nextTurn());
  }
}
