/** Asks a node over HTTP. What comes back is an answer, or a problem; a node that cannot be reached is a problem too. */

import { tlsFault } from '../../../config/servers/tls.ts';
import type { ProblemBody } from '../../../streams/contract/stock.ts';
import { baseUrl } from '../../operate/discover.ts';

export type Asked<T> = { readonly ok: true; readonly body: T } | { readonly ok: false; readonly problem: ProblemBody };

/** Status of problems that no server sent. */
const NO_ANSWER = 0;
const REQUEST_MS = 30_000;
/** Node.js reads it once, when the process starts. */
const CA_ADVICE = '; NODE_EXTRA_CA_CERTS names a file of the CAs that this command trusts besides the usual ones';

export class Client {
  /** http://HOST:PORT or https://HOST:PORT */
  readonly base: string;

  /** @param hostPort as a node publishes it (baseUrl) */
  constructor(hostPort: string) {
    this.base = baseUrl(hostPort);
  }

  async ask<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<Asked<T>> {
    let status: number;
    let text: string;
    try {
      const response = await fetch(this.base + path, {
        method,
        signal: AbortSignal.timeout(REQUEST_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
      });
      status = response.status;
      text = await response.text();
    } catch (error) {
      return { ok: false, problem: this.#unreachable(error) };
    }
    const answer = parsed(text);
    if (answer === undefined) return { ok: false, problem: this.#foreign(status) };
    if (status >= 200 && status < 300) return { ok: true, body: answer as T };
    return { ok: false, problem: isProblem(answer) ? answer : this.#foreign(status) };
  }

  #unreachable(error: unknown): ProblemBody {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    const detail =
      code === 'ECONNREFUSED'
        ? `nothing listens at ${this.base}`
        : `${this.base} cannot be reached: ${cause instanceof Error ? cause.message : String(cause)}${tlsFault(error) === undefined ? '' : CA_ADVICE}`;
    return { type: 'unreachable', title: 'No node answers', status: NO_ANSWER, detail };
  }

  #foreign(status: number): ProblemBody {
    const detail = `what answers at ${this.base} (status ${status}) is not a Holdfast node`;
    return { type: 'not-holdfast', title: 'Not a node', status, detail };
  }
}

/** A path with its parts percent-encoded. */
export function path(...parts: string[]): string {
  return `/${parts.map(encodeURIComponent).join('/')}`;
}

function parsed(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function isProblem(answer: object): answer is ProblemBody {
  return 'type' in answer && typeof answer.type === 'string' && 'detail' in answer && typeof answer.detail === 'string';
}
