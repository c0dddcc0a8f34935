/** Connects the live feed to a running node: to its engine, its process and its servers. Also builds the KPIs for /metrics. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { SourceClock } from '../../../actors/anomaly/sources.ts';
import type { Core } from '../../../actors/engine/core.ts';
import { ITEMS } from '../../../actors/item/domain.ts';
import type { PartitionSet } from '../../../actors/partition/partition-set.ts';
import { FACT_STREAM_NAMES } from '../../../config/topology.ts';
import type { AnomalySource } from '../../../dashboards/feed/anomaly-source.ts';
import { LiveFeed } from '../../../dashboards/feed/live-feed.ts';
import type { NodeReport } from '../../../dashboards/feed/roster.ts';
import type { SkuInterests } from '../../../dashboards/feed/sku-interest.ts';
import { KpiCounters } from '../../../dashboards/kpi/counters.ts';
import type { LocationTotals } from '../../../dashboards/kpi/observer.ts';
import { RequestStats } from '../../../dashboards/kpi/request-stats.ts';
import { STANDING_LENGTH } from '../../../dashboards/kpi/totals.ts';
import type { Clock } from '../../../streams/clock.ts';
import type { NatsBroker } from '../../../streams/nats/broker.ts';
import { RESERVATION_OUTCOMES } from '../../metrics/families.ts';
import type { KpiExport } from '../../metrics/kpi.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { VERSION } from '../../process/version.ts';
import type { NatsPeers } from '../peers.ts';
import { kpiOf } from './observers.ts';

/** Number of reports after which the measured delay of the event loop starts afresh. */
const REPORTS_PER_DELAY = 10;
const DELAY_RESOLUTION_MS = 20;

/** The counters behind a node's KPIs and request windows. They are created before the core, because the core feeds them. */
export class LiveCounts {
  readonly counted = new KpiCounters();
  readonly asked: RequestStats;

  constructor(metrics: Metrics, clock: Clock) {
    this.asked = new RequestStats(RESERVATION_OUTCOMES, () => clock.monoMs());
    this.counted.onLead = (seconds) => metrics.observe('transfer_lead_seconds', seconds);
    this.counted.onDeliveryLead = (seconds) => metrics.observe('delivery_lead_seconds', seconds);
    metrics.listener = {
      count: { facts_duplicate_total: (times) => this.asked.duplicate(times) },
      countBy: {
        facts_parked_total: (reason) => this.asked.parked(reason),
        reservations_total: (outcome, times) => this.asked.outcome(outcome, times),
      },
      observe: {
        atp_request_seconds: (seconds) => this.asked.atp(seconds),
        reservation_seconds: (seconds) => this.asked.reservation(seconds),
      },
    };
  }
}

export interface LiveSystemDeps {
  readonly name: string;
  readonly writer: string;
  readonly partitions: number;
  readonly clock: Clock;
  readonly broker: NatsBroker;
  readonly peers: NatsPeers;
  readonly core: Pick<Core, 'engine' | 'serves' | 'ownership' | 'parked' | 'rules'>;
  readonly counts: LiveCounts;
  readonly interest: SkuInterests;
  readonly metrics: Metrics;
  readonly anomalies: AnomalySource;
  readonly clocks: (partition: number) => readonly SourceClock[];
  readonly durability: string;
  /** Called for a bug in the program, after which a topic misses one value. */
  readonly failed: (error: unknown) => void;
  /** The HTTP address that other nodes are given. */
  readonly http: () => string;
}

