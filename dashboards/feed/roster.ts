/**
 * The roster: what every node says of itself once a second, as this node has heard it.
 *
 * Invariants:
 *  RO1 Of two that say they own a partition the one with the higher epoch does.
 *  RO2 A node that falls silent is shown with how long; after FORGET_MS, or once it has said that it leaves, it is no longer there.
 */
import type { AskedPart } from '../kpi/asked.ts';
import type { NodeFigures, SystemTopic } from '../topics.ts';

const FORGET_MS = 60_000;
/** Longer than a report may be late: from then on silence is shown. */
const SILENT_MS = 3_000;

export interface NodeReport {
  /** One start of a node. */
  readonly writer: string;
  readonly figures: Omit<NodeFigures, 'silentSeconds'>;
  /** Partitions that it serves, each with its epoch. */
  readonly owns: readonly (readonly [partition: number, epoch: number])[];
  readonly asked: readonly AskedPart[];
  /** It stops now. */
  readonly leaves?: true;
}

export class Roster {
  readonly #nodes = new Map<string, { report: NodeReport; heardAtMs: number }>();

  /** @param nowMs monotonic */
  hear(report: NodeReport, nowMs: number): void {
    // A later start of a node takes the place of the one before.
    for (const [writer, { report: known }] of this.#nodes)
      if (known.figures.name === report.figures.name && writer !== report.writer) this.#nodes.delete(writer);
    if (report.leaves === true) this.#nodes.delete(report.writer);
    else this.#nodes.set(report.writer, { report, heardAtMs: nowMs });
  }

  forget(nowMs: number): void {
    for (const [writer, { heardAtMs }] of this.#nodes) if (nowMs - heardAtMs > FORGET_MS) this.#nodes.delete(writer);
  }

  nodes(nowMs: number): NodeFigures[] {
    return [...this.#nodes.values()]
      .map(({ report, heardAtMs }) => {
        const silentMs = nowMs - heardAtMs;
        return { ...report.figures, silentSeconds: silentMs > SILENT_MS ? Math.round(silentMs / 1000) : 0 };
      })
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** What was asked of each node. */
  asked(): (readonly AskedPart[])[] {
    return [...this.#nodes.values()].map(({ report }) => report.asked);
  }

  /** Writer by partition, of those heard of lately. */
  owners(nowMs: number): Map<number, { readonly writer: string; readonly node: string; readonly epoch: number }> {
    const owners = new Map<number, { writer: string; node: string; epoch: number }>();
    for (const [writer, { report, heardAtMs }] of this.#nodes) {
      if (nowMs - heardAtMs > SILENT_MS) continue;
      for (const [partition, epoch] of report.owns) {
        const known = owners.get(partition);
        if (known === undefined || known.epoch < epoch)
          owners.set(partition, { writer, node: report.figures.name, epoch });
      }
    }
    return owners;
  }

  /** Owner by partition, as `system` shows it. */
  ownersShown(partitions: number, nowMs: number): SystemTopic['owners'] {
    const owners = this.owners(nowMs);
    return Array.from({ length: partitions }, (_, partition) => {
      const owner = owners.get(partition);
      return owner === undefined ? null : { node: owner.node, epoch: owner.epoch };
    });
  }
}
