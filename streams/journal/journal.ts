/**
 * The journal of one writer. Decisions that arrive during a publish wait and form the next record, so one publish commits many decisions
 * (group commit). Each publish expects the writer's last record to be the last message on its subject. A node that takes partitions over
 * appends a fence to that subject, so the next publish of a deposed owner fails and the owner finds the fence.
 *
 * Invariants:
 *  J1 At most one publish is in flight on a writer's subject. Records are dense and chained (JR1).
 *  J2 A time-out never counts as "not stored". An unknown outcome is settled by a read of the tail through the leader.
 *  J3 Each decision gets exactly one call, `stored` or `dropped`. The `stored` calls run in the order of the appends.
 *  J4 A fence in the tail drops exactly the decisions that are for its partitions in earlier epochs. A tail that cannot be explained stops
 *     the journal.
 *  J5 A record takes at most half of the server's max_payload, unless a single decision is larger. The journal waits only for trouble that
 *     can pass: a server that is away or has no room. If the server refuses a record for its content, its decisions are sent again one by
 *     one, and the one at fault is dropped.
 *  J6 A batch is formed again only when no earlier attempt at its record can still be stored.
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

/** Failed reads of the tail before JOURNAL may count as gone. A server that has just started may not know its streams yet. */
const TRIES_BEFORE_GONE = 4;

/** Called when a decision is certainly not stored. `too-large` means that a retry would not be stored either. */
export type Dropped = (why: string, kind?: 'too-large') => void;

interface Waiting {
  readonly decision: Decision;
  /** The decision's bytes within a record. */
  readonly bytes: Uint8Array;
  readonly stored: () => void;
  readonly dropped: Dropped;
}
/** How long nothing has been stored although there was something to store, and why. */
export interface Standstill {
  readonly ms: number;
  /** A sentence for people, one of a small fixed set. */
  readonly why: string;
}

/** How long a refusal still counts as a standstill. The refused decision no longer waits, so it would not show otherwise. */
const REFUSED_FOR_MS = 10_000;
export interface JournalEvents {
  /** Another node has fenced these partitions. They are no longer ours in epochs before these. */
  readonly fenced: (parts: readonly PartitionEpoch[]) => void;
  /** The journal has stopped: its tail is not what this writer wrote, JOURNAL is gone, or the program has a fault. */
  readonly stopped: (why: string) => void;
  /** Called with a record's sequence and number before its decisions are folded. */
  readonly stored: (seq: number, n: number, decisions: readonly Pick<Waiting, 'decision'>[], seconds: number) => void;
}

export class Journal {
  readonly writer: string;
  /** The last record that carried this writer's decisions. */
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
  /** Decisions whose outcome is not known or not folded yet. */
  readonly #unsettled = new Set<Waiting>();
  #drains: { readonly pending: Set<Waiting>; readonly resolve: () => void }[] = [];
  /** Number of decisions at the front of the queue that go one per record, because a record of several was refused. */
  #alone = 0;
  /** Since when nothing has been stored although there was something to store. */
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

  /** Number of decisions that wait or are being published. */
  get inFlight(): number {
    return this.#waiting.length + this.#batch.length;
  }

  /** Time since the journal last stored something although it had work, and why; undefined if it is idle and had no recent refusal. */
  get standstill(): Standstill | undefined {
    if (this.#stillSince === undefined || (this.inFlight === 0 && !this.#refusedLately)) return undefined;
    const why = this.#trouble === '' ? 'NATS has not answered yet' : this.#trouble;
    return { ms: this.#clock.monoMs() - this.#stillSince, why };
  }

  get #refusedLately(): boolean {
    return this.#clock.monoMs() - this.#refusedAt < REFUSED_FOR_MS;
  }

  /** @param bytes the encoded decision (encodeDecision), if the caller already has it */
  append(decision: Decision, stored: () => void, dropped: Dropped, bytes = encodeDecision(decision)): void {
    if (this.#stopped !== undefined) {
      dropped(this.#stopped);
      return;
    }
    if (this.#stillSince === undefined || (this.inFlight === 0 && !this.#refusedLately))
      this.#stillSince = this.#clock.monoMs();
    const waiting = { decision, bytes, stored, dropped };
    this.#unsettled.add(waiting);
    this.#waiting.push(waiting);
    if (this.#running || this.#scheduled) return;
    // Wait for the end of this turn, so that its other requests join the batch.
    this.#scheduled = true;
    this.#clock.turn(() => {
      this.#scheduled = false;
      if (!this.#running) this.#run().catch((error: Error) => this.#fail(error));
    });
  }

  /** Resolves when every decision that was appended before the call is stored and folded, or dropped. Later appends do not delay it. */
  async drained(): Promise<void> {
    if (this.#unsettled.size === 0) return;
    await new Promise<void>((resolve) => this.#drains.push({ pending: new Set(this.#unsettled), resolve }));
  }

  #settle(settled: readonly Waiting[]): void {
    for (const each of settled) assert(this.#unsettled.delete(each), 'J3');
    if (this.#drains.length === 0) return;
    for (const { pending, resolve } of this.#drains) {
      for (const each of settled) pending.delete(each);
      if (pending.size === 0) resolve();
    }
    this.#drains = this.#drains.filter(({ pending }) => pending.size > 0);
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
      this.#events.stored(seq, n, batch, (this.#clock.monoMs() - began) / 1000);
      // The calls run in the order of the appends (J3).
      for (const each of batch) each.stored();
      this.#settle(batch);
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

  /** Sends the decisions of a refused record again, one per record. A decision that is refused alone is dropped (J5). */
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
    this.#settle(batch);
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
   * Returns the record's sequence. Returns undefined if a fence came in between, so the batch must be formed again, or if the journal has
   * stopped. Returns the error if the server refuses the record for its content and no attempt at it can ever be stored (J6).
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
   * Settles a refused record of which an earlier attempt may still be on its way (J6). It publishes an empty record in its place. Both
   * expect the same last sequence, so only one of them is stored.
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

  /** Reads the tail to find the outcome of a publish that failed (J2). */
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

  /** True if the server answers and has no such stream. */
  async #isGone(): Promise<boolean> {
    return this.#broker.stream(JOURNAL_STREAM).then(
      (stream) => stream === undefined,
      () => false,
    );
  }

  /** Reads the messages after our last record. They must be fences, or our own record and then fences. */
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
        // Our record landed late, before a fence, so it is stored. Fold it first; the next append finds the fence.
        return seq;
      } else return this.#stop(`record ${record.n} at JOURNAL.${seq} in our name is not ours`);
    }
    return undefined;
  }

  /** Messages on our own subject in a range. Other writers may have written a great deal in between, so nothing else is read. */
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
        // The server is away. Ask again after the delay.
      }
      await delay(this.#clock, backOffMs(attempt, 50, 1_000));
    }
  }

  /** Drops exactly the decisions for fenced partitions in earlier epochs (J4). */
  #dropFor(fenced: readonly PartitionEpoch[]): void {
    const lost = new Map(fenced);
    const keep = (each: Waiting) => {
      if (!each.decision.parts.some(([partition, epoch]) => epoch < (lost.get(partition) ?? 0))) return true;
      each.dropped('its partition has another owner now');
      this.#settle([each]);
      return false;
    };
    this.#batch = this.#batch.filter(keep);
    this.#waiting = this.#waiting.filter(keep);
  }

  /** After a fault it is unknown which decisions are stored and folded. The next start finds out from the log. */
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
    this.#settle(all);
  }
}

function readable(data: Uint8Array): JournalRecord | undefined {
  try {
    return decodeRecord(data);
  } catch {
    return undefined;
  }
}
