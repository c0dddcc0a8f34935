/**
 * The witness sees each message at the moment it is stored, before any node does, and checks it against a model of its own. It knows the
 * wire format of facts and records, and shares no code with the fold.
 *
 * Invariants that it checks at every message:
 *  I2 A scarce SKU at a location is never promised beyond what its facts have brought.
 *  I8 A writer's records are dense and chained. After a fence against the writer, or a decision of a later epoch, no decision of an earlier
 *     epoch follows.
 *  I10 No hold expires before its time, except for clock skew.
 */

import { createHash } from 'node:crypto';
import { JOURNAL_STREAM, PARKED_STREAM } from '../../config/topology.ts';
import type { Decision } from '../../streams/journal/decision.ts';
import { decodeRecord } from '../../streams/journal/record.ts';
import type { Granted } from '../../streams/journal/stock-decisions.ts';
import { isAboutStock } from '../../streams/journal/stock-decisions.ts';
import type { Message } from '../../streams/memory/log.ts';
import { EPOCH_MS } from '../host.ts';
import { Ledger, type SentFact } from './ledger.ts';

/** The name of a writer that never owned a partition (sim/callers/stranger.ts). */
export const STRANGER = 'stranger';
export const STRANGER_SUBJECT = `journal.${STRANGER}`;

export type Status = 'held' | 'allocated' | 'released' | 'expired';
interface Line {
  readonly sku: string;
  readonly location: string;
  readonly qty: number;
  readonly version: string;
}
interface Part {
  lines: readonly Line[];
  status: Status;
  expiresAtMs: number;
}

/** Largest difference between the clocks of two nodes. */
const SKEW_MS = 4_000;

/** One day older than the horizon of every world, because clocks differ. */
const OLD_MS = 8 * 86_400_000;

/** True if the fact is so old that it counts only when a person resubmits it. */
function isOld({ occurredAt }: SentFact, nowMs: number): boolean {
  return EPOCH_MS + nowMs - Date.parse(occurredAt) >= OLD_MS;
}

/** The facts of a message: one, or those of a bundle, whose entries of 16 bytes end in the length of a fact. */
function factsIn({ subject, data }: Message): SentFact[] {
  if (!subject.startsWith('bundle.')) return [JSON.parse(String(data)) as SentFact];
  const bytes = Buffer.from(data);
  const count = bytes.readUInt16LE(2);
  let at = 4 + 16 * count;
  return Array.from({ length: count }, (_, place) => {
    const length = bytes.readUInt32LE(4 + 16 * place + 12);
    at += length;
    return JSON.parse(String(bytes.subarray(at - length, at))) as SentFact;
  });
}

export class Witness {
  /** By reservation id, then by partition. */
  readonly parts = new Map<string, Map<number, Part>>();
  readonly ledger = new Ledger();
  /** Ids of facts in PARKED, and the sequence of the latest entry of each. */
  readonly parked: string[] = [];
  readonly parkedAt = new Map<string, number>();
  /** Ids of facts stored past the horizon without a valid mark, one entry for each message. */
  readonly tooOld: string[] = [];
  /** Hash and nonce of each mark, by the mark's sequence. */
  readonly #marks = new Map<string, string>();
  decisions = 0;
  /** Latest epoch of each partition in the journal. */
  readonly #epochs = new Map<number, number>();
  /** Epoch of the latest decision, by partition, and of the latest fence, by writer and partition. */
  readonly #decided = new Map<number, number>();
  readonly #fences = new Map<string, number>();
  readonly #chains = new Map<string, { n: number; hash: string }>();
  readonly #partitions: number;
  readonly #fail: (what: string) => void;
  readonly #nowMs: () => number;
  /** Called whenever the free units of a SKU may have changed. */
  onChange: (sku: string) => void = () => undefined;

  constructor(partitions: number, fail: (what: string) => void, nowMs: () => number) {
    this.#partitions = partitions;
    this.#fail = fail;
    this.#nowMs = nowMs;
  }

  stored(stream: string, message: Message): void {
    if (message.subject === STRANGER_SUBJECT) return;
    if (stream === JOURNAL_STREAM) this.#record(message);
    else if (stream === PARKED_STREAM) this.#aside(message);
    else {
      for (const fact of factsIn(message)) {
        if (isOld(fact, this.#nowMs()) && !this.#isMarked(message)) this.tooOld.push(fact.id);
        else this.ledger.take(fact, message.recordedAt / 1000);
        this.onChange(fact.sku);
      }
    }
  }

  #aside({ subject, seq, data }: Message): void {
    const [kind, ...rest] = subject.split('.');
    if (kind === 'parked') {
      const { id } = JSON.parse(String(data)) as SentFact;
      this.parked.push(id);
      this.parkedAt.set(id, seq);
    } else if (rest[0] === 'again') this.#marks.set(String(seq), rest.slice(2).join('.'));
  }

  /** Whether a node stored a mark for these bytes before they were submitted again. */
  #isMarked({ subject, headers, data }: Message): boolean {
    const [mark = '', nonce] = (headers['Holdfast-Mark'] ?? '').split('.');
    const hash = createHash('sha256').update(data).digest('hex');
    return subject.startsWith('again.') && this.#marks.get(mark) === `${hash}.${nonce}`;
  }

  /** The partition's latest epoch in the journal. */
  epochOf(partition: number): number {
    return this.#epochs.get(partition) ?? 0;
  }

