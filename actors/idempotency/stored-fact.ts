/**
 * Reads one stored message by the rule of its sequence and returns its fact, or the reason why it cannot be counted. Every reader of the
 * fact streams uses it. Detecting duplicates is separate, because that needs the state (actors/ingest/intake.ts).
 */
import { LIMITS } from '../../config/limits.ts';
import type { StoredMessage } from '../../streams/broker.ts';
import { decodeBody } from '../../streams/codec.ts';
import { type Fact, type ParsedFact, parseFact } from '../../streams/fact/fact.ts';
import type { ParkMarks } from '../../streams/fact/parked/park-marks.ts';
import { firstStoredBefore, type ParkReason, RESUBMIT_HEADER } from '../../streams/fact/parked/parked.ts';
import { encodeToken, hashOfToken, NO_LOCATION, type StoredFact, storedBundle } from '../../streams/subjects.ts';
import type { Rule } from './rules.ts';

/**
 * The front checks a fact's age when the fact arrives, and the owner checks it by the stream's stamp. This slack keeps the owner from
 * rejecting a fact that the front accepted just before.
 */
const HORIZON_SLACK_MICROS = 60_000_000;

export interface Readable extends ParsedFact {
  /** The value as it was sent, including fields that no schema knows. */
  readonly value: unknown;
}
export interface Uncounted {
  readonly ok: false;
  readonly reason: ParkReason;
  readonly message: string;
  /** The fact, if it could be read. */
  readonly fact?: Fact;
}

/**
 * @param message the fact, which in a bundle is a message of its own (streams/fact/bundle.ts)
 * @param place what the subject or the bundle says of it
 * @param marks marks of parked facts, read far enough to cover the message (MK2)
 */
export function readStored(
  rule: Rule,
  message: StoredMessage,
  place: StoredFact,
  marks: Pick<ParkMarks, 'allows'>,
): Readable | Uncounted {
  // Holdfast 0.1 did not accept subjects of resubmissions, so rules version 1 must not either.
  if (storedBundle(message.subject) !== undefined && place.fact === undefined)
    return uncounted('unreadable', 'the message is not a bundle of facts as nodes write them');
  if (place.fact === undefined || (place.again && rule.version === 1))
    return uncounted('subject-mismatch', 'the subject is not <type>.<location>.<sku> of encoded tokens');
  if (rule.version >= 3 && message.data.length > LIMITS.factBytes) return uncounted('invalid', tooLarge(message.data));
  let value: unknown;
  try {
    value = decoded(rule, message);
  } catch (error) {
    return uncounted('unreadable', `the body is neither JSON nor MessagePack: ${(error as Error).message}`);
  }
  const parsed = parseFact(value, rule);
  if (!parsed.ok) return uncounted('invalid', parsed.message);
  const { fact } = parsed;
  if (!agrees(place.fact, fact)) {
    return uncounted(
      'subject-mismatch',
      `the body says ${fact.type} of ${fact.sku}${fact.location === undefined ? '' : ` at ${fact.location}`}, the subject something else`,
    );
  }
  if (isTooOld(rule, message, fact) && !isResubmitted(rule, message, place, marks, fact))
    return { ...uncounted('too-old', 'occurredAt is older than the idempotency horizon'), fact };
  const counted = fact.type === 'return' ? { ...fact, within: horizonMicros(rule) } : fact;
  // A person's resubmission does not make the device's clock right: it is judged by when the fact first came.
  const recordedAt = place.again && marks.allows(message) ? firstStoredBefore(message) : message.recordedAt;
  return { ok: true, fact: asOfClock(rule, { recordedAt }, counted), content: parsed.content, value };
}

/** The fact as of the moment at which it counts: no device's clock is believed beyond the slack after the fact was stored. */
export function asOfClock(
  { version, slackMs, latest = Number.POSITIVE_INFINITY }: Pick<Rule, 'version' | 'slackMs' | 'latest'>,
  { recordedAt }: Pick<StoredMessage, 'recordedAt'>,
  fact: Fact,
): Fact {
  const isAhead = version >= 3 ? fact.at > recordedAt + slackMs * 1000 : fact.at > latest;
  // mutant: future-believed
  return isAhead ? { ...fact, at: version >= 3 ? recordedAt : latest, own: fact.at } : fact;
}

function agrees(named: NonNullable<StoredFact['fact']>, fact: Fact): boolean {
  if (named.type !== fact.type) return false;
  const sku = encodeToken(fact.sku);
  if ('hash' in named) return named.hash === hashOfToken(sku);
  const location = fact.location === undefined ? NO_LOCATION : encodeToken(fact.location);
  return location === named.location && sku === named.sku;
}

/** Why a fact of these bytes is not taken. */
export function tooLarge({ length }: Uint8Array): string {
  return `the fact has ${length} bytes; at most ${LIMITS.factBytes} are taken`;
}

/** Decodes like a body over HTTP (src/api/bodies.ts). Version 1 skips the MessagePack shape check, as Holdfast 0.1 did over NATS. */
function decoded({ version }: Rule, message: StoredMessage): unknown {
  return decodeBody(message.data, message.header('Content-Type'), { unchecked: version < 2 });
}

function isTooOld(rule: Rule, message: StoredMessage, fact: Fact): boolean {
  return isOlder(fact, message.recordedAt - horizonMicros(rule) - HORIZON_SLACK_MICROS);
}

/** Whether a fact is older than the horizon allows. Of items and purchases the latest counts, however late it comes. */
export function isOlder({ type, at }: Fact, oldest: number): boolean {
  return type !== 'purchase' && type !== 'item' && at < oldest;
}

/** Whether a person has resubmitted the fact. The horizon does not apply to it then. */
function isResubmitted(
  { version }: Rule,
  message: StoredMessage,
  { again }: StoredFact,
  marks: Pick<ParkMarks, 'allows'>,
  fact: Fact,
): boolean {
  // Movements this old may have been compacted. The place of a count among them is then unknown, so even a resubmission cannot count.
  if (fact.type === 'count') return false;
  // mutant: resubmission-believed
  if (again) return marks.allows(message);
  // Anyone can set this header, so it counts only for messages that are judged by rules version 1.
  return version === 1 && message.header(RESUBMIT_HEADER) !== undefined;
}

/** The horizon in microseconds, infinite if it is off. */
export function horizonMicros({ horizonMs }: Rule): number {
  return (horizonMs ?? Number.POSITIVE_INFINITY) * 1000;
}

function uncounted(reason: ParkReason, message: string): Uncounted {
  return { ok: false, reason, message };
}
