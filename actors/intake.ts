/**
 * Intake: messages of the fact streams into the books, each fact once.
 *
 * Invariants:
 *  T1 Every message gets one verdict: applied, duplicate, or parked with a reason. received = applied + duplicates + parked.
 *  T2 A verdict depends on the message, the ids seen, the stream's own stamp of arrival and the horizon in force then: a replay gives
 *     the same, whatever the setting is by now.
 *  T3 A position moves past a parked message at once, but no snapshot is taken before the message stands in PARKED.
 *  T4 A fact whose folding throws is not passed over: its partition is dropped there and then, and built again from its log.
 */
import { failpoint } from '../config/failpoints.ts';
import { LIMITS } from '../config/limits.ts';
import type { FactStream } from '../config/topology.ts';
import type { FollowedMessage } from '../streams/broker.ts';
import type { Clock } from '../streams/clock.ts';
import { decodeBody, isMsgpack, JSON_TYPE, MSGPACK_TYPE } from '../streams/codec.ts';
import { type FactType, parseFact } from '../streams/facts.ts';
import { hash64 } from '../streams/hash.ts';
import { type Parking, type ParkReason, RESUBMIT_HEADER } from '../streams/parked.ts';
import { encodeToken } from '../streams/subjects.ts';
import type { Horizons } from './horizons.ts';
import type { Partition } from './partition.ts';
import type { SeenIds } from './seen.ts';
import { foldFact } from './watch.ts';

/** A front checks the horizon when a fact comes in, its owner when the stream has stamped it: what the one lets in, the other must. */
export const HORIZON_SLACK_MICROS = 60_000_000;

export type Verdict = 'applied' | 'duplicate' | { readonly parked: ParkReason; readonly message: string };

export interface IntakeEvents {
  readonly applied: (type: FactType) => void;
  readonly duplicate: () => void;
  readonly parked: (reason: ParkReason) => void;
  /** Something threw while it was folded into a partition's book, which may hold half of it now (T4). */
  readonly inDoubt: (partition: number, what: string, error: unknown) => void;
}

export class Intake {
  readonly #clock: Clock;
  readonly #partitions: ReadonlyMap<number, Partition>;
  readonly #seen: SeenIds;
  readonly #park: (parking: Parking) => Promise<unknown>;
  readonly #events: IntakeEvents;
  readonly #horizons: Pick<Horizons, 'microsAt'>;
  readonly #exceptions = new Map<string, Verdict>();
  readonly #waiters = new Map<string, Set<(verdict: Verdict | undefined) => void>>();
  /** `STREAM.seq` that an earlier run parked for their ids: they stay out (T2). */
  readonly conflicts = new Set<string>();
  parkingInFlight = 0;

  constructor(
    clock: Clock,
    partitions: ReadonlyMap<number, Partition>,
    seen: SeenIds,
    park: (parking: Parking) => Promise<unknown>,
    events: IntakeEvents,
    horizons: Pick<Horizons, 'microsAt'>,
  ) {
    this.#clock = clock;
    this.#partitions = partitions;
    this.#seen = seen;
    this.#park = park;
    this.#events = events;
    this.#horizons = horizons;
  }

