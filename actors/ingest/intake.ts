/**
 * Intake folds the messages of the fact streams into the books, each fact once. A fact cannot be refused, so one that cannot be counted is
 * parked.
 *
 * Invariants:
 *  IT1 Every fact gets one verdict: applied, duplicate, or parked with a reason. received = applied + duplicates + parked.
 *  IT2 A verdict depends only on the message, the ids seen, the moment at which it was stored and the rule of its sequence. So a replay gives
 *     the same verdict, even if settings or programs have changed.
 *  IT3 A position moves past a parked message at once. But no snapshot is taken until PARKED holds the message, and also its mark if it was
 *     parked for its id.
 *  IT4 A fact whose folding throws is not skipped. Its partition is dropped immediately and rebuilt from its log.
 */

import { failpoint } from '../../config/failpoints.ts';
import { LIMITS } from '../../config/limits.ts';
import type { FactStream } from '../../config/topology.ts';
import type { StoredMessage } from '../../streams/broker.ts';
import type { Clock } from '../../streams/clock.ts';
import { type Bundle, bundleIn } from '../../streams/fact/bundle.ts';
import type { Fact } from '../../streams/fact/fact.ts';
import { MARK_HEADER, type ParkMarks } from '../../streams/fact/parked/park-marks.ts';
import type { Parking, ParkReason } from '../../streams/fact/parked/parked.ts';
import { factSource } from '../../streams/fact/source.ts';
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
  /** Called after a fact was folded, while the position of its partition is still before its message. */
  readonly counted?: (partition: Partition, stream: FactStream, seq: number, fact: Fact) => void;
  readonly duplicate: () => void;
  readonly parked: (reason: ParkReason) => void;
  /** Called when folding a fact threw. The partition's book may hold half of it (IT4). */
  readonly inDoubt: (partition: number, what: string, error: unknown) => void;
}

