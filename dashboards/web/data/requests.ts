/** Requests to the node that served the page. A refused request rejects with the problem in the answer, in words for people. */
import type { ProblemBody } from '../../../streams/contract/stock.ts';

/** Longer than a node waits for another one before it answers 503. */
const LIMIT_MS = 20_000;

export class RequestRefused extends Error {
  /** The HTTP status; 0 if there was no answer. */
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/** Sends GET, or POST if there is a body, unless the method is given. Rejects only with RequestRefused. */
export async function ask<Answer>(
  path: string,
  body?: unknown,
  signal?: AbortSignal,
  method: 'GET' | 'POST' = body === undefined ? 'GET' : 'POST',
): Promise<Answer> {
  const limit = AbortSignal.timeout(LIMIT_MS);
  const options: RequestInit = { method, signal: signal === undefined ? limit : AbortSignal.any([signal, limit]) };
  if (body !== undefined) {
    options.headers = { 'Content-Type': 'application/json' };
    options.body = JSON.stringify(body);
  }
  let response: Response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new RequestRefused('the node does not answer', 0);
  }
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok) return answer as Answer;
  const { detail, title } = (answer ?? {}) as Partial<ProblemBody>;
  throw new RequestRefused(detail ?? title ?? `the node answered ${response.status}`, response.status);
}
