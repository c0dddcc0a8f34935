/**
 * Who watches the partitions of a node: the KPIs, and whoever is added to `others`. One watch for the engine, which passes every fold on to
 * each and keeps what each keeps.
 *
 * Invariant WT1: what was kept by watches of another number or order is none of these watches': then each begins anew.
 */
import type { MakeObserver, PartitionObserver } from '../../../actors/partition/observer.ts';
import type { Partition } from '../../../actors/partition/partition.ts';
import type { StockBook } from '../../../actors/stock/book.ts';
import type { ChangeSet } from '../../../actors/stock/changes.ts';
import type { KpiCounters } from '../../../dashboards/kpi/counters.ts';
import { KpiObserver } from '../../../dashboards/kpi/observer.ts';
import type { Fact } from '../../../streams/fact/fact.ts';
import type { StockDecision } from '../../../streams/journal/stock-decisions.ts';

export interface ObserversDeps {
  readonly counted: KpiCounters;
  /** Is told what each fold has changed. */
  readonly changed: (changes: ChangeSet) => void;
  /** Watches beside the KPIs. */
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

/** The KPIs of a partition that is held here. */
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

  factFolded(book: StockBook, fact: Fact, recordedAt: number): void {
    for (const observer of this.#all) observer.factFolded(book, fact, recordedAt);
    this.#changed(book.changes);
  }

  decisionFolded(book: StockBook, decision: StockDecision): void {
    for (const observer of this.#all) observer.decisionFolded(book, decision);
    this.#changed(book.changes);
  }

  load(book: StockBook, kept: Uint8Array | undefined): void {
    const parts = kept === undefined ? undefined : split(kept, this.#all.length);
    for (const [index, observer] of this.#all.entries()) observer.load(book, parts?.[index]);
  }

  keep(): Uint8Array {
    return joined(this.#all.map((observer) => observer.keep()));
  }
}

/** How many, the length of each as 32 bits, then each (WT1). */
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
