/**
 * Marks record what every replay must honour about parked facts. Each is a small message of PARKED, so a start reads the marks without
 * reading the parked bytes.
 *
 *   mark.conflict.<source>                  that fact (STREAM.seq or STREAM.seq.place) was parked for its id and never counts
 *   mark.again.<seq>.<sha256>.<nonce>       the fact parked at <seq> was submitted again, in bytes with that hash
 *   mark.converted                          its body is the sequence up to which entries that 0.1 wrote without marks now have theirs
 *
 * Other marks say what people have decided about parked facts (park-decisions.ts).
 *
 * Invariants:
 *  MK1 A mark is stored before the message that needs it, which is the entry of a conflict or the resubmission.
 *  MK2 A message that quotes a mark with its nonce was stored after it. Anyone who has read the marks up to the stream's end as of that
 *     message, or later, reaches the same verdict on it, so a replay accepts exactly what was accepted before.
 *  MK3 Marks are read up to the last one that the stream's leader knows. If the stream delivers fewer, reading fails instead of ending.
 */

import { createHash } from 'node:crypto';
import { PARKED_STREAM, REMOVED_METADATA } from '../../../config/topology.ts';
import { at } from '../../assert.ts';
import { type Broker, BrokerError, type StoredMessage } from '../../broker.ts';
import { type ReadingDeps, readUntil } from '../../read/follower.ts';
import { sourceOf } from '../source.ts';

/** On a resubmission: the sequence of its mark in PARKED, and the mark's nonce. */
export const MARK_HEADER = 'Holdfast-Mark';

const QUOTED = /^([1-9]\d{0,15})\.([A-Za-z0-9_-]{1,64})$/;
const CONVERTED = 'mark.converted';
const NOTHING = new Uint8Array();

/** Records that a message never counts (MK1). */
export async function markConflict(broker: Broker, source: string): Promise<void> {
  try {
    await broker.publish(`mark.conflict.${source}`, NOTHING, { expectLast: 0 });
  } catch (error) {
    if (!(error instanceof BrokerError) || error.kind !== 'conflict') throw error;
  }
}

export class ParkMarks {
  /** The source of each fact that was parked for its id. */
  readonly conflicts = new Set<string>();
  /** Hash and nonce of each marked resubmission, by the mark's sequence. */
  readonly #again = new Map<number, string>();
  #read = 0;
  /** By fact stream, the sequence up to which all marks that a message may quote have been read. */
  readonly #covered = new Map<string, number>();

  /**
   * Reads the new marks. Rejects if one cannot be read.
   * @param ends last sequences of fact streams, read before this call. Messages up to there can then be judged
   */
  async read(deps: ReadingDeps, ends: Readonly<Record<string, number>>): Promise<void> {
    const last = (await deps.broker.lastOn(PARKED_STREAM, 'mark.>'))?.seq ?? 0;
    await readAll(deps, 'mark.>', this.#read + 1, last, (message) => this.#take(message));
    this.#read = Math.max(this.#read, last);
    for (const [stream, seq] of Object.entries(ends))
      this.#covered.set(stream, Math.max(this.#covered.get(stream) ?? 0, seq));
  }

  /** True if the mark that a message may quote has been read or does not exist (MK2). */
  covers(stream: string, message: StoredMessage): boolean {
    const seq = quotedMark(message)?.seq ?? 0;
    return seq <= this.#read || message.seq <= (this.#covered.get(stream) ?? 0);
  }

  /** True if a person has submitted these bytes again. */
  allows(message: StoredMessage): boolean {
    const quoted = quotedMark(message);
    if (quoted === undefined) return false;
    return this.#again.get(quoted.seq) === `${hashOf(message.data)}.${quoted.nonce}`;
  }

  #take({ seq, subject }: StoredMessage): void {
    const [, kind, ...rest] = subject.split('.');
    const word = rest.join('.');
    if (kind === 'conflict' && sourceOf(word) !== undefined) this.conflicts.add(word);
    else if (kind === 'again' && rest.length === 3) this.#again.set(seq, `${rest[1]}.${rest[2]}`);
  }
}

