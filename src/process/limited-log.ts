/**
 * Limits log lines that strangers or broken servers can cause at any rate. At most one line per kind and second is written, with the
 * number of occurrences since the previous line.
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
    // A kind may contain text of an error's message, so the number of kinds needs a bound.
    if (this.#kinds.size >= MOST_KINDS) this.#kinds.clear();
    this.#kinds.set(kind, { saidAtMs: now, unsaid: 0 });
    this.#log[level]({ ...fields, times: 1 + (before?.unsaid ?? 0) }, message);
  }
}

/**
 * Logs a failed request if the system is to blame. A 500 is logged every time, with its stack. The hidden cause of a 503 is logged at a
 * limited rate, because the answer does not reveal it.
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
