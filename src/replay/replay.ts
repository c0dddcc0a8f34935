/**
 * A replay: files → facts, in file order → paced → batches → the server, with an account of every row.
 *
 *  RP1 Every entry of the files ends in exactly one of accepted, duplicates, refused, skipped and unsent.
 *  RP2 The exit code is 0 only if every fact was stored. A duplicate counts as stored, and a skipped row is not a fact.
 *  RP3 If the first facts would all be refused, a person is asked before any is sent. If the server has refused all of them, a person is
 *      asked before more are sent.
 */

import { LIMITS } from '../../config/limits.ts';
import { type Clock, delay } from '../../streams/clock.ts';
import type { FactsAnswer } from '../../streams/contract/stock.ts';
import type { Refusal } from './entry.ts';
import { ReadError } from './file/errors.ts';
import { type Batch, Outbox, type OutboxBounds, type Parcel } from './outbox.ts';
import { Pace, type Speed } from './pace.ts';
import { type Read, type ReadOptions, readFacts } from './read.ts';
import type { Send } from './send.ts';
import { doubtAbout, doubtText, TRIAL_FACTS, tried } from './trial.ts';

export interface ReplayJob {
  readonly files: readonly string[];
  readonly reading?: Omit<ReadOptions, 'onBytes' | 'note'> | undefined;
  /** Default: `max`. */
  readonly speed?: Speed | undefined;
  readonly fromNow?: boolean | undefined;
  readonly send: Send;
  /** The idempotency horizon of the server in milliseconds; undefined if it is off or not known. */
  readonly horizonMs?: (() => Promise<number | undefined>) | undefined;
  /** Asks a person whether to go on, although what the text says (RP3). Without it the replay does not go on. */
  readonly goOn?: ((doubt: string) => Promise<boolean>) | undefined;
  readonly clock: Clock;
  /** Called after every answered batch; it must be quick. */
  readonly progress?: ((progress: ReplayProgress) => void) | undefined;
  /** Ends the replay early. It waits for the batches in flight. */
  readonly signal?: AbortSignal | undefined;
  readonly batchFacts?: number | undefined;
  readonly bounds?: Partial<OutboxBounds> | undefined;
}
export interface ReplayProgress {
  readonly published: number;
  readonly refused: number;
  /** Bytes taken from the files, before decompression. */
  readonly bytes: number;
}
export interface ReplaySummary {
  /** Facts that were sent and answered: accepted + duplicates + what the server refused (RP1). */
  readonly published: number;
  readonly accepted: number;
  readonly duplicates: number;
  /** Refused by the server, or unreadable before that. */
  readonly refused: number;
  /** Rows that are not about stock. */
  readonly skipped: number;
  /** Facts that were read and not stored for certain: the server gave no answer for them. */
  readonly unsent: number;
  /** Published facts by type. */
  readonly bySort: Readonly<Record<string, number>>;
  readonly refusedByCode: Readonly<Record<string, number>>;
  /** The first REFUSALS_KEPT of them. */
  readonly refusals: readonly Refusal[];
  /** What a person should know about the files, such as that one holds no facts. */
  readonly notes: readonly string[];
  readonly seconds: number;
  /** Why the files were not played to their end, or null. */
  readonly stopped: string | null;
}

const REFUSALS_KEPT = 20;
const NOTES_KEPT = 20;

/** Plays the files. Never rejects because of the files' content or the server's answers. */
export async function replay(job: ReplayJob): Promise<ReplaySummary> {
  const { clock } = job;
  const signal = job.signal ?? new AbortController().signal;
  const startedMs = clock.monoMs();
  const account = new Account(job.progress);
  const outbox = new Outbox(
    {
      send: job.send,
      clock,
      signal,
      settled: (batch, answer) => account.settled(batch, answer),
      lost: (batch) => account.lost(batch),
    },
    job.bounds,
  );
  let failure: string | undefined;
  try {
    failure = await play(job, signal, outbox, account);
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    failure = error.message;
  }
  await outbox.drain();
  const stopped = outbox.failure ?? failure ?? (signal.aborted ? 'stopped before the end of the files' : null);
  return account.summary((clock.monoMs() - startedMs) / 1000, stopped);
}

/** 0 only if all facts were stored (RP2). */
export function exitCodeOf(summary: ReplaySummary): 0 | 1 {
  return summary.refused === 0 && summary.unsent === 0 && summary.stopped === null ? 0 : 1;
}

