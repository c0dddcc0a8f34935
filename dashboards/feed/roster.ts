/**
 * The roster holds the latest report of every node, as heard by this node. Nodes report once a second. Anyone who can publish can send a
 * report, so the nodes' bucket decides which reports count.
 *
 * Invariants:
 *  RO1 If two nodes report the same partition, the one with the higher epoch owns it.
 *  RO2 A silent node is shown with the length of its silence. After FORGET_MS it is dropped.
 *  RO3 A report is believed only if its start is live in the nodes' bucket. So there are as many reports as live starts, and none
 *      replaces another. A node that reports its leaving is dropped when the bucket agrees.
 */
import { z } from 'zod';
import { LIMITS } from '../../config/limits.ts';
import { listOf, type Read, version } from '../../streams/messages.ts';
import type { RequestStatsPart } from '../kpi/request-stats.ts';
import type { NodeFigures, SystemTopic } from '../topics.ts';

const FORGET_MS = 60_000;
/** Silence from which a node is shown as silent. It is longer than a report may be late. */
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
/** A node's report about itself. */
export const nodeReport = z.object({
  v: version,
  /** Id of one start of a node. */
  writer: z.string().min(1).max(128),
  figures,
  /** Partitions that the node serves, each with its epoch. */
  owns: listOf(z.tuple([natural.max(1_023), natural]), 1_024),
  asked: listOf(z.tuple([figure, counts, counts, counts]), 10),
  /** The node stops now. */
  leaves: z.literal(true).optional(),
});
export type NodeReport = Read<z.output<typeof nodeReport>>;
/** Names of live nodes by the writer of their present start, from the nodes' bucket. */
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

  /** True if the bytes contain the writer of a node that is live or was heard, as each of their reports does. A cheap filter. */
  isNamedIn(bytes: Uint8Array, living: Living): boolean {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (const writer of living.keys()) if (text.includes(writer)) return true;
    for (const writer of this.#nodes.keys()) if (text.includes(writer)) return true;
    return false;
  }

  /** Takes a report. False if no node of that name and start is live (RO3). @param nowMs monotonic milliseconds */
  hear(report: NodeReport, nowMs: number, living: Living): boolean {
    const { writer } = report;
    const { name } = report.figures;
    const known = this.#nodes.get(writer);
    if (report.leaves === true && known !== undefined) known.leaves = true;
    if (living.get(writer) !== name) return known !== undefined && report.leaves === true;
    if (report.leaves === true) return true;
    // A later start of a node replaces the earlier one.
    const before = this.#writers.get(name);
    if (before !== undefined && before !== writer) this.#nodes.delete(before);
    this.#writers.set(name, writer);
    this.#nodes.set(writer, { report, heardAtMs: nowMs, leaves: false });
    return true;
  }

  // Drops nodes that are silent for too long (RO2) or have left (RO3).
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

  /** Statistics of the requests to each node. */
  asked(): (readonly RequestStatsPart[])[] {
    return [...this.#nodes.values()].map(({ report }) => report.asked);
  }

  /** Owner by partition, among nodes heard within SILENT_MS (RO1). */
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

  /** Owner by partition, in the form of the topic `system`. */
  ownersShown(partitions: number, nowMs: number): SystemTopic['owners'] {
    const owners = this.owners(nowMs);
    return Array.from({ length: partitions }, (_, partition) => {
      const owner = owners.get(partition);
      return owner === undefined ? null : { node: owner.node, epoch: owner.epoch };
    });
  }
}