export function buildLiveFeed(deps: LiveSystemDeps): LiveFeed {
  const { clock, broker, core, metrics, writer, partitions, peers, anomalies } = deps;
  const feed = new LiveFeed({
    clock,
    wire: broker,
    peers,
    writer,
    partitions,
    interest: deps.interest,
    served: (number) => {
      const partition = core.serves(number) ? core.engine.partitions.get(number) : undefined;
      const kpi = partition === undefined ? undefined : kpiOf(partition);
      return partition === undefined || kpi === undefined
        ? undefined
        : { book: partition.book, items: partition.books.of(ITEMS), kpi, clocks: () => deps.clocks(number) };
    },
    clockRule: () => ({ slackMs: core.rules.newest.slackMs, movedTo: core.rules.latestOf() }),
    report: reporter(deps, () => feed.hub.size),
    outcomes: RESERVATION_OUTCOMES,
    anomalies,
    system: async () => {
      const horizonMs = core.rules.next(clock.nowMs())?.horizonMs ?? null;
      const horizonSeconds = horizonMs === null ? null : horizonMs / 1000;
      const parked = core.parked.index.table.waiting;
      return { parked, durability: deps.durability, horizonSeconds, version: VERSION };
    },
    sent: () => metrics.count('live_messages_total'),
    encoded: () => metrics.count('live_encoded_total'),
    skipped: () => metrics.count('live_skipped_total'),
    living: () => core.ownership.living,
    misfit: (error) => broker.onFault('owner', error),
    failed: deps.failed,
  });
  metrics.gauge('live_clients', () => feed.hub.size);
  return feed;
}

/** Sums the current figures of each location over the partitions that this node serves. */
export function kpiExport(
  { engine }: { engine: { partitions: Pick<PartitionSet, 'values'> } },
  clock: Clock,
  counts: LiveCounts,
): KpiExport {
  const standing = () => {
    const all = new Map<string, { location: string; sums: Float64Array; aged: number[] }>();
    const nowMs = clock.nowMs();
    for (const partition of engine.partitions.values()) {
      if (!partition.serving) continue;
      for (const at of kpiOf(partition)?.locations.values() ?? []) {
        const sum = all.get(at.location);
        if (sum === undefined) {
          all.set(at.location, { location: at.location, sums: at.standing.slice(), aged: at.ages.read(nowMs) });
          continue;
        }
        for (let i = 0; i < STANDING_LENGTH; i++) (sum.sums[i] as number) += at.standing[i] as number;
        at.ages.read(nowMs, sum.aged);
      }
    }
    return [...all.values()];
  };
  return { standing: once(standing), counted: counts.counted };
}

/** Caches a reading for one turn of the event loop, so that all figures of a scrape come from the same reading. */
function once(read: () => LocationTotals[]): () => LocationTotals[] {
  let held: LocationTotals[] | undefined;
  return () => {
    if (held === undefined) {
      held = read();
      setImmediate(() => {
        held = undefined;
      });
    }
    return held;
  };
}

function reporter(
  { name, clock, core: { engine }, counts, http }: LiveSystemDeps,
  liveClients: () => number,
): () => Omit<NodeReport, 'v' | 'writer' | 'owns' | 'leaves'> {
  const startedAt = new Date(clock.nowMs()).toISOString();
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  delay.enable();
  let reports = 0;
  let eventLoopP99Ms = 0;
  return () => {
    eventLoopP99Ms = Math.max(0, delay.percentile(99) / 1e6 - DELAY_RESOLUTION_MS);
    reports += 1;
    if (reports % REPORTS_PER_DELAY === 0) delay.reset();
    const { ready, reasons, owned } = engine.readiness;
    let actors = 0;
    let reservations = 0;
    for (const { book } of engine.partitions.values()) {
      actors += book.keyCount;
      reservations += book.parts.size;
    }
    return {
      figures: {
        name,
        http: http(),
        ready,
        reasons,
        owned,
        actors,
        reservations,
        journalWaiting: engine.journal.inFlight,
        lag: Object.fromEntries(FACT_STREAM_NAMES.map((stream) => [stream, engine.lag(stream)])),
        snapshotAgeSeconds: engine.snapshotAgeSeconds,
        eventLoopP99Ms: Number.isFinite(eventLoopP99Ms) ? Number(eventLoopP99Ms.toFixed(2)) : 0,
        memoryMiB: Math.round(process.memoryUsage.rss() / 1024 / 1024),
        liveClients: liveClients(),
        startedAt,
      },
      asked: counts.asked.read(),
    };
  };
}
