/**
 * Intake folds the messages of the fact streams into the books, each fact once. A fact cannot be refused, so one that cannot be counted is
 * parked.
 *
 * Invariants:
 *  IT1 Every message gets one verdict: applied, duplicate, or parked with a reason. received = applied + duplicates + parked.
 *  IT2 A verdict depends only on the message, the ids seen, the stream's own arrival stamp and the rule of its sequence. So a replay gives
 *     the same verdict, even if settings or programs have changed.
 *  IT3 A position moves past a parked message at once. But no snapshot is taken until PARKED holds the message, and also its mark if it was
 *     parked for its id.
 *  IT4 A fact whose folding throws is not skipped. Its partition is dropped immediately and rebuilt from its log.
 */

import { failpoint } from '../../config/failpoints.ts';
import { LIMITS } from '../../config/limits.ts';
import type { FactStream } from '../../config/topology.ts';
import type { FollowedMessage } from '../../streams/broker.ts';
import type { Clock } from '../../streams/clock.ts';
import { MARK_HEADER, type ParkMarks } from '../../streams/fact/park-marks.ts';
import type { Parking, ParkReason } from '../../streams/fact/parked.ts';
import { hash64 } from '../../streams/hash.ts';
import type { FactType } from '../../streams/subjects.ts';
import { type StoredFact, storedFact } from '../../streams/subjects.ts';
import type { FactIds } from '../idempotency/fact-ids.ts';
import type { Rule, Rules } from '../idempotency/rules.ts';
import { horizonMicros, readStored } from '../idempotency/stored-fact.ts';
import { foldFact } from '../partition/fold.ts';
import type { Partition } from '../partition/partition.ts';
import type { Partitions } from '../partition/partition-set.ts';

export type FactOutcome = 'applied' | 'duplicate' | { readonly parked: ParkReason; readonly message: string };

export interface IntakeEvents {
  readonly applied: (type: FactType) => void;
  readonly duplicate: () => void;
  readonly parked: (reason: ParkReason) => void;
  /** Called when folding a fact threw. The partition's book may hold half of it (IT4). */
  readonly inDoubt: (partition: number, what: string, error: unknown) => void;
}

export class Intake {
  readonly #clock: Clock;
  readonly #partitions: Partitions;
  readonly #factIds: FactIds;
  readonly #park: (parking: Parking) => Promise<unknown>;
  readonly #events: IntakeEvents;
  readonly #rules: Pick<Rules, 'at'>;
  readonly #exceptions = new Map<string, FactOutcome>();
  readonly #waiters = new Map<string, Set<(outcome: FactOutcome | undefined) => void>>();
  readonly #stored: { readonly marks: ParkMarks; readonly partitions: number };
  parkingInFlight = 0;

  constructor(
    clock: Clock,
    partitions: Partitions,
    factIds: FactIds,
    park: (parking: Parking) => Promise<unknown>,
    events: IntakeEvents,
    rules: Pick<Rules, 'at'>,
    stored: { readonly marks: ParkMarks; readonly partitions: number },
  ) {
    this.#clock = clock;
    this.#partitions = partitions;
    this.#factIds = factIds;
    this.#park = park;
    this.#events = events;
    this.#rules = rules;
    this.#stored = stored;
  }

  /** Marks of parked facts, which every replay must honour. */
  get marks(): ParkMarks {
    return this.#stored.marks;
  }

  /** `STREAM.seq` of messages that were parked for their ids and never count (IT2). */
  get conflicts(): Set<string> {
    return this.#stored.marks.conflicts;
  }

