/**
 * The journal of one writer: group commit with one publish in flight, which with the expected last sequence of the writer's own
 * subject is the fence.
 *
 * Invariants:
 *  J1 At most one publish is in flight on a writer's subject. Records are dense and chained (JR1).
 *  J2 A time-out is never "not stored": outcomes that are not known are settled by reading the tail through the leader.
 *  J3 `stored` and `dropped` of decisions run in the order of their appends, each exactly once.
 *  J4 A fence in the tail drops exactly the decisions for its partitions in epochs before its own; what cannot be explained stops the
 *     journal.
 *  J5 A record has at most half of the server's max_payload. Only what can pass is waited for: a server that is away or has no room. A
 *     record that the server refuses for what it is goes again decision by decision, and the one at fault is dropped.
 *  J6 A batch is formed anew only when no earlier attempt at its record can still be stored.
 */

import { failpoint } from '../../config/failpoints.ts';
import { LIMITS } from '../../config/limits.ts';
import { JOURNAL_STREAM } from '../../config/topology.ts';
import { assert, present } from '../assert.ts';
import { type Broker, BrokerError } from '../broker.ts';
import { backOffMs, type Clock, delay } from '../clock.ts';
import { type ReadingDeps, readUntil } from '../read/follower.ts';
import { journalSubject } from '../subjects.ts';
import type { Decision, PartitionEpoch } from './decision.ts';
import { isFence } from './decision.ts';
import {
  type ChainTip,
  decodeRecord,
  encodeDecision,
  encodeRecord,
  type JournalRecord,
  joinRecord,
  RECORD_HEAD_BYTES,
  recordHash,
} from './record.ts';
import { isForWhatItIs, troubleOf } from './refusals.ts';

/** A server that has just come up may not know its streams yet. */
const TRIES_BEFORE_GONE = 4;

/** Why a decision is certainly not stored; `too-large`: nor would it be if it were asked for again. */
export type Dropped = (why: string, kind?: 'too-large') => void;

interface Waiting {
  readonly decision: Decision;
  /** The decision as it stands in a record. */
  readonly bytes: Uint8Array;
  readonly stored: () => void;
  readonly dropped: Dropped;
}
/** Nothing has been stored for a while, though there was something to store. */
export interface Standstill {
  readonly ms: number;
  /** One of a few sentences for people. */
  readonly why: string;
}

/** A refusal is trouble for so long after it: what was refused does not wait any more. */
const REFUSED_FOR_MS = 10_000;
export interface JournalEvents {
  /** A fence by another node: these partitions are no longer ours in epochs before these. */
  readonly fenced: (parts: readonly PartitionEpoch[]) => void;
  /** Cannot go on: the tail is not what this writer wrote. */
  readonly stopped: (why: string) => void;
  /** Before the folds of a record run: where it stands in the stream. */
  readonly stored: (seq: number, decisions: number, seconds: number) => void;
}

export class Journal {
  readonly writer: string;
  /** The last record with decisions. */
  tip: ChainTip;
  readonly #broker: Broker;
  readonly #clock: Clock;
  readonly #events: JournalEvents;
  readonly #subject: string;
  #n = 0;
  #before = '';
  #lastSeq = 0;
  #waiting: Waiting[] = [];
  #batch: Waiting[] = [];
  #running = false;
  #scheduled = false;
  #stopped: string | undefined;
  /** Decisions appended, and those of them whose outcome is known. */
  #appended = 0;
  #settled = 0;
  #drains: { readonly until: number; readonly resolve: () => void }[] = [];
  /** Decisions at the front of those that wait that go one in a record: a record with them was refused. */
  #alone = 0;
  /** Since when there has been something to store and nothing was. */
  #stillSince: number | undefined;
  #refusedAt = Number.NEGATIVE_INFINITY;
  #trouble = '';

  constructor({ broker, clock }: ReadingDeps, writer: string, events: JournalEvents) {
    this.#broker = broker;
    this.#clock = clock;
    this.writer = writer;
    this.tip = { writer, n: 0, hash: '', seq: 0 };
    this.#events = events;
    this.#subject = journalSubject(writer);
  }

  /** Decisions that wait or are on their way. */
  get inFlight(): number {
    return this.#waiting.length + this.#batch.length;
  }

