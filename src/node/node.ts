/**
 * A node: the composition root. Connects, checks what the servers promise, provisions the streams, starts the engine and the fronts,
 * and ends all of it in order.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { buildCore } from '../../actors/engine/core.ts';
import type { Engine } from '../../actors/engine/engine.ts';
import type { Ownership } from '../../actors/ownership/ownership.ts';
import { baselineSources } from '../../actors/retention/baseline-store.ts';
import type { Settings } from '../../config/settings.ts';
import {
  HORIZONS_BUCKET,
  MARKS_BUCKET,
  NODES_BUCKET,
  OWNERS_BUCKET,
  SKIPS_BUCKET,
  WRITERS_BUCKET,
} from '../../config/topology.ts';
import { OpenAnomalies } from '../../dashboards/feed/open-anomalies.ts';
import { Wanted } from '../../dashboards/feed/sku-interest.ts';
import { exclusively } from '../../streams/journal/metadata.ts';
import { NatsBroker, nonce } from '../../streams/nats/broker.ts';
import type { ConnectError, NatsLogin } from '../../streams/nats/login.ts';
import { maxPayloadTrouble } from '../../streams/nats/max-payload.ts';
import { provision } from '../../streams/nats/provision.ts';
import { namesOf } from '../api/callers.ts';
import { parkedFacts } from '../api/parked-facts.ts';
import { Answers } from '../api/stock-api.ts';
import { attachLive } from '../http/live-socket.ts';
import { buildHttp, closeHttp } from '../http/server.ts';
import { exportKpi } from '../metrics/kpi.ts';
import { tellMessageFaults } from '../metrics/message-faults.ts';
import { Metrics } from '../metrics/metrics.ts';
import { pingServers } from '../metrics/server-pings.ts';
import { StorageWatch } from '../metrics/storage.ts';
import { requestEndpoints } from '../nats/service.ts';
import { batchClientWrites } from '../process/batched-writes.ts';
import { isDead, processMark } from '../process/identity.ts';
import type { Log } from '../process/log.ts';
import { Seldom } from '../process/seldom.ts';
import { SteadyClock } from '../process/steady-clock.ts';
import { VERSION } from '../process/version.ts';
import { RedisSnapshots } from '../redis/snapshot-store.ts';
import { anomaliesOf } from './compose-anomalies.ts';
import { measure } from './compose-gauges.ts';
import { buildLiveFeed, kpiExport, LiveCounts } from './compose-live-feed.ts';
import { watching } from './compose-observers.ts';
import { checkDurability } from './durability.ts';
import { agreeOnLease } from './lease-agreement.ts';
import { NatsPeers, serveOwned } from './peers.ts';

const KEY_ADVICE =
  'set HOLDFAST_SNAPSHOT_KEY_FILE to a file that only the nodes can read, such as `openssl rand -hex 32` makes, the same on all nodes';

/** For the log of a node whose snapshots nobody signs. */
export const UNSIGNED_SNAPSHOTS = `snapshots are not signed: whoever can write to Redis can change the stock; ${KEY_ADVICE}`;

export interface RunningNode {
  /** Where HTTP listens, HOST:PORT. */
  readonly http: string;
  /** The same as others are told: https://HOST:PORT where it speaks TLS (baseUrl). */
  readonly address: string;
  readonly metrics: Metrics;
  readonly engine: Engine;
  /** Journals what was accepted, writes a snapshot, hands partitions back. */
  stop(): Promise<void>;
  /** Resolves with the reason if the node cannot go on. */
  readonly failed: Promise<string>;
}

