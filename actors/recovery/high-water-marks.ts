/**
 * High-water marks: how far every stream is known to have come. They are kept in a separate bucket, and so in other files than the streams.
 *
 * When a stream's file is damaged, nats-server silently drops the messages after the damage and reuses their sequence numbers. Snapshots
 * record how far the streams had come, but Redis may be empty. Then only a mark shows that something is gone.
 *
 * Invariants:
 *  HW1 A mark names only what is stored: a sequence, and the hash of the message at that sequence.
 *  HW2 Every node writes its own key, so no node can set back the mark of another.
 *  HW3 A mark is at most marksEveryMs behind its stream. Damage to messages that were stored within that time before a crash may go
 *      unnoticed.
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
  /** Hash of the message at `seq`; '' if it could not be read. */
  readonly hash: string;
}
export interface NodeHighWaterMarks {
  readonly streams: Readonly<Record<string, HighWaterMark>>;
  /** Highest epoch in which this node has served. */
  readonly epoch: number;
}

const REMEDY =
  'restore it; or, to go on without what is gone, delete the bucket holdfast_marks and the snapshots in Redis';

const WRITERS_REMEDY =
  'restore it; or delete the buckets holdfast_writers and holdfast_marks: all that JOURNAL holds then counts';
/** Streams whose ends are marked. The registry of writers is one of them, because decisions of a forgotten writer would not count. */
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
   * Writes how far the streams have come, if that has changed.
   * @param ends last sequence of each stream that this node knows to be stored
   */
  async write(ends: Readonly<Record<string, number>>, epoch: number): Promise<void> {
    const parked = (await this.#broker.stream(PARKED_STREAM))?.lastSeq ?? 0;
    for (const [name, seq] of [...Object.entries(ends), [PARKED_STREAM, parked] as const]) {
      if (seq <= (this.#streams[name]?.seq ?? 0)) continue;
      // Hashing the stored message proves later that it is still the same one (HW1).
      const message = await this.#broker.message(name, seq);
      this.#streams[name] = { created: this.#created[name] ?? '', seq, hash: message ? hashOf(message.data) : '' };
    }
    this.#epoch = Math.max(this.#epoch, epoch);
    const text = JSON.stringify({ streams: this.#streams, epoch: this.#epoch } satisfies NodeHighWaterMarks);
    if (text === this.#written) return;
    // The key is this node's own (HW2).
    await this.#keys.put(this.#node, text);
    this.#written = text;
  }

  /**
   * Checks the streams against the marks of all nodes. Returns the highest epoch in which any node has served, according to the marks.
   * @param lastSeqs reads the ends of the streams; called after the marks are read, because other nodes keep writing theirs
   * @throws LostLogError if a message that a mark names is missing or has changed
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
      // After a restart, keep this node's earlier mark so that the next write cannot set it back.
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
    // A message before the first sequence was trimmed, not lost.
    if (mark.seq >= ((await this.#broker.stream(name))?.firstSeq ?? 0)) {
      const what = `stream ${name} lacks message ${mark.seq}, which it is known to have held; ${remedy}`;
      throw new LostLogError(what, undefined, `${name}.${mark.seq}`);
    }
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32);
}
