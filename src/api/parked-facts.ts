/**
 * Lets people list parked facts within bounds of bytes and time, read one with all its bytes, and resubmit it.
 *
 * Invariant: no entry can break the list, whatever it holds. Entries are untrusted, because any publisher may have written them.
 */
import { type StreamFactIngress, UnreadableError } from '../../actors/ingest/submit.ts';
import type { ParkedFact, ParkedFacts } from '../../actors/ports/ports.ts';
import { Refusal } from '../../actors/ports/refusal.ts';
import { LIMITS } from '../../config/limits.ts';
import { PARKED_STREAM } from '../../config/topology.ts';
import type { Broker } from '../../streams/broker.ts';
import { decodeBody } from '../../streams/codec.ts';
import { type ParkedEntry, parkedEntry, wholeEntry } from '../../streams/fact/parked.ts';
import type { SentBody } from '../../streams/fact/sent-body.ts';
import { invalid } from './checks.ts';

/** Entries read at once. Kept low, because an entry that version 0.1 wrote may have 8 MB. */
const READ_AT_ONCE = 4;

export function parkedFacts(broker: Broker, facts: Pick<StreamFactIngress, 'resubmit'>): ParkedFacts {
  const entryAt = async (seq: number): Promise<ParkedEntry> => {
    const entry = await wholeEntry(broker, seq);
    if (entry === undefined) throw new Refusal('not-found', `no fact is parked at ${seq}`);
    return entry;
  };
  return {
    list: (after, limit) => listParked(broker, after, limit),
    get: async (seq) => shown(await entryAt(seq), Number.POSITIVE_INFINITY),
    resubmit: async (seq, corrected) => {
      const entry = await entryAt(seq);
      if (corrected === undefined && entry.reason === 'id-conflict')
        throw new Refusal(
          'invalid-request',
          'the id of this fact was used before with other content, so it can never count as it is; send it corrected, under an id of its own',
        );
      try {
        await facts.resubmit(seq, corrected ?? sentOf(entry));
      } catch (error) {
        if (error instanceof Refusal) throw error;
        if (error instanceof UnreadableError && corrected !== undefined) throw wrongField(error);
        throw new Refusal(
          'invalid-request',
          `the parked fact cannot be submitted as it is: ${(error as Error).message}; send a corrected one`,
        );
      }
    },
  };
}

/** Without the field's name, which the message begins with and the problem shows by itself. */
function wrongField({ field, message }: UnreadableError): Refusal {
  const prefix = field === '' ? 'the fact ' : `${field} `;
  const rule = message.startsWith(prefix) ? message.slice(prefix.length) : message;
  return invalid([{ field: field === '' ? 'body' : field, message: rule }]);
}

async function listParked(broker: Broker, after: number, limit: number): ReturnType<ParkedFacts['list']> {
  const parked: ParkedFact[] = [];
  const stream = await broker.stream(PARKED_STREAM);
  if (stream === undefined) return { parked, next: null };
  const until = performance.now() + LIMITS.parkedListMs;
  let bytes = 0;
  let seq = Math.max(after, stream.firstSeq - 1);
  while (seq < stream.lastSeq) {
    if (performance.now() > until) return { parked, next: seq };
    const begun = Array.from({ length: Math.min(READ_AT_ONCE, stream.lastSeq - seq) }, (_, i) =>
      broker.message(PARKED_STREAM, seq + 1 + i),
    );
    for (const message of await Promise.all(begun)) {
      const entry = message === undefined ? undefined : parkedEntry(message);
      if (entry !== undefined) {
        const fact = shown(entry, LIMITS.parkedBytesShown);
        bytes += JSON.stringify(fact).length;
        const full = parked.length === limit || (bytes > LIMITS.parkedListBytes && parked.length > 0);
        if (full) return { parked, next: seq };
        parked.push(fact);
      }
      seq += 1;
    }
  }
  return { parked, next: null };
}

function shown(entry: ParkedEntry, most: number): ParkedFact {
  const { seq, recordedAt, reason, message, source, contentType, length } = entry;
  const bytes = Buffer.from(entry.bytes.subarray(0, most));
  return {
    seq,
    parkedAt: new Date(recordedAt / 1000).toISOString(),
    reason,
    message,
    source,
    contentType,
    bytes: bytes.toString('base64'),
    length,
    cut: bytes.length < length,
  };
}

/** The parked fact as it was sent. Throws if it cannot be decoded or its bytes were cut. */
function sentOf({ bytes, contentType, length }: ParkedEntry): SentBody {
  if (bytes.length < length) throw new Error('its bytes were cut, and the message that held all of them is gone');
  return { value: decodeBody(bytes, contentType), bytes, type: contentType };
}
