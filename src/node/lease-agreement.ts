/**
 * Makes all nodes use the same lease. A node's key expires after the lifetime that its bucket sets, whatever lease the node is configured
 * with. A node that counted on a longer lease would still answer after others had taken over (actors/ownership/ownership.ts, OW2).
 */
import type { Ownership } from '../../actors/ownership/ownership.ts';
import { NODES_BUCKET } from '../../config/topology.ts';
import type { NatsBroker } from '../../streams/nats/broker.ts';

/**
 * Rejects if living nodes use another lease. Otherwise sets the lifetime of the bucket's keys to this node's lease.
 * @param leaseMs the lease of this node, in milliseconds
 */
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
    // The server rejects a duplicate window that is longer than the keys' lifetime.
    duplicate_window: Math.min(leaseNs, 120e9),
  });
}
