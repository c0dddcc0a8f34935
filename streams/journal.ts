/**
 * The journal of one writer: group commit with one publish in flight, which with the expected last sequence of the writer's own
 * subject is the fence.
 *
 * Invariants:
 *  J1 At most one publish is in flight on a writer's subject. Records are dense and chained (D1).
 *  J2 A time-out is never "not stored": outcomes that are not known are settled by reading the tail through the leader.
 *  J3 `stored` and `dropped` of decisions run in the order of their appends, each exactly once.
 *  J4 A fence in the tail drops exactly the decisions for its partitions in epochs before its own; what cannot be explained stops the
 *     journal.
 */
import { failpoint } from '../config/failpoints.ts';
import { LIMITS } from '../config/limits.ts';
import { JOURNAL_STREAM } from '../config/topology.ts';
import { type Broker, BrokerError } from './broker.ts';
import { type Clock, delay } from './clock.ts';
import {
  decodeRecord,
  encodeRecord,
  type JournalRecord,
  type PartitionEpoch,
  recordHash,
  type StockDecision,
} from './decisions.ts';
import { type ReadingWorld, readUntil } from './follower.ts';
import { journalSubject } from './subjects.ts';

/** A server that has just come up may not know its streams yet. */
const TRIES_BEFORE_GONE = 4;

interface Waiting {
  readonly decision: StockDecision;
  readonly stored: () => void;
  readonly dropped: (why: string) => void;
}
export interface JournalEvents {
  /** A fence by another node: these partitions are no longer ours in epochs before these. */
  readonly fenced: (parts: readonly PartitionEpoch[]) => void;
  /** Cannot go on: the tail is not what this writer wrote. */
  readonly stopped: (why: string) => void;
  /** Before the folds of a record run: where it stands in the stream. */
  readonly stored: (
    seq: number,
    decisions: number,
    seconds: number,
    tip: { n: number; hash: string; seq: number },
  ) => void;
}

export class Journal {
  readonly writer: string;
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

  constructor({ broker, clock }: ReadingWorld, writer: string, events: JournalEvents) {
    this.#broker = broker;
    this.#clock = clock;
    this.writer = writer;
    this.#events = events;
    this.#subject = journalSubject(writer);
  }

  /** Decisions that wait or are on their way. */
  get inFlight(): number {
    return this.#waiting.length + this.#batch.length;
  }

