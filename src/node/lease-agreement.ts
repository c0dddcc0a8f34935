/**
 * One lease for all nodes. The nodes' keys last as long as their bucket says, whatever a node believes: one that counted on a longer
 * lease would answer after others may have taken over (actors/ownership/ownership.ts, OW2).
 */
import type { Ownership } from '../../actors/ownership/ownership.ts';
import { NODES_BUCKET } from '../../config/topology.ts';
import type { NatsBroker } from '../../streams/nats/broker.ts';

/** Rejects when nodes are alive with another lease; else the bucket's keys last as long as this node's lease, in milliseconds. */
export async function agreeOnLease(broker: NatsBroker, ownership: Ownership, leaseMs: number): Promise<void> {
  const bucket = `KV_${NODES_BUCKET}`;
  const lastsMs = ((await broker.stream(bucket))?.config.max_age ?? 0) / 1e6;
  if (lastsMs === leaseMs) return;
  if ((await ownership.live()).length > 0) {
    throw new Error(
      `HOLDFAST_LEASE is ${leaseMs / 1000} s, but the nodes that are alive have ${lastsMs / 1000} s; give every node the same, or stop them first`,
    );
  }
  const leaseNs = leaseMs * 1e6;
  await broker.updateStream(bucket, {
    max_age: leaseNs,
    subject_delete_marker_ttl: leaseNs,
    // The server allows no longer one than the keys last.
    duplicate_window: Math.min(leaseNs, 120e9),
  });
}
