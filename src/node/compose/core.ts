/** Builds the core of a node on NATS and Redis, and connects its events to metrics and the log. */
import { buildCore, type Core } from '../../../actors/engine/core.ts';
import type { EngineEvents, PolicySource } from '../../../actors/engine/parts.ts';
import type { MakeObserver } from '../../../actors/partition/observer.ts';
import { baselineSources } from '../../../actors/retention/baseline-store.ts';
import type { Settings } from '../../../config/settings.ts';
import {
  MARKS_BUCKET,
  NODES_BUCKET,
  OUTBOX_BUCKET,
  OWNERS_BUCKET,
  SKIPS_BUCKET,
  WRITERS_BUCKET,
} from '../../../config/topology.ts';
import type { Keys } from '../../../streams/broker.ts';
import type { Clock } from '../../../streams/clock.ts';
import { type NatsBroker, nonce } from '../../../streams/nats/broker.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import type { StorageSampler } from '../../metrics/storage.ts';
import { isDead, processIdentity } from '../../process/identity.ts';
import type { LimitedLog } from '../../process/limited-log.ts';
import type { Log } from '../../process/log.ts';
import type { RedisSnapshots } from '../../redis/snapshot-store.ts';
import type { NatsPeers } from '../peers.ts';

export interface ComposeCoreDeps {
  readonly settings: Settings;
  readonly broker: NatsBroker;
  readonly store: RedisSnapshots;
  readonly clock: Clock;
  readonly peers: NatsPeers;
  readonly horizons: Keys;
  readonly created: Readonly<Record<string, string>>;
  readonly storage: StorageSampler;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly limited: LimitedLog;
  readonly observer: MakeObserver;
  readonly policies: PolicySource;
  /** Identifies this start of this node: the name of its journal writer. */
  readonly writer: string;
  /** The HTTP address that other nodes are given; '' before HTTP listens. */
  readonly address: () => string;
  /** Called when the node cannot go on. */
  readonly failed: (why: string) => void;
}

export async function composeCore(deps: ComposeCoreDeps): Promise<Core> {
  const { settings, broker, store, clock, peers, horizons, created, storage, observer, policies, writer, address } =
    deps;
  const { metrics, limited } = deps;
  const { replicas } = settings;
  const kept = (bucket: string) => broker.keys(bucket, { replicas });
  return buildCore({
    broker,
    store,
    clock,
    peers,
    horizons,
    created,
    nonce,
    storage,
    observer,
    policies,
    isDead,
    baselines: (note) => baselineSources(broker, note),
    nodes: await broker.keys(NODES_BUCKET, { ttlMs: settings.leaseTtl, replicas }),
    owners: await kept(OWNERS_BUCKET),
    highWaterMarks: await kept(MARKS_BUCKET),
    writers: await kept(WRITERS_BUCKET),
    skips: await kept(SKIPS_BUCKET),
    outbox: await kept(OUTBOX_BUCKET),
    outboxEvents: {
      published: () => metrics.count('events_published_total'),
      trouble: (why) => limited.say('warn', 'outbox', { why }, 'events cannot be published now; it is tried again'),
    },
    self: () => ({ name: settings.name, writer, http: address(), process: processIdentity() }),
    settings: {
      partitions: settings.partitions,
      horizonMs: settings.horizon,
      pieces: settings.onePiece,
      leaseTtlMs: settings.leaseTtl,
      snapshotIntervalMs: settings.snapshotInterval,
      reservationMemoryMs: settings.reservationMemory,
      laneTimeMs: settings.laneTime,
    },
    events: eventsOf(deps),
  });
}

function eventsOf({ metrics, log, failed }: ComposeCoreDeps): EngineEvents {
  return {
    applied: (type) => metrics.countBy('facts_applied_total', type),
    duplicate: () => metrics.count('facts_duplicate_total'),
    parked: (reason) => metrics.countBy('facts_parked_total', reason),
    expired: () => metrics.countBy('reservations_total', 'expired'),
    journaled: (decisions, seconds) => {
      metrics.observe('journal_batch_size', decisions);
      metrics.observe('journal_append_seconds', seconds);
    },
    snapshot: (seconds) => metrics.observe('snapshot_seconds', seconds),
    recovered: (seconds) => metrics.observe('recovery_seconds', seconds),
    followerRestarted: (stream, why) => {
      metrics.countBy('follower_restarts_total', stream);
      log.warn({ stream, why }, 'a follower restarts');
    },
    breach: (what) => {
      metrics.count('self_audit_breaches_total');
      log.error(
        { what },
        'the self-audit found a total that does not equal its parts; the partition is rebuilt from its log',
      );
    },
    note: (level, message, detail) => log[level](detail, message),
    failed: (why) => {
      log.error({ why }, 'this node cannot go on');
      failed(why);
    },
  };
}
