/**
 * Fact ids that were folded within the idempotency horizon, for all partitions of a node.
 *
 * 16 bytes an id (two independent 64-bit hashes: of the id, of the content) in chunks that belong to a partition and are
 * written to its snapshot as they are, and an index of 4-byte references over all chunks.
 *
 * Invariants:
 *  Q1 The same id with the same content is a duplicate; with other content a conflict, also when the other fact belongs
 *     to another partition of this node. A collision of id hashes reads as a conflict, so the fact is parked, not lost.
 *  Q2 An id is forgotten only with its whole chunk, when every fact in it is past the horizon and would be parked as too
 *     old if it came again.
 */
import type { Hash64 } from '../streams/hash.ts';

export const CHUNK_IDS = 2048;
const WORDS = 4;
const SHARDS = 256;

/** Ids of one partition, in the order they were folded. */
export interface IdChunk {
  readonly number: number;
  readonly partition: number;
  readonly words: Uint32Array;
  used: number;
  /** Latest occurredAt in it, in microseconds. */
  latest: number;
  /** Changed since the last snapshot began. */
  dirty: boolean;
}

interface Shard {
  /** Reference + 1 of an entry, 0 if empty. */
  slots: Uint32Array;
  used: number;
}

export class SeenIds {
  readonly #chunks: (IdChunk | undefined)[] = [];
  readonly #freeNumbers: number[] = [];
  readonly #byPartition = new Map<number, IdChunk[]>();
  readonly #shards: Shard[] = Array.from({ length: SHARDS }, () => ({ slots: new Uint32Array(16), used: 0 }));
  size = 0;

  check(id: Hash64, content: Hash64): 'new' | 'duplicate' | 'conflict' {
    const ref = this.#find(id);
    if (ref === undefined) return 'new';
    const chunk = this.#chunks[ref >>> 11] as IdChunk;
    const at = (ref & (CHUNK_IDS - 1)) * WORDS;
    return chunk.words[at + 2] === content.hi && chunk.words[at + 3] === content.lo ? 'duplicate' : 'conflict';
  }

  /** Remembers an id that check called new. */
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

  /** The partition's chunks, oldest first, for its snapshot. */
  chunksOf(partition: number): readonly IdChunk[] {
    return this.#byPartition.get(partition) ?? [];
  }

  /** Takes a chunk of a loaded snapshot in. */
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

  /** Forgets full chunks whose every fact happened before the moment (Q2). Returns how many ids that were. */
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

  #find(id: Hash64): number | undefined {
    const { slots } = this.#shards[id.lo & (SHARDS - 1)] as Shard;
    const mask = slots.length - 1;
    for (let slot = id.hi & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot] as number;
      if (entry === 0) return undefined;
      const ref = entry - 1;
      const { words } = this.#chunks[ref >>> 11] as IdChunk;
      const at = (ref & (CHUNK_IDS - 1)) * WORDS;
      if (words[at] === id.hi && words[at + 1] === id.lo) return ref;
    }
  }

  #index(chunk: IdChunk, at: number): void {
    const [hi, lo] = [chunk.words[at * WORDS] as number, chunk.words[at * WORDS + 1] as number];
    const shard = this.#shards[lo & (SHARDS - 1)] as Shard;
    if (shard.used * 10 >= shard.slots.length * 7) this.#grow(shard);
    put(shard, hi, chunk.number * CHUNK_IDS + at + 1);
    this.size += 1;
  }

  #grow(shard: Shard): void {
    const old = shard.slots;
    shard.slots = new Uint32Array(old.length * 2);
    shard.used = 0;
    for (const entry of old) if (entry !== 0) put(shard, this.#hiOf(entry), entry);
  }

  /** Linear probing without tombstones: entries behind the gap move up (Knuth, TAOCP 3, 6.4, algorithm R). */
  #unindex(chunk: IdChunk, at: number): void {
    const [hi, lo] = [chunk.words[at * WORDS] as number, chunk.words[at * WORDS + 1] as number];
    const shard = this.#shards[lo & (SHARDS - 1)] as Shard;
    const { slots } = shard;
    const mask = slots.length - 1;
    const wanted = chunk.number * CHUNK_IDS + at + 1;
    let gap = hi & mask;
    while (slots[gap] !== wanted) {
      if (slots[gap] === 0) return;
      gap = (gap + 1) & mask;
    }
    for (let next = (gap + 1) & mask; slots[next] !== 0; next = (next + 1) & mask) {
      const ideal = this.#hiOf(slots[next] as number) & mask;
      if (((next - ideal) & mask) < ((next - gap) & mask)) continue;
      slots[gap] = slots[next] as number;
      gap = next;
    }
    slots[gap] = 0;
    shard.used -= 1;
    this.size -= 1;
  }

  #hiOf(entry: number): number {
    const ref = entry - 1;
    return (this.#chunks[ref >>> 11] as IdChunk).words[(ref & (CHUNK_IDS - 1)) * WORDS] as number;
  }
}

function put(shard: Shard, hi: number, entry: number): void {
  const mask = shard.slots.length - 1;
  let slot = hi & mask;
  while (shard.slots[slot] !== 0) slot = (slot + 1) & mask;
  shard.slots[slot] = entry;
  shard.used += 1;
}
