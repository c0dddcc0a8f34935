/**
 * Remembers the ids of facts that were folded within the idempotency horizon, for all partitions of a node.
 *
 * An id takes 16 bytes, a 64-bit hash of the id and one of the content. Ids are kept in chunks that belong to one partition and are
 * written to its snapshot as they are. One index of 4-byte references covers all chunks. An id's place in the index depends on a key of
 * this process, so nobody can choose ids that collide there.
 *
 * Invariants:
 *  FI1 The same id with the same content is a duplicate. With other content it is a conflict, also if the other fact belongs to another
 *     partition of this node. A collision of id hashes reads as a conflict, so the fact is parked and not lost.
 *  FI2 An id is forgotten only with its whole chunk, after every id in it was stored longer ago than the horizon. A copy that arrives
 *     later happened before that, so it is parked as too old.
 */

import { randomBytes } from 'node:crypto';
import { present } from '../../streams/assert.ts';
import type { Hash64 } from '../../streams/hash.ts';

export const CHUNK_IDS = 2048;
const WORDS = 4;
const SHARD_BITS = 8;
const SHARDS = 2 ** SHARD_BITS;

/** Ids of one partition, in the order in which they were folded. */
export interface IdChunk {
  readonly number: number;
  readonly partition: number;
  readonly words: Uint32Array;
  used: number;
  /** The latest moment from which one of its ids is remembered, in microseconds. */
  latest: number;
  /** True if it has changed since the last snapshot began. */
  dirty: boolean;
}

interface Shard {
  /** An entry is its reference + 1. 0 is an empty slot. */
  slots: Uint32Array;
  used: number;
}

export class FactIds {
  readonly #chunks: (IdChunk | undefined)[] = [];
  readonly #freeNumbers: number[] = [];
  readonly #byPartition = new Map<number, IdChunk[]>();
  readonly #shards: Shard[] = Array.from({ length: SHARDS }, () => ({ slots: new Uint32Array(16), used: 0 }));
  /** Two random words, kept inside this process. */
  readonly #key: readonly [number, number];
  size = 0;

  constructor(key: Uint8Array = randomBytes(8)) {
    const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
    this.#key = [view.getUint32(0), view.getUint32(4)];
  }

  check(id: Hash64, content: Hash64): 'new' | 'duplicate' | 'conflict' {
    const ref = this.#find(id);
    if (ref === undefined) return 'new';
    const chunk = present(this.#chunks[ref >>> 11], 'FI2');
    const at = (ref & (CHUNK_IDS - 1)) * WORDS;
    // An id of any partition counts, and only its content tells a duplicate from a conflict (FI1).
    return chunk.words[at + 2] === content.hi && chunk.words[at + 3] === content.lo ? 'duplicate' : 'conflict';
  }

  /**
   * Remembers an id for which `check` returned `new`.
   * @param at the moment from which the id is remembered, in microseconds. It is when its message was stored, or later if the fact is
   * dated ahead
   */
  add(partition: number, id: Hash64, content: Hash64, at: number): void {
    const chunk = this.#openChunk(partition);
    const offset = chunk.used * WORDS;
    chunk.words[offset] = id.hi;
    chunk.words[offset + 1] = id.lo;
    chunk.words[offset + 2] = content.hi;
    chunk.words[offset + 3] = content.lo;
    chunk.latest = Math.max(chunk.latest, at);
    chunk.dirty = true;
    this.#index(chunk, chunk.used);
    chunk.used += 1;
  }

  /** The partition's chunks, oldest first. */
  chunksOf(partition: number): readonly IdChunk[] {
    return this.#byPartition.get(partition) ?? [];
  }

  /** Adds a chunk of a loaded snapshot or baseline. */
  load(partition: number, words: Uint32Array, latest: number): void {
    const chunk = this.#addChunk(partition);
    chunk.words.set(words);
    chunk.latest = latest;
    chunk.dirty = false;
    for (let i = 0; i < words.length / WORDS; i++) {
      this.#index(chunk, i);
      chunk.used += 1;
    }
  }

  /** Forgets a partition that is no longer owned here. */
  drop(partition: number): void {
    for (const chunk of this.#byPartition.get(partition) ?? []) this.#dropChunk(chunk);
    this.#byPartition.delete(partition);
  }

  /** Forgets full chunks in which every id is remembered from before `at`, in microseconds (FI2). Returns the number of ids forgotten. */
  forgetBefore(partition: number, at: number): number {
    const chunks = this.#byPartition.get(partition) ?? [];
    const old = chunks.filter((chunk) => chunk.used === CHUNK_IDS && chunk.latest < at);
    if (old.length === 0) return 0;
    for (const chunk of old) this.#dropChunk(chunk);
    this.#byPartition.set(
      partition,
      chunks.filter((chunk) => !old.includes(chunk)),
    );
    return old.length * CHUNK_IDS;
  }

  #openChunk(partition: number): IdChunk {
    const chunks = this.#byPartition.get(partition);
    const last = chunks?.[chunks.length - 1];
    return last !== undefined && last.used < CHUNK_IDS ? last : this.#addChunk(partition);
  }

