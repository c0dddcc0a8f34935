/**
 * Problems (RFC 9457) report that a front did not carry out a request. One table holds all kinds with their status and title: those of
 * refusals, and those that only fronts use. `type` is the bare kind, a relative URI reference.
 */
import { REFUSALS, Refusal, UNDECIDED } from '../actors/ports/refusal.ts';
import { BrokerError } from '../streams/broker.ts';
import type { ProblemBody } from '../streams/contract/stock.ts';
import { formatInstant } from '../streams/instant.ts';

export const PROBLEM_TYPE = 'application/problem+json';

export const PROBLEMS = {
  ...REFUSALS,
  'bad-request': { status: 400, title: 'The request cannot be read' },
  'method-not-allowed': { status: 405, title: 'The path does not take this method' },
  'unsupported-media-type': { status: 415, title: 'The body is not said to be JSON or MessagePack' },
  'foreign-origin': { status: 403, title: 'Pages of this origin may not ask here' },
  'unknown-host': { status: 421, title: 'The node does not answer to this host name' },
  'too-slow': { status: 408, title: 'The body came too slowly' },
  'upgrade-required': { status: 426, title: 'This is a WebSocket' },
  'too-many-readers': { status: 503, title: 'Too many readers are connected to this node' },
  'not-ready': { status: 503, title: 'The node does not serve yet' },
  'internal-error': { status: 500, title: 'A fault in Holdfast' },
} as const;
export type ProblemKind = keyof typeof PROBLEMS;

/** Thrown by a front for a problem that is not a refusal. */
export class FrontProblem extends Error {
  override readonly name = 'FrontProblem';
  readonly kind: ProblemKind;

  constructor(kind: ProblemKind, detail: string) {
    super(detail);
    this.kind = kind;
  }
}

export function problem(kind: ProblemKind, detail: string): ProblemBody {
  const { status, title } = PROBLEMS[kind];
  return { type: kind, title, status, detail };
}

/** Turns any thrown value into a problem. The problem of an internal fault reveals no details. */
export function problemOf(error: unknown): ProblemBody {
  if (error instanceof FrontProblem) return problem(error.kind, error.message);
  // NATS did not answer, or has no room. A retry may succeed, and neither is a bug in this program.
  if (error instanceof BrokerError && (error.kind === 'unknown' || error.kind === 'full'))
    return problem('undecided', UNDECIDED.servers);
  if (error instanceof BrokerError && error.kind === 'too-large')
    return problem('too-large', 'what must be stored of it is larger than one message may be; send less at once');
  if (!(error instanceof Refusal)) return problem('internal-error', 'the request failed; the log of the node says why');
  const body = problem(error.kind, error.message);
  if (error.errors !== undefined) body.errors = error.errors.map(({ field, message }) => ({ field, message }));
  if (error.shortages !== undefined) {
    body.shortages = error.shortages.map(({ sku, requested, available, earliest, substitutes }) => ({
      ...{ sku, requested, available },
      ...(earliest === undefined ? {} : { earliest: earliest === null ? null : formatInstant(earliest) }),
      ...(substitutes === undefined
        ? {}
        : { substitutes: substitutes.map((each) => ({ sku: each.sku, available: each.available ?? 0 })) }),
    }));
  }
  return body;
}