  /** Units of live claims that are not sold yet, by status. */
  claims(sku: string, location: string): { held: number; allocated: number } {
    const claims = { held: 0, allocated: 0 };
    for (const [id, parts] of this.parts) {
      for (const { lines, status } of parts.values()) {
        if (status !== 'held' && status !== 'allocated') continue;
        const mine = lines.filter((line) => line.sku === sku);
        let sold = this.ledger.sold(id, sku);
        for (const line of mine) {
          const left = Math.max(0, line.qty - sold);
          sold = Math.max(0, sold - line.qty);
          if (line.location === location) claims[status] += left;
        }
      }
    }
    return claims;
  }

  free(sku: string, location: string): number {
    const { held, allocated } = this.claims(sku, location);
    return this.ledger.sellable(sku, location) - held - allocated;
  }

  /** The reservation according to the journal, or undefined if no part of it was granted. */
  reservation(id: string): { statuses: Set<Status>; lines: Line[] } | undefined {
    const parts = this.parts.get(id);
    if (parts === undefined) return undefined;
    const all = [...parts.values()];
    return { statuses: new Set(all.map((part) => part.status)), lines: all.flatMap((part) => part.lines) };
  }

  #record(message: Message): void {
    const record = decodeRecord(message.data);
    if (message.subject !== `journal.${record.writer}`)
      this.#fail(`a record of ${record.writer} on ${message.subject}`);
    const chain = this.#chains.get(record.writer) ?? { n: 0, hash: '' };
    if (record.n !== chain.n + 1 || record.before !== chain.hash)
      this.#fail(`record ${record.n} of ${record.writer} does not follow record ${chain.n} (I8)`);
    const hash = createHash('sha256').update(message.data).digest('hex').slice(0, 32);
    this.#chains.set(record.writer, { n: record.n, hash });
    for (const decision of record.decisions) {
      this.#inEpoch(record.writer, decision);
      if (!isAboutStock(decision)) continue;
      this.decisions += 1;
      if (decision.kind === 'granted') this.#granted(decision);
      else
        this.#stepped(
          decision.id,
          decision.kind,
          decision.parts.map(([partition]) => partition),
          decision.atMs,
        );
    }
  }

  /**
   * After a fence on a writer, or a decision of a later epoch, no decision of an earlier epoch may follow. A node may lose a partition and
   * claim it again while decisions are in flight. They may still arrive, unless another node has fenced it or decided in between.
   */
  #inEpoch(writer: string, { kind, parts }: Decision): void {
    for (const [partition, epoch] of parts) {
      this.#epochs.set(partition, Math.max(this.epochOf(partition), epoch));
      const fences = `${writer} ${partition}`;
      if (kind === 'fenced') {
        this.#fences.set(fences, Math.max(this.#fences.get(fences) ?? 0, epoch));
        continue;
      }
      const ended = Math.max(this.#fences.get(fences) ?? 0, this.#decided.get(partition) ?? 0);
      if (epoch < ended)
        this.#fail(`${writer} decides for partition ${partition} in epoch ${epoch}, which ${ended} ended (I8)`);
      this.#decided.set(partition, epoch);
    }
  }

  #granted(granted: Granted): void {
    const parts = this.parts.get(granted.id) ?? new Map<number, Part>();
    this.parts.set(granted.id, parts);
    for (const partition of new Set(granted.lines.map((line) => line.partition))) {
      const lines = granted.lines.filter((line) => line.partition === partition);
      if (partition < 0 || partition >= this.#partitions) this.#fail(`partition ${partition} in a grant`);
      const epoch = granted.parts.find(([number]) => number === partition)?.[1] ?? 0;
      const kept = lines.map(({ sku, location, qty, seq }) => ({ sku, location, qty, version: `${epoch}.${seq}` }));
      parts.set(partition, { lines: kept, status: 'held', expiresAtMs: granted.expiresAtMs });
    }
    for (const { sku, location } of granted.lines) {
      if (sku.startsWith('S') && this.free(sku, location) < 0)
        this.#fail(`${sku} at ${location} is promised beyond what is there: ${this.free(sku, location)} (I2)`);
    }
    for (const { sku } of granted.lines) this.onChange(sku);
  }

  #stepped(id: string, kind: 'confirmed' | 'released' | 'expired', partitions: readonly number[], atMs: number): void {
    const parts = this.parts.get(id);
    for (const partition of partitions) {
      const part = parts?.get(partition);
      if (part === undefined) continue;
      if (kind === 'expired') this.#expired(id, part, atMs);
      if (kind === 'confirmed') {
        if (part.status !== 'held' && part.status !== 'allocated')
          this.#fail(`reservation ${id} is confirmed though it is ${part.status}`);
        part.status = 'allocated';
      } else if (part.status !== 'released') part.status = kind;
      for (const { sku } of part.lines) this.onChange(sku);
    }
  }

  #expired(id: string, part: Part, atMs: number): void {
    if (part.status === 'allocated') this.#fail(`reservation ${id} expires though it is confirmed`);
    if (atMs < part.expiresAtMs || EPOCH_MS + this.#nowMs() < part.expiresAtMs - SKEW_MS)
      this.#fail(`reservation ${id} expires at ${atMs}, before ${part.expiresAtMs} (I10)`);
  }
}
