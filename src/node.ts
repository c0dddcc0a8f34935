/**
 * A node: the composition root. Connects, checks what the servers promise, provisions the streams, starts the engine and the fronts,
 * and ends all of it in order.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { AnomalyKeeper } from '../actors/anomaly-keeper.ts';
import { baselineSources } from '../actors/baseline-store.ts';
import { buildCore, type Core } from '../actors/core.ts';
import type { Engine } from '../actors/engine.ts';
import type { StreamFactDesk } from '../actors/fact-desk.ts';
import type { Ownership } from '../actors/ownership.ts';
import type { ParkedFacts } from '../actors/ports.ts';
import { Refusal } from '../actors/refusal.ts';
import type { Settings } from '../config/settings.ts';
import { HORIZONS_BUCKET, MARKS_BUCKET, NODES_BUCKET, OWNERS_BUCKET, PARKED_STREAM } from '../config/topology.ts';
import type { LiveFeed } from '../dashboards/feed/live-feed.ts';
import { OpenAnomalies } from '../dashboards/feed/open-anomalies.ts';
import type { StoredMessage } from '../streams/broker.ts';
import { decodeBody, isMsgpack, JSON_TYPE, MSGPACK_TYPE } from '../streams/codec.ts';
import { NatsBroker, nonce } from '../streams/connection.ts';
import type { ConnectError, NatsLogin } from '../streams/nats-login.ts';
import { describeParked, listParked } from '../streams/parked.ts';
import { provision } from '../streams/provision.ts';
import type { SentBody } from '../streams/sent.ts';
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
import { NatsPeers, serveOwner } from './peers.ts';
import { isDead, processMark } from './process-mark.ts';
import { requestEndpoints } from './requests.ts';
import { pingServers } from './server-pings.ts';
import { RedisSnapshots } from './snapshots-redis.ts';
import { VERSION } from './version.ts';
import { watching } from './watching.ts';

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
  const clock = new SteadyClock();
  const metrics = new Metrics();
  if (settings.durability === 'strict' && settings.snapshotKey === undefined)
    throw new Error(
      `durability is strict, but nothing signs the snapshots: whoever can write to Redis could change the stock; ${KEY_ADVICE}`,
    );
  const broker = await connectBroker(settings, settings.name);
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
    const provisioned = await provision(broker, settings);
    const writer = `${settings.name}-${nonce()}`;
    let http = '';
    let address = '';
    const replicas = settings.replicas;
    const nodes = await broker.keys(NODES_BUCKET, { ttlMs: settings.leaseTtl, replicas });
    const owners = await broker.keys(OWNERS_BUCKET, { replicas });
    const horizons = await broker.keys(HORIZONS_BUCKET, { replicas });
    const self = () => ({ name: settings.name, writer, http: address, process: processMark() });
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
      http: () => address,
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
      tls: settings.tlsCert === undefined ? undefined : { cert: settings.tlsCert, key: settings.tlsKey },
    });
    const endLive = attachLive(server.server, { hub: live.hub, origins: settings.origins, metrics });
    http = await listen(server, listenAddress(settings));
    address = settings.tlsCert === undefined ? http : `https://${http}`;
    await engine.start();
    openAnomalies.start();
    anomalies.start({ partitions: engine.partitions, leased: () => ownership.leased });
    // On a connection of its own: a flood of requests does not stand before the journal's acknowledgements.
    front = await connectBroker(settings, `${settings.name} requests`);
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
      void connection.closed.then(
        (why) =>
          stopping ?? fail(`the connection to NATS is closed for good${why === undefined ? '' : `: ${why.message}`}`),
      );
    const stop = async () => {
      clearInterval(following);
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

/** A parked fact as it came; throws if it cannot be read. */
function sentOf(parked: StoredMessage): SentBody {
  const { contentType } = describeParked(parked);
  const type = isMsgpack(parked.data, contentType) ? MSGPACK_TYPE : JSON_TYPE;
  return { value: decodeBody(parked.data, contentType), bytes: parked.data, type };
}

function parkedFacts(broker: NatsBroker, facts: StreamFactDesk): ParkedFacts {
  return {
    list: async (after, limit) =>
      (await listParked(broker, after, limit)).map((message) => {
        const { reason, message: why, source, contentType } = describeParked(message);
        return {
          seq: message.seq,
          parkedAt: new Date(message.recordedAt / 1000).toISOString(),
          reason,
          message: why,
          source,
          contentType,
          bytes: Buffer.from(message.data).toString('base64'),
        };
      }),
    resubmit: async (seq, corrected) => {
      const parked = await broker.message(PARKED_STREAM, seq);
      if (parked === undefined) throw new Refusal('not-found', `no fact is parked at ${seq}`);
      try {
        await facts.resubmit(corrected ?? sentOf(parked));
      } catch (error) {
        if (error instanceof Refusal) throw error;
        throw new Refusal(
          'invalid-request',
          `the parked fact cannot be submitted as it is: ${(error as Error).message}; send a corrected one`,
        );
      }
    },
  };
}
