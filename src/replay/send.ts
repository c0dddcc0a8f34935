/** The port behind which facts are stored: POST /v1/facts in production, memory in tests. */
import type { FactsAnswer } from '../../streams/contract/stock.ts';
import type { SentFact } from './entry.ts';

/**
 * Resolves once every accepted fact of the batch is durable; rejects with a SendError. Sending is idempotent, so a batch may
 * be sent again.
 */
export type Send = (facts: readonly SentFact[]) => Promise<FactsAnswer>;

/** What the caller should do: send the same batch again, send smaller batches, or give up. */
export type SendAdvice = 'again' | 'smaller' | 'give-up';

interface SendErrorOptions extends ErrorOptions {
  readonly retryAfterMs?: number;
  readonly reached?: boolean;
}

export class SendError extends Error {
  override readonly name = 'SendError';
  readonly advice: SendAdvice;
  /** Shortest wait before the batch is sent again, in milliseconds. */
  readonly retryAfterMs: number;
  /** Whether a server answered. If one did, it is worth waiting for. */
  readonly reached: boolean;

  constructor(message: string, advice: SendAdvice, options: SendErrorOptions = {}) {
    super(message, options);
    this.advice = advice;
    this.retryAfterMs = options.retryAfterMs ?? 0;
    this.reached = options.reached ?? false;
  }
}
