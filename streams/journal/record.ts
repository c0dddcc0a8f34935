/**
 * Decisions: what the journal holds. Grants and every later step of a reservation, and fences.
 *
 * A record is one message on the subject of its writer (one start of one node) and carries the decisions of many
 * partitions: that is the group commit.
 *
 * Invariants:
 *  D1 Records of one writer are dense: n = 1, 2, 3 …, each with the hash of the bytes of the one before.
 *  D2 A decision says everything that folding it needs: replay never decides anew.
 *  D3 The wire form is a MessagePack tuple whose first element is its version; golden files freeze it.
 */
import { createHash } from 'node:crypto';
import { Packr } from 'msgpackr';
import type { Hash64 } from '../hash.ts';

/** A partition and the epoch of the owner that decided for it. */
export type PartitionEpoch = readonly [partition: number, epoch: number];

export interface GrantedLine {
  /** Place in the answer's list of lines, from 0. */
  readonly index: number;
  readonly sku: string;
  readonly location: string;
  readonly qty: number;
  readonly partition: number;
  /** Change number of the partition when it decided: with the epoch, the line's version. */
  readonly seq: number;
}
export interface Shortage {
  readonly sku: string;
  readonly requested: number;
  readonly available: number;
}
export interface Granted {
  readonly kind: 'granted';
  readonly id: string;
  /** Hash of the request, to tell the same request from another one with its id. */
  readonly content: Hash64;
  readonly channel: string;
  readonly purpose: string;
  /** Milliseconds since 1970, by the owner's clock. */
  readonly atMs: number;
  readonly expiresAtMs: number;
  /** Partition that remembers the id. */
  readonly home: number;
  /** Every partition of the whole reservation, of other nodes' lines too. */
  readonly spread: readonly number[];
  /** Partitions that this decision is for, with their epochs: those of its lines, and home if it decided. */
  readonly parts: readonly PartitionEpoch[];
  readonly lines: readonly GrantedLine[];
  readonly shortages: readonly Shortage[];
}
export interface Stepped {
  readonly kind: 'confirmed' | 'released' | 'expired';
  readonly id: string;
  readonly atMs: number;
  readonly parts: readonly PartitionEpoch[];
}
/** Appended to a writer's subject by the node that takes these partitions over. */
export interface Fenced {
  readonly kind: 'fenced';
  readonly by: string;
  readonly parts: readonly PartitionEpoch[];
}
export type Decision = Granted | Stepped | Fenced;
export type StockDecision = Granted | Stepped;

export interface JournalRecord {
  readonly writer: string;
  readonly n: number;
  /** Hash of the writer's record before, as hex; '' for the first. */
  readonly before: string;
  readonly decisions: readonly Decision[];
}

/** Where a writer's chain ended at some moment: its n-th record, and that record's hash. */
export interface ChainTip {
  readonly writer: string;
  readonly n: number;
  readonly hash: string;
  /** Sequence of that record in JOURNAL. */
  readonly seq: number;
}

const VERSION = 1;
const packr = new Packr({ useRecords: false, int64AsType: 'number' });
const STEP_CODES = { confirmed: 2, released: 3, expired: 4 } as const;
const STEP_KINDS = ['confirmed', 'released', 'expired'] as const;

/** The bytes of a record. */
export function encodeRecord(record: JournalRecord): Buffer {
  return joinRecord(record, record.decisions.map(encodeDecision));
}

/** The bytes of one decision, as they stand in a record. */
export function encodeDecision(decision: Decision): Buffer {
  return packr.pack(toTuple(decision));
}

/** The bytes of a record whose decisions are encoded already: how large it will be is known before it is made. */
export function joinRecord(head: Omit<JournalRecord, 'decisions'>, decisions: readonly Uint8Array[]): Buffer {
  // An array of MessagePack is its head and its elements, one behind the other.
  const start = packr.pack([VERSION, head.writer, head.n, head.before, 0]).subarray(0, -1);
  return Buffer.concat([start, arrayHead(decisions.length), ...decisions]);
}

