/**
 * Places of streams that every reader passes over, because a person has skipped them (holdfast quarantine skip).
 *
 * Invariants:
 *  SK1 A skip holds the hash of the bytes it was made for. If other bytes are there, for example after a restore, it has no effect.
 *  SK2 A skip is never taken back, because everything that was served after it depends on it.
 */
import { createHash } from 'node:crypto';
import type { Keys, StoredMessage } from '../../streams/broker.ts';

export interface Skip {
  readonly stream: string;
  readonly seq: number;
  /** Subject of the message at this place, '' if there is none. */
  readonly subject: string;
  /** SHA-256 of its bytes, as hex. '' if the message is lost. */
  readonly sha256: string;
  readonly by: string;
  readonly why: string;
  /** ISO 8601. */
  readonly at: string;
}

export class Skips {
  static readonly none = new Skips([], 0);
  readonly list: readonly Skip[];
  /** Revision of the bucket, which changes with each skip. */
  readonly revision: number;
  readonly #byPlace: ReadonlyMap<string, Skip>;

  private constructor(list: readonly Skip[], revision: number) {
    this.list = list;
    this.revision = revision;
    this.#byPlace = new Map(list.map((skip) => [keyOf(skip.stream, skip.seq), skip]));
  }

  static async read(keys: Keys): Promise<Skips> {
    const entries = await keys.all();
    const list = entries.map(({ value }) => JSON.parse(value) as Skip);
    list.sort((a, b) => (a.stream === b.stream ? a.seq - b.seq : a.stream < b.stream ? -1 : 1));
    return new Skips(list, Math.max(0, ...entries.map(({ revision }) => revision)));
  }

  /** Stores a skip. Rejects with a conflict if the place already has one (SK2). */
  static async add(keys: Keys, skip: Skip): Promise<void> {
    await keys.put(keyOf(skip.stream, skip.seq), JSON.stringify(skip), 0);
  }

  /** Returns the skip of a stored message, if any. */
  of(stream: string, message: Pick<StoredMessage, 'seq' | 'data'>): Skip | undefined {
    const skip = this.#byPlace.get(keyOf(stream, message.seq));
    // The skip must be of these very bytes (SK1).
    return skip !== undefined && skip.sha256 === sha256(message.data) ? skip : undefined;
  }

  /** Whether every sequence from `from` up to, but not including, `until` was skipped as lost. */
  lost(stream: string, from: number, until: number): boolean {
    if (until - from > this.list.length) return false;
    for (let seq = from; seq < until; seq++) if (this.#byPlace.get(keyOf(stream, seq))?.sha256 !== '') return false;
    return true;
  }

  /** Whether a skip is between two records of a subject, so that its writer's chain may break there. */
  bridge(stream: string, subject: string, after: number, before: number): boolean {
    return this.list.some(
      (skip) =>
        skip.stream === stream &&
        skip.seq > after &&
        skip.seq < before &&
        (skip.subject === subject || skip.sha256 === ''),
    );
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function keyOf(stream: string, seq: number): string {
  return `${stream}.${seq}`;
}
