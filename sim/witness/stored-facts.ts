/**
 * The facts of stored messages, read by a definition of its own. A message is one fact, or a bundle of facts in the layout of
 * streams/fact/bundle.ts.
 */
import { decodeBody } from '../../streams/codec.ts';
import type { Message } from '../../streams/memory/log.ts';
import { partitionOf } from '../../streams/subjects.ts';
import { type SentFact, SLACK_MS } from './ledger.ts';

export interface StoredFact {
  /** Undefined if it cannot be read. */
  readonly fact: SentFact | undefined;
  /** When it counts as stored, in milliseconds since 1970. */
  readonly storedMs: number;
  /** Its index in a bundle; empty for a message of its own. */
  readonly place: readonly number[];
}

const HEAD = 4;
const ENTRY = 16;
const LANES = 4;

export function factsIn({ subject, data, headers, recordedAt }: Message, partitions: number): StoredFact[] {
  const stored = recordedAt / 1000;
  if (!subject.startsWith('bundle.'))
    return [{ fact: decodeBody(data, headers['Content-Type']) as SentFact, storedMs: stored, place: [] }];
  const bytes = Buffer.from(data);
  const facts: (StoredFact & { fact: SentFact })[] = [];
  let at = HEAD + ENTRY * bytes.readUInt16LE(2);
  for (let entry = HEAD; entry < HEAD + ENTRY * bytes.readUInt16LE(2); entry += ENTRY) {
    const accepted = bytes.readDoubleLE(entry + 4) / 1000;
    const field = bytes.readUInt32LE(entry + 12);
    at += field & 0x7fffffff;
    // The moment of acceptance counts, but it is never later than the stream's time, and at most the slack before it.
    const storedMs = accepted > stored || accepted < stored - SLACK_MS ? stored : accepted;
    const type = field > 0x7fffffff ? 'application/msgpack' : 'application/json';
    if (at > bytes.length) break;
    const body = bytes.subarray(at - (field & 0x7fffffff), at);
    facts.push({ fact: decodeBody(body, type) as SentFact, storedMs, place: [facts.length] });
  }
  const isWhole = at === bytes.length && facts.length > 0;
  const lane = Number(subject.split('.').at(-1));
  if (isWhole && facts.every(({ fact }) => partitionOf(fact.sku, partitions) % LANES === lane)) return facts;
  // Nodes do not write such a message. It is one fact that cannot be read.
  return [{ fact: undefined, storedMs: stored, place: [] }];
}
