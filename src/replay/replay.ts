/**
 * A replay: files → facts, in file order → paced → batches → the server, with an account of every row.
 *
 *  RP1 Every entry of the files ends in exactly one of accepted, duplicates, refused, skipped and unsent.
 *  RP2 The exit code is 0 only if every fact was stored. A duplicate counts as stored, and a skipped row is not a fact.
 */

import { LIMITS } from '../../config/limits.ts';
import { type Clock, delay } from '../../streams/clock.ts';
import type { FactsAnswer } from '../../streams/contract/stock.ts';
import { type Batch, Outbox, type OutboxBounds, type Parcel } from './outbox.ts';
import { Pace, type Speed } from './pace.ts';
import { type Format, ReadError, readFacts } from './read.ts';
import type { Send } from './send.ts';

export interface ReplayJob {
  readonly files: readonly string[];
  readonly format?: Format | undefined;
  readonly location?: string | undefined;
  /** Default: `max`. */
  readonly speed?: Speed | undefined;
  readonly fromNow?: boolean | undefined;
  readonly send: Send;
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
export interface Refusal {
  readonly file: string;
  /** Row or line, from 1. */
  readonly place: number;
  readonly id?: string;
  /** `unreadable` if it never left this program, otherwise the server's code. */
  readonly code: string;
  readonly message: string;
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
  readonly seconds: number;
  /** Why the files were not played to their end, or null. */
  readonly stopped: string | null;
}

const REFUSALS_KEPT = 20;

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
  let readFailure: string | undefined;
  try {
    await play(job, signal, outbox, account);
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    readFailure = error.message;
  }
  await outbox.drain();
  const stopped = outbox.failure ?? readFailure ?? (signal.aborted ? 'stopped before the end of the files' : null);
  return account.summary((clock.monoMs() - startedMs) / 1000, stopped);
}

/** 0 only if all facts were stored (RP2). */
export function exitCodeOf(summary: ReplaySummary): 0 | 1 {
  return summary.refused === 0 && summary.unsent === 0 && summary.stopped === null ? 0 : 1;
}

async function play(job: ReplayJob, signal: AbortSignal, outbox: Outbox, account: Account): Promise<void> {
  const { clock, speed = 'max', fromNow, batchFacts = LIMITS.factsPerRequest } = job;
  const pace = new Pace({ speed, fromNow }, () => clock.nowMs());
  let batch: Parcel[] = [];
  const flush = async () => {
    const full = batch;
    batch = [];
    if (full.length > 0) await outbox.put(full);
  };
  const over = () => signal.aborted || outbox.failure !== undefined;
  try {
    for (const file of job.files) {
      const options = { format: job.format, location: job.location, onBytes: (bytes: number) => account.read(bytes) };
      for await (const entry of readFacts(file, options)) {
        if (entry.kind === 'skipped') account.skipped();
        else if (entry.kind === 'refused') account.unreadable({ file, place: entry.place, message: entry.message });
        else {
          const { fact, dueMs } = pace.next(entry.fact);
          if (dueMs !== undefined && dueMs > clock.nowMs()) {
            await flush();
            while (!over() && dueMs > clock.nowMs()) await delay(clock, nap(dueMs - clock.nowMs()), signal);
          }
          batch.push({ fact, file, place: entry.place });
          if (batch.length >= batchFacts) await flush();
        }
        if (over()) return;
      }
    }
  } finally {
    await flush();
  }
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

  constructor(progress: ((progress: ReplayProgress) => void) | undefined) {
    this.#progress = progress;
  }

  read(bytes: number): void {
    this.#bytes += bytes;
  }

  skipped(): void {
    this.#skipped++;
  }

  unreadable(refusal: Omit<Refusal, 'code'>): void {
    this.#refuse({ ...refusal, code: 'unreadable' });
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
      refusedByCode: Object.fromEntries(this.#byCode),
      refusals: this.#refusals,
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
