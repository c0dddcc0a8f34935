/**
 * PARKED holds facts that could not be counted, with their reason and their bytes, so that people can inspect and resubmit them.
 *
 * Invariants:
 *  PK1 A stored fact is parked at most once, because the entry's subject names its source and must be new.
 *  PK2 No sender can cause an entry that cannot be stored. The content type is one of two words, headers are bounded, and bytes that do
 *     not fit are cut. All bytes remain at the source that the entry names.
 *  PK3 A fact that is parked for its id gets its mark (streams/fact/park-marks.ts) before its entry.
 *  PK4 An entry's headers say what the fact says of itself (identity.ts), so nobody reads the bytes of many entries to find some.
 */
import { LIMITS } from '../../../config/limits.ts';
import { PARKED_STREAM } from '../../../config/topology.ts';
import { type Broker, BrokerError, type StoredMessage } from '../../broker.ts';
import { isMsgpack, JSON_TYPE, MSGPACK_TYPE } from '../../codec.ts';
import { bytesAt } from '../bundle.ts';
import type { BodyType } from '../sent-body.ts';
import { sourceOf } from '../source.ts';
import { type FactIdentity, identityOf, identityText, readIdentity } from './identity.ts';
import { MARK_HEADER, markConflict } from './park-marks.ts';
import { quoted, unquoted } from './quoted.ts';

export const PARK_REASONS = ['too-old', 'id-conflict', 'unreadable', 'invalid', 'subject-mismatch'] as const;
export type ParkReason = (typeof PARK_REASONS)[number];

/** Set by version 0.1 on a fact that a person submits again. It is honoured only on messages that are judged by version 1 of the rules. */
export const RESUBMIT_HEADER = 'Holdfast-Resubmit';

/** On a resubmission that quotes a mark: when the fact was first stored or parked, in microseconds since 1970. */
export const FIRST_HEADER = 'Holdfast-First';
const STORED_HEADER = 'Holdfast-Stored';

export interface Parking {
  /** Where the fact came from: a place in a stream (source.ts), or `http.<hash>`. */
  readonly source: string;
  readonly subject: string;
  readonly reason: ParkReason;
  readonly message: string;
  /** The content type that the sender named. */
  readonly contentType: string | undefined;
  readonly bytes: Uint8Array;
  /** When its message was stored, in microseconds since 1970; undefined if it was not. */
  readonly storedAt?: number;
  /** The mark that the message quoted, if a person has submitted it again and it is parked once more. */
  readonly mark?: string | undefined;
}

/** Most bytes of each text in an entry's headers, percent-encoded (PK2). */
const MESSAGE_BYTES = 3_072;
const SUBJECT_BYTES = 4_096;
/** Room for all headers of one message, beside its bytes. */
const HEADER_BYTES = 24_576;
/** Bytes kept of a message that is larger than a fact may be, or of an entry that was refused for its size, tried in turn. */
const STUB_BYTES = [4_096, 0];

const PREFIX = 'parked.';
const IDENTITY_HEADER = 'Holdfast-Fact';

/** Parks a fact; true if it was not already parked. If this rejects, the fact may not be stored and parking must be retried. */
export async function park(broker: Broker, parking: Parking): Promise<boolean> {
  // The mark comes before the entry, so no replay can count the fact (PK3).
  if (parking.reason === 'id-conflict') await markConflict(broker, parking.source);
  const most = Math.max(0, broker.server.maxPayload - HEADER_BYTES);
  // A message that is larger than any fact is kept once, at its source.
  const sizes = parking.bytes.length > LIMITS.factBytes ? STUB_BYTES : [most, ...STUB_BYTES];
  for (const size of sizes) {
    try {
      await store(broker, parking, Math.min(size, parking.bytes.length));
      return true;
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      if (error.kind === 'conflict') return false;
      if (error.kind !== 'too-large' || size === 0) throw error;
    }
  }
  return false;
}

