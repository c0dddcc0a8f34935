/**
 * PARKED: facts that could not be counted, kept with their reason and their bytes, to be looked at and submitted again.
 *
 * Invariants:
 *  PK1 One stream message is parked at most once: its subject names where it came from, and is expected to be new.
 *  PK2 What a stranger sends never makes an entry that cannot be stored: its content type is one of two words, its headers are counted, and
 *     bytes that do not fit are cut. The whole stands where the entry says that it came from.
 *  PK3 A fact that was parked for its id has its mark (streams/fact/park-marks.ts) before it has its entry.
 */
import { FACT_STREAM_NAMES, PARKED_STREAM } from '../../config/topology.ts';
import { type Broker, BrokerError, type StoredMessage } from '../broker.ts';
import { isMsgpack, JSON_TYPE, MSGPACK_TYPE } from '../codec.ts';
import { markConflict } from './park-marks.ts';
import type { BodyType } from './sent-body.ts';

export const PARK_REASONS = ['too-old', 'id-conflict', 'unreadable', 'invalid', 'subject-mismatch'] as const;
export type ParkReason = (typeof PARK_REASONS)[number];

/** Set by version 0.1 on a fact that a person submits again. It is believed only of messages that were judged by the rules of that time. */
export const RESUBMIT_HEADER = 'Holdfast-Resubmit';

export interface Parking {
  /** Where it came from: `STREAM.seq`, or `http.<hash>`. */
  readonly source: string;
  readonly subject: string;
  readonly reason: ParkReason;
  readonly message: string;
  /** As the sender named it. */
  readonly contentType: string | undefined;
  readonly bytes: Uint8Array;
}

/** The most that the texts in an entry's headers may take, percent-encoded (PK2). */
const MESSAGE_BYTES = 3_072;
const SUBJECT_BYTES = 4_096;
/** Room for all headers beside the bytes in one message. */
const HEADER_BYTES = 16_384;
/** Bytes of an entry that was refused for its size, tried in turn. */
const STUB_BYTES = [4_096, 0];

const PREFIX = 'parked.';
/** What PARKED holds beside marks. */
export const PARKED_SUBJECTS = 'parked.>';

/** Stores it; true if it was not parked before. Rejects if it is not known to be stored: then it must be tried again. */
export async function park(broker: Broker, parking: Parking): Promise<boolean> {
  // PK3.
  if (parking.reason === 'id-conflict') await markConflict(broker, parking.source);
  const most = Math.max(0, broker.server.maxPayload - HEADER_BYTES);
  for (const size of [most, ...STUB_BYTES]) {
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
  // PK1.
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

/** Percent-encoded, and cut where a character ends, so it may be as long as its sender likes. A parser's message may end in half of a surrogate pair, which is refused. */
function quoted(text: string, most: number): string {
  let whole = '';
  for (const character of text.toWellFormed()) {
    const encoded = encodeURIComponent(character);
    if (whole.length + encoded.length > most) break;
    whole += encoded;
  }
  return whole;
}

/** An entry of PARKED, as far as it can be read: anybody may have written it. */
export interface ParkedEntry {
  readonly seq: number;
  /** Microseconds since 1970. */
  readonly recordedAt: number;
  readonly reason: string;
  readonly message: string;
  readonly source: string;
  readonly contentType: BodyType;
  readonly bytes: Uint8Array;
  /** Bytes that it had where it came from; more than there are here if they were cut. */
  readonly length: number;
}

/** Undefined for a message of PARKED that is no entry. Reads whatever stands there (no entry may end a list). */
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

/** The entry at a sequence with the bytes as they came: of one that was cut, from the message that it names, if that is still there. */
export async function wholeEntry(broker: Broker, seq: number): Promise<ParkedEntry | undefined> {
  const message = await broker.message(PARKED_STREAM, seq);
  const entry = message === undefined ? undefined : parkedEntry(message);
  if (entry === undefined || entry.bytes.length === entry.length) return entry;
  const [stream = '', at = ''] = entry.source.split('.');
  if (!(FACT_STREAM_NAMES as string[]).includes(stream) || !/^[1-9]\d{0,15}$/.test(at)) return entry;
  const origin = await broker.message(stream, Number(at));
  return origin?.data.length === entry.length ? { ...entry, bytes: origin.data } : entry;
}
