/**
 * Refusals and undecided requests, as values that every front turns into RFC 9457 problems.
 *
 * A refusal is an answer: asking again gives the same one until the state changes. Undecided is none: ask again with the
 * same id.
 */
import type { Shortage } from '../streams/decisions.ts';

/** Every kind with its HTTP status and title: the one table that fronts and documents go by. */
export const REFUSALS = {
  'invalid-request': { status: 422, title: 'The request is wrong' },
  malformed: { status: 400, title: 'The body cannot be read' },
  'too-large': { status: 413, title: 'The request is too large' },
  'not-found': { status: 404, title: 'Nothing is known of it' },
  'insufficient-stock': { status: 409, title: 'Not enough stock' },
  'id-conflict': { status: 409, title: 'The id was used before with other content' },
  'already-released': { status: 409, title: 'The reservation is released' },
  'already-expired': { status: 409, title: 'The reservation has expired' },
  'already-resolved': { status: 409, title: 'The anomaly is resolved' },
  busy: { status: 503, title: 'Too much is asked at once: ask again' },
  undecided: { status: 503, title: 'Not decided: ask again with the same id' },
} as const;
export type RefusalKind = keyof typeof REFUSALS;

export interface FieldError {
  readonly field: string;
  readonly message: string;
}

export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly kind: RefusalKind;
  readonly shortages: readonly Shortage[] | undefined;
  readonly errors: readonly FieldError[] | undefined;

  constructor(
    kind: RefusalKind,
    detail: string,
    more: { shortages?: readonly Shortage[]; errors?: readonly FieldError[] } = {},
  ) {
    super(detail);
    this.kind = kind;
    this.shortages = more.shortages;
    this.errors = more.errors;
  }
}

/** Not decided: the caller asks again with the same id. */
export function undecided(why: string): Refusal {
  return new Refusal('undecided', why);
}