export class Intake {
  readonly #clock: Clock;
  readonly #partitions: Partitions;
  readonly #factIds: FactIds;
  readonly #parking: (parking: Parking) => Promise<unknown>;
  readonly #events: IntakeEvents;
  readonly #rules: Pick<Rules, 'at'>;
  readonly #exceptions = new Map<string, FactOutcome>();
  readonly #waiters = new Map<string, Set<(passed: boolean) => void>>();
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
    this.#parking = park;
    this.#events = events;
    this.#rules = rules;
    this.#stored = stored;
  }

  /** Marks of parked facts, which every replay must honour. */
  get marks(): ParkMarks {
    return this.#stored.marks;
  }

  /** Sources of facts that were parked for their ids and never count (IT2). */
  get conflicts(): Set<string> {
    return this.#stored.marks.conflicts;
  }

  /** Judges a message and folds it if it counts. The marks read so far must cover the message (MK2). */
  take(stream: FactStream, message: StoredMessage): void {
    const { partitions } = this.#stored;
    const bundle = bundleIn(message, partitions);
    if (bundle !== undefined) {
      this.#takeBundle(stream, message, bundle);
      return;
    }
    const stored = storedFact(message.subject, partitions);
    const partition = this.#partitions.get(stored.partition);
    if (partition === undefined || message.seq <= partition.positions[stream]) return;
    if (this.#takeFact(stream, message, stored, this.#rules.at(stream, message), partition))
      this.#passed(stream, message.seq, partition);
  }

  #takeBundle(stream: FactStream, whole: StoredMessage, bundle: Bundle): void {
    const rule = this.#rules.at(stream, whole);
    const taken = new Set<Partition>();
    while (bundle.next()) {
      const partition = this.#partitions.get(bundle.partition);
      if (partition === undefined || whole.seq <= partition.positions[stream]) continue;
      // mutant: passed-at-first-fact
      taken.add(partition);
      const message = bundle.message(whole, rule.slackMs * 1000);
      if (!this.#takeFact(stream, message, bundle.stored, rule, partition)) taken.delete(partition);
    }
    // A position moves only past a whole message, so a partition folds all of its facts or, after an error, none (IT4).
    for (const partition of taken) this.#passed(stream, whole.seq, partition);
  }

  /** False if the fact could not be folded, and the partition is dropped. */
  #takeFact(stream: FactStream, message: StoredMessage, stored: StoredFact, rule: Rule, partition: Partition): boolean {
    failpoint('fact-received');
    const source = () => factSource(stream, message.seq, stored.place);
    try {
      const outcome = this.#judge(stream, message, stored, rule, partition);
      if (outcome !== 'applied') this.#except(source(), outcome);
    } catch (error) {
      this.#events.inDoubt(partition.number, `fact ${source()}`, error);
      return false;
    }
    failpoint('fact-applied');
    return true;
  }

  #passed(stream: FactStream, seq: number, partition: Partition): void {
    partition.positions[stream] = seq;
    if (this.#waiters.size > 0) this.#tell(waiterOf(stream, seq, partition.number));
  }

  /** Whether this node holds a partition, serving or catching up. */
  holds(partition: number): boolean {
    return this.#partitions.has(partition);
  }

  /**
   * Returns the verdicts on stored facts of one message and of a partition that is held here; `unknown` if an earlier owner gave it.
   * @param places of the facts in a bundle; [undefined] for a message that is one fact
   * @param withinMs longest wait in milliseconds, after which the result is undefined
   */
  async outcomes(
    stream: FactStream,
    seq: number,
    places: readonly (number | undefined)[],
    partition: number,
    withinMs: number,
  ): Promise<(FactOutcome | 'unknown')[] | undefined> {
    const held = this.#partitions.get(partition);
    if (held === undefined) return undefined;
    if (held.positions[stream] < seq && !(await this.#pass(waiterOf(stream, seq, partition), withinMs)))
      return undefined;
    // mutant: earlier-verdict-guessed
    const usual = seq <= held.loadedPositions[stream] ? 'unknown' : 'applied';
    return places.map((place) => this.#exceptions.get(factSource(stream, seq, place)) ?? usual);
  }

  /** Waits until a partition has folded a message; false if it does not in time. */
  #pass(key: string, withinMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const waiting = this.#waiters.get(key) ?? new Set();
      this.#waiters.set(key, waiting);
      const tell = (passed: boolean) => {
        cancel();
        resolve(passed);
      };
      const cancel = this.#clock.after(withinMs, () => {
        waiting.delete(tell);
        if (waiting.size === 0) this.#waiters.delete(key);
        resolve(false);
      });
      waiting.add(tell);
    });
  }

  /** Called when no more messages will be taken. Everyone who waits for a verdict gets undefined. */
  giveUp(): void {
    for (const waiting of this.#waiters.values()) for (const tell of waiting) tell(false);
    this.#waiters.clear();
  }

  #judge(
    stream: FactStream,
    message: StoredMessage,
    stored: StoredFact,
    rule: Rule,
    partition: Partition,
  ): FactOutcome {
    const source = () => factSource(stream, message.seq, stored.place);
    const put = (parked: ParkReason, why: string) => this.#park(source(), message, partition, parked, why);
    // Each return below is exactly one verdict (IT1).
    const read = readStored(rule, message, stored, this.marks);
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
    if (known === 'conflict' || (this.conflicts.size > 0 && this.conflicts.has(source()))) {
      this.conflicts.add(source());
      return put('id-conflict', `the id ${fact.id} was used before with other content`);
    }
    const { recordedAt } = message;
    this.#factIds.add(partition.number, id, content, rememberedFrom(rule, recordedAt, fact.own ?? fact.at));
    foldFact(partition, fact, recordedAt);
    this.#events.counted?.(partition, stream, message.seq, fact);
    this.#events.applied(fact.type);
    return 'applied';
  }

  #park(source: string, message: StoredMessage, partition: Partition, reason: ParkReason, why: string): FactOutcome {
    this.#events.parked(reason);
    this.parkingInFlight += 1;
    const done = this.#parking({
      source,
      subject: message.subject,
      reason,
      message: why,
      contentType: message.header('Content-Type'),
      bytes: message.data,
      storedAt: message.recordedAt,
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

  #except(source: string, outcome: FactOutcome): void {
    this.#exceptions.set(source, outcome);
    if (this.#exceptions.size <= LIMITS.verdictsKept) return;
    for (const oldest of this.#exceptions.keys()) {
      this.#exceptions.delete(oldest);
      break;
    }
  }

  #tell(key: string): void {
    for (const tell of this.#waiters.get(key) ?? []) tell(true);
    this.#waiters.delete(key);
  }
}

function waiterOf(stream: FactStream, seq: number, partition: number): string {
  return `${stream}.${seq}.${partition}`;
}

/**
 * Returns the moment from which an id is remembered for one horizon. Usually it is when the fact was stored, because an old fact may be
 * sent again like any other. A fact dated ahead may be sent again for longer, so its id is remembered for up to two horizons.
 */
function rememberedFrom(rule: Rule, recordedAt: number, occurredAt: number): number {
  return Math.max(recordedAt, Math.min(occurredAt, recordedAt + horizonMicros(rule)));
}
