/** The policies of a node: follows their buckets, brings changes into force on every node, and serves the desk that callers ask. */
import type { Core } from '../../../actors/engine/core.ts';
import { Everywhere } from '../../../actors/in-force/everywhere.ts';
import { PolicyDesk } from '../../../actors/in-force/policy-desk.ts';
import { PolicyFeed } from '../../../actors/in-force/policy-feed.ts';
import { LIMITS } from '../../../config/limits.ts';
import type { Settings } from '../../../config/settings.ts';
import { LOCATIONS_BUCKET, POLICIES_BUCKET } from '../../../config/topology.ts';
import type { Clock } from '../../../streams/clock.ts';
import type { NatsBroker } from '../../../streams/nats/broker.ts';
import { partitionOf } from '../../../streams/subjects.ts';
import type { Log } from '../../process/log.ts';

export interface PoliciesDeps {
  readonly settings: Settings;
  readonly broker: NatsBroker;
  readonly clock: Clock;
  readonly writer: string;
  readonly log: Log;
  /** The core, once it is built. */
  readonly core: () => Pick<Core, 'engine' | 'ownership'>;
  /** Called when a change is in force here. @param sku the SKU that it touches; undefined for all */
  readonly changed: (sku: string | undefined) => void;
}

export interface NodePolicies {
  readonly feed: PolicyFeed;
  readonly desk: PolicyDesk;
  readonly everywhere: Everywhere;
}

export async function policiesOf(deps: PoliciesDeps): Promise<NodePolicies> {
  const { settings, broker, clock, writer, log, core, changed } = deps;
  const { replicas, leaseTtl, partitions } = settings;
  const kept = (bucket: string) => broker.keys(bucket, { replicas, history: LIMITS.policyHistory });
  const policies = await kept(POLICIES_BUCKET);
  const locations = await kept(LOCATIONS_BUCKET);
  const feed = new PolicyFeed({
    broker,
    clock,
    staleMs: (leaseTtl * 2) / 3,
    changed: (sku) => {
      const touched = sku === undefined ? undefined : { sku, number: partitionOf(sku, partitions) };
      core().engine.partitions.policiesChanged(touched);
      changed(sku);
    },
    note: (level, message, detail) => log[level](detail, message),
  });
  const everywhere = new Everywhere({
    wire: broker,
    clock,
    writer,
    live: async () => (await core().ownership.live()).map((node) => node.writer),
    applied: () => feed.applied,
    // A node that cannot follow the policies notices at its next renewal, and renews its lease until they are stale (PY2).
    longestMs: 2 * leaseTtl + LIMITS.requestMs,
  });
  return { feed, everywhere, desk: new PolicyDesk({ policies, locations, feed, everywhere, clock }) };
}
