/** One partition as its owner holds it: the book, and up to where streams and journal are folded into it. */
import { FACT_STREAM_NAMES, type FactStream } from '../../config/topology.ts';
import { Books } from '../book/books.ts';
import type { Domain } from '../book/domain.ts';
import type { StockBook } from '../stock/book.ts';
import { STOCK } from '../stock/domain.ts';
import type { PartitionObserver } from './observer.ts';

/** `leaving`: it finishes what it has, for another node is to own it. `dropped`: nothing of it counts any more. */
export type PartitionState = 'catching-up' | 'serving' | 'leaving' | 'dropped';

/** What partitions decide about. A new domain is added here. */
const DOMAINS: readonly Domain[] = [STOCK];

export class Partition {
  readonly number: number;
  /** A book for each domain. */
  readonly books: Books;
  /** That of stock. */
  readonly book: StockBook;
  /** Last sequence of each fact stream that is folded, or has nothing for this partition. */
  readonly positions: Record<FactStream, number>;
  /** Up to where the snapshot that was loaded knew the streams: these verdicts were given elsewhere. */
  readonly loadedPositions: Record<FactStream, number>;
  /** Last sequence of JOURNAL up to which every decision for this partition is folded. */
  journalSeq = 0;
  /** Changed by its PartitionSet alone (PS1). */
  state: PartitionState = 'catching-up';
  /** The narrowest horizon by which ids and movements were forgotten; infinite while nothing was. */
  remembersMs = Number.POSITIVE_INFINITY;
  /** Facts on their way to PARKED: a snapshot that is past them waits for them, and is none if one cannot be stored. */
  readonly parking = new Set<Promise<void>>();
  /** What folds beside the book; undefined where nobody watches. */
  observer: PartitionObserver | undefined;
  /** Wall time of the last snapshot; before the first one, of when the partition was taken over. */
  snapshotAtMs = 0;
  /** Change number at the last snapshot taken here, to tell whether another one is due; -1 before the first. */
  snapshotSeq = -1;

  /** It answers, and finishes the requests that it has. It takes new ones unless it is leaving. */
  get serving(): boolean {
    return this.state === 'serving' || this.state === 'leaving';
  }

  /** Something was folded since the last snapshot, be it one that was loaded. */
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