/** Bytes of a record beside its decisions: writer, number, hash and heads, with room. */
export const RECORD_HEAD_BYTES = 256;

function arrayHead(length: number): Buffer {
  if (length < 16) return Buffer.from([0x90 | length]);
  const head = Buffer.from([0xdc, 0, 0]);
  head.writeUInt16BE(length, 1);
  return head;
}

/** Reads a record; throws a JournalRecordError if the bytes are none of a version this program knows. */
export function decodeRecord(bytes: Uint8Array): JournalRecord {
  let value: unknown;
  try {
    value = packr.unpack(bytes);
  } catch (cause) {
    throw new JournalRecordError('its bytes are no MessagePack', { cause });
  }
  if (!Array.isArray(value) || value[0] !== VERSION) throw new JournalRecordError(`its version is not ${VERSION}`);
  const [, writer, n, before, decisions] = value as [number, string, number, string, Tuple[]];
  if (
    typeof writer !== 'string' ||
    !Number.isSafeInteger(n) ||
    typeof before !== 'string' ||
    !Array.isArray(decisions)
  ) {
    throw new JournalRecordError('its fields have the wrong types');
  }
  return { writer, n, before, decisions: decisions.map(fromTuple) };
}

/** Hash that the next record carries as `before`: SHA-256 of the bytes, its first 16 bytes as hex. */
export function recordHash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32);
}

/** Bytes that are no record, and where they stand if that is known. */
export class JournalRecordError extends Error {
  override readonly name = 'JournalRecordError';
  readonly seq: number | undefined;
  constructor(message: string, options: ErrorOptions & { seq?: number } = {}) {
    super(message, options);
    this.seq = options.seq;
  }
}

type Tuple = readonly unknown[];

function toTuple(decision: Decision): Tuple {
  switch (decision.kind) {
    case 'granted':
      return [
        1,
        decision.id,
        decision.content.hi,
        decision.content.lo,
        decision.channel,
        decision.purpose,
        decision.atMs,
        decision.expiresAtMs,
        decision.home,
        decision.spread,
        decision.parts,
        decision.lines.map((line) => [line.index, line.sku, line.location, line.qty, line.partition, line.seq]),
        decision.shortages.map((short) => [short.sku, short.requested, short.available]),
      ];
    case 'confirmed':
    case 'released':
    case 'expired':
      return [STEP_CODES[decision.kind], decision.id, decision.atMs, decision.parts];
    case 'fenced':
      return [5, decision.by, decision.parts];
  }
}

type LineTuple = [number, string, string, number, number, number];
type ShortTuple = [string, number, number];

function fromTuple(tuple: Tuple): Decision {
  const code = tuple[0];
  if (code === 1) {
    const [, id, hi, lo, channel, purpose, atMs, expiresAtMs, home, spread, parts, lines, shortages] = tuple as [
      1,
      string,
      number,
      number,
      string,
      string,
      number,
      number,
      number,
      number[],
      PartitionEpoch[],
      LineTuple[],
      ShortTuple[],
    ];
    return {
      kind: 'granted',
      id,
      content: { hi, lo },
      channel,
      purpose,
      atMs,
      expiresAtMs,
      home,
      spread,
      parts,
      lines: lines.map(([index, sku, location, qty, partition, seq]) => ({
        index,
        sku,
        location,
        qty,
        partition,
        seq,
      })),
      shortages: shortages.map(([sku, requested, available]) => ({ sku, requested, available })),
    };
  }
  if (code === 5) {
    const [, by, parts] = tuple as [5, string, PartitionEpoch[]];
    return { kind: 'fenced', by, parts };
  }
  const kind = typeof code === 'number' ? STEP_KINDS[code - 2] : undefined;
  if (kind === undefined) throw new JournalRecordError(`it holds a decision of unknown kind ${String(code)}`);
  const [, id, atMs, parts] = tuple as [number, string, number, PartitionEpoch[]];
  return { kind, id, atMs, parts };
}
