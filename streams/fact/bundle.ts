/**
 * A bundle is one message of a fact stream that holds several facts, each with the bytes that its sender sent. Nodes store the facts that
 * they accept in bundles, so that many facts share one sync of the server's disk.
 *
 * Layout, little-endian:
 *
 *   u16 version (1), u16 number of facts
 *   per fact: u32 hash of the SKU, f64 moment of acceptance in microseconds since 1970, u32 length, its highest bit set for MessagePack
 *   the facts' bytes, one after another
 *
 * Invariants:
 *  BU1 A fact's place is its index in the message. Stream, sequence and place identify it for ever.
 *  BU2 The hash of the SKU gives the partition. So a follower skips the facts of other partitions without reading them. A fact whose bytes
 *     name another SKU is not counted (actors/idempotency/stored-fact.ts).
 *  BU3 Every fact of a bundle belongs to the lane in the subject. Any client that can publish may have written the message, so one that
 *     breaks the layout or this rule is no bundle, and it is judged as one unreadable fact.
 *  BU4 A fact counts as stored when its request was accepted, but never later than the stream's own time, and at most the clock slack
 *     before it. Otherwise the stream's time counts.
 */
import { BUNDLE_LANES } from '../../config/topology.ts';
import type { StoredMessage } from '../broker.ts';
import { JSON_TYPE, MSGPACK_TYPE } from '../codec.ts';
import { type StoredFact, storedBundle, storedFact } from '../subjects.ts';
import type { BodyType } from './sent-body.ts';

const VERSION = 1;
const HEAD_BYTES = 4;
const ENTRY_BYTES = 16;
const MSGPACK_BIT = 0x8000_0000;

export interface BundledFact {
  /** Hash of the SKU (streams/subjects.ts). */
  readonly hash: number;
  /** When the request was accepted, in microseconds since 1970. */
  readonly acceptedAt: number;
  readonly bytes: Uint8Array;
  readonly type: BodyType;
}

/** Bytes that a fact of this length takes in a bundle. */
export function bundledBytes(length: number): number {
  return ENTRY_BYTES + length;
}

/** @param facts at most 65,535 */
export function encodeBundle(facts: readonly BundledFact[]): Uint8Array {
  let at = HEAD_BYTES + facts.length * ENTRY_BYTES;
  const bundle = Buffer.allocUnsafe(facts.reduce((bytes, fact) => bytes + fact.bytes.length, at));
  bundle.writeUInt16LE(VERSION, 0);
  bundle.writeUInt16LE(facts.length, 2);
  for (const [place, { hash, acceptedAt, bytes, type }] of facts.entries()) {
    const entry = HEAD_BYTES + place * ENTRY_BYTES;
    bundle.writeUInt32LE(hash, entry);
    bundle.writeDoubleLE(acceptedAt, entry + 4);
    bundle.writeUInt32LE(type === MSGPACK_TYPE ? MSGPACK_BIT + bytes.length : bytes.length, entry + 12);
    bundle.set(bytes, at);
    at += bytes.length;
  }
  return bundle;
}

/** The facts of a message, to be read one by one. Undefined if it is no bundle (BU3), and so a fact or unreadable. */
export function bundleIn({ subject, data }: StoredMessage, partitions: number): Bundle | undefined {
  const stored = storedBundle(subject);
  if (stored === undefined) return undefined;
  const view = viewOf(data);
  if (view === undefined) return undefined;
  for (let place = 0; place < view.getUint16(2, true); place++) {
    const hash = view.getUint32(HEAD_BYTES + place * ENTRY_BYTES, true);
    // mutant: foreign-lane-taken
    if ((hash % partitions) % BUNDLE_LANES !== stored.lane) return undefined;
  }
  return new Bundle(view, data, stored.type, partitions);
}

/** Undefined unless the bytes have the layout of a bundle. */
function viewOf(data: Uint8Array): DataView | undefined {
  if (data.length < HEAD_BYTES) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const count = view.getUint16(2, true);
  let at = HEAD_BYTES + count * ENTRY_BYTES;
  if (view.getUint16(0, true) !== VERSION || count === 0 || at > data.length) return undefined;
  for (let place = 0; place < count; place++)
    at += lengthOf(view.getUint32(HEAD_BYTES + place * ENTRY_BYTES + 12, true));
  return at === data.length ? view : undefined;
}

/** The bytes of the fact at a place; undefined if there is none, or the bytes are no bundle. */
export function bytesAt(data: Uint8Array, place: number): Uint8Array | undefined {
  const view = viewOf(data);
  if (view === undefined) return undefined;
  const bundle = new Bundle(view, data, '', 1);
  while (bundle.next()) if (bundle.stored.place === place) return bundle.bytes;
  return undefined;
}

/** The partitions whose owners judge facts of a message. */
export function partitionsOf(message: StoredMessage, partitions: number): Iterable<number> {
  const bundle = bundleIn(message, partitions);
  if (bundle === undefined) return [storedFact(message.subject, partitions).partition];
  const found = new Set<number>();
  while (bundle.next()) found.add(bundle.partition);
  return found;
}

/** Reads forward only: `next` moves to the next fact, which the other members then describe. No fact's bytes are touched before `message`. */
export class Bundle {
  readonly #view: DataView;
  readonly #data: Uint8Array;
  readonly #count: number;
  readonly #type: string;
  readonly #partitions: number;
  #place = -1;
  #at: number;
  #end: number;

  /** @param view checked by viewOf */
  constructor(view: DataView, data: Uint8Array, type: string, partitions: number) {
    this.#view = view;
    this.#data = data;
    this.#count = view.getUint16(2, true);
    this.#type = type;
    this.#partitions = partitions;
    this.#end = HEAD_BYTES + this.#count * ENTRY_BYTES;
    this.#at = this.#end;
  }

  next(): boolean {
    this.#place += 1;
    if (this.#place >= this.#count) return false;
    this.#at = this.#end;
    this.#end += lengthOf(this.#view.getUint32(this.#entry + 12, true));
    return true;
  }

  get hash(): number {
    return this.#view.getUint32(this.#entry, true);
  }

  /** The partition whose owner judges the fact (BU2). */
  get partition(): number {
    return this.hash % this.#partitions;
  }

  get bytes(): Uint8Array {
    return this.#data.subarray(this.#at, this.#end);
  }

  /** What the bundle says of the fact. */
  get stored(): StoredFact {
    const { hash, partition } = this;
    return { partition, fact: { type: this.#type, hash }, again: false, place: this.#place };
  }

  /** The fact as a message of its own. @param slackMicros how far its acceptance may lie before the stream's time (BU4) */
  message(whole: StoredMessage, slackMicros: number): StoredMessage {
    const { seq, subject, recordedAt } = whole;
    const acceptedAt = this.#view.getFloat64(this.#entry + 4, true);
    // mutant: moment-believed
    const isKept = acceptedAt <= recordedAt && acceptedAt >= recordedAt - slackMicros;
    const type = this.#view.getUint32(this.#entry + 12, true) >= MSGPACK_BIT ? MSGPACK_TYPE : JSON_TYPE;
    return {
      seq,
      subject,
      data: this.bytes,
      recordedAt: isKept ? Math.floor(acceptedAt) : recordedAt,
      header: (name) => (name === 'Content-Type' ? type : undefined),
    };
  }

  get #entry(): number {
    return HEAD_BYTES + this.#place * ENTRY_BYTES;
  }
}

function lengthOf(field: number): number {
  return field & 0x7fff_ffff;
}
