/**
 * Facts that could not be counted: kept with their reason and their bytes, to be looked at and submitted again.
 *
 * Invariant K1: one stream message is parked at most once: its subject names where it came from, and is expected to be new.
 */
import { PARKED_STREAM } from '../config/topology.ts';
import { type Broker, BrokerError, type StoredMessage } from './broker.ts';
import { type ReadingWorld, readUntil } from './follower.ts';

export const PARK_REASONS = ['too-old', 'id-conflict', 'unreadable', 'invalid', 'subject-mismatch'] as const;
export type ParkReason = (typeof PARK_REASONS)[number];

/** Set on a fact that a person submits again: the horizon does not hold for it, unless it is a count. */
export const RESUBMIT_HEADER = 'Holdfast-Resubmit';

export interface Parking {
  /** Where it came from: `STREAM.seq`, or `http.<hash>`. */
  readonly source: string;
  readonly subject: string;
  readonly reason: ParkReason;
  readonly message: string;
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

/** Room for the headers beside the bytes in one message. */
const HEADER_BYTES = 16_384;
const LONGEST_MESSAGE = 1_000;

/** Stores it; true if it was not parked before. */
export async function park(broker: Broker, parking: Parking): Promise<boolean> {
  const room = broker.server.maxPayload - HEADER_BYTES;
  const whole = parking.bytes.length <= room;
  const note = whole
    ? ''
    : ` (only its first ${room} bytes are kept here; all ${parking.bytes.length} are at ${parking.source})`;
  try {
    await broker.publish(`parked.${parking.source}`, whole ? parking.bytes : parking.bytes.subarray(0, room), {
      expectLast: 0,
      headers: {
        'Holdfast-Reason': parking.reason,
        'Holdfast-Message': quoted(parking.message.slice(0, LONGEST_MESSAGE) + note),
        'Holdfast-Subject': quoted(parking.subject),
        'Content-Type': parking.contentType,
      },
    });
    return true;
  } catch (error) {
    if (error instanceof BrokerError && error.kind === 'conflict') return false;
    throw error;
  }
}

/** A parser's message may end in half of a surrogate pair, which encodeURIComponent refuses. */
function quoted(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

/** `STREAM.seq` of every stored message that was parked because of its id: what a replay must not count. */
export async function parkedConflicts(world: ReadingWorld): Promise<Set<string>> {
  const conflicts = new Set<string>();
  const stream = await world.broker.stream(PARKED_STREAM);
  if (stream === undefined || stream.lastSeq === 0) return conflicts;
  let read = 0;
  await readUntil(world, PARKED_STREAM, ['parked.>'], 1, stream.lastSeq, (message) => {
    read += 1;
    if (message.header('Holdfast-Reason') === 'id-conflict') conflicts.add(message.subject.slice('parked.'.length));
  });
  // A replay would count a fact whose parking is forgotten; so nothing may be taken out of this stream either.
  if (read < stream.lastSeq)
    throw new Error(
      `stream ${PARKED_STREAM} lacks ${stream.lastSeq - read} of the ${stream.lastSeq} messages that it held`,
    );
  return conflicts;
}

/** Parked facts with a sequence above `after`, oldest first. */
export async function listParked(broker: Broker, after: number, limit: number): Promise<StoredMessage[]> {
  const stream = await broker.stream(PARKED_STREAM);
  const found: StoredMessage[] = [];
  if (stream === undefined) return found;
  for (let seq = Math.max(after + 1, stream.firstSeq); seq <= stream.lastSeq && found.length < limit; seq++) {
    const message = await broker.message(PARKED_STREAM, seq);
    if (message !== undefined) found.push(message);
  }
  return found;
}

/** What is parked, as it was described when it was stored. */
export function describeParked(message: StoredMessage): {
  reason: string;
  message: string;
  subject: string;
  source: string;
  contentType: string;
} {
  return {
    reason: message.header('Holdfast-Reason') ?? '',
    message: decodeURIComponent(message.header('Holdfast-Message') ?? ''),
    subject: decodeURIComponent(message.header('Holdfast-Subject') ?? ''),
    source: message.subject.slice('parked.'.length),
    contentType: message.header('Content-Type') ?? 'application/json',
  };
}
