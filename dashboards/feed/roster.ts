/**
 * The roster: what every node says of itself once a second, as this node has heard it.
 *
 * Invariants:
 *  RO1 Of two that say they own a partition the one with the higher epoch does.
 *  RO2 A node that falls silent is shown with how long; after FORGET_MS it is no longer there.
 *  RO3 Whoever can publish can send a report. One is believed only of a start that lives by the nodes' bucket, so there are as many as live,
 *      and none takes the place of another. One that says that it leaves goes when the bucket says so too.
 */
import { z } from 'zod';
import { LIMITS } from '../../config/limits.ts';
import { listOf, type Read, version } from '../../streams/messages.ts';
import type { RequestStatsPart } from '../kpi/request-stats.ts';
import type { NodeFigures, SystemTopic } from '../topics.ts';

const FORGET_MS = 60_000;
/** Longer than a report may be late: from then on silence is shown. */
const SILENT_MS = 3_000;

const natural = z.int().min(0);
const figure = z.number().min(0);
const text = z.string().max(LIMITS.reportText);
const counts = listOf(figure, 1_000);
const figures = z.object({
  name: z.string().min(1).max(48),
  http: text,
  ready: z.boolean(),
  reasons: listOf(text, LIMITS.reportReasons),
  owned: natural,
  actors: natural,
  reservations: natural,
  journalWaiting: natural,
  // Infinite until a stream has first answered.
  lag: z.record(
    z.string().max(40),
    z.custom<number>((value) => typeof value === 'number' && value >= 0),
  ),
  snapshotAgeSeconds: figure,
  eventLoopP99Ms: figure,
  memoryMiB: figure,
  liveClients: natural,
  startedAt: z.string().max(40),
});
/** What a node says of itself. */
export const nodeReport = z.object({
  v: version,
  /** One start of a node. */
  writer: z.string().min(1).max(128),
  figures,
  /** Partitions that it serves, each with its epoch. */
  owns: listOf(z.tuple([natural.max(1_023), natural]), 1_024),
  asked: listOf(z.tuple([figure, counts, counts, counts]), 10),
  /** It stops now. */
  leaves: z.literal(true).optional(),
});
export type NodeReport = Read<z.output<typeof nodeReport>>;
/** Names of nodes by the writer of their present start, as the nodes' bucket says. */
export type Living = ReadonlyMap<string, string>;

interface Heard {
  readonly report: NodeReport;
  readonly heardAtMs: number;
  leaves: boolean;
}

export class Roster {
  readonly #nodes = new Map<string, Heard>();
  /** Writer of the latest start, by name. */
  readonly #writers = new Map<string, string>();

  /** Whether bytes hold the writer of a node that lives or has been heard: a report of any of them does. */
  isNamedIn(bytes: Uint8Array, living: Living): boolean {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (const writer of living.keys()) if (text.includes(writer)) return true;
    for (const writer of this.#nodes.keys()) if (text.includes(writer)) return true;
    return false;
  }

  /** False if nobody of that name and start lives. @param nowMs monotonic (RO3) */
  hear(report: NodeReport, nowMs: number, living: Living): boolean {
    const { writer } = report;
    const { name } = report.figures;
    const known = this.#nodes.get(writer);
    if (report.leaves === true && known !== undefined) known.leaves = true;
    if (living.get(writer) !== name) return known !== undefined && report.leaves === true;
    if (report.leaves === true) return true;
    // A later start of a node takes the place of the one before.
    const before = this.#writers.get(name);
    if (before !== undefined && before !== writer) this.#nodes.delete(before);
    this.#writers.set(name, writer);
    this.#nodes.set(writer, { report, heardAtMs: nowMs, leaves: false });
    return true;
  }

  // RO2.
  forget(nowMs: number, living: Living): void {
    for (const [writer, { report, heardAtMs, leaves }] of this.#nodes) {
      if (nowMs - heardAtMs <= FORGET_MS && !(leaves && !living.has(writer))) continue;
      this.#nodes.delete(writer);
      if (this.#writers.get(report.figures.name) === writer) this.#writers.delete(report.figures.name);
    }
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
  asked(): (readonly RequestStatsPart[])[] {
    return [...this.#nodes.values()].map(({ report }) => report.asked);
  }

  /** Writer by partition, of those heard of lately (RO1). */
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