  /** Judges a message and folds it if it counts. The marks read so far must cover the message (MK2). */
  take(stream: FactStream, message: FollowedMessage): void {
    const { seq } = message;
    const place = storedFact(message.subject, this.#stored.partitions);
    const partition = this.#partitions.get(place.partition);
    if (partition === undefined || seq <= partition.positions[stream]) return;
    failpoint('fact-received');
    let outcome: FactOutcome;
    try {
      outcome = this.#judge(stream, message, place, partition);
    } catch (error) {
      this.#events.inDoubt(partition.number, `fact ${stream}.${seq}`, error);
      return;
    }
    failpoint('fact-applied');
    partition.positions[stream] = seq;
    if (outcome !== 'applied') this.#except(stream, seq, outcome);
    if (this.#waiters.size > 0) this.#tell(`${stream}.${seq}`, outcome);
  }

  /** Whether this node holds a partition, serving or catching up. */
  holds(partition: number): boolean {
    return this.#partitions.has(partition);
  }

  /**
   * Returns the verdict on a stored fact of a partition that is held here; `unknown` if an earlier owner gave it.
   * @param withinMs longest wait in milliseconds, after which the result is undefined
   */
  async outcome(
    stream: FactStream,
    seq: number,
    partition: number,
    withinMs: number,
  ): Promise<FactOutcome | 'unknown' | undefined> {
    const key = `${stream}.${seq}`;
    const held = this.#partitions.get(partition);
    if (held === undefined) return undefined;
    if (seq <= held.loadedPositions[stream]) return this.#exceptions.get(key) ?? 'unknown';
    if (held.positions[stream] >= seq) return this.#exceptions.get(key) ?? 'applied';
    return new Promise((resolve) => {
      const waiting = this.#waiters.get(key) ?? new Set();
      this.#waiters.set(key, waiting);
      const tell = (outcome: FactOutcome | undefined) => {
        cancel();
        resolve(outcome);
      };
      const cancel = this.#clock.after(withinMs, () => {
        waiting.delete(tell);
        if (waiting.size === 0) this.#waiters.delete(key);
        resolve(undefined);
      });
      waiting.add(tell);
    });
  }

  /** Called when no more messages will be taken. Everyone who waits for a verdict gets undefined. */
  giveUp(): void {
    for (const waiting of this.#waiters.values()) for (const tell of waiting) tell(undefined);
    this.#waiters.clear();
  }

  #judge(stream: FactStream, message: FollowedMessage, place: StoredFact, partition: Partition): FactOutcome {
    const rule = this.#rules.at(stream, message);
    const put = (parked: ParkReason, why: string) => this.#parkMessage(stream, message, partition, parked, why);
    // Each return below is exactly one verdict (IT1).
    const read = readStored(rule, message, place, this.marks);
    if (!read.ok) return put(read.reason, read.message);
    const { fact, content } = read;
    const id = hash64(fact.id, 1);
    const known = this.#factIds.check(id, content);
    // mutant: duplicates-count
    if (known === 'duplicate') {
      this.#events.duplicate();
      return 'duplicate';
    }
    // mutant: conflicts-count
    if (known === 'conflict' || this.conflicts.has(`${stream}.${message.seq}`)) {
      this.conflicts.add(`${stream}.${message.seq}`);
      return put('id-conflict', `the id ${fact.id} was used before with other content`);
    }
    const { recordedAt } = message;
    this.#factIds.add(partition.number, id, content, rememberedFrom(rule, recordedAt, fact.at));
    foldFact(partition, fact, recordedAt);
    this.#events.applied(fact.type);
    return 'applied';
  }

  #parkMessage(
    stream: FactStream,
    message: FollowedMessage,
    partition: Partition,
    reason: ParkReason,
    why: string,
  ): FactOutcome {
    this.#events.parked(reason);
    this.parkingInFlight += 1;
    const done = this.#park({
      source: `${stream}.${message.seq}`,
      subject: message.subject,
      reason,
      message: why,
      contentType: message.header('Content-Type'),
      bytes: message.data,
      // A quotation that no node has written proves nothing.
      mark: this.marks.allows(message) ? message.header(MARK_HEADER) : undefined,
    }).then(() => {
      this.parkingInFlight -= 1;
      partition.parking.delete(done);
    });
    // If parking fails, the promise stays in the set, so no snapshot moves past the message (IT3).
    done.catch(() => undefined);
    partition.parking.add(done);
    return { parked: reason, message: why };
  }

  #except(stream: FactStream, seq: number, outcome: FactOutcome): void {
    this.#exceptions.set(`${stream}.${seq}`, outcome);
    if (this.#exceptions.size <= LIMITS.verdictsKept) return;
    for (const oldest of this.#exceptions.keys()) {
      this.#exceptions.delete(oldest);
      break;
    }
  }

  #tell(key: string, outcome: FactOutcome): void {
    for (const tell of this.#waiters.get(key) ?? []) tell(outcome);
    this.#waiters.delete(key);
  }
}

/**
 * Returns the moment from which an id is remembered for one horizon. Usually it is when the fact was stored, because an old fact may be
 * sent again like any other. A fact dated ahead may be sent again for longer, so its id is remembered for up to two horizons.
 */
function rememberedFrom(rule: Rule, recordedAt: number, occurredAt: number): number {
  return Math.max(recordedAt, Math.min(occurredAt, recordedAt + horizonMicros(rule)));
}
