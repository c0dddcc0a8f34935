/**
 * The SKUs of this node that nodes want for their readers, this node included. Each wish is a lease. Changed SKUs are collected and
 * their present values are passed on every CONFLATE_MS.
 *
 * Invariants:
 *  WA1 A request for a topic returns its present value and subscribes to later changes. The wish is noted before the value is read.
 *  WA2 A wish expires unless it is renewed. The next renewal replaces a wish that was lost with a node or a message.
 *  WA3 However often a SKU changes, it is passed on once per CONFLATE_MS, with its value at that time.
 */

import type { PeerRequest, SkuValue } from '../../actors/ports/peer-operations.ts';
import { skuAtp, stockView } from '../../actors/stock/availability.ts';
import type { StockBook } from '../../actors/stock/book.ts';
import type { ChangeSet } from '../../actors/stock/changes.ts';
import { ANYBODY } from '../../actors/stock/dated/atp.ts';
import type { SkuEntry } from '../../actors/stock/state.ts';
import { LIMITS } from '../../config/limits.ts';
import { MESSAGE_VERSION } from '../../streams/messages.ts';
import { partitionOf } from '../../streams/subjects.ts';
import type { AtpTopic } from '../topics.ts';

/** How often changed SKUs are passed on (WA3). */
export const CONFLATE_MS = 50;
/** How often a wish is renewed, and (WISH_MS) how long it lasts without renewal. */
export const RENEW_MS = 2_000;
const WISH_MS = 3 * RENEW_MS;

export type SkuTopicKind = 'atp' | 'stock';
/** `reader` is the writer id of the node whose readers want the topics. */
export type SkuInterest = PeerRequest<'live-want'>;

interface InterestedReaders {
  readonly partition: number;
  /** By `kind reader`, the end of the wish in monotonic milliseconds. */
  readonly until: Map<string, number>;
}

export class SkuInterests {
  readonly #bySku = new Map<string, InterestedReaders>();
  readonly #changed = new Set<string>();
  readonly #partitions: number;

  /** @param partitions number of partitions in all */
  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  /** Notes what a node wants of a partition that is served here, and returns the present values (WA1). */
  want(book: StockBook, { reader, topics }: SkuInterest, nowMs: number, monoMs: number): SkuValue[] {
    const { partition } = book;
    const here = topics.filter(([, sku]) => partitionOf(sku, this.#partitions) === partition);
    return here.map(([kind, sku]) => {
      let readers = this.#bySku.get(sku);
      if (readers === undefined && this.#bySku.size < LIMITS.liveWishes) {
        readers = { partition, until: new Map() };
        this.#bySku.set(sku, readers);
      }
      readers?.until.set(`${kind} ${reader}`, monoMs + WISH_MS);
      return skuValue(book, kind, sku, nowMs);
    });
  }

  /** Notes the keys that a fold has changed. It runs on every fold, so it must be quick. */
  changed(changes: ChangeSet): void {
    if (this.#bySku.size === 0) return;
    for (let i = 0; i < changes.length; i++) {
      const sku = changes.at(i).key.sku.name;
      if (this.#bySku.has(sku)) this.#changed.add(sku);
    }
  }

  /** Notes that other policies are in force. @param sku the SKU that they touch; undefined for all */
  policiesChanged(sku: string | undefined): void {
    if (sku === undefined) for (const each of this.#bySku.keys()) this.#changed.add(each);
    else if (this.#bySku.has(sku)) this.#changed.add(sku);
  }

  /**
   * Passes on all SKUs that have changed since the last call.
   * @param bookOf the book of a partition; undefined if it is not served here
   * @param send sends values to the node that wants them
   */
  flush(
    nowMs: number,
    monoMs: number,
    bookOf: (partition: number) => StockBook | undefined,
    send: (reader: string, values: readonly SkuValue[]) => void,
  ): void {
    if (this.#changed.size === 0) return;
    const byReader = new Map<string, SkuValue[]>();
    for (const sku of this.#changed) {
      const readers = this.#bySku.get(sku);
      const book = readers === undefined ? undefined : bookOf(readers.partition);
      if (readers === undefined || book === undefined) continue;
      const values = new Map<string, SkuValue>();
      for (const [interest, until] of readers.until) {
        if (until < monoMs) continue;
        const blank = interest.indexOf(' ');
        const kind = interest.slice(0, blank) as SkuTopicKind;
        const reader = interest.slice(blank + 1);
        const value = values.get(kind) ?? skuValue(book, kind, sku, nowMs);
        values.set(kind, value);
        const batch = byReader.get(reader);
        if (batch === undefined) byReader.set(reader, [value]);
        else batch.push(value);
      }
    }
    this.#changed.clear();
    for (const [reader, values] of byReader) send(reader, values);
  }

  /** Drops wishes that were not renewed (WA2). */
  expire(monoMs: number): void {
    for (const [sku, { until }] of this.#bySku) {
      for (const [interest, end] of until) if (end < monoMs) until.delete(interest);
      if (until.size === 0) this.#bySku.delete(sku);
    }
  }
}

function skuValue(book: StockBook, kind: SkuTopicKind, sku: string, nowMs: number): SkuValue {
  const entry = book.skus.get(sku);
  const told = { v: MESSAGE_VERSION, sku, atMs: nowMs, version: [book.epoch, book.seq] } as const;
  if (kind === 'atp') return { ...told, kind, data: atpOf(book, sku, entry, nowMs) };
  const now = nowMs * 1000;
  return { ...told, kind, data: { sku, locations: (entry?.keys ?? []).map((key) => stockView(book, key, now)) } };
}

/** The answer of GET /v1/atp/{sku}. An unknown SKU has 0 and no locations. */
function atpOf(book: StockBook, sku: string, entry: SkuEntry | undefined, nowMs: number): AtpTopic {
  const asked = { ...ANYBODY, now: nowMs * 1000 };
  return { asOf: new Date(nowMs).toISOString(), sku, version: book.version, ...skuAtp(book, entry, undefined, asked) };
}
