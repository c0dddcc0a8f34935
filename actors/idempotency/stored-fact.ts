/**
 * What one stored message says, by the rule of its sequence, or why it cannot be counted: for everybody who reads the fact streams. Whether
 * its id was seen before is another question, which needs the state (actors/ingest/intake.ts).
 */
import type { StoredMessage } from '../../streams/broker.ts';
import { decodeBody, isMsgpack, MAX_DEPTH } from '../../streams/codec.ts';
import { type Fact, type ParsedFact, parseFact } from '../../streams/fact/fact.ts';
import type { ParkMarks } from '../../streams/fact/park-marks.ts';
import { type ParkReason, RESUBMIT_HEADER } from '../../streams/fact/parked.ts';
import { msgpackFault } from '../../streams/msgpack-shape.ts';
import { encodeToken, type StoredFact } from '../../streams/subjects.ts';
import type { Rule } from './rules.ts';

/** A front checks the horizon when a fact comes in, its owner when the stream has stamped it: what the one lets in, the other must. */
const HORIZON_SLACK_MICROS = 60_000_000;

export interface Readable extends ParsedFact {
  /** As it was sent, with fields that no schema knows. */
  readonly value: unknown;
}
export interface Uncounted {
  readonly ok: false;
  readonly reason: ParkReason;
  readonly message: string;
  /** Where it can be read. */
  readonly fact?: Fact;
}

/**
 * @param place what its subject says (storedFact)
 * @param marks they must cover the message (MK2)
 */
export function readStored(
  rule: Rule,
  message: StoredMessage,
  place: StoredFact,
  marks: Pick<ParkMarks, 'allows'>,
): Readable | Uncounted {
  // To 0.1 a subject of resubmissions was no subject of a fact.
  if (place.fact === undefined || (place.again && rule.version === 1))
    return uncounted('subject-mismatch', 'the subject is not <type>.<location>.<sku> of encoded tokens');
  let value: unknown;
  try {
    value = decoded(rule, message);
  } catch (error) {
    return uncounted('unreadable', `the body is neither JSON nor MessagePack: ${(error as Error).message}`);
  }
  const parsed = parseFact(value, rule.version);
  if (!parsed.ok) return uncounted('invalid', parsed.message);
  const { fact } = parsed;
  const { type, location, sku } = place.fact;
  if (fact.type !== type || encodeToken(fact.location) !== location || encodeToken(fact.sku) !== sku) {
    return uncounted(
      'subject-mismatch',
      `the body says ${fact.type} of ${fact.sku} at ${fact.location}, the subject something else`,
    );
  }
  if (isTooOld(rule, message, fact) && !isResubmitted(rule, message, place, marks, fact))
    return { ...uncounted('too-old', 'occurredAt is older than the idempotency horizon'), fact };
  return { ...parsed, value };
}

/** As a body over HTTP is read (src/api/bodies.ts); 0.1 asked a message over NATS for its shape less. */
function decoded({ version }: Rule, message: StoredMessage): unknown {
  const { data } = message;
  const contentType = message.header('Content-Type');
  const fault = version >= 2 && isMsgpack(data, contentType) ? msgpackFault(data, MAX_DEPTH) : undefined;
  if (fault !== undefined) throw new Error(fault);
  return decodeBody(data, contentType);
}

function isTooOld(rule: Rule, message: StoredMessage, fact: Fact): boolean {
  return fact.at < message.recordedAt - horizonMicros(rule) - HORIZON_SLACK_MICROS;
}

/** Whether a person has submitted it again: then the horizon does not hold for it. */
function isResubmitted(
  { version }: Rule,
  message: StoredMessage,
  { again }: StoredFact,
  marks: Pick<ParkMarks, 'allows'>,
  fact: Fact,
): boolean {
  // Movements so old may have been summed up: where among them a count stood can no longer be told, whoever sends it again.
  if (fact.type === 'count') return false;
  // mutant: resubmission-believed
  if (again) return marks.allows(message);
  // Anybody could set the header: it counts for what 0.1 stored, and for nothing since.
  return version === 1 && message.header(RESUBMIT_HEADER) !== undefined;
}

/** Infinite when it is off. */
export function horizonMicros({ horizonMs }: Rule): number {
  return (horizonMs ?? Number.POSITIVE_INFINITY) * 1000;
}

function uncounted(reason: ParkReason, message: string): Uncounted {
  return { ok: false, reason, message };
}
