/**
 * Who watches the partitions of a node: the KPIs, and whoever is added to `others`. One watch for the engine, which passes every fold on to
 * each and keeps what each keeps.
 *
 * Invariant WT1: what was kept by watches of another number or order is none of these watches': then each begins anew.
 */
import type { MakeWatch } from '../../actors/engine/engine.ts';
import type { PartitionWatch } from '../../actors/partition/observer.ts';
import type { Partition } from '../../actors/partition/partition.ts';
import type { StockBook } from '../../actors/stock/state.ts';
import type { Counted } from '../../dashboards/kpi/counters.ts';
import { KpiWatch } from '../../dashboards/kpi/observer.ts';
import type { Fact } from '../../streams/fact/fact.ts';
import type { StockDecision } from '../../streams/journal/record.ts';

export interface WatchingWorld {
  readonly counted: Counted;
  /** Whether a partition is served here. */
  readonly serving: (partition: number) => boolean;
  /** A stock key of this SKU was changed by a fold. */
  readonly changed: (sku: string) => void;
  /** Watches beside the KPIs. */
  readonly others: readonly MakeWatch[];
}

export function watching(world: WatchingWorld): MakeWatch {
  return (partition) => {
    const kpi = new KpiWatch({
      counted: world.counted,
      serving: () => world.serving(partition),
      changed: world.changed,
    });
    return new Watches(
      kpi,
      world.others.map((make) => make(partition)),
    );
  };
}

/** The KPIs of a partition that is held here. */
export function kpiOf(partition: Partition): KpiWatch | undefined {
  return partition.watch instanceof Watches ? partition.watch.kpi : undefined;
}

class Watches implements PartitionWatch {
  readonly kpi: KpiWatch;
  readonly #all: readonly PartitionWatch[];

  constructor(kpi: KpiWatch, others: readonly PartitionWatch[]) {
    this.kpi = kpi;
    this.#all = [kpi, ...others];
  }

  beforeFact(book: StockBook, fact: Fact): void {
    for (const watch of this.#all) watch.beforeFact(book, fact);
  }

  afterFact(book: StockBook, fact: Fact, recordedAt: number): void {
    for (const watch of this.#all) watch.afterFact(book, fact, recordedAt);
  }

  beforeDecision(book: StockBook, decision: StockDecision): void {
    for (const watch of this.#all) watch.beforeDecision(book, decision);
  }

  afterDecision(book: StockBook, decision: StockDecision): void {
    for (const watch of this.#all) watch.afterDecision(book, decision);
  }

  load(book: StockBook, kept: Uint8Array | undefined): void {
    const parts = kept === undefined ? undefined : split(kept, this.#all.length);
    for (const [index, watch] of this.#all.entries()) watch.load(book, parts?.[index]);
  }

  keep(): Uint8Array {
    return joined(this.#all.map((watch) => watch.keep()));
  }
}

/** How many, the length of each as 32 bits, then each. */
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
