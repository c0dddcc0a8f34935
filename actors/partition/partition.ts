/** One partition as its owner holds it: the books, and the positions up to which streams and journal are folded into them. */
import { FACT_STREAM_NAMES, type FactStream } from '../../config/topology.ts';
import { Books } from '../book/books.ts';
import type { Domain } from '../book/domain.ts';
import { ITEMS } from '../item/domain.ts';
import type { StockBook } from '../stock/book.ts';
import { STOCK } from '../stock/domain.ts';
import type { PartitionObserver } from './observer.ts';

/** `leaving`: it finishes its requests, because another node is to own it. `dropped`: nothing in it counts any more. */
export type PartitionState = 'catching-up' | 'serving' | 'leaving' | 'dropped';

/** The domains that partitions decide about. Add a new domain here. */
const DOMAINS: readonly Domain[] = [STOCK, ITEMS];

export class Partition {
  readonly number: number;
  /** One book for each domain. */
  readonly books: Books;
  /** The stock book. */
  readonly book: StockBook;
  /** Per fact stream, the last sequence that is folded or that has nothing for this partition. */
  readonly positions: Record<FactStream, number>;
  /** Positions of the loaded snapshot or baseline. Facts up to here were judged before, so their verdicts may be unknown here. */
  readonly loadedPositions: Record<FactStream, number>;
  /** Sequence of JOURNAL up to which every decision for this partition is folded. */
  journalSeq = 0;
  /** Only its PartitionSet changes it (PS1). */
  state: PartitionState = 'catching-up';
  /** The narrowest horizon by which ids and movements were forgotten; infinite if none were. */
  remembersMs = Number.POSITIVE_INFINITY;
  /** Facts on their way to PARKED. A snapshot whose positions include them waits for them, and is discarded if one cannot be stored. */
  readonly parking = new Set<Promise<void>>();
  /** Folds alongside the book; undefined if there is none. */
  observer: PartitionObserver | undefined;
  /** Wall time of the last snapshot, taken or loaded. Before the first one, when the take-over began. */
  snapshotAtMs = 0;
  /** Change number at the last snapshot taken here; -1 before the first. It shows whether another one is due. */
  snapshotSeq = -1;

  /** Whether it answers requests. A leaving partition finishes those it has and takes no new ones. */
  get serving(): boolean {
    return this.state === 'serving' || this.state === 'leaving';
  }

  /** Whether anything was folded since the last snapshot, taken or loaded. */
  get changed(): boolean {
    return this.books.seq !== Math.max(0, this.snapshotSeq);
  }

  constructor(number: number, nowMs = 0, domains = DOMAINS) {
    this.snapshotAtMs = nowMs;
    this.number = number;
    this.books = new Books(number, domains);
    this.book = this.books.of(STOCK);
    this.positions = zeros();
    this.loadedPositions = zeros();
  }
}

function zeros(): Record<FactStream, number> {
  return Object.fromEntries(FACT_STREAM_NAMES.map((stream) => [stream, 0])) as Record<FactStream, number>;
}