  #addChunk(partition: number): IdChunk {
    const number = this.#freeNumbers.pop() ?? this.#chunks.length;
    const words = new Uint32Array(CHUNK_IDS * WORDS);
    const chunk: IdChunk = { number, partition, words, used: 0, latest: Number.NEGATIVE_INFINITY, dirty: true };
    this.#chunks[number] = chunk;
    const chunks = this.#byPartition.get(partition);
    if (chunks === undefined) this.#byPartition.set(partition, [chunk]);
    else chunks.push(chunk);
    return chunk;
  }

  #dropChunk(chunk: IdChunk): void {
    for (let i = 0; i < chunk.used; i++) this.#unindex(chunk, i);
    this.#chunks[chunk.number] = undefined;
    this.#freeNumbers.push(chunk.number);
  }

  /** An id's place in the index. The low bits choose the shard, the others the slot. */
  #placeOf(hi: number, lo: number): number {
    return mixed(mixed(hi ^ this.#key[0]) ^ lo ^ this.#key[1]);
  }

  #find(id: Hash64): number | undefined {
    const place = this.#placeOf(id.hi, id.lo);
    const { slots } = present(this.#shards[place & (SHARDS - 1)]);
    const mask = slots.length - 1;
    for (let slot = (place >>> SHARD_BITS) & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot] as number;
      if (entry === 0) return undefined;
      const ref = entry - 1;
      const { words } = present(this.#chunks[ref >>> 11], 'FI2');
      const at = (ref & (CHUNK_IDS - 1)) * WORDS;
      if (words[at] === id.hi && words[at + 1] === id.lo) return ref;
    }
  }

  #index(chunk: IdChunk, at: number): void {
    const place = this.#placeOf(chunk.words[at * WORDS] as number, chunk.words[at * WORDS + 1] as number);
    const shard = present(this.#shards[place & (SHARDS - 1)]);
    if (shard.used * 10 >= shard.slots.length * 7) this.#grow(shard);
    put(shard, place >>> SHARD_BITS, chunk.number * CHUNK_IDS + at + 1);
    this.size += 1;
  }

  #grow(shard: Shard): void {
    const old = shard.slots;
    shard.slots = new Uint32Array(old.length * 2);
    shard.used = 0;
    for (const entry of old) if (entry !== 0) put(shard, this.#slotOf(entry), entry);
  }

  /** Linear probing without tombstones. Later entries move into the gap (Knuth, TAOCP 3, 6.4, algorithm R). */
  #unindex(chunk: IdChunk, at: number): void {
    const place = this.#placeOf(chunk.words[at * WORDS] as number, chunk.words[at * WORDS + 1] as number);
    const shard = present(this.#shards[place & (SHARDS - 1)]);
    const { slots } = shard;
    const mask = slots.length - 1;
    const wanted = chunk.number * CHUNK_IDS + at + 1;
    let gap = (place >>> SHARD_BITS) & mask;
    while (slots[gap] !== wanted) {
      if (slots[gap] === 0) return;
      gap = (gap + 1) & mask;
    }
    for (let next = (gap + 1) & mask; slots[next] !== 0; next = (next + 1) & mask) {
      const ideal = this.#slotOf(slots[next] as number) & mask;
      if (((next - ideal) & mask) < ((next - gap) & mask)) continue;
      slots[gap] = slots[next] as number;
      gap = next;
    }
    slots[gap] = 0;
    shard.used -= 1;
    this.size -= 1;
  }

  #slotOf(entry: number): number {
    const ref = entry - 1;
    const { words } = present(this.#chunks[ref >>> 11], 'FI2');
    const at = (ref & (CHUNK_IDS - 1)) * WORDS;
    return this.#placeOf(words[at] as number, words[at + 1] as number) >>> SHARD_BITS;
  }
}

/** MurmurHash3's finalizer (Appleby, public domain). Every input bit affects every output bit. */
export function mixed(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function put(shard: Shard, wanted: number, entry: number): void {
  const mask = shard.slots.length - 1;
  let slot = wanted & mask;
  while (shard.slots[slot] !== 0) slot = (slot + 1) & mask;
  shard.slots[slot] = entry;
  shard.used += 1;
}
