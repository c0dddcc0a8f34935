/**
 * The events of one partition that this node owns, in the order in which they must go out. It keeps what is told while the partition is
 * served, and says what must be read from the streams again.
 *
 * Invariants:
 *  LN1 Events go out in the order in which they were told, one after the other. So events of one SKU keep their order.
 *  LN2 At most LIMITS.outboxEvents wait. Beyond it they are forgotten, and the streams are read again from the position.
 *  LN3 The position of a stream is before the first event of it that waits. Without such an event, it is as far as the partition is folded.
 */
import { LIMITS } from '../../config/limits.ts';
import { ANOMALIES_STREAM, JOURNAL_STREAM } from '../../config/topology.ts';
import type { Partition } from '../partition/partition.ts';
import type { OutgoingEvent } from './mapping.ts';
import { FACT_SOURCES, OUTBOX_SOURCES, type OutboxSource, type Published } from './positions.ts';

export interface Waiting {
  readonly source: OutboxSource;
  readonly seq: number;
  readonly event: OutgoingEvent;
}

/** Where the reading of a lane ends in each stream. */
type Ends = Record<OutboxSource, number>;

export class Lane {
  readonly partition: Partition;
  /** The revision of its key; undefined until this node has recorded that it owns the lane (OY2). */
  revision: number | undefined;
  published: Published | undefined;
  /** When the position was recorded last, in monotonic milliseconds, and its text. */
  recordedMs = Number.NEGATIVE_INFINITY;
  recorded = '';
  /** Whether events were published since then. */
  moved = false;
  readonly #queue: Waiting[] = [];
  /** Up to here the streams must be read; undefined once that is done. */
  #ends: Ends | undefined;
  #overflowed = false;

  constructor(partition: Partition) {
    this.partition = partition;
    this.#ends = this.#folded();
  }

  get waiting(): readonly Waiting[] {
    return this.#queue;
  }

  /** Whether the streams must be read before the events that wait. */
  get behind(): boolean {
    return this.#ends !== undefined || this.#overflowed;
  }

  tell(waiting: Waiting): void {
    if (this.#overflowed) return;
    if (this.#queue.length >= LIMITS.outboxEvents) {
      this.#queue.length = 0;
      this.#overflowed = true;
      return;
    }
    this.#queue.push(waiting);
  }

  /** Where reading must end. From this call on, everything that is folded later waits here. @param anomalies the end of their stream */
  beginReading(anomalies: number): Ends {
    if (this.#overflowed) {
      this.#ends = this.#folded();
      this.#overflowed = false;
    }
    const ends = { ...(this.#ends ?? this.#folded()), [ANOMALIES_STREAM]: anomalies };
    this.#ends = ends;
    return ends;
  }

  /** The streams are read and published up to `ends`. */
  endReading(ends: Ends): void {
    // Anomalies that changed since the partition is served were told as well.
    const later = this.#queue.filter(({ source, seq }) => seq > ends[source]);
    this.#queue.length = 0;
    for (const each of later) this.#queue.push(each);
    this.#ends = undefined;
    this.moved = true;
    this.published = { ...ends };
  }

  /** The first event that waits is published. */
  shift(): void {
    const first = this.#queue.shift();
    if (first === undefined || this.published === undefined) return;
    // Another event of the same message may wait. Only a change of an anomaly is a message of its own.
    const reached = first.source === ANOMALIES_STREAM ? first.seq : first.seq - 1;
    this.moved = true;
    this.published = { ...this.published, [first.source]: Math.max(this.published[first.source], reached) };
  }

  /** The present position (LN3). Undefined while the streams must be read first. */
  position(): Published | undefined {
    const { published } = this;
    if (this.behind || published === undefined) return published;
    const folded = this.#folded();
    const position = {} as Record<OutboxSource, number>;
    for (const source of OUTBOX_SOURCES) {
      const first = this.#queue.find((waiting) => waiting.source === source);
      position[source] = first === undefined ? Math.max(published[source], folded[source]) : first.seq - 1;
    }
    return position;
  }

  /** How far the partition is folded. Of the anomalies only what was published is known. */
  #folded(): Ends {
    const { positions, journalSeq } = this.partition;
    const folded = { [JOURNAL_STREAM]: journalSeq, [ANOMALIES_STREAM]: 0 } as Ends;
    for (const source of FACT_SOURCES) folded[source] = positions[source];
    return folded;
  }
}