/** Starts a node; rejects with a sentence for people if it cannot. */
export async function startNode(settings: Settings, log: Log): Promise<RunningNode> {
  batchClientWrites();
  const clock = new SteadyClock();
  const metrics = new Metrics();
  if (settings.durability === 'strict' && settings.snapshotKey === undefined)
    throw new Error(
      `durability is strict, but nothing signs the snapshots: whoever can write to Redis could change the stock; ${KEY_ADVICE}`,
    );
  const broker = await connectBroker(settings, settings.name);
  const seldom = new Seldom(log);
  const messageFault = tellMessageFaults(metrics, seldom);
  broker.onFault = messageFault;
  const store = await RedisSnapshots.open(settings, (why) =>
    log.warn({ why }, 'Redis does not answer; serving goes on, snapshots are tried again'),
  ).catch(async (error) => {
    await broker.close();
    throw error;
  });
  let fail: (why: string) => void = () => undefined;
  const failed = new Promise<string>((resolve) => {
    fail = resolve;
  });
  let front: NatsBroker | undefined;
  try {
    const durability = await checkDurability(broker, settings);
    log[durability.level === 'partly' ? 'warn' : 'info']({}, durability.says);
    const tooSmall = maxPayloadTrouble(broker);
    if (tooSmall !== undefined) throw new Error(tooSmall);
    const replicas = settings.replicas;
    const horizons = await broker.keys(HORIZONS_BUCKET, { replicas });
    const provisioned = await provision(
      broker,
      settings,
      (message, detail) => log.warn(detail, message),
      (work) => exclusively({ clock, keys: horizons }, work),
    );
    const storage = new StorageWatch(broker);
    metrics.streamBytes(() => storage.streams);
    const writer = `${settings.name}-${nonce()}`;
    let http = '';
    let address = '';
    const nodes = await broker.keys(NODES_BUCKET, { ttlMs: settings.leaseTtl, replicas });
    const owners = await broker.keys(OWNERS_BUCKET, { replicas });
    const self = () => ({ name: settings.name, writer, http: address, process: processMark() });
    const peers = new NatsPeers(broker);
    const anomalies = await anomaliesOf({ broker, clock, peers, metrics, log, settings });
    const counts = new LiveCounts(metrics, clock);
    const interest = new Wanted(settings.partitions);
    const core = buildCore({
      broker,
      marks: await broker.keys(MARKS_BUCKET, { replicas }),
      clock,
      store,
      baselines: (note) => baselineSources(broker, note),
      nodes,
      owners,
      horizons,
      writers: await broker.keys(WRITERS_BUCKET, { replicas }),
      skips: await broker.keys(SKIPS_BUCKET, { replicas }),
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
        changed: (changes) => interest.changed(changes),
        others: [({ number }) => anomalies.watch(number)],
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
    const live = buildLiveFeed({
      name: settings.name,
      writer,
      partitions: settings.partitions,
      clock,
      broker,
      peers,
      core,
      counts,
      interest,
      metrics,
      anomalies: openAnomalies,
      durability: durability.says,
      failed: (error) => seldom.say('error', 'live', { err: error }, 'a topic of the live feed missed a value'),
      http: () => address,
    });
    await awaitNamesake(ownership, settings);
    await agreeOnLease(broker, ownership, settings.leaseTtl);
    serveOwned(broker, core, { ...core.handlers, ...live.handlers, ...anomalies.handlers });
    engine.partitions.observe({ servedChanged: () => live.ownershipChanged() });
    measure(engine, ownership, durability, metrics);
    metrics.build(VERSION, settings.name);
    exportKpi(metrics, kpiExport(core, clock, counts));
    const parked = parkedFacts(broker, facts);
    const callers = { hosts: namesOf(settings.hosts, settings.http), origins: settings.origins };
    const server = buildHttp({
      desk,
      facts,
      parked,
      anomalies,
      system: live,
      readiness: () => engine.readiness,
      metrics,
      log,
      callers,
      name: settings.name,
      tls: settings.tlsCert === undefined ? undefined : { cert: settings.tlsCert, key: settings.tlsKey },
    });
    const endLive = attachLive(server.server, { hub: live.hub, callers, metrics });
    http = await listen(server, listenAddress(settings));
    address = settings.tlsCert === undefined ? http : `https://${http}`;
    log.info({ hosts: callers.hosts.join(',') }, 'HTTP answers to these host names');
    await engine.start();
    storage.start();
    openAnomalies.start();
    anomalies.start({ partitions: engine.partitions, lease: ownership });
    // On a connection of its own: a flood of requests does not stand before the journal's acknowledgements.
    front = await connectBroker(settings, `${settings.name} requests`);
    front.onFault = messageFault;
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
    for (const connection of [broker, front])
      connection.closed.then(
        (why) =>
          stopping ?? fail(`the connection to NATS is closed for good${why === undefined ? '' : `: ${why.message}`}`),
        () => undefined,
      );
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
    return { http, address, metrics, engine, failed, stop: () => (stopping ??= stop()) };
  } catch (error) {
    await front?.close();
    store.close();
    await broker.close();
    throw error;
  }
}

async function connectBroker(login: NatsLogin, name: string): Promise<NatsBroker> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await NatsBroker.connect(login, name);
    } catch (error) {
      if (attempt >= 10 || (error as ConnectError).final) throw error;
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

/** A scheme says what is expected of this node: it must not listen with less. */
function listenAddress({ http, tlsCert }: Settings): string {
  if (http.startsWith('https://') && tlsCert === undefined)
    throw new Error(`HTTP cannot listen on ${http} without HOLDFAST_TLS_CERT_FILE and HOLDFAST_TLS_KEY_FILE`);
  return http.replace(/^https?:\/\//, '');
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
