/**
 * High-water marks: how far every stream is known to have come, kept in a bucket of its own, which lies in other files than the streams.
 *
 * nats-server forgets the tail of a stream behind damage in its file without a word, and gives its sequence numbers to what comes
 * next. A snapshot knows how far the streams were, but Redis may be empty; then only a mark tells that something is gone.
 *
 * Invariants:
 *  HW1 A mark names only what is stored: a sequence, and the hash of the message that stands there.
 *  HW2 Every node writes its own key, so that no node's mark can be put back by another's.
 *  HW3 A mark is at most marksEveryMs older than what it speaks of: damage that also follows a crash within that time may go unseen.
 */
import { createHash } from 'node:crypto';
import { FACT_STREAM_NAMES, JOURNAL_STREAM, PARKED_STREAM, WRITERS_STREAM } from '../../config/topology.ts';
import type { Broker, Keys } from '../../streams/broker.ts';
import type { Skips } from '../log/skips.ts';
import { LostLogError } from './recovery.ts';

interface HighWaterMark {
  /** Identity of the stream. */
  readonly created: string;
  readonly seq: number;
  /** Of the message there; '' if it could not be read. */
  readonly hash: string;
}
export interface NodeHighWaterMarks {
  readonly streams: Readonly<Record<string, HighWaterMark>>;
  /** Highest epoch that this node has served in. */
  readonly epoch: number;
}

const REMEDY =
  'restore it; or, to go on without what is gone, delete the bucket holdfast_marks and the snapshots in Redis';

const WRITERS_REMEDY =
  'restore it; or delete the buckets holdfast_writers and holdfast_marks: all that JOURNAL holds then counts';
/** Streams that marks know the ends of. That the registry of writers has forgotten one would make its decisions not count. */
export const MARKED_STREAMS = [...FACT_STREAM_NAMES, JOURNAL_STREAM, PARKED_STREAM, WRITERS_STREAM] as const;

export class HighWaterMarks {
  readonly #keys: Keys;
  readonly #broker: Pick<Broker, 'stream' | 'message'>;
  readonly #node: string;
  readonly #created: Readonly<Record<string, string>>;
  #streams: Record<string, HighWaterMark> = {};
  #epoch = 0;
  #written = '';

  constructor(
    keys: Keys,
    broker: Pick<Broker, 'stream' | 'message'>,
    node: string,
    created: Readonly<Record<string, string>>,
  ) {
    this.#keys = keys;
    this.#broker = broker;
    this.#node = node;
    this.#created = created;
  }

  /**
   * Writes how far the streams are, if that has changed.
   * @param ends last sequences that this node knows to be stored, by stream
   */
  async write(ends: Readonly<Record<string, number>>, epoch: number): Promise<void> {
    const parked = (await this.#broker.stream(PARKED_STREAM))?.lastSeq ?? 0;
    for (const [name, seq] of [...Object.entries(ends), [PARKED_STREAM, parked] as const]) {
      if (seq <= (this.#streams[name]?.seq ?? 0)) continue;
      // HW1.
      const message = await this.#broker.message(name, seq);
      this.#streams[name] = { created: this.#created[name] ?? '', seq, hash: message ? hashOf(message.data) : '' };
    }
    this.#epoch = Math.max(this.#epoch, epoch);
    const text = JSON.stringify({ streams: this.#streams, epoch: this.#epoch } satisfies NodeHighWaterMarks);
    if (text === this.#written) return;
    // HW2.
    await this.#keys.put(this.#node, text);
    this.#written = text;
  }

  /**
   * The highest epoch that any node has served in, as far as marks tell.
   * @param lastSeqs reads where the streams end, which is after the marks are read: those of other nodes go on meanwhile
   * @throws LostLogError if a stream lacks what a mark knows to have been in it
   */
  async check(lastSeqs: () => Promise<Readonly<Record<string, number>>>, skips: Skips): Promise<number> {
    let epoch = 0;
    const written = await this.#keys.all();
    const ends = await lastSeqs();
    for (const { key, value } of written) {
      const marks = JSON.parse(value) as NodeHighWaterMarks;
      epoch = Math.max(epoch, marks.epoch);
      for (const name of MARKED_STREAMS) {
        const mark = marks.streams[name];
        if (mark !== undefined) await this.#checkOne(name, mark, ends[name] ?? 0, skips);
      }
      // What it knew before is not to be forgotten by what it writes next.
      if (key === this.#node && this.#written === '') {
        this.#streams = { ...marks.streams };
        this.#epoch = marks.epoch;
      }
    }
    return epoch;
  }

  async #checkOne(name: string, mark: HighWaterMark, lastSeq: number, skips: Skips): Promise<void> {
    const remedy = name === WRITERS_STREAM ? WRITERS_REMEDY : REMEDY;
    if (mark.created !== (this.#created[name] ?? ''))
      throw new LostLogError(`stream ${name} was made again, and what it held before is lost; ${remedy}`);
    if (lastSeq < mark.seq) {
      throw new LostLogError(
        `stream ${name} ends at ${lastSeq}, but it is known to have reached ${mark.seq}: its end has been lost; ${remedy}`,
      );
    }
    if (mark.hash === '') return;
    const message = await this.#broker.message(name, mark.seq);
    if (message !== undefined && hashOf(message.data) !== mark.hash) {
      throw new LostLogError(
        `stream ${name} holds another message at ${mark.seq} than it did: its end was lost and written again; ${remedy}`,
      );
    }
    if (message !== undefined || skips.lost(name, mark.seq, mark.seq + 1)) return;
    // A trimmed stream begins later.
    if (mark.seq >= ((await this.#broker.stream(name))?.firstSeq ?? 0)) {
      const what = `stream ${name} lacks message ${mark.seq}, which it is known to have held; ${remedy}`;
      throw new LostLogError(what, undefined, `${name}.${mark.seq}`);
    }
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32);
}