  take(stream: FactStream, message: FollowedMessage): void {
    const { seq } = message;
    const tokens = message.subject.split('.');
    // What the stream's transform did not touch (a literal `*` for a token) is looked after by the owner of partition 0.
    const partition = this.#partitions.get(tokens.length === 4 ? Number(tokens[1]) : 0);
    if (partition === undefined || seq <= partition.positions[stream]) return;
    failpoint('fact-received');
    let verdict: Verdict;
    try {
      verdict = this.#judge(stream, message, tokens, partition);
    } catch (error) {
      this.#events.inDoubt(partition.number, `fact ${stream}.${seq}`, error);
      return;
    }
    failpoint('fact-applied');
    partition.positions[stream] = seq;
    if (verdict !== 'applied') this.#except(stream, seq, verdict);
    if (this.#waiters.size > 0) this.#tell(`${stream}.${seq}`, verdict);
  }

  /** Whether a partition is held here, served or catching up. */
  holds(partition: number): boolean {
    return this.#partitions.has(partition);
  }

  /**
   * The verdict on a stored fact of a partition that is held here; undefined if it does not come within so many milliseconds, `unknown` if
   * an owner before this one gave it.
   */
  async verdict(
    stream: FactStream,
    seq: number,
    partition: number,
    withinMs: number,
  ): Promise<Verdict | 'unknown' | undefined> {
    const key = `${stream}.${seq}`;
    const held = this.#partitions.get(partition);
    if (held === undefined) return undefined;
    if (seq <= held.loadedPositions[stream]) return this.#exceptions.get(key) ?? 'unknown';
    if (held.positions[stream] >= seq) return this.#exceptions.get(key) ?? 'applied';
    return new Promise((resolve) => {
      const waiting = this.#waiters.get(key) ?? new Set();
      this.#waiters.set(key, waiting);
      const tell = (verdict: Verdict | undefined) => {
        cancel();
        resolve(verdict);
      };
      const cancel = this.#clock.after(withinMs, () => {
        waiting.delete(tell);
        if (waiting.size === 0) this.#waiters.delete(key);
        resolve(undefined);
      });
      waiting.add(tell);
    });
  }

  /** No more messages are taken: whoever waits for a verdict is told that none comes. */
  giveUp(): void {
    for (const waiting of this.#waiters.values()) for (const tell of waiting) tell(undefined);
    this.#waiters.clear();
  }

  #judge(stream: FactStream, message: FollowedMessage, tokens: readonly string[], partition: Partition): Verdict {
    const contentType = message.header('Content-Type');
    const put = (parked: ParkReason, why: string) => this.#parkMessage(stream, message, partition, parked, why);
    if (tokens.length !== 4)
      return put('subject-mismatch', 'the subject is not <type>.<location>.<sku> of encoded tokens');
    let value: unknown;
    try {
      value = decodeBody(message.data, contentType);
    } catch (error) {
      return put('unreadable', `the body is neither JSON nor MessagePack: ${(error as Error).message}`);
    }
    const parsed = parseFact(value);
    if (!parsed.ok) return put('invalid', parsed.message);
    const { fact } = parsed;
    if (fact.type !== tokens[0] || encodeToken(fact.location) !== tokens[2] || encodeToken(fact.sku) !== tokens[3]) {
      return put(
        'subject-mismatch',
        `the body says ${fact.type} of ${fact.sku} at ${fact.location}, the subject something else`,
      );
    }
    const { recordedAt } = message;
    const oldest = recordedAt - this.#horizons.microsAt(recordedAt) - HORIZON_SLACK_MICROS;
    // Movements so old may have been summed up: where among them a count stood can no longer be told, whoever sends it again.
    if (fact.at < oldest && (fact.type === 'count' || message.header(RESUBMIT_HEADER) === undefined)) {
      return put('too-old', 'occurredAt is older than the idempotency horizon');
    }
    const id = hash64(fact.id, 1);
    const known = this.#seen.check(id, parsed.content);
    if (known === 'duplicate') {
      this.#events.duplicate();
      return 'duplicate';
    }
    if (known === 'conflict' || this.conflicts.has(`${stream}.${message.seq}`)) {
      this.conflicts.add(`${stream}.${message.seq}`);
      return put('id-conflict', `the id ${fact.id} was used before with other content`);
    }
    this.#seen.add(partition.number, id, parsed.content, fact.at);
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
  ): Verdict {
    this.#events.parked(reason);
    this.parkingInFlight += 1;
    const done = this.#park({
      source: `${stream}.${message.seq}`,
      subject: message.subject,
      reason,
      message: why,
      contentType: message.header('Content-Type') ?? (isMsgpack(message.data, undefined) ? MSGPACK_TYPE : JSON_TYPE),
      bytes: message.data,
    }).then(() => {
      this.parkingInFlight -= 1;
      partition.parking.delete(done);
    });
    // Where it fails it stays here, so that no snapshot is past it.
    done.catch(() => undefined);
    partition.parking.add(done);
    return { parked: reason, message: why };
  }

  #except(stream: FactStream, seq: number, verdict: Verdict): void {
    this.#exceptions.set(`${stream}.${seq}`, verdict);
    if (this.#exceptions.size <= LIMITS.verdictsKept) return;
    for (const oldest of this.#exceptions.keys()) {
      this.#exceptions.delete(oldest);
      break;
    }
  }

  #tell(key: string, verdict: Verdict): void {
    for (const tell of this.#waiters.get(key) ?? []) tell(verdict);
    this.#waiters.delete(key);
  }
}
