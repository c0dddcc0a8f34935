/**
 * Refusals and undecided requests, as values that every front turns into RFC 9457 problems.
 *
 * A refusal is an answer, so asking again returns the same one until the state changes. Undecided is not an answer, so the caller asks
 * again with the same id.
 */
import { BrokerError } from '../../streams/broker.ts';
import type { RefusedShortage } from '../stock/sourcing.ts';

/** Every kind with its HTTP status and title. Fronts and documentation use this one table. */
export const REFUSALS = {
  'invalid-request': { status: 422, title: 'The request is wrong' },
  malformed: { status: 400, title: 'The body cannot be read' },
  'too-large': { status: 413, title: 'The request is too large' },
  'not-found': { status: 404, title: 'Nothing is known of it' },
  'insufficient-stock': { status: 409, title: 'Not enough stock' },
  'id-conflict': { status: 409, title: 'The id was used before with other content' },
  'already-released': { status: 409, title: 'The reservation is released' },
  'already-expired': { status: 409, title: 'The reservation has expired' },
  'more-than-open': { status: 409, title: 'More than is open' },
  'less-than-fulfilled': { status: 409, title: 'Less than is fulfilled' },
  changed: { status: 412, title: 'It has changed since' },
  'already-resolved': { status: 409, title: 'The anomaly is resolved' },
  'already-decided': { status: 409, title: 'Somebody has already decided about the parked fact' },
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
  readonly shortages: readonly RefusedShortage[] | undefined;
  readonly errors: readonly FieldError[] | undefined;
  /** Cause, for the log only. */
  readonly inside: unknown;

  constructor(
    kind: RefusalKind,
    detail: string,
    more: { shortages?: readonly RefusedShortage[]; errors?: readonly FieldError[]; inside?: unknown } = {},
  ) {
    super(detail);
    this.kind = kind;
    this.shortages = more.shortages;
    this.errors = more.errors;
    this.inside = more.inside;
  }
}

/**
 * Why nothing is decided now. A caller sees only these sentences. The servers' own messages go to the log (`inside`) and never into an
 * answer, because they name addresses, streams and other internals of an installation.
 */
export const UNDECIDED = {
  starting: 'the node is starting and has not read the rules of the streams yet; ask again with the same id',
  moving: 'the partition is moving to another node; ask again with the same id',
  owner: 'the owner of the partition does not answer; ask again with the same id',
  lease: 'this node cannot confirm its lease',
  journal: 'the journal has not answered in time; ask again with the same id',
  waiting: 'too many decisions wait for the journal',
  busy: 'too many requests are being answered',
  queue: 'too many requests wait for this reservation',
  attempt: 'a later attempt at this reservation is under way, or over',
  dropped: 'the decision was not stored; ask again with the same id',
  stored: 'it is not known whether every fact is stored; send all of them again, which is harmless',
  full: 'the streams have no room left, so no fact can be stored; keep the facts and send all of them again when an operator has made room',
  resubmitted: 'it is not known whether the fact is stored again; submit it again, which is harmless',
  dismissed: 'it is not known whether the facts are dismissed; dismiss them again, which is harmless',
  parked: 'the parked facts are still being read; ask again',
  verdict:
    'every fact is stored, but the owner of one has not said whether it counts; send all of them again, which is harmless',
  parking: 'a fact that cannot be counted could not be set aside yet; send all of them again, which is harmless',
  stopped: 'the node has stopped before what cannot be counted was set aside; send it again',
  partitions: 'not every partition has an owner that answers; ask again',
  anomalies: 'anomalies cannot be read or changed now; ask again',
  policy:
    'it is stored, but a node has not said in time that it is in force there; read it, and ask again if it is not what you want',
  servers: 'a server that this node needs does not answer; ask again with the same id',
} as const;

/** A request that is not decided, so the caller asks again with the same id. @param inside cause, for the log only */
export function undecided(why: (typeof UNDECIDED)[keyof typeof UNDECIDED], inside?: unknown): Refusal {
  return new Refusal('undecided', why, inside === undefined ? {} : { inside });
}

/** What a caller is told when a publish has failed. @param unknown what is not known then, unless the streams are full */
export function unstored(error: unknown, unknown: (typeof UNDECIDED)[keyof typeof UNDECIDED]): unknown {
  if (!(error instanceof BrokerError)) return error;
  return undecided(error.kind === 'full' ? UNDECIDED.full : unknown, error);
}

/** Refuses a request because of one field. @param message what is allowed, to follow the field's name */
export function wrongField(field: string, message: string): Refusal {
  return new Refusal('invalid-request', `${field} ${message}`, { errors: [{ field, message }] });
}
