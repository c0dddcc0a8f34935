/** Connects the anomaly keeper of a node to its storage, its publications and its metrics. src/node/node.ts starts it beside the core. */
import { AnomalyKeeper, type AnomalyKeeperDeps } from '../../../actors/anomaly/keeper.ts';
import type { Peers } from '../../../actors/ports/ports.ts';
import type { Settings } from '../../../config/settings.ts';
import { ANOMALIES_BUCKET, ANOMALY_HISTORY } from '../../../config/topology.ts';
import type { Clock } from '../../../streams/clock.ts';
import { encodeBody, JSON_TYPE } from '../../../streams/codec.ts';
import { anomalySubject, SEVERITIES, type Severity } from '../../../streams/contract/anomaly-kinds.ts';
import type { NatsBroker } from '../../../streams/nats/broker.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import type { Log } from '../../process/log.ts';

export interface AnomaliesDeps {
  readonly broker: NatsBroker;
  readonly clock: Clock;
  readonly peers: Peers;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly settings: Settings;
  /** Called with each stored change. */
  readonly changed: AnomalyKeeperDeps['changed'];
}

export async function anomaliesOf(deps: AnomaliesDeps): Promise<AnomalyKeeper> {
  const { broker, clock, peers, metrics, log, settings, changed } = deps;
  const keeper = new AnomalyKeeper({
    keys: await broker.keys(ANOMALIES_BUCKET, { replicas: settings.replicas, history: ANOMALY_HISTORY }),
    clock,
    peers,
    count: settings.partitions,
    parameters: settings.anomalies,
    laneTimeMs: settings.laneTime,
    memoryMs: settings.anomalyMemory,
    changed: (anomaly, change, stored) => {
      changed(anomaly, change, stored);
      if (change === 'raised') metrics.countBy('anomalies_total', anomaly.kind);
      broker.send(anomalySubject(anomaly.kind), encodeBody(anomaly, JSON_TYPE));
    },
    trouble: (why) => log.warn({ why }, 'anomalies cannot be stored now; it is tried again'),
  });
  metrics.gaugeBy('anomalies_open', () => {
    const counts = new Map<string, number>();
    for (const { kind } of keeper.open()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    return (kind) => counts.get(kind) ?? 0;
  });
  // For alerts that wait for a person to acknowledge. It has no label for the kind, because one critical anomaly is enough.
  metrics.family({
    name: 'anomalies_unacknowledged',
    help: 'Anomalies that are open and that nobody has acknowledged, of the partitions that this node owns.',
    type: 'gauge',
    read: () => {
      const counts: Record<Severity, number> = { info: 0, warning: 0, critical: 0 };
      for (const { state, severity } of keeper.open()) if (state === 'open') counts[severity] += 1;
      return SEVERITIES.map((severity) => ({ labels: { severity }, value: counts[severity] }));
    },
  });
  return keeper;
}
