/**
 * The partitions that a node holds, and the state of each: catching up, serving, leaving or dropped. A partition that the node owns but
 * may not serve is in quarantine instead.
 *
 * Other parts observe the set, so that what they keep for a partition is forgotten when it is dropped.
 *
 * Invariants:
 *  PS1 Only this class adds a partition, removes one or changes its state.
 *  PS2 Observers learn of a change in the same turn of the event loop. After that, nothing is answered, expired or written for a partition
 *     that was dropped.
 *  PS3 A partition whose last book was suspect is served only if the rebuilt book passes an audit.
 */
import { assert } from '../../streams/assert.ts';
import type { Clock } from '../../streams/clock.ts';
import type { PartitionEpoch } from '../../streams/journal/decision.ts';
import type { Breach } from '../book/domain.ts';
import { NO_TERMS, type PromiseTerms } from '../policy/terms.ts';
import { isPhased } from '../stock/dated/phased.ts';
import type { Partition } from './partition.ts';
import { Quarantine } from './quarantine.ts';

/** The set as its readers see it. */
export type Partitions = Pick<ReadonlyMap<number, Partition>, 'get' | 'has' | 'keys' | 'values' | 'size'>;

export interface PartitionSetObserver {
  /** Forget what is kept for the partition. It is also called for partitions whose take-over ended before they were added. */
  readonly dropped?: (number: number) => void;
  /** Partitions were added or dropped. */
  readonly heldChanged?: () => void;
  /** The partition answers from now on. */
  readonly serves?: (partition: Partition) => void;
  /** The partitions that take requests may have changed to these. */
  readonly servedChanged?: (numbers: readonly number[]) => void;
}

export interface PartitionSetDeps {
  readonly clock: Clock;
  readonly note: (level: 'error', message: string, detail: Record<string, unknown>) => void;
  /** What the promises of every book that is added depend on. */
  readonly terms?: PromiseTerms | undefined;
}

export class PartitionSet implements Partitions {
  readonly quarantine: Quarantine;
  readonly #held = new Map<number, Partition>();
  readonly #observers: PartitionSetObserver[] = [];
  readonly #note: PartitionSetDeps['note'];
  #terms: PromiseTerms;
  #closing = false;

  constructor({ clock, note, terms = NO_TERMS }: PartitionSetDeps) {
    this.quarantine = new Quarantine(() => clock.monoMs());
    this.#note = note;
    this.#terms = terms;
  }

  observe(observer: PartitionSetObserver): void {
    this.#observers.push(observer);
  }

  get(number: number): Partition | undefined {
    return this.#held.get(number);
  }

  has(number: number): boolean {
    return this.#held.has(number);
  }

  keys(): MapIterator<number> {
    return this.#held.keys();
  }

  values(): MapIterator<Partition> {
    return this.#held.values();
  }

  get size(): number {
    return this.#held.size;
  }

