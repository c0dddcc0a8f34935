/**
 * Reads again what the streams hold between the recorded position of a partition and the point from which this node tells of everything
 * as it folds it. A stream is read once for all partitions of the node that have such a gap.
 *
 * Invariant GQ1: the events are those that their owner has told, or would have told, when it counted the fact. A message is judged by the
 * rule of its sequence. One that was parked for its id has a mark, which this node has read because it has folded past the message.
 */
import { LIMITS } from '../../config/limits.ts';
import { ANOMALIES_BUCKET, ANOMALIES_STREAM, type FactStream, JOURNAL_STREAM } from '../../config/topology.ts';
import type { StoredMessage } from '../../streams/broker.ts';
import { ANOMALY_CHANGES } from '../../streams/contract/events.ts';
import { bundleIn } from '../../streams/fact/bundle.ts';
import type { ParkMarks } from '../../streams/fact/parked/park-marks.ts';
import { factSource } from '../../streams/fact/source.ts';
import { type ReadingDeps, readUntil } from '../../streams/read/follower.ts';
import { type StoredFact, storedFact } from '../../streams/subjects.ts';
import { type StoredAnomaly, shown } from '../anomaly/lifecycle.ts';
import type { Rule, Rules } from '../idempotency/rules.ts';
import { readStored } from '../idempotency/stored-fact.ts';
import type { Admission } from '../log/admission.ts';
import { eventOfAnomaly, eventOfFact, eventsOfDecision, givesEvents, type OutgoingEvent } from './mapping.ts';
import type { OutboxSource } from './positions.ts';

export interface GapDeps extends ReadingDeps {
  /** Number of all partitions. */
  readonly count: number;
  readonly rules: Pick<Rules, 'at'>;
  readonly marks: ParkMarks;
  /** Says which records of JOURNAL count. */
  readonly admission: () => Admission;
}

/** Called for each event of a stream in the order of its messages. */
export type Tell = (partition: number, seq: number, event: OutgoingEvent) => void;

/** Ends the reading of a piece. */
const FULL = new Error('the piece is full');

/** Reads the messages behind `after` up to `until` in pieces. `piece` is awaited before the next piece is read. */
export async function readGap(
  deps: GapDeps,
  source: OutboxSource,
  { after, until }: { readonly after: number; readonly until: number },
  tell: Tell,
  piece: (reached: number) => Promise<void>,
): Promise<void> {
  for (let reached = after; reached < until; ) {
    const from = reached + 1;
    reached = until;
    let read = 0;
    const take = (message: StoredMessage) => {
      eventsIn(deps, source, message, tell);
      read += 1;
      if (read < LIMITS.outboxPiece || message.seq >= until) return;
      reached = message.seq;
      throw FULL;
    };
    await readUntil(deps, source, [], from, until, take).catch((error) => {
      if (error !== FULL) throw error;
    });
    await piece(reached);
  }
}

function eventsIn(deps: GapDeps, source: OutboxSource, message: StoredMessage, tell: Tell): void {
  if (source === JOURNAL_STREAM) inRecord(deps, message, tell);
  else if (source === ANOMALIES_STREAM) inAnomaly(message, tell);
  else inFacts(deps, source, message, tell);
}

function inFacts(deps: GapDeps, source: FactStream, message: StoredMessage, tell: Tell): void {
  const rule = deps.rules.at(source, message);
  const bundle = bundleIn(message, deps.count);
  if (bundle === undefined) inFact(deps, source, message, storedFact(message.subject, deps.count), rule, tell);
  while (bundle?.next() === true)
    inFact(deps, source, bundle.message(message, rule.slackMs * 1000), bundle.stored, rule, tell);
}

function inFact(
  { marks }: GapDeps,
  stream: FactStream,
  message: StoredMessage,
  stored: StoredFact,
  rule: Rule,
  tell: Tell,
): void {
  const read = readStored(rule, message, stored, marks);
  // A fact that was parked gives no event. A duplicate gives the event of the first again, under the same id (GQ1).
  if (!read.ok || marks.conflicts.has(factSource(stream, message.seq, stored.place)) || !givesEvents(read.fact)) return;
  tell(stored.partition, message.seq, eventOfFact(read.fact));
}

function inRecord({ admission }: GapDeps, message: StoredMessage, tell: Tell): void {
  const record = admission().admit(message);
  for (const [index, decision] of record?.decisions.entries() ?? []) {
    const [partition] = decision.parts[0] ?? [];
    if (record === undefined || partition === undefined) continue;
    for (const event of eventsOfDecision(decision, { writer: record.writer, n: record.n, index }))
      tell(partition, message.seq, event);
  }
}

const SUBJECT = `$KV.${ANOMALIES_BUCKET}.`;

function inAnomaly(message: StoredMessage, tell: Tell): void {
  const partition = Number.parseInt(message.subject.slice(SUBJECT.length), 10);
  if (message.data.length === 0 || !Number.isSafeInteger(partition)) return;
  let stored: StoredAnomaly;
  try {
    stored = JSON.parse(Buffer.from(message.data).toString()) as StoredAnomaly;
  } catch {
    return;
  }
  const { change } = stored;
  if (change === undefined || !ANOMALY_CHANGES.includes(change)) return;
  tell(partition, message.seq, eventOfAnomaly(shown(stored), change, message.seq));
}
