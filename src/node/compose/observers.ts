/**
 * The observers of a node's partitions: the KPIs, and those in `others`. The engine sees one observer per partition. It passes every fold
 * to each of them and saves their states together.
 *
 * Invariant WT1: parts of a saved state are matched to observers by position. If their number differs, no part is used, and each observer
 * starts afresh.
 */
import type { MakeObserver, PartitionObserver } from '../../../actors/partition/observer.ts';
import type { Partition } from '../../../actors/partition/partition.ts';
import type { StockBook } from '../../../actors/stock/book.ts';
import type { ChangeSet } from '../../../actors/stock/changes.ts';
import type { KpiCounters } from '../../../dashboards/kpi/counters.ts';
import { KpiObserver } from '../../../dashboards/kpi/observer.ts';
import type { StockFact } from '../../../streams/fact/fact.ts';
import type { StockDecision } from '../../../streams/journal/stock-decisions.ts';

export interface ObserversDeps {
  readonly counted: KpiCounters;
  /** Called after each fold with its changes. */
  readonly changed: (changes: ChangeSet) => void;
  /** Observers besides the KPIs. */
  readonly others: readonly MakeObserver[];
}

export function observing(deps: ObserversDeps): MakeObserver {
  return (partition) => {
    const { counted, changed, others } = deps;
    const kpi = new KpiObserver({ counted, partition });
    return new Observers(
      kpi,
      others.map((make) => make(partition)),
      changed,
    );
  };
}

/** The KPIs of a partition that this node holds. */
export function kpiOf(partition: Partition): KpiObserver | undefined {
  return partition.observer instanceof Observers ? partition.observer.kpi : undefined;
}

class Observers implements PartitionObserver {
  readonly kpi: KpiObserver;
  readonly #all: readonly PartitionObserver[];
  readonly #changed: ObserversDeps['changed'];

  constructor(kpi: KpiObserver, others: readonly PartitionObserver[], changed: ObserversDeps['changed']) {
    this.kpi = kpi;
    this.#changed = changed;
    this.#all = [kpi, ...others];
  }

  get told(): number {
    return this.#all.reduce((sum, { told = 0 }) => sum + told, 0);
  }

  factFolded(book: StockBook, fact: StockFact, recordedAt: number): void {
    for (const observer of this.#all) observer.factFolded(book, fact, recordedAt);
    this.#changed(book.changes);
  }

  decisionFolded(book: StockBook, decision: StockDecision): void {
    for (const observer of this.#all) observer.decisionFolded(book, decision);
    this.#changed(book.changes);
  }

  load(book: StockBook, kept: Uint8Array | undefined, latest?: number): void {
    const parts = kept === undefined ? undefined : split(kept, this.#all.length);
    for (const [index, observer] of this.#all.entries()) observer.load(book, parts?.[index], latest);
  }

  keep(): Uint8Array {
    return joined(this.#all.map((observer) => observer.keep()));
  }
}

/** Layout: the number of parts (1 byte), the length of each part (32 bits), then the parts (WT1). */
function joined(parts: readonly Uint8Array[]): Buffer {
  const head = Buffer.alloc(1 + 4 * parts.length);
  head[0] = parts.length;
  for (const [index, part] of parts.entries()) head.writeUInt32BE(part.length, 1 + 4 * index);
  return Buffer.concat([head, ...parts]);
}

function split(bytes: Uint8Array, count: number): Uint8Array[] | undefined {
  const read = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (read[0] !== count || read.length < 1 + 4 * count) return undefined;
  let at = 1 + 4 * count;
  const parts = Array.from({ length: count }, (_, index) => {
    const from = at;
    at += read.readUInt32BE(1 + 4 * index);
    return read.subarray(from, at);
  });
  return at === read.length ? parts : undefined;
}
