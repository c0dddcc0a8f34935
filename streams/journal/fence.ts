/**
 * A fence is a record that a node appends to another writer's subject when it takes partitions over from that writer. The writer's next
 * append expects its own last record on the subject, so it fails and the writer finds the fence (J4).
 */

import { JOURNAL_STREAM } from '../../config/topology.ts';
import { BrokerError, type StoredMessage } from '../broker.ts';
import { delay } from '../clock.ts';
import type { ReadingDeps } from '../read/follower.ts';
import { journalSubject } from '../subjects.ts';
import { fence, isFence } from './decision.ts';
import { decodeRecord, encodeRecord, type JournalRecord, JournalRecordError, recordHash } from './record.ts';
import { isForWhatItIs } from './refusals.ts';

/**
 * Appends a fence for these partitions to another writer's subject, after everything that the writer has stored. The writer's next append
 * then fails. Retries until the fence is stored, unless the server refuses its content or more than 100 retries fail.
 * @param skipped true if a person has judged that a message on the subject is not the writer's
 * @throws JournalRecordError if the last message on the subject is not a record
 */
export async function fenceWriter(
  { broker, clock }: ReadingDeps,
  writer: string,
  by: string,
  parts: readonly (readonly [number, number])[],
  skipped: (message: StoredMessage) => boolean = () => false,
): Promise<void> {
  const subject = journalSubject(writer);
  for (let attempt = 0; ; attempt++) {
    const tail = await broker.lastOn(JOURNAL_STREAM, subject);
    const last = tail === undefined || skipped(tail) ? undefined : lastRecord(tail, writer);
    if (last !== undefined && isSameFence(last, by, parts)) return;
    const record: JournalRecord = {
      writer,
      n: (last?.n ?? 0) + 1,
      before: tail === undefined ? '' : recordHash(tail.data),
      decisions: [fence(by, parts)],
    };
    try {
      await broker.publish(subject, encodeRecord(record), { expectLast: tail?.seq ?? 0 });
      return;
    } catch (error) {
      if (attempt > 100 || isForWhatItIs(error)) throw error;
      if (error instanceof BrokerError && error.kind !== 'conflict')
        await delay(clock, Math.min(1_000, 20 * (attempt + 1)));
    }
  }
}

function lastRecord({ seq, data }: StoredMessage, writer: string): JournalRecord {
  try {
    return decodeRecord(data);
  } catch (cause) {
    const what = `JOURNAL cannot be read at sequence ${seq}, the last of ${writer}: ${(cause as Error).message}`;
    throw new JournalRecordError(what, { cause, seq });
  }
}

function isSameFence(record: JournalRecord, by: string, parts: readonly (readonly [number, number])[]): boolean {
  const [first] = record.decisions;
  if (first === undefined || !isFence(first)) return false;
  return first.by === by && JSON.stringify(first.parts) === JSON.stringify(parts);
}
