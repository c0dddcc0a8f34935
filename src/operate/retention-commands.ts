/**
 * `holdfast baseline`, `trim`, `verify`, `horizon` and `one-piece` maintain the streams and the stored copies of the state. Each connects,
 * does its work and disconnects.
 */

import { type ChangedRule, Rules, type RulesEntry } from '../../actors/idempotency/rules.ts';
import { RulesList } from '../../actors/idempotency/rules-list.ts';
import { Writers } from '../../actors/log/writers.ts';
import { liveNodes } from '../../actors/ownership/ownership.ts';
import type { Owners } from '../../actors/ports/owner-progress.ts';
import { BaselineStore, baselineSources } from '../../actors/retention/baseline-store.ts';
import { changeRules } from '../../actors/retention/change-rules.ts';
import { type MadeBaseline, makeBaseline, type RetentionParts } from '../../actors/retention/make-baseline.ts';
import { type Trimmed, trim } from '../../actors/retention/trim.ts';
import type { VerificationReport } from '../../actors/retention/verify/report.ts';
import { verify } from '../../actors/retention/verify/verify.ts';
import type { Settings } from '../../config/settings.ts';
import { HORIZONS_BUCKET, NODES_BUCKET, SKIPS_BUCKET, WRITERS_BUCKET } from '../../config/topology.ts';
import type { Keys } from '../../streams/broker.ts';
import { NatsBroker, nonce } from '../../streams/nats/broker.ts';
import { NatsPeers } from '../node/peers.ts';
import { isDead } from '../process/identity.ts';
import { SteadyClock } from '../process/steady-clock.ts';
import { RedisSnapshots } from '../redis/snapshot-store.ts';

/** How long to wait for nodes that lag. */
const PATIENCE_MS = 60_000;

const clock = new SteadyClock();

export interface Patience {
  readonly patienceMs?: number;
}

/** Writes a baseline. Rejects with a message for people if it cannot be made. */
export async function runBaseline(
  settings: Settings,
  { patienceMs = PATIENCE_MS }: Patience = {},
): Promise<MadeBaseline> {
  return withBroker(settings, async (broker) => {
    const store = await BaselineStore.open(broker, settings.replicas);
    const keeping = await keepingOf(broker, settings);
    const id = `${new Date().toISOString().replace(/[-:.]/g, '')}-${nonce()}`;
    return makeBaseline({ broker, store, keeping, id, patienceMs, clock });
  });
}

/** Trims the streams. Rejects with a message for people if nothing may be removed. */
export async function runTrim(
  settings: Settings,
  { older, patienceMs = PATIENCE_MS }: Patience & { readonly older: boolean },
): Promise<Trimmed> {
  return withBroker(settings, async (broker) =>
    trim({
      broker,
      store: await BaselineStore.find(broker),
      partitions: settings.partitions,
      replicas: settings.replicas,
      owners: ownersOf(broker),
      rules: (await rulesOf(broker, settings)).rules,
      keys: await lockKeys(broker, settings),
      older,
      patienceMs,
      clock,
    }),
  );
}

export async function runVerify(settings: Settings): Promise<VerificationReport> {
  return withBroker(settings, async (broker) => {
    let trouble = '';
    const snapshots = await RedisSnapshots.open(settings, (why) => {
      trouble = why;
    });
    try {
      await snapshots.ping().catch((error: Error) => {
        throw new Error(
          `Redis at ${settings.redis} does not answer (${trouble || error.message}); start it, or set REDIS_URL`,
          { cause: error },
        );
      });
      const keeping = await keepingOf(broker, settings);
      return await verify({ broker, clock, snapshots, baselines: await BaselineStore.find(broker), keeping });
    } finally {
      snapshots.close();
    }
  });
}

function ownersOf(broker: NatsBroker): Owners {
  const peers = new NatsPeers(broker);
  return { point: (partition) => peers.ask(partition, 'point', {}) };
}

/** Reads which writers' records count, and which places people have skipped. */
export async function writersOf(broker: NatsBroker, { replicas }: Settings): Promise<Writers> {
  const writers = await broker.keys(WRITERS_BUCKET, { replicas });
  return new Writers({ broker, clock, writers, skips: await broker.keys(SKIPS_BUCKET, { replicas }) });
}

/** Changes the rules. Rejects with a message for people if they cannot be changed now. */
export async function runChangeRules(settings: Settings, change: ChangedRule): Promise<RulesEntry> {
  return withBroker(settings, async (broker) => {
    const { leaseTtl: ttlMs, replicas } = settings;
    const nodes = await broker.keys(NODES_BUCKET, { ttlMs, replicas });
    const deps = {
      broker,
      clock,
      keys: await lockKeys(broker, settings),
      live: () => liveNodes(nodes, isDead),
      baselines: (note: Parameters<typeof baselineSources>[1]) => baselineSources(broker, note),
    };
    return changeRules(deps, change);
  });
}

function lockKeys(broker: NatsBroker, { replicas }: Settings): Promise<Keys> {
  return broker.keys(HORIZONS_BUCKET, { replicas });
}

/** Reads the rules that the nodes use. A command with other rules would judge facts differently and get other numbers. */
async function rulesOf(broker: NatsBroker, settings: Settings): Promise<Pick<RetentionParts, 'rules' | 'refresh'>> {
  const keys = await lockKeys(broker, settings);
  const list = new RulesList({
    broker,
    clock,
    keys,
    live: async () => [],
    firstHorizonMs: undefined,
    firstPieces: undefined,
  });
  const rules = new Rules();
  const refresh = async () => void rules.adopt(await list.read());
  await refresh();
  if (rules.known === 0) throw new Error('nothing is recorded by which facts are judged: start a node once');
  return { rules, refresh };
}

async function keepingOf(broker: NatsBroker, settings: Settings): Promise<RetentionParts> {
  const { partitions } = settings;
  const owners = ownersOf(broker);
  const asked = await Promise.all(
    Array.from({ length: partitions }, (_, number) => owners.point(number).catch(() => undefined)),
  );
  const told = asked.find((each) => each !== undefined);
  return {
    partitions,
    ...(await rulesOf(broker, settings)),
    writers: await writersOf(broker, settings),
    reservationMemoryMs: told?.reservationMemoryMs,
  };
}

export async function withBroker<T>(settings: Settings, work: (broker: NatsBroker) => Promise<T>): Promise<T> {
  const broker = await NatsBroker.connect(settings, 'holdfast-inspection');
  try {
    return await work(broker);
  } finally {
    await broker.close();
  }
}