/** Reads all marks at start, and first writes those that are missing because version 0.1 stored entries without marks. */
export async function readMarks(
  deps: ReadingDeps,
  marks: ParkMarks,
  ends: Readonly<Record<string, number>>,
): Promise<void> {
  await refuseHoles(deps);
  await marks.read(deps, ends);
  const { broker } = deps;
  const converted = Number(String(Buffer.from((await broker.lastOn(PARKED_STREAM, CONVERTED))?.data ?? NOTHING))) || 0;
  const last = (await broker.lastOn(PARKED_STREAM, 'parked.>'))?.seq ?? 0;
  if (last <= converted) return;
  const unmarked: string[] = [];
  await readEntries(deps, converted + 1, last, (source, reason) => {
    if (reason === 'id-conflict' && !marks.conflicts.has(source) && sourceOf(source) !== undefined)
      unmarked.push(source);
  });
  for (const source of unmarked) {
    await markConflict(broker, source);
    marks.conflicts.add(source);
  }
  await broker.publish(CONVERTED, Buffer.from(String(last)));
}

/** The parked facts, for a fold of the streams without a node. */
export interface ParkedSources {
  /** The reason of every entry, by its source. */
  readonly reasons: ReadonlyMap<string, string>;
  readonly marks: ParkMarks;
}

/** @param ends last sequences of the fact streams that are folded, read before this call */
export async function readParked(deps: ReadingDeps, ends: Readonly<Record<string, number>>): Promise<ParkedSources> {
  const [reasons, marks] = [new Map<string, string>(), new ParkMarks()];
  if ((await deps.broker.stream(PARKED_STREAM)) === undefined) return { reasons, marks };
  await marks.read(deps, ends);
  const last = (await deps.broker.lastOn(PARKED_STREAM, 'parked.>'))?.seq ?? 0;
  await readEntries(deps, 1, last, (source, reason) => {
    reasons.set(source, reason);
    // Version 0.1 wrote no mark for this entry, or no node has converted it yet.
    if (reason === 'id-conflict') marks.conflicts.add(source);
  });
  return { reasons, marks };
}

function readEntries(
  deps: ReadingDeps,
  from: number,
  last: number,
  entry: (source: string, reason: string) => void,
): Promise<void> {
  return readAll(deps, 'parked.>', from, last, (message) =>
    entry(message.subject.slice('parked.'.length), message.header('Holdfast-Reason') ?? ''),
  );
}

/** Reads messages, without their bytes, up to the last known one (MK3). A consumer's server may be behind the leader and end too early. */
export async function readAll(
  deps: ReadingDeps,
  filter: string,
  from: number,
  last: number,
  message: (message: StoredMessage) => void,
): Promise<void> {
  if (last < from) return;
  let reached = 0;
  const take = (each: StoredMessage) => {
    reached = each.seq;
    message(each);
  };
  await readUntil(deps, PARKED_STREAM, [filter], from, last, take, { headersOnly: true });
  if (reached < last)
    throw new BrokerError('unknown', `stream ${PARKED_STREAM} gives nothing behind ${reached} of ${last}`);
}

/** Refuses a stream that has lost messages, so that a start does not miss marks. Its metadata counts those removed on purpose. */
async function refuseHoles({ broker }: ReadingDeps): Promise<void> {
  const stream = await broker.stream(PARKED_STREAM);
  if (stream === undefined) return;
  const missing = stream.lastSeq - stream.messages - Number(stream.metadata?.[REMOVED_METADATA] ?? 0);
  if (missing > 0)
    throw new Error(`stream ${PARKED_STREAM} lacks ${missing} of the ${stream.lastSeq} messages that it held`);
}

/** The mark that a message quotes, which need not exist. */
export function quotedMark(message: StoredMessage): { seq: number; nonce: string } | undefined {
  const match = QUOTED.exec(message.header(MARK_HEADER) ?? '');
  return match === null ? undefined : { seq: Number(match[1]), nonce: at(match, 2) };
}

export function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