/** Plays the files and resolves with why it did not play them to their end, unless the outbox or the signal says it. */
async function play(
  job: ReplayJob,
  signal: AbortSignal,
  outbox: Outbox,
  account: Account,
): Promise<string | undefined> {
  const { clock, speed = 'max', fromNow, batchFacts = LIMITS.factsPerRequest } = job;
  const trial = await tried(entriesOf(job, account), TRIAL_FACTS);
  let doubt = await doubtAbout(trial.first, job);
  if (doubt !== undefined && (await job.goOn?.(doubt)) !== true) {
    for (const read of trial.first) account.leave(read);
    return doubt;
  }
  // Who has gone on once is not asked again.
  let untried = doubt === undefined ? TRIAL_FACTS : 0;
  const pace = new Pace({ speed, fromNow }, () => clock.nowMs());
  let batch: Parcel[] = [];
  const flush = async () => {
    const full = batch;
    batch = [];
    if (full.length > 0) await outbox.put(full);
  };
  const over = () => signal.aborted || outbox.failure !== undefined;
  try {
    for await (const { file, entry } of trial.all) {
      if (entry.kind !== 'fact') account.leave({ file, entry });
      else {
        const { fact, dueMs } = pace.next(entry.fact);
        if (dueMs !== undefined && dueMs > clock.nowMs()) {
          await flush();
          while (!over() && dueMs > clock.nowMs()) await delay(clock, nap(dueMs - clock.nowMs()), signal);
        }
        batch.push({ fact, file, place: entry.place });
        if (batch.length >= batchFacts) await flush();
      }
      if (over()) return undefined;
      if (untried === 0 || entry.kind === 'skipped' || --untried > 0) continue;
      await flush();
      await outbox.drain();
      doubt = account.stored > 0 || over() ? undefined : doubtText(account.refusals, account.refusedByCode, true);
      if (doubt !== undefined && (await job.goOn?.(doubt)) !== true) return doubt;
    }
  } finally {
    await flush();
  }
  return undefined;
}

async function* entriesOf({ files, reading }: ReplayJob, account: Account): AsyncGenerator<Read> {
  const onBytes = (bytes: number) => account.read(bytes);
  const note = (text: string) => account.note(text);
  for (const file of files) yield* readFacts(file, { ...reading, onBytes, note });
}

/** A timer holds at most 2^31 ms, so a long wait is cut into naps. */
function nap(ms: number): number {
  return Math.min(Math.max(1, ms), 1e9);
}

class Account {
  readonly #progress: ((progress: ReplayProgress) => void) | undefined;
  readonly #bySort = new Map<string, number>();
  readonly #byCode = new Map<string, number>();
  readonly #refusals: Refusal[] = [];
  #published = 0;
  #accepted = 0;
  #duplicates = 0;
  #refused = 0;
  #skipped = 0;
  #unsent = 0;
  #bytes = 0;
  readonly #notes: string[] = [];

  constructor(progress: ((progress: ReplayProgress) => void) | undefined) {
    this.#progress = progress;
  }

  read(bytes: number): void {
    this.#bytes += bytes;
  }

  note(text: string): void {
    if (this.#notes.length < NOTES_KEPT) this.#notes.push(text);
  }

  /** Counts what is not sent: a row that is not about stock, a refusal of this program, or a fact that nobody wanted to send. */
  leave({ file, entry }: Read): void {
    if (entry.kind === 'skipped') this.#skipped++;
    else if (entry.kind === 'fact') this.#unsent++;
    else this.#refuse({ file, place: entry.place, code: 'unreadable', message: entry.message });
  }

  get stored(): number {
    return this.#accepted + this.#duplicates;
  }

  get refusals(): readonly Refusal[] {
    return this.#refusals;
  }

  get refusedByCode(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#byCode);
  }

  settled(batch: Batch, answer: FactsAnswer): void {
    this.#published += batch.length;
    this.#accepted += answer.accepted;
    this.#duplicates += answer.duplicates;
    for (const { fact } of batch) add(this.#bySort, typeof fact.type === 'string' ? fact.type : 'unknown');
    for (const { index, code, message } of answer.rejected) {
      const parcel = batch[index];
      if (parcel === undefined) throw new Error(`the server refused fact ${index} of a batch of ${batch.length}`);
      const id = parcel.fact.id;
      const { file, place } = parcel;
      this.#refuse({ file, place, ...(typeof id === 'string' ? { id } : {}), code, message });
    }
    this.#progress?.({ published: this.#published, refused: this.#refused, bytes: this.#bytes });
  }

  lost(batch: Batch): void {
    this.#unsent += batch.length;
  }

  summary(seconds: number, stopped: string | null): ReplaySummary {
    return {
      published: this.#published,
      accepted: this.#accepted,
      duplicates: this.#duplicates,
      refused: this.#refused,
      skipped: this.#skipped,
      unsent: this.#unsent,
      bySort: Object.fromEntries(this.#bySort),
      refusedByCode: this.refusedByCode,
      refusals: this.#refusals,
      notes: this.#notes,
      seconds,
      stopped,
    };
  }

  #refuse(refusal: Refusal): void {
    this.#refused++;
    add(this.#byCode, refusal.code);
    if (this.#refusals.length < REFUSALS_KEPT) this.#refusals.push(refusal);
  }
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
