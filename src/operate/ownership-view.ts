/**
 * Reads from NATS which live node owns which partition, for `doctor`.
 *
 * The owners' bucket names the node that may decide for a partition. Only the owner itself reports whether it serves the partition yet, and
 * in which epoch (/readyz). The key's revision is not the epoch, because it changes whenever the owner confirms the key.
 */
import type { Settings } from '../../config/settings.ts';
import { NODES_BUCKET, OWNERS_BUCKET } from '../../config/topology.ts';
import type { NatsBroker } from '../../streams/nats/broker.ts';

export interface LiveNode {
  readonly name: string;
  readonly writer: string;
  /** The published address: HOST:PORT, or https://HOST:PORT with TLS (baseUrl). */
  readonly http: string;
}
export interface OwnershipView {
  readonly nodes: readonly LiveNode[];
  /** Partition numbers by the name of the live node that owns them. */
  readonly owned: ReadonlyMap<string, readonly number[]>;
  readonly unowned: readonly number[];
}

export async function viewOwnership(broker: NatsBroker, settings: Settings): Promise<OwnershipView> {
  const live = await broker.keys(NODES_BUCKET, { ttlMs: settings.leaseTtl, replicas: settings.replicas });
  const owners = await broker.keys(OWNERS_BUCKET, { replicas: settings.replicas });
  const nodes = (await live.all()).map((entry) => JSON.parse(entry.value) as LiveNode);
  const nameOf = new Map(nodes.map((node) => [node.writer, node.name]));
  const owned = new Map<string, number[]>(nodes.map((node) => [node.name, []]));
  const unowned = new Set(Array.from({ length: settings.partitions }, (_, partition) => partition));
  for (const entry of await owners.all()) {
    const partition = Number(entry.key.slice('p.'.length));
    // A writer is one start of a node, so a partition of an earlier start has no owner.
    const name = nameOf.get((JSON.parse(entry.value) as { writer: string }).writer);
    if (name === undefined || !unowned.delete(partition)) continue;
    owned.get(name)?.push(partition);
  }
  for (const numbers of owned.values()) numbers.sort((a, b) => a - b);
  return { nodes, owned, unowned: [...unowned] };
}

/** Formats ascending numbers as `0–3, 7, 9–12`, or `none` if there are none. */
export function ranges(numbers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else runs.push([number, number]);
  }
  const said = runs.map(([from, to]) => (from === to ? String(from) : `${from}–${to}`));
  return said.length === 0 ? 'none' : said.join(', ');
}
