/**
 * Asks one or several nodes of Holdfast over HTTP. The result is an answer or a problem; a missing answer is a problem too.
 *
 * Any node answers for all partitions, so a caller that knows several nodes does not notice that one has died. A node rests for a while
 * if its connection is refused or breaks, or if it does not answer in time. The other nodes are asked instead.
 *
 *  CL1 A request without an answer goes to the next node, and to each node at most once. Repeating is safe, because every request that
 *      changes something is idempotent: it has an id or states the desired result.
 *  CL2 A node is asked again after REST_MS. If all nodes rest, all are asked.
 *  CL3 A request that a node has answered is never repeated here, not even after a 503. The caller decides.
 */
import { tlsFault } from '../../config/servers/tls.ts';
import type { ProblemBody } from '../../streams/contract/stock.ts';
import { baseUrl } from './base-url.ts';

export type Asked<T = unknown> = Answered<T> | Refused;
interface Answered<T> {
  readonly ok: true;
  readonly body: T;
}
export interface Refused {
  readonly ok: false;
  /** The problem. Its status is NO_ANSWER if no server sent it. */
  readonly problem: ProblemBody;
  /** Base URL of the node that answered with the problem, or that was asked last. */
  readonly base: string;
  /** The node's Retry-After in milliseconds; 0 if it sent none. */
  readonly retryAfterMs: number;
}
export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
export type Ask = (method: Method, path: string, body?: unknown) => Promise<Asked>;

/** Status of problems that no server sent. */
export const NO_ANSWER = 0;
const ANSWER_MS = 30_000;
const REST_MS = 2_000;
const MAX_SAID = 300;
/** Node.js reads NODE_EXTRA_CA_CERTS only once, when the process starts. */
const CA_ADVICE = '; NODE_EXTRA_CA_CERTS names a file of the CAs that this command trusts besides the usual ones';

interface Node {
  readonly base: string;
  restsUntilMs: number;
}

export class Client {
  readonly #nodes: readonly Node[];
  readonly #answerMs: number;
  #turn = 0;

  /** @param addresses one or more nodes of the same system, as they publish their addresses (baseUrl) */
  constructor(addresses: readonly [string, ...string[]], answerMs = ANSWER_MS) {
    this.#nodes = addresses.map((address) => ({ base: baseUrl(address), restsUntilMs: 0 }));
    this.#answerMs = answerMs;
  }

  /** Asks the nodes one after the other until one answers (CL1, CL3). */
  async ask<T>(method: Method, path: string, body?: unknown): Promise<Asked<T>> {
    const [first, ...others] = this.#inTurn() as [Node, ...Node[]];
    let asked = await this.#askNode<T>(first, method, path, body);
    for (const node of others) {
      if (asked.ok || asked.problem.status !== NO_ANSWER) break;
      asked = await this.#askNode<T>(node, method, path, body);
    }
    return asked;
  }

  /** The nodes to ask, in the order of this turn (CL2). */
  #inTurn(): Node[] {
    const nowMs = performance.now();
    const awake = this.#nodes.filter(({ restsUntilMs }) => restsUntilMs <= nowMs);
    const nodes = awake.length > 0 ? awake : [...this.#nodes];
    const turn = this.#turn++ % nodes.length;
    return [...nodes.slice(turn), ...nodes.slice(0, turn)];
  }

  async #askNode<T>(node: Node, method: Method, path: string, body: unknown): Promise<Asked<T>> {
    const { base } = node;
    try {
      const response = await fetch(base + path, {
        method,
        signal: AbortSignal.timeout(this.#answerMs),
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
      });
      const text = await response.text();
      node.restsUntilMs = 0;
      return answerOf<T>(base, response, text);
    } catch (error) {
      node.restsUntilMs = performance.now() + REST_MS;
      const problem = {
        type: 'unreachable',
        title: 'No node answers',
        status: NO_ANSWER,
        detail: this.#why(base, error),
      };
      return { ok: false, problem, base, retryAfterMs: 0 };
    }
  }

  #why(base: string, error: unknown): string {
    const cause = causeOf(error);
    if (cause.name === 'TimeoutError') return `${base} did not answer within ${this.#answerMs / 1000} s`;
    if (cause.code === 'ECONNREFUSED') return `nothing listens at ${base}`;
    return `${base} cannot be reached: ${cause.message}${tlsFault(error) === undefined ? '' : CA_ADVICE}`;
  }
}

/** Builds a path from parts and percent-encodes them. */
export function path(...parts: string[]): string {
  return `/${parts.map(encodeURIComponent).join('/')}`;
}

function answerOf<T>(base: string, response: Response, text: string): Asked<T> {
  const { ok, status, headers } = response;
  const body = parsed(text);
  if (ok && body !== undefined) return { ok, body: body as T };
  const seconds = Number(headers.get('retry-after') ?? 0);
  const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : 0;
  const problem = body !== undefined && isProblem(body) ? body : foreign(base, status, body);
  return { ok: false, problem, base, retryAfterMs };
}

function foreign(base: string, status: number, body: { detail?: unknown; title?: unknown } | undefined): ProblemBody {
  const said = body?.detail ?? body?.title;
  const words = typeof said === 'string' ? `: ${said.slice(0, MAX_SAID)}` : '';
  const detail = `what answers at ${base} (status ${status}) is not a Holdfast node${words}`;
  return { type: 'not-holdfast', title: 'Not a node', status, detail };
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

/** The reason why fetch failed. It is in the error's cause, or in the cause's list if the host has several addresses. */
function causeOf(error: unknown): { name: string; message: string; code?: string | undefined } {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const one = cause instanceof AggregateError ? cause.errors[0] : cause;
  return one instanceof Error ? (one as NodeJS.ErrnoException) : { name: '', message: String(one) };
}