  /** How long nothing has been stored while there was something to store, and why; undefined if it moves or has nothing to do. */
  get standstill(): Standstill | undefined {
    if (this.#stillSince === undefined || (this.inFlight === 0 && !this.#refusedLately)) return undefined;
    const why = this.#trouble === '' ? 'NATS has not answered yet' : this.#trouble;
    return { ms: this.#clock.monoMs() - this.#stillSince, why };
  }

  get #refusedLately(): boolean {
    return this.#clock.monoMs() - this.#refusedAt < REFUSED_FOR_MS;
  }

  /** @param bytes of the decision (encodeDecision), where they are known already */
  append(decision: Decision, stored: () => void, dropped: Dropped, bytes = encodeDecision(decision)): void {
    if (this.#stopped !== undefined) return dropped(this.#stopped);
    this.#appended += 1;
    if (this.#stillSince === undefined || (this.inFlight === 0 && !this.#refusedLately))
      this.#stillSince = this.#clock.monoMs();
    this.#waiting.push({ decision, bytes, stored, dropped });
    if (this.#running || this.#scheduled) return;
    // The rest of this turn's requests join the batch.
    this.#scheduled = true;
    this.#clock.turn(() => {
      this.#scheduled = false;
      if (!this.#running) this.#run().catch((error: Error) => this.#fail(error));
    });
  }

  /** Resolves when the outcome of everything appended so far is known, however much is appended meanwhile (J3). */
  async drained(): Promise<void> {
    if (this.#settled === this.#appended) return;
    await new Promise<void>((resolve) => this.#drains.push({ until: this.#appended, resolve }));
  }

  #settle(count: number): void {
    this.#settled += count;
    assert(this.#settled <= this.#appended, 'J3');
    if (this.#drains.length === 0) return;
    for (const { until, resolve } of this.#drains) if (until <= this.#settled) resolve();
    this.#drains = this.#drains.filter(({ until }) => until > this.#settled);
  }

  async #run(): Promise<void> {
    assert(!this.#running, 'J1');
    this.#running = true;
    while (this.#waiting.length > 0 && this.#stopped === undefined) await this.#commit();
    this.#running = false;
    if (this.#stopped !== undefined) this.#dropAll(this.#stopped);
  }

  async #commit(): Promise<void> {
    this.#batch = this.#nextBatch();
    while (this.#batch.length > 0 && this.#stopped === undefined) {
      const n = this.#n + 1;
      const head = { writer: this.writer, n, before: this.#before };
      const bytes = joinRecord(
        head,
        this.#batch.map((each) => each.bytes),
      );
      const began = this.#clock.monoMs();
      const seq = await this.#store(bytes, n);
      if (seq instanceof BrokerError) this.#takeRefusal(seq);
      if (typeof seq !== 'number') continue;
      this.#advance(seq, n, bytes);
      const batch = this.#batch;
      this.#batch = [];
      this.#moved();
      this.tip = { writer: this.writer, n: this.#n, hash: this.#before, seq };
      this.#events.stored(seq, batch.length, (this.#clock.monoMs() - began) / 1000);
      // J3.
      for (const each of batch) each.stored();
      this.#settle(batch.length);
      failpoint('decision-folded');
    }
  }

  #nextBatch(): Waiting[] {
    if (this.#alone > 0) {
      this.#alone -= 1;
      return this.#waiting.splice(0, 1);
    }
    const most = this.#broker.server.maxPayload / 2 - RECORD_HEAD_BYTES;
    let bytes = 0;
    let count = 0;
    while (count < this.#waiting.length && count < LIMITS.decisionsPerRecord) {
      bytes += present(this.#waiting[count]).bytes.length;
      if (bytes > most && count > 0) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  /** J5. */
  #takeRefusal(error: BrokerError): void {
    const batch = this.#batch.splice(0);
    if (batch.length > 1) {
      this.#alone += batch.length;
      this.#waiting.unshift(...batch);
      return;
    }
    const tooLarge = error.kind === 'too-large';
    if (tooLarge) this.#moved();
    else {
      this.#refusedAt = this.#clock.monoMs();
      this.#trouble = 'NATS refuses what is appended';
    }
    for (const { bytes, dropped } of batch) {
      if (tooLarge)
        dropped(`its decision has ${bytes.length} bytes, which the journal's server does not take`, 'too-large');
      else dropped('the server of the journal refuses it');
    }
    this.#settle(batch.length);
  }

  #moved(): void {
    this.#stillSince = this.inFlight > 0 ? this.#clock.monoMs() : undefined;
    this.#trouble = '';
  }

  #advance(seq: number, n: number, bytes: Uint8Array): void {
    assert(n === this.#n + 1 && seq > this.#lastSeq, 'JR1');
    this.#lastSeq = seq;
    this.#n = n;
    this.#before = recordHash(bytes);
  }

  /**
   * The record's sequence; undefined if a fence came in between and the batch must be formed anew; the error if the server will not take it
   * for what it is, and it is certain that no attempt at it will ever be stored.
   */
  async #store(bytes: Buffer, n: number): Promise<number | undefined | BrokerError> {
    let open = false;
    for (let attempt = 0; ; attempt++) {
      try {
        failpoint('before-append');
        // mutant: append-without-expectation
        const seq = await this.#broker.publish(this.#subject, bytes, { expectLast: this.#lastSeq });
        failpoint('append-stored');
        return seq;
      } catch (error) {
        // mutant: timeout-is-not-stored
        const outcome = await this.#outcome(bytes, n, error as Error);
        if (outcome !== 'again') return outcome;
        // mutant: refused-batch-formed-again
        if (isForWhatItIs(error)) return open ? this.#close(bytes, n, error) : error;
        open ||= !(error instanceof BrokerError) || error.kind !== 'conflict';
        if (attempt > 0) await delay(this.#clock, backOffMs(attempt, 20, 1_000));
      }
    }
  }

  /**
   * An attempt at a record that is refused now may still be on its way (J6). An empty record in its place settles it: of the two, which
   * expect the same, one is stored.
   */
  async #close(bytes: Buffer, n: number, refusal: BrokerError): Promise<number | undefined | BrokerError> {
    const empty = encodeRecord({ writer: this.writer, n, before: this.#before, decisions: [] });
    for (;;) {
      const seq = await this.#store(empty, n);
      if (seq instanceof BrokerError) await delay(this.#clock, 1_000);
      else if (seq === undefined) return undefined;
      else {
        const [stored] = await this.#ownBetween(seq, seq);
        if (stored !== undefined && recordHash(stored.data) === recordHash(bytes)) return seq;
        this.#advance(seq, n, empty);
        return refusal;
      }
    }
  }

  /** What the tail says of a publish that did not end well (J2). */
  async #outcome(bytes: Buffer, n: number, error: Error): Promise<number | undefined | 'again'> {
    this.#trouble = troubleOf(error);
    const tail = await this.#tail();
    if (tail === 'gone') return this.#stop('the stream JOURNAL is gone');
    const hash = recordHash(bytes);
    if (tail === undefined) {
      if (this.#n === 0) return 'again';
      return this.#stop('the journal has lost this writer’s records');
    }
    if (tail.seq === this.#lastSeq) return 'again';
    if (recordHash(tail.data) === hash) return tail.seq;
    return this.#takeFences(tail.seq, n);
  }

  async #tail() {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#broker.lastOn(JOURNAL_STREAM, this.#subject);
      } catch {
        if (attempt >= TRIES_BEFORE_GONE && (await this.#isGone())) return 'gone';
        await delay(this.#clock, backOffMs(attempt, 50, 1_000));
      }
    }
  }

  /** The server answers, and has no such stream. */
  async #isGone(): Promise<boolean> {
    return this.#broker.stream(JOURNAL_STREAM).then(
      (stream) => stream === undefined,
      () => false,
    );
  }

  /** Reads what others appended behind our last record: fences, or our own record and then fences. */
  async #takeFences(tailSeq: number, n: number): Promise<number | undefined> {
    for (const { seq, data } of await this.#ownBetween(this.#lastSeq + 1, tailSeq)) {
      const record = readable(data);
      if (record === undefined) return this.#stop(`the message at JOURNAL.${seq} in our name is no record`);
      if (record.before !== this.#before || record.n !== this.#n + 1)
        return this.#stop(`record ${record.n} at JOURNAL.${seq} does not follow ours`);
      const fence = record.decisions.length === 1 ? record.decisions[0] : undefined;
      if (fence !== undefined && isFence(fence)) {
        this.#advance(seq, record.n, data);
        // mutant: fence-drops-none
        this.#dropFor(fence.parts);
        // mutant: fence-takes-none
        this.#events.fenced(fence.parts);
      } else if (record.n === n) {
        // Ours landed late, before a fence: it is stored. Fold it first, then let the next append find the fence.
        return seq;
      } else return this.#stop(`record ${record.n} at JOURNAL.${seq} in our name is not ours`);
    }
    return undefined;
  }

  /** What stands on our subject there. Others may have written a great deal between: only ours is read. */
  async #ownBetween(from: number, until: number): Promise<{ seq: number; data: Uint8Array }[]> {
    for (let attempt = 0; ; attempt++) {
      const found: { seq: number; data: Uint8Array }[] = [];
      try {
        const deps = { broker: this.#broker, clock: this.#clock };
        await readUntil(deps, JOURNAL_STREAM, [this.#subject], from, until, ({ seq, data }) => {
          found.push({ seq, data });
        });
        if (found.at(-1)?.seq === until) return found;
      } catch {
        // The server is away: it is asked again.
      }
      await delay(this.#clock, backOffMs(attempt, 50, 1_000));
    }
  }

  // J4.
  #dropFor(fenced: readonly PartitionEpoch[]): void {
    const lost = new Map(fenced);
    const keep = (each: Waiting) => {
      if (!each.decision.parts.some(([partition, epoch]) => epoch < (lost.get(partition) ?? 0))) return true;
      each.dropped('its partition has another owner now');
      this.#settle(1);
      return false;
    };
    this.#batch = this.#batch.filter(keep);
    this.#waiting = this.#waiting.filter(keep);
  }

  /** Neither what is stored nor what is folded is known any more: the next start finds out. */
  #fail(error: Error): void {
    this.#running = false;
    this.#stop(`a fault of the program in the journal: ${error.message}`);
    this.#dropAll('the journal has stopped');
  }

  #stop(why: string): undefined {
    this.#stopped = why;
    this.#events.stopped(why);
    return undefined;
  }

  #dropAll(why: string): void {
    const all = [...this.#batch.splice(0), ...this.#waiting.splice(0)];
    for (const each of all) each.dropped(why);
    this.#settle(all.length);
  }
}

function readable(data: Uint8Array): JournalRecord | undefined {
  try {
    return decodeRecord(data);
  } catch {
    return undefined;
  }
}
