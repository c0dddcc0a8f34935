/**
 * A node: the composition root. Connects, checks what the servers promise, provisions the streams, starts the engine and the fronts,
 * and ends all of it in order.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { AnomalyKeeper } from '../actors/anomaly-keeper.ts';
import { baselineSources } from '../actors/baseline-store.ts';
import { buildCore, type Core } from '../actors/core.ts';
import type { Engine } from '../actors/engine.ts';
import type { Ownership } from '../actors/ownership.ts';
import type { Settings } from '../config/settings.ts';
import { HORIZONS_BUCKET, MARKS_BUCKET, NODES_BUCKET, OWNERS_BUCKET } from '../config/topology.ts';
import type { LiveFeed } from '../dashboards/feed/live-feed.ts';
import { OpenAnomalies } from '../dashboards/feed/open-anomalies.ts';
import { NatsBroker, nonce } from '../streams/connection.ts';
import { provision } from '../streams/provision.ts';
import { anomaliesOf } from './anomalies.ts';
import { Answers } from './answers.ts';
import { SteadyClock } from './clock.ts';
import { checkDurability } from './durability.ts';
import { buildHttp, closeHttp } from './http/server.ts';
import { exportKpi } from './kpi-metrics.ts';
import { agreeOnLease } from './lease.ts';
import { attachLive } from './live-front.ts';
import { buildLiveFeed, kpiExport, LiveCounts } from './live-system.ts';
import type { Log } from './log.ts';
import { measure } from './measure.ts';
import { Metrics } from './metrics.ts';
import { parkedFacts } from './parked-facts.ts';
import { NatsPeers, serveOwner } from './peers.ts';
import { isDead, processMark } from './process-mark.ts';
import { requestEndpoints } from './requests.ts';
import { pingServers } from './server-pings.ts';
import { RedisSnapshots } from './snapshots-redis.ts';
import { StorageWatch } from './storage.ts';
import { VERSION } from './version.ts';
import { watching } from './watching.ts';

export interface RunningNode {
  /** Where HTTP listens, HOST:PORT. */
  readonly http: string;
  readonly metrics: Metrics;
  readonly engine: Engine;
  /** Journals what was accepted, writes a snapshot, hands partitions back. */
  stop(): Promise<void>;
  /** Resolves with the reason if the node cannot go on. */
  readonly failed: Promise<string>;
}

/** Starts a node; rejects with a sentence for people if it cannot. */
export async function startNode(settings: Settings, log: Log): Promise<RunningNode> {
  const clock = new SteadyClock();
  const metrics = new Metrics();
  const broker = await connectBroker(settings.nats, settings.name);
  const store = await RedisSnapshots.open(settings.redis, (why) =>
    log.warn({ why }, 'Redis does not answer; serving goes on, snapshots are tried again'),
  );
  let fail: (why: string) => void = () => undefined;
  const failed = new Promise<string>((resolve) => {
    fail = resolve;
  });
  let front: NatsBroker | undefined;
  try {
    const durability = await checkDurability(broker, settings);
    log[durability.level === 'partly' ? 'warn' : 'info']({}, durability.says);
    const provisioned = await provision(broker, settings, (message, detail) => log.warn(detail, message));
    const storage = new StorageWatch(broker);
    metrics.streamBytes(() => storage.streams);
    const writer = `${settings.name}-${nonce()}`;
    let http = '';
    const replicas = settings.replicas;
    const nodes = await broker.keys(NODES_BUCKET, { ttlMs: settings.leaseTtl, replicas });
    const owners = await broker.keys(OWNERS_BUCKET, { replicas });
    const horizons = await broker.keys(HORIZONS_BUCKET, { replicas });
    const self = () => ({ name: settings.name, writer, http, process: processMark() });
    const peers = new NatsPeers(broker);
    const anomalies = await anomaliesOf({ broker, clock, peers, metrics, log, settings });
    const counts = new LiveCounts(metrics, clock);
    // Both are there before anything is folded, which begins with the engine's start.
    let live: LiveFeed;
    let core: Core;
    core = buildCore({
      broker,
      marks: await broker.keys(MARKS_BUCKET, { replicas }),
      clock,
      store,
      baselines: (note) => baselineSources(broker, note),
      nodes,
      owners,
      horizons,
      peers,
      self,
      isDead,
      created: provisioned.created,
      nonce,
      storage,
      settings: {
        partitions: settings.partitions,
        horizonMs: settings.horizon,
        leaseTtlMs: settings.leaseTtl,
        snapshotIntervalMs: settings.snapshotInterval,
        reservationMemoryMs: settings.reservationMemory,
        laneTimeMs: settings.laneTime,
      },
      watch: watching({
        counted: counts.counted,
        serving: (partition) => core.engine.partitions.get(partition)?.serving === true,
        changed: (sku) => live.changed(sku),
        others: [(partition) => anomalies.watch(partition)],
      }),
      events: {
        applied: (type) => metrics.factApplied(type),
        duplicate: () => metrics.factDuplicate(),
        parked: (reason) => metrics.factParked(reason),
        expired: () => metrics.reservation('expired'),
        journaled: (decisions, seconds) => {
          metrics.journalBatch(decisions);
          metrics.journalAppendSeconds(seconds);
        },
        snapshot: (seconds) => metrics.snapshotSeconds(seconds),
        recovered: (seconds) => metrics.recoverySeconds(seconds),
        followerRestarted: (stream, why) => {
          metrics.followerRestart(stream);
          log.warn({ stream, why }, 'a follower starts anew');
        },
        breach: (what) => {
          metrics.selfAuditBreach();
          log.error(
            { what },
            'the self-audit found a total that does not equal its parts; the partition is rebuilt from its log',
          );
        },
        note: (level, message, detail) => log[level](detail, message),
        failed: (why) => {
          log.error({ why }, 'this node cannot go on');
          fail(why);
        },
      },
    });
    const { ownership, engine, desk, facts } = core;
    const openAnomalies = new OpenAnomalies({
      wire: broker,
      clock,
      stored: () => anomalies.list({ limit: Number.MAX_SAFE_INTEGER }),
    });
    live = buildLiveFeed({
      name: settings.name,
      writer,
      partitions: settings.partitions,
      clock,
      broker,
      peers,
      core,
      counts,
      metrics,
      anomalies: openAnomalies,
      durability: durability.says,
      http: () => http,
    });
    await awaitNamesake(ownership, settings);
    await agreeOnLease(broker, ownership, settings.leaseTtl);
    serveOwned(core, broker, live, anomalies);
    measure(engine, ownership, durability, metrics);
    metrics.build(VERSION, settings.name);
    exportKpi(metrics, kpiExport(core, clock, counts));
    const parked = parkedFacts(broker, facts);
    const server = buildHttp({
      desk,
      facts,
      parked,
      anomalies,
      system: live,
      readiness: () => engine.readiness,
      metrics,
      log,
      name: settings.name,
    });
    const endLive = attachLive(server.server, { hub: live.hub, origins: settings.origins, metrics });
    http = await listen(server, settings.http);
    await engine.start();
    storage.start();
    openAnomalies.start();
    anomalies.start({ partitions: engine.partitions, leased: () => ownership.leased });
    // On a connection of its own: a flood of requests does not stand before the journal's acknowledgements.
    front = await connectBroker(settings.nats, `${settings.name} requests`);
    const service = await front.service(
      'holdfast',
      VERSION,
      'Stock, available to promise, reservations',
      requestEndpoints(new Answers({ desk, facts, parked, metrics }), metrics, log),
    );
    live.start();
    const following = setInterval(() => clock.follow(), 60_000);
    const endPings = pingServers({ nats: () => broker.flush(), redis: () => store.ping() }, metrics);
    let stopping: Promise<void> | undefined;
    void broker.closed.then(() => stopping ?? fail('the connection to NATS is closed for good'));
    const stop = async () => {
      clearInterval(following);
      storage.stop();
      endPings();
      await service.stop().catch(() => undefined);
      await anomalies.stop();
      openAnomalies.stop();
      await endLive();
      await engine.stop();
      live.stop();
      await closeHttp(server);
      store.close();
      await front?.close();
      await broker.close();
    };
    return { http, metrics, engine, failed, stop: () => (stopping ??= stop()) };
  } catch (error) {
    await front?.close();
    store.close();
    await broker.close();
    throw error;
  }
}

