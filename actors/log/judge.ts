/**
 * Judges one place of a stream before a person skips it. The judgement says what is there, whether readers stop at it, and what is lost
 * without it.
 *
 * Invariant JU1: Only a place at which recovery stops may be skipped, which is a lost message or a record that cannot be read or does not
 * follow. A message that every node reads and counts may never be skipped, because folded states would then differ from the streams.
 */

import { FACT_STREAM_NAMES, JOURNAL_STREAM } from '../../config/topology.ts';
import { present } from '../../streams/assert.ts';
import type { StoredMessage } from '../../streams/broker.ts';
import { floorsOf, readStreams } from '../../streams/journal/floors.ts';
import { decodeRecord, type JournalRecord } from '../../streams/journal/record.ts';
import { type ReadingDeps, readUntil } from '../../streams/read/follower.ts';
import type { Admission } from './admission.ts';
import { ChainAudit, ChainBreak } from './chain.ts';
import { type Skip, sha256 } from './skips.ts';

/** Streams that recovery reads. */
export const JUDGED_STREAMS = [...FACT_STREAM_NAMES, JOURNAL_STREAM] as const;

export interface Judgement {
  readonly stream: string;
  readonly seq: number;
  /** Whether recovery stops here, so that a person may skip it. */
  readonly stops: boolean;
  /** State of the place, for people. */
  readonly says: string;
  /** Consequence of skipping it, for people. '' if it may not be skipped. */
  readonly means: string;
  /** The message at the place, undefined if there is none. */
  readonly message: StoredMessage | undefined;
  readonly record: JournalRecord | undefined;
}
interface Found {
  readonly stops: boolean;
  readonly says: string;
  readonly means?: string;
}

export async function judge(deps: ReadingDeps, admission: Admission, stream: string, seq: number): Promise<Judgement> {
  const message = await deps.broker.message(stream, seq);
  const record = stream === JOURNAL_STREAM && message !== undefined ? recordIn(message) : undefined;
  const found = message === undefined ? await judgeMissing(deps, admission, stream, seq) : undefined;
  const { stops, says, means = '' } = found ?? (await judgeStanding(deps, admission, stream, present(message)));
  return { stream, seq, stops, says, means, message, record };
}

/** Converts a judgement to the form in which it is stored. */
export function skipOf({ stream, seq, message }: Judgement, said: Pick<Skip, 'by' | 'why' | 'at'>): Skip {
  const subject = message?.subject ?? '';
  return { stream, seq, subject, sha256: message === undefined ? '' : sha256(message.data), ...said };
}

async function judgeMissing(
  { broker }: ReadingDeps,
  { skips }: Admission,
  stream: string,
  seq: number,
): Promise<Found> {
  if (skips.lost(stream, seq, seq + 1)) return fits('it is lost, and has been skipped');
  const streams = await readStreams(broker);
  const facts = streams.get(stream);
  if (facts === undefined) return fits(`there is no stream ${stream}`);
  if (seq > facts.lastSeq) return fits(`${stream} has no message ${seq}: its last one is ${facts.lastSeq}`);
  const floor = floorsOf(streams)[stream] ?? 0;
  if (seq <= floor) return fits(`${stream} was trimmed up to ${floor}: a baseline holds what stood there`);
  const what = stream === JOURNAL_STREAM ? 'the decisions of that record' : 'that fact';
  const remedy =
    stream === JOURNAL_STREAM
      ? 'reservations that it granted are unknown, and their units may be promised again'
      : 'its device must send it again';
  return { stops: true, says: `${stream} has lost it`, means: `${what} will not count: ${remedy}` };
}

async function judgeStanding(
  deps: ReadingDeps,
  admission: Admission,
  stream: string,
  message: StoredMessage,
): Promise<Found> {
  if (stream !== JOURNAL_STREAM) return fits('it stands in the stream, and is counted or parked as every message is');
  const { seq, subject } = message;
  if (!admission.counts(subject, seq)) return fits('its writer never owned a partition: it does not count anyway');
  if (admission.skips.of(stream, message) !== undefined) return fits('it has been skipped already');
  const stop = await firstStop(deps, admission, seq);
  if (stop === undefined) return fits('it reads fine and follows the record before it');
  if (stop.seq < seq) return fits(`reading stops before it, at ${stream}.${stop.seq}: judge that first`);
  // Recovery reads and counts this record, so it must stay (JU1).
  if (stop.counted) return fits(`every node reads it and counts it, so it cannot be skipped: ${stop.message}`);
  const held = recordIn(message)?.decisions.length;
  const means =
    held === undefined ? 'nothing of it can be read, so nothing is given up' : `its ${held} decisions will not count`;
  return { stops: true, says: stop.message, means: `${means}; the chain of its writer goes on behind it` };
}

function fits(says: string): Found {
  return { stops: false, says };
}

/** Finds the first place at or before a sequence where a reader of JOURNAL stops. */
async function firstStop(
  deps: ReadingDeps,
  admission: Admission,
  seq: number,
): Promise<{ seq: number; message: string; counted: boolean } | undefined> {
  const streams = await readStreams(deps.broker);
  const floor = floorsOf(streams)[JOURNAL_STREAM] ?? 0;
  const chain = new ChainAudit(undefined, floor, admission);
  let before = floor;
  try {
    await readUntil(deps, JOURNAL_STREAM, [], streams.get(JOURNAL_STREAM)?.firstSeq ?? 1, seq, (message) => {
      if (message.seq > floor && !admission.skips.lost(JOURNAL_STREAM, before + 1, message.seq))
        throw new ChainBreak(before + 1, '', 0, 'is lost');
      before = Math.max(before, message.seq);
      chain.take(message);
    });
  } catch (error) {
    if (!(error instanceof ChainBreak)) throw error;
    return error;
  }
  return undefined;
}

function recordIn({ data }: StoredMessage): JournalRecord | undefined {
  try {
    return decodeRecord(data);
  } catch {
    return undefined;
  }
}
