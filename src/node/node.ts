/**
 * The composition root of a node. It connects, checks the durability of the servers, provisions the streams, starts the engine and the
 * fronts, and stops everything in order.
 */
import type { Core } from '../../actors/engine/core.ts';
import type { Engine } from '../../actors/engine/engine.ts';
import type { Outbox } from '../../actors/outbox/outbox.ts';
import { LIMITS } from '../../config/limits.ts';
import type { Settings } from '../../config/settings.ts';
import { HORIZONS_BUCKET } from '../../config/topology.ts';
import { OpenAnomalies } from '../../dashboards/feed/open-anomalies.ts';
import { SkuInterests } from '../../dashboards/feed/sku-interest.ts';
import { inTime } from '../../streams/clock.ts';
import { exclusively } from '../../streams/journal/metadata.ts';
import { type NatsBroker, nonce } from '../../streams/nats/broker.ts';
import { maxPayloadTrouble } from '../../streams/nats/max-payload.ts';
import { provision } from '../../streams/nats/provision.ts';
import { namesOf } from '../api/callers.ts';
import { EventsAnswers } from '../api/events-answers.ts';
import { Answers } from '../api/stock-api.ts';
import { LiveFront } from '../http/live-socket.ts';
import { buildHttp, closeHttp } from '../http/server.ts';
import { exportKpi } from '../metrics/kpi.ts';
import { tellMessageFaults } from '../metrics/message-faults.ts';
import { Metrics } from '../metrics/metrics.ts';
import { pingServers } from '../metrics/server-pings.ts';
import { StorageSampler } from '../metrics/storage.ts';
import { requestEndpoints } from '../nats/service.ts';
import { batchClientWrites } from '../process/batched-writes.ts';
import { LimitedLog } from '../process/limited-log.ts';
import type { Log } from '../process/log.ts';
import { SteadyClock } from '../process/steady-clock.ts';
import { VERSION } from '../process/version.ts';
import { RedisSnapshots } from '../redis/snapshot-store.ts';
import { anomaliesOf } from './compose/anomalies.ts';
import { awaitNamesake, connectBroker, listen, listenAddress } from './compose/connect.ts';
import { composeCore } from './compose/core.ts';
import { measure, measureOutbox } from './compose/gauges.ts';
import { buildLiveFeed, kpiExport, LiveCounts } from './compose/live-feed.ts';
import { observing } from './compose/observers.ts';
import { policiesOf } from './compose/policies.ts';
import { webhooksOf } from './compose/webhooks.ts';
import { checkDurability } from './durability.ts';
import { agreeOnLease } from './lease-agreement.ts';
import { NatsPeers, serveOwned } from './peers.ts';

const KEY_ADVICE =
  'set HOLDFAST_SNAPSHOT_KEY_FILE to a file that only the nodes can read, such as `openssl rand -hex 32` makes, the same on all nodes';

/** Warning for the log of a node without a snapshot key. */
export const UNSIGNED_SNAPSHOTS = `snapshots are not signed: anyone who can write to Redis can change the stock; ${KEY_ADVICE}`;

export interface RunningNode {
  /** Where HTTP listens, HOST:PORT. */
  readonly http: string;
  /** The HTTP address that other nodes are given: https://HOST:PORT with TLS, otherwise HOST:PORT (see baseUrl). */
  readonly address: string;
  readonly metrics: Metrics;
  readonly engine: Engine;
  /** Journals everything that was accepted, writes a snapshot and hands the partitions back. */
  stop(): Promise<void>;
  /** Resolves with the reason if the node cannot go on. */
  readonly failed: Promise<string>;
}

/** Starts a node. If it cannot start, it rejects with a message that is written for people. */
export async function startNode(settings: Settings, log: Log): Promise<RunningNode> {
  batchClientWrites();
  if (settings.durability === 'strict' && settings.snapshotKey === undefined)
    throw new Error(
      `durability is strict, but nothing signs the snapshots: anyone who can write to Redis could change the stock; ${KEY_ADVICE}`,
    );
  const metrics = new Metrics();
  const limited = new LimitedLog(log);
  const messageFault = tellMessageFaults(metrics, limited);
  /** Called if the start fails, the latest first. */
  const open: (() => unknown)[] = [];
  try {
    const broker = await connectBroker(settings, settings.name);
    open.unshift(() => broker.close());
    broker.onFault = messageFault;
    const store = await RedisSnapshots.open(settings, (why) =>
      log.warn({ why }, 'Redis does not answer; serving goes on, snapshots are tried again'),
    );
    open.unshift(() => store.close());
    // Requests have a connection of their own, so a flood of them cannot delay the journal's acknowledgements.
    const requests = await connectBroker(settings, `${settings.name} requests`);
    open.unshift(() => requests.close());
    requests.onFault = messageFault;
    return await start({ settings, log, metrics, limited, broker, requests, store }, open);
  } catch (error) {
    for (const close of open) await close();
    throw error;
  }
}

interface Connected {
  readonly settings: Settings;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly limited: LimitedLog;
  readonly broker: NatsBroker;
  /** The connection that carries clients' requests. */
  readonly requests: NatsBroker;
  readonly store: RedisSnapshots;
}