async function store(broker: Broker, parking: Parking, size: number): Promise<void> {
  const { source, reason, message, subject, bytes, contentType, storedAt, mark } = parking;
  const cut =
    size < bytes.length ? ` (only its first ${size} bytes are kept here; all ${bytes.length} are at ${source})` : '';
  // Fails as a conflict if this source is already parked (PK1).
  await broker.publish(PREFIX + source, bytes.subarray(0, size), {
    expectLast: 0,
    headers: {
      'Holdfast-Reason': reason,
      'Holdfast-Message': quoted(message, MESSAGE_BYTES) + quoted(cut, MESSAGE_BYTES),
      'Holdfast-Subject': quoted(subject, SUBJECT_BYTES),
      'Holdfast-Length': String(bytes.length),
      'Content-Type': bodyType(bytes, contentType),
      // Of all bytes, because a part of them may say nothing (PK4).
      [IDENTITY_HEADER]: identityText(identityOf(bytes, contentType, subject)),
      ...(storedAt === undefined ? {} : { [STORED_HEADER]: String(storedAt) }),
      ...(mark === undefined ? {} : { [MARK_HEADER]: mark }),
    },
  });
}

function bodyType(bytes: Uint8Array, contentType: string | undefined): BodyType {
  return isMsgpack(bytes, contentType) ? MSGPACK_TYPE : JSON_TYPE;
}

/** An entry of PARKED, as far as it can be read. Any client that can publish may have written it. */
export interface ParkedEntry {
  readonly seq: number;
  /** Microseconds since 1970. */
  readonly recordedAt: number;
  readonly reason: string;
  readonly message: string;
  readonly source: string;
  readonly identity: FactIdentity;
  readonly contentType: BodyType;
  readonly bytes: Uint8Array;
  /** Number of bytes at the source. It exceeds `bytes.length` if the bytes were cut. */
  readonly length: number;
}

/** Undefined if a message of PARKED is not an entry. Accepts any content, because one bad entry must not end a list. */
export function parkedEntry(message: StoredMessage): ParkedEntry | undefined {
  if (!isEntry(message)) return undefined;
  const { seq, recordedAt, data } = message;
  const length = Number(message.header('Holdfast-Length') ?? data.length);
  return {
    seq,
    recordedAt,
    reason: reasonIn(message),
    message: unquoted(message.header('Holdfast-Message') ?? '').slice(0, 2 * MESSAGE_BYTES),
    source: message.subject.slice(PREFIX.length),
    identity: identityIn(message) ?? identityOf(data, message.header('Content-Type'), subjectOf(message)),
    contentType: bodyType(data, message.header('Content-Type')),
    bytes: data,
    length: Number.isSafeInteger(length) ? Math.max(length, data.length) : data.length,
  };
}

/** The identity in an entry's headers. Undefined for an entry of an earlier version, whose bytes must be read. */
export function identityIn(message: StoredMessage): FactIdentity | undefined {
  const text = message.header(IDENTITY_HEADER);
  return text === undefined ? undefined : readIdentity(text);
}

function subjectOf(message: StoredMessage): string {
  return unquoted(message.header('Holdfast-Subject') ?? '');
}

export function reasonIn(message: StoredMessage): string {
  return (message.header('Holdfast-Reason') ?? 'unknown').slice(0, 64);
}

/** When the fact of an entry was stored or, if it never was or an earlier version parked it, when it was parked; in microseconds since 1970. */
export function firstStored(message: StoredMessage): number {
  return earlier(message.header(STORED_HEADER), message.recordedAt);
}

/** When a resubmitted fact was first stored or parked. @param message one that a mark allows */
export function firstStoredBefore(message: StoredMessage): number {
  return earlier(message.header(FIRST_HEADER), message.recordedAt);
}

function earlier(moment: string | undefined, at: number): number {
  const first = Number(moment ?? Number.NaN);
  return first > 0 && first < at ? first : at;
}

/** True if a message of PARKED is an entry, as opposed to a mark. */
export function isEntry({ subject }: StoredMessage): boolean {
  return subject.startsWith(PREFIX);
}

/** The entry at a sequence with all its bytes. Those of a cut entry come from the source message, if that still exists. */
export async function wholeEntry(broker: Broker, seq: number): Promise<ParkedEntry | undefined> {
  const message = await broker.message(PARKED_STREAM, seq);
  const entry = message === undefined ? undefined : parkedEntry(message);
  if (entry === undefined || entry.bytes.length === entry.length) return entry;
  const source = sourceOf(entry.source);
  if (source === undefined) return entry;
  const { stream, seq: at, place } = source;
  const origin = await broker.message(stream, at);
  const bytes = origin === undefined || place === undefined ? origin?.data : bytesAt(origin.data, place);
  return bytes?.length === entry.length ? { ...entry, bytes } : entry;
}
