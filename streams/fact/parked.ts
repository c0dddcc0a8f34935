/**
 * PARKED holds facts that could not be counted, with their reason and their bytes, so that people can inspect and resubmit them.
 *
 * Invariants:
 *  PK1 A stored fact is parked at most once, because the entry's subject names its source and must be new.
 *  PK2 No sender can cause an entry that cannot be stored. The content type is one of two words, headers are bounded, and bytes that do
 *     not fit are cut. All bytes remain at the source that the entry names.
 *  PK3 A fact that is parked for its id gets its mark (streams/fact/park-marks.ts) before its entry.
 */
import { LIMITS } from '../../config/limits.ts';
import { FACT_STREAM_NAMES, PARKED_STREAM } from '../../config/topology.ts';
import { type Broker, BrokerError, type StoredMessage } from '../broker.ts';
import { isMsgpack, JSON_TYPE, MSGPACK_TYPE } from '../codec.ts';
import { bytesAt } from './bundle.ts';
import { markConflict } from './park-marks.ts';
import type { BodyType } from './sent-body.ts';

export const PARK_REASONS = ['too-old', 'id-conflict', 'unreadable', 'invalid', 'subject-mismatch'] as const;
export type ParkReason = (typeof PARK_REASONS)[number];

/** Set by version 0.1 on a fact that a person submits again. It is honoured only on messages that are judged by version 1 of the rules. */
export const RESUBMIT_HEADER = 'Holdfast-Resubmit';

export interface Parking {
  /** Where the fact came from: `STREAM.seq`, `STREAM.seq.place` in a bundle, or `http.<hash>`. */
  readonly source: string;
  readonly subject: string;
  readonly reason: ParkReason;
  readonly message: string;
  /** The content type that the sender named. */
  readonly contentType: string | undefined;
  readonly bytes: Uint8Array;
}

/** Most bytes of each text in an entry's headers, percent-encoded (PK2). */
const MESSAGE_BYTES = 3_072;
const SUBJECT_BYTES = 4_096;
/** Room for all headers of one message, beside its bytes. */
const HEADER_BYTES = 16_384;
/** Bytes kept of a message that is larger than a fact may be, or of an entry that was refused for its size, tried in turn. */
const STUB_BYTES = [4_096, 0];

const PREFIX = 'parked.';
/** Subjects of the entries, as opposed to marks. */
export const PARKED_SUBJECTS = 'parked.>';

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
  const { source, reason, message, subject, bytes } = parking;
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
      'Content-Type': bodyType(bytes, parking.contentType),
    },
  });
}

function bodyType(bytes: Uint8Array, contentType: string | undefined): BodyType {
  return isMsgpack(bytes, contentType) ? MSGPACK_TYPE : JSON_TYPE;
}

/**
 * Percent-encodes a text of any length and cuts it at the end of a character. A parser's message may end in half of a surrogate pair,
 * which encodeURIComponent would refuse.
 */
function quoted(text: string, most: number): string {
  let whole = '';
  for (const character of text.toWellFormed()) {
    const encoded = encodeURIComponent(character);
    if (whole.length + encoded.length > most) break;
    whole += encoded;
  }
  return whole;
}

/** An entry of PARKED, as far as it can be read. Any client that can publish may have written it. */
export interface ParkedEntry {
  readonly seq: number;
  /** Microseconds since 1970. */
  readonly recordedAt: number;
  readonly reason: string;
  readonly message: string;
  readonly source: string;
  readonly contentType: BodyType;
  readonly bytes: Uint8Array;
  /** Number of bytes at the source. It exceeds `bytes.length` if the bytes were cut. */
  readonly length: number;
}

/** Undefined if a message of PARKED is not an entry. Accepts any content, because one bad entry must not end a list. */
export function parkedEntry(message: StoredMessage): ParkedEntry | undefined {
  if (!message.subject.startsWith(PREFIX)) return undefined;
  const { seq, recordedAt, data } = message;
  const length = Number(message.header('Holdfast-Length') ?? data.length);
  return {
    seq,
    recordedAt,
    reason: (message.header('Holdfast-Reason') ?? 'unknown').slice(0, 64),
    message: unquoted(message.header('Holdfast-Message') ?? '').slice(0, 2 * MESSAGE_BYTES),
    source: message.subject.slice(PREFIX.length),
    contentType: bodyType(data, message.header('Content-Type')),
    bytes: data,
    length: Number.isSafeInteger(length) ? Math.max(length, data.length) : data.length,
  };
}

function unquoted(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const SOURCE = new RegExp(`^(${FACT_STREAM_NAMES.join('|')})\\.([1-9]\\d{0,15})(?:\\.(\\d{1,5}))?$`);

/** The entry at a sequence with all its bytes. Those of a cut entry come from the source message, if that still exists. */
export async function wholeEntry(broker: Broker, seq: number): Promise<ParkedEntry | undefined> {
  const message = await broker.message(PARKED_STREAM, seq);
  const entry = message === undefined ? undefined : parkedEntry(message);
  if (entry === undefined || entry.bytes.length === entry.length) return entry;
  const [, stream, at, place] = SOURCE.exec(entry.source) ?? [];
  if (stream === undefined) return entry;
  const origin = await broker.message(stream, Number(at));
  const bytes = origin === undefined || place === undefined ? origin?.data : bytesAt(origin.data, Number(place));
  return bytes?.length === entry.length ? { ...entry, bytes } : entry;
}
