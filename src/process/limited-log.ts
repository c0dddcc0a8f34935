/**
 * Log lines about what strangers and broken servers can cause as often as they like: at most one a second of each kind, with how many
 * there were since the last one.
 */
import { Refusal } from '../../actors/ports/refusal.ts';
import { BrokerError } from '../../streams/broker.ts';
import type { ProblemBody } from '../../streams/contract/stock.ts';
import type { Log } from './log.ts';

const EVERY_MS = 1_000;
const MOST_KINDS = 500;

export class LimitedLog {
  readonly #log: Log;
  readonly #kinds = new Map<string, { saidAtMs: number; unsaid: number }>();

  constructor(log: Log) {
    this.#log = log;
  }

  say(level: 'warn' | 'error', kind: string, fields: object, message: string): void {
    const now = performance.now();
    const before = this.#kinds.get(kind);
    if (before !== undefined && now - before.saidAtMs < EVERY_MS) {
      before.unsaid += 1;
      return;
    }
    // Kinds that a message names could be many.
    if (this.#kinds.size >= MOST_KINDS) this.#kinds.clear();
    this.#kinds.set(kind, { saidAtMs: now, unsaid: 0 });
    this.#log[level]({ ...fields, times: 1 + (before?.unsaid ?? 0) }, message);
  }
}

/**
 * What the log says of a request that the system is to blame for: a fault with its stack, each time; and what stood behind a 503, which its
 * answer does not tell, now and then.
 */
export function logProblem(
  log: Log,
  limited: LimitedLog,
  error: unknown,
  { status }: ProblemBody,
  what: string,
  fields: object = {},
): void {
  if (status === 500) log.error({ ...fields, err: error }, `${what} failed`);
  const inside = error instanceof Refusal ? error.inside : error instanceof BrokerError ? error : undefined;
  if (status !== 503 || inside === undefined) return;
  const why = inside instanceof Error ? inside.message : String(inside);
  limited.say('warn', (error as Error).message, { ...fields, why }, `${what} was not decided`);
}