  append(decision: StockDecision, stored: () => void, dropped: (why: string) => void): void {
    if (this.#stopped !== undefined) return dropped(this.#stopped);
    this.#appended += 1;
    this.#waiting.push({ decision, stored, dropped });
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
    if (this.#drains.length === 0) return;
    for (const { until, resolve } of this.#drains) if (until <= this.#settled) resolve();
    this.#drains = this.#drains.filter(({ until }) => until > this.#settled);
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0 && this.#stopped === undefined) await this.#commit();
    this.#running = false;
    if (this.#stopped !== undefined) this.#dropAll(this.#stopped);
  }

  async #commit(): Promise<void> {
    this.#batch = this.#nextBatch();
    while (this.#batch.length > 0 && this.#stopped === undefined) {
      const record: JournalRecord = {
        writer: this.writer,
        n: this.#n + 1,
        before: this.#before,
        decisions: this.#batch.map((each) => each.decision),
      };
      const bytes = encodeRecord(record);
      const began = this.#clock.monoMs();
      const seq = await this.#store(bytes, record.n);
      if (seq === undefined) continue;
      this.#advance(seq, record.n, bytes);
      const batch = this.#batch;
      this.#batch = [];
      this.#events.stored(seq, batch.length, (this.#clock.monoMs() - began) / 1000, {
        n: this.#n,
        hash: this.#before,
        seq,
      });
      for (const each of batch) each.stored();
      this.#settle(batch.length);
      failpoint('decision-folded');
    }
  }

  #nextBatch(): Waiting[] {
    let lines = 0;
    let count = 0;
    while (count < this.#waiting.length && count < LIMITS.decisionsPerRecord) {
      const { decision } = this.#waiting[count] as Waiting;
      lines += decision.kind === 'granted' ? decision.lines.length : 1;
      if (lines > LIMITS.linesPerRecord && count > 0) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  #advance(seq: number, n: number, bytes: Uint8Array): void {
    this.#lastSeq = seq;
    this.#n = n;
    this.#before = recordHash(bytes);
  }

  /** The record's sequence, or undefined if a fence came in between and the batch must be formed anew. */
  async #store(bytes: Buffer, n: number): Promise<number | undefined> {
    for (let attempt = 0; ; attempt++) {
      try {
        failpoint('before-append');
        const seq = await this.#broker.publish(this.#subject, bytes, { expectLast: this.#lastSeq });
        failpoint('append-stored');
        return seq;
      } catch (error) {
        const outcome = await this.#outcome(bytes, n, error as Error);
        if (outcome !== 'again') return outcome;
        if (attempt > 0) await delay(this.#clock, Math.min(1_000, 20 * 2 ** attempt));
      }
    }
  }

  /** What the tail says of a publish that did not end well (J2). */
  async #outcome(bytes: Buffer, n: number, error: Error): Promise<number | undefined | 'again'> {
    // A refusal that says why (stream full, message too big) stored nothing; the batch waits and is tried again.
    const tail = await this.#tail();
    if (tail === 'gone') return this.#stop('the stream JOURNAL is gone');
    const hash = recordHash(bytes);
    if (tail === undefined) {
      if (this.#n === 0) return this.#pace(error);
      return this.#stop('the journal has lost this writer’s records');
    }
    if (tail.seq === this.#lastSeq) return this.#pace(error);
    if (recordHash(tail.data) === hash) return tail.seq;
    return this.#takeFences(tail.seq, n);
  }

  async #pace(error: Error): Promise<'again'> {
    if (error instanceof BrokerError && error.kind === 'refused') await delay(this.#clock, 250);
    return 'again';
  }

  async #tail() {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#broker.lastOn(JOURNAL_STREAM, this.#subject);
      } catch {
        if (attempt >= TRIES_BEFORE_GONE && (await this.#isGone())) return 'gone';
        await delay(this.#clock, Math.min(1_000, 50 * 2 ** Math.min(attempt, 5)));
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
      const record = decodeRecord(data);
      if (record.before !== this.#before || record.n !== this.#n + 1)
        return this.#stop(`record ${record.n} does not follow ours`);
      const fence = record.decisions.length === 1 ? record.decisions[0] : undefined;
      if (fence?.kind === 'fenced') {
        this.#advance(seq, record.n, data);
        this.#dropFor(fence.parts);
        this.#events.fenced(fence.parts);
      } else if (record.n === n) {
        // Ours landed late, before a fence: it is stored. Fold it first, then let the next append find the fence.
        return seq;
      } else return this.#stop(`record ${record.n} in our name is not ours`);
    }
    return undefined;
  }

  /** What stands on our subject there. Others may have written a great deal between: only ours is read. */
  async #ownBetween(from: number, until: number): Promise<{ seq: number; data: Uint8Array }[]> {
    for (let attempt = 0; ; attempt++) {
      const found: { seq: number; data: Uint8Array }[] = [];
      try {
        const world = { broker: this.#broker, clock: this.#clock };
        await readUntil(world, JOURNAL_STREAM, [this.#subject], from, until, ({ seq, data }) => {
          found.push({ seq, data });
        });
        if (found.at(-1)?.seq === until) return found;
      } catch {
        // The server is away: it is asked again.
      }
      await delay(this.#clock, Math.min(1_000, 50 * 2 ** Math.min(attempt, 5)));
    }
  }

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

/**
 * Appends a fence for these partitions to the subject of another writer, after whatever that writer has stored. From then on its
 * next append fails. Repeats until the fence is in.
 */
export async function fenceWriter(
  { broker, clock }: ReadingWorld,
  writer: string,
  by: string,
  parts: readonly (readonly [number, number])[],
): Promise<void> {
  const subject = journalSubject(writer);
  for (let attempt = 0; ; attempt++) {
    const tail = await broker.lastOn(JOURNAL_STREAM, subject);
    const last = tail === undefined ? undefined : decodeRecord(tail.data);
    if (last !== undefined && isSameFence(last, by, parts)) return;
    const record: JournalRecord = {
      writer,
      n: (last?.n ?? 0) + 1,
      before: tail === undefined ? '' : recordHash(tail.data),
      decisions: [{ kind: 'fenced', by, parts }],
    };
    try {
      await broker.publish(subject, encodeRecord(record), { expectLast: tail?.seq ?? 0 });
      return;
    } catch (error) {
      if (attempt > 100 || (error instanceof BrokerError && error.kind === 'refused')) throw error;
      if (error instanceof BrokerError && error.kind === 'unknown')
        await delay(clock, Math.min(1_000, 20 * (attempt + 1)));
    }
  }
}

function isSameFence(record: JournalRecord, by: string, parts: readonly (readonly [number, number])[]): boolean {
  const fence = record.decisions[0];
  return fence?.kind === 'fenced' && fence.by === by && JSON.stringify(fence.parts) === JSON.stringify(parts);
}