  /** Numbers of the partitions that take new requests. */
  get served(): number[] {
    return Array.from(this.#held.values())
      .filter((partition) => partition.state === 'serving')
      .map((partition) => partition.number);
  }

  /** Adds partitions, which catch up from now on. */
  add(partitions: readonly Partition[]): void {
    for (const partition of partitions) {
      partition.book.terms = this.#terms;
      this.#held.set(partition.number, partition);
    }
    this.#heldChanged();
  }

  /** Other policies are in force. @param touched the SKU that they touch, and its partition; undefined for all */
  policiesChanged(touched: { readonly sku: string; readonly number: number } | undefined): void {
    this.#terms = { ...this.#terms, generation: this.#terms.generation + 1 };
    for (const { number, book } of this.#held.values()) {
      book.terms = this.#terms;
      if (touched !== undefined && touched.number !== number) continue;
      book.seq += 1;
      const entries = touched === undefined ? book.skus.values() : [book.skus.get(touched.sku)];
      // Who comes first, and when transfers are due, may have changed.
      for (const entry of entries)
        for (const key of entry?.keys ?? []) if (isPhased(key)) book.onPromised?.(key, 'policy');
    }
  }

  /** Serves those that are still held, unless the node is stopping. */
  serve(partitions: readonly Partition[]): void {
    for (const partition of partitions) this.#serve(partition);
    this.#servedChanged();
  }

  #serve(partition: Partition): void {
    const { number } = partition;
    if (this.#closing || this.#held.get(number) !== partition) return;
    // A suspect must prove its rebuilt book before it is served (PS3).
    const breach = this.quarantine.suspects.has(number) ? partition.books.audit()[0] : undefined;
    if (breach !== undefined) {
      this.suspect(number, breach);
      return;
    }
    assert(partition.state === 'catching-up', 'PS1');
    this.quarantine.release(number);
    partition.state = 'serving';
    for (const observer of this.#observers) observer.serves?.(partition);
  }

  /** Makes partitions take no new requests. They finish those that they have. */
  leave(numbers: Iterable<number>): void {
    for (const number of numbers) {
      const partition = this.#held.get(number);
      if (partition?.state === 'serving') partition.state = 'leaving';
    }
    this.#servedChanged();
  }

  /** Makes all partitions leave, and serves none from now on. */
  close(): void {
    this.#closing = true;
    this.leave(this.#held.keys());
  }

  /** Removes partitions at once, as nothing in them counts any more. */
  drop(numbers: readonly number[]): void {
    let changed = false;
    for (const number of numbers) {
      const partition = this.#held.get(number);
      if (partition !== undefined) {
        partition.state = 'dropped';
        this.#held.delete(number);
        changed = true;
      }
      // The observers forget it in this turn, before anything can be answered or written for it (PS2).
      for (const observer of this.#observers) observer.dropped?.(number);
    }
    if (!changed) return;
    this.#heldChanged();
    this.#servedChanged();
  }

  /** Another node has fenced these. A partition that was claimed again in the meantime, in that epoch or a later one, stays. */
  fenced(parts: readonly PartitionEpoch[]): void {
    const lost = parts.filter(([number, epoch]) => (this.#held.get(number)?.book.epoch ?? 0) < epoch);
    this.drop(lost.map(([number]) => number));
  }

  /** The journal has stored and folded all decisions of this node up to this sequence of JOURNAL. */
  journaled(seq: number): void {
    for (const partition of this.#held.values()) if (partition.serving) partition.journalSeq = seq;
  }

  /** The log has lost something that these partitions need. They are not served until a retry finds it complete. Others continue. */
  isolate(numbers: readonly number[], why: string, place?: string): void {
    this.drop(numbers);
    for (const number of numbers) {
      this.quarantine.put(number, why, place);
      this.#note('error', 'refuses to serve: the log has lost what was acknowledged', { partition: number, why });
    }
  }

  /** An audit found a breach. The book is thrown away and rebuilt from the log. */
  suspect(number: number, { invariant, what }: Breach): void {
    this.drop([number]);
    this.quarantine.suspect(number, `its book does not add up: ${invariant} ${what}`);
  }

  /**
   * Folding threw, so the book may hold half of a fact or a decision. The partition is rebuilt from its log, the first time at once. If
   * that fails too, it stays in quarantine and is retried periodically (QU2).
   */
  doubt(number: number, what: string, error: unknown): void {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    this.drop([number]);
    this.quarantine.suspect(number, `${what} cannot be folded: ${message}`);
    this.#note('error', 'a fault of the program while folding; the partition is built again from its log', {
      partition: number,
      what,
      stack,
    });
  }

  #heldChanged(): void {
    for (const observer of this.#observers) observer.heldChanged?.();
  }

  #servedChanged(): void {
    const { served } = this;
    for (const observer of this.#observers) observer.servedChanged?.(served);
  }
}
