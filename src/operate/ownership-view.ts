/**
 * Who owns what, as NATS and the nodes themselves say it, for `doctor`.
 *
 * The owners' bucket says who may decide for a partition; whether it is served yet, and in which epoch, only its owner says (/readyz):
 * the key's revision moves on whenever its owner confirms it.
 */
import type { Settings } from '../../config/settings.ts';
import { NODES_BUCKET, OWNERS_BUCKET } from '../../config/topology.ts';
import type { NatsBroker } from '../../streams/nats/broker.ts';

export interface LiveNode {
  readonly name: string;
  readonly writer: string;
  /** HOST:PORT. */
  readonly http: string;
}
export interface OwnershipView {
  readonly nodes: readonly LiveNode[];
  /** Numbers of the partitions that each live node owns, by its name. */
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
    // A writer is one start of a node: what an earlier one owned is nobody's.
    const name = nameOf.get((JSON.parse(entry.value) as { writer: string }).writer);
    if (name === undefined || !unowned.delete(partition)) continue;
    owned.get(name)?.push(partition);
  }
  for (const numbers of owned.values()) numbers.sort((a, b) => a - b);
  return { nodes, owned, unowned: [...unowned] };
}

/** `0–3, 7, 9–12` of numbers in ascending order; `none` of none. */
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
