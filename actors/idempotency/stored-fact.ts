/**
 * Reads one stored message by the rule of its sequence and returns its fact, or the reason why it cannot be counted. Every reader of the
 * fact streams uses it. Detecting duplicates is separate, because that needs the state (actors/ingest/intake.ts).
 */
import type { StoredMessage } from '../../streams/broker.ts';
import { decodeBody } from '../../streams/codec.ts';
import { type Fact, type ParsedFact, parseFact } from '../../streams/fact/fact.ts';
import type { ParkMarks } from '../../streams/fact/park-marks.ts';
import { type ParkReason, RESUBMIT_HEADER } from '../../streams/fact/parked.ts';
import { encodeToken, type StoredFact } from '../../streams/subjects.ts';
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
 * @param place type, location and SKU from the subject (see `storedFact`)
 * @param marks marks of parked facts, read far enough to cover the message (MK2)
 */
export function readStored(
  rule: Rule,
  message: StoredMessage,
  place: StoredFact,
  marks: Pick<ParkMarks, 'allows'>,
): Readable | Uncounted {
  // Holdfast 0.1 did not accept subjects of resubmissions, so rules version 1 must not either.
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
  const counted = fact.type === 'return' ? { ...fact, within: horizonMicros(rule) } : fact;
  return { ok: true, fact: counted, content: parsed.content, value };
}

/** Decodes like a body over HTTP (src/api/bodies.ts). Version 1 skips the MessagePack shape check, as Holdfast 0.1 did over NATS. */
function decoded({ version }: Rule, message: StoredMessage): unknown {
  return decodeBody(message.data, message.header('Content-Type'), { unchecked: version < 2 });
}

function isTooOld(rule: Rule, message: StoredMessage, fact: Fact): boolean {
  return fact.at < message.recordedAt - horizonMicros(rule) - HORIZON_SLACK_MICROS;
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