async function connectBroker(url: string, name: string): Promise<NatsBroker> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await NatsBroker.connect(url, name);
    } catch (error) {
      if (attempt >= 10)
        throw new Error(`NATS at ${url} does not answer (${(error as Error).message}); start it, or set NATS_URL`, {
          cause: error,
        });
      await delay(500);
    }
  }
}

/** Waits until another process of this name is surely gone; refuses if it lives. */
async function awaitNamesake(ownership: Ownership, settings: Settings): Promise<void> {
  const until = performance.now() + settings.leaseTtl + 1_000;
  const first = await ownership.namesake();
  while (performance.now() < until) {
    const other = await ownership.namesake();
    if (other === undefined) return;
    if (first !== undefined && other.renewed !== first.renewed) break;
    await delay(200);
  }
  throw new Error(
    `another node named "${settings.name}" is alive on this NATS; give each node a name of its own (--name, HOLDFAST_NAME)`,
  );
}

async function listen(server: ReturnType<typeof buildHttp>, address: string): Promise<string> {
  const split = address.lastIndexOf(':');
  const host = address.slice(0, split).replace(/^\[|\]$/g, '');
  try {
    await server.listen({ host, port: Number(address.slice(split + 1)) });
  } catch (error) {
    throw new Error(`HTTP cannot listen on ${address}: ${(error as Error).message}; choose another --http HOST:PORT`, {
      cause: error,
    });
  }
  const bound = server.server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Subscribes to the requests of other nodes for the partitions that are served here. */
function serveOwned(
  { engine, serve, serves }: Core,
  broker: NatsBroker,
  live: LiveFeed,
  anomalies: Pick<AnomalyKeeper, 'serve'>,
): void {
  const served = new Map<number, { stop(): void }>();
  engine.onServed = (numbers) => {
    const wanted = new Set(numbers);
    for (const [number, subscription] of served) {
      if (wanted.has(number)) continue;
      subscription.stop();
      served.delete(number);
    }
    for (const number of wanted) {
      if (served.has(number)) continue;
      const answer = (operation: string, body: unknown) =>
        live.takes(operation)
          ? live.serve(number, operation, body)
          : (anomalies.serve(number, operation, body) ?? serve(number, operation, body));
      served.set(
        number,
        serveOwner(broker, number, () => serves(number), answer),
      );
    }
    live.ownershipChanged();
  };
}
