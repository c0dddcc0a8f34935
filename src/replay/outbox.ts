/**
 * Batches on their way to the server. A few are in flight at once, and each is sent again with back-off until it is
 * answered or given up.
 *
 *  OX1 A batch is sent again with the same facts and stamps, so facts stored the first time are duplicates.
 *  OX2 Each batch ends in exactly one of settled and lost. Once one is lost, nothing more is sent.
 */
import { type Clock, delay } from '../../streams/clock.ts';
import type { FactsAnswer } from '../../streams/contract/stock.ts';
import type { SentFact } from './entry.ts';
import { type Send, SendError } from './send.ts';

/** A fact and its origin. */
export interface Parcel {
  readonly fact: SentFact;
  readonly file: string;
  readonly place: number;
}
export type Batch = readonly Parcel[];

export const OUTBOX_DEFAULTS = {
  /** Batches in flight. More have to wait, which pauses the reading of the file. */
  inFlight: 4,
  /** First pause before a batch is sent again. It doubles up to the longest. */
  firstPauseMs: 100,
  longestPauseMs: 5_000,
  /** How long to try a server that has never answered. It is short because a person waits at the terminal. */
  firstContactMs: 5_000,
  /** How long to try a server that has answered before. */
  outageMs: 120_000,
} as const;
export type OutboxBounds = { readonly [Name in keyof typeof OUTBOX_DEFAULTS]: number };

export interface OutboxPorts {
  readonly send: Send;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly settled: (batch: Batch, answer: FactsAnswer) => void;
  readonly lost: (batch: Batch, why: string) => void;
}

export class Outbox {
  readonly #ports: OutboxPorts;
  readonly #bounds: OutboxBounds;
  readonly #under = new Set<Promise<void>>();
  #reached = false;
  #failure: string | undefined;

  constructor(ports: OutboxPorts, bounds: Partial<OutboxBounds> = {}) {
    this.#ports = ports;
    this.#bounds = { ...OUTBOX_DEFAULTS, ...bounds };
  }

  /** Why nothing more is sent; undefined until then. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Resolves when the batch is in flight. If `inFlight` batches already are, that is when one of them has ended. */
  async put(batch: Batch): Promise<void> {
    while (this.#under.size >= this.#bounds.inFlight) await Promise.race(this.#under);
    const work: Promise<void> = this.#deliver(batch).finally(() => this.#under.delete(work));
    this.#under.add(work);
  }

  /** Resolves when nothing is in flight. */
  async drain(): Promise<void> {
    await Promise.all(this.#under);
  }

  // Every path out of this loop settles or loses the batch, or hands its halves to one that does (OX2).
  async #deliver(batch: Batch): Promise<void> {
    const { clock, signal, settled, lost } = this.#ports;
    const startedMs = clock.monoMs();
    for (let pauseMs = this.#bounds.firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, this.#bounds.longestPauseMs)) {
      if (this.#failure !== undefined) return lost(batch, this.#failure);
      if (signal.aborted) return lost(batch, 'stopped');
      const outcome = await this.#try(batch);
      if (!(outcome instanceof SendError)) return settled(batch, outcome);
      if (outcome.advice === 'smaller' && batch.length > 1) return this.#halves(batch);
      if (outcome.advice === 'smaller') return settled(batch, tooLarge(outcome.message));
      const patienceMs = this.#reached ? this.#bounds.outageMs : this.#bounds.firstContactMs;
      if (outcome.advice === 'give-up' || clock.monoMs() - startedMs >= patienceMs) {
        this.#failure ??= outcome.message;
        return lost(batch, this.#failure);
      }
      await delay(clock, Math.max(pauseMs, outcome.retryAfterMs), signal);
    }
  }

  // The batch is never changed between tries (OX1).
  async #try(batch: Batch): Promise<FactsAnswer | SendError> {
    try {
      const answer = await this.#ports.send(batch.map((parcel) => parcel.fact));
      this.#reached = true;
      return answer;
    } catch (error) {
      if (error instanceof SendError) {
        this.#reached ||= error.reached;
        return error;
      }
      return new SendError(error instanceof Error ? error.message : String(error), 'give-up', { cause: error });
    }
  }

  async #halves(batch: Batch): Promise<void> {
    const middle = batch.length >> 1;
    await this.#deliver(batch.slice(0, middle));
    await this.#deliver(batch.slice(middle));
  }
}

function tooLarge(message: string): FactsAnswer {
  return { accepted: 0, duplicates: 0, rejected: [{ index: 0, code: 'too-large', message }] };
}