/** Builds the parts of a node before anything runs. @param address the HTTP address that other nodes are given; '' before HTTP listens */
async function compose(connected: Connected, address: () => string, failed: (why: string) => void) {
  const { settings, log, metrics, limited, broker } = connected;
  const clock = new SteadyClock();
  const durability = await checkDurability(broker, settings);
  log[durability.level === 'partly' ? 'warn' : 'info']({}, durability.says);
  const tooSmall = maxPayloadTrouble(broker);
  if (tooSmall !== undefined) throw new Error(tooSmall);
  const horizons = await broker.keys(HORIZONS_BUCKET, { replicas: settings.replicas });
  const { created } = await provision(
    broker,
    settings,
    (message, detail) => log.warn(detail, message),
    (work) => exclusively({ clock, keys: horizons }, work),
  );
  const storage = new StorageSampler(broker);
  metrics.streamBytes(() => storage.streams);
  const peers = new NatsPeers(broker);
  const outbox: { told?: Outbox | undefined } = {};
  const anomalies = await anomaliesOf({
    broker,
    clock,
    peers,
    metrics,
    log,
    settings,
    changed: (anomaly, change, { partition, revision }) =>
      outbox.told?.anomalyChanged(partition, anomaly, change, revision),
  });
  const openAnomalies = new OpenAnomalies({
    wire: broker,
    clock,
    stored: () => anomalies.list({ limit: Number.MAX_SAFE_INTEGER }),
  });
  const counts = new LiveCounts(metrics, clock);
  const interest = new SkuInterests(settings.partitions);
  const observer = observing({
    counted: counts.counted,
    changed: (changes) => interest.changed(changes),
    others: [({ number }) => anomalies.observer(number)],
  });
  const writer = `${settings.name}-${nonce()}`;
  const here = { ...connected, clock, peers, horizons, created, storage, observer, writer, address };
  const policies = await policiesOf({ ...here, core: () => core, changed: (sku) => interest.policiesChanged(sku) });
  const core: Core = await composeCore({ ...here, policies: policies.feed, failed });
  outbox.told = core.outbox;
  const live = buildLiveFeed({
    ...here,
    ...settings,
    core,
    counts,
    interest,
    anomalies: openAnomalies,
    clocks: (partition) => anomalies.clocks(partition),
    durability: durability.says,
    failed: (error) => limited.say('error', 'live', { err: error }, 'a topic of the live feed missed a value'),
    http: address,
  });
  measure(core.engine, core.ownership, durability, metrics);
  if (core.outbox !== undefined) measureOutbox(core.outbox, metrics);
  metrics.build(VERSION, settings.name);
  exportKpi(metrics, kpiExport(core, clock, counts));
  return { clock, storage, anomalies, openAnomalies, core, live, policies };
}

async function start(connected: Connected, open: (() => unknown)[]): Promise<RunningNode> {
  const { settings, log, metrics, broker, requests, store } = connected;
  let fail: (why: string) => void = () => undefined;
  const failed = new Promise<string>((resolve) => {
    fail = resolve;
  });
  let address = '';
  const { clock, storage, anomalies, openAnomalies, core, live, policies } = await compose(
    connected,
    () => address,
    fail,
  );
  const { ownership, engine, facts, parked } = core;
  await awaitNamesake(ownership, settings);
  await agreeOnLease(broker, ownership, settings.leaseTtl);
  serveOwned(broker, core, { ...core.handlers, ...live.handlers, ...anomalies.handlers });
  engine.partitions.observe({ servedChanged: () => live.ownershipChanged() });
  const callers = { hosts: namesOf(settings.hosts, settings.http), origins: settings.origins };
  const readers = new LiveFront({
    hub: live.hub,
    closed: (ending) => metrics.countBy('live_closed_total', ending),
  });
  const webhooks = await webhooksOf({ broker: requests, clock, metrics, limited: connected.limited, settings });
  const server = buildHttp({
    stock: core.router,
    items: core.items,
    facts,
    parked,
    anomalies,
    policies: policies.desk,
    events: new EventsAnswers({ broker: requests, clock }),
    webhooks: webhooks.desk,
    system: live,
    live: readers,
    readiness: () => engine.readiness,
    metrics,
    log,
    callers,
    name: settings.name,
    tls: settings.tlsCert === undefined ? undefined : { cert: settings.tlsCert, key: settings.tlsKey },
  });
  open.unshift(() => closeHttp(server));
  const http = await listen(server, listenAddress(settings));
  address = settings.tlsCert === undefined ? http : `https://${http}`;
  log.info({ hosts: callers.hosts.join(',') }, 'HTTP answers to these host names');
  open.unshift(() => policies.feed.stop());
  policies.everywhere.start();
  await engine.start();
  storage.start();
  openAnomalies.start();
  const ending = new AbortController();
  const working = parked.run(ending.signal);
  core.outbox?.start();
  webhooks.delivery.start();
  anomalies.start({ partitions: engine.partitions, lease: ownership, parked: parked.index.causes });
  const service = await requests.service(
    'holdfast',
    VERSION,
    'Stock, available to promise, reservations',
    requestEndpoints(new Answers({ stock: core.router, facts, metrics }), metrics, log),
  );
  live.start();
  const following = setInterval(() => clock.follow(), 60_000);
  const endPings = pingServers({ nats: () => broker.flush(), redis: () => store.ping() }, metrics);
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    clearInterval(following);
    storage.stop();
    endPings();
    await service.stop().catch(() => undefined);
    ending.abort();
    await inTime(clock, LIMITS.anomalyStopMs, working);
    await webhooks.delivery.stop();
    await anomalies.stop();
    openAnomalies.stop();
    await readers.end();
    await engine.stop();
    policies.everywhere.stop();
    await core.outbox?.stop();
    live.stop();
    await closeHttp(server);
    store.close();
    await requests.close();
    await broker.close();
  };
  for (const { closed } of [broker, requests])
    closed.then(
      (why) =>
        stopping ?? fail(`the connection to NATS is closed for good${why === undefined ? '' : `: ${why.message}`}`),
      () => undefined,
    );
  return { http, address, metrics, engine, failed, stop: () => (stopping ??= stop()) };
}
