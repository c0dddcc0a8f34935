/**
 * `holdfast baseline`, `trim` and `verify`: looking after the streams and the stored copies of the state. Each connects, does its work,
 * and leaves nothing running.
 */
import { BaselineStore } from '../actors/baseline-store.ts';
import { Horizons } from '../actors/horizons.ts';
import { type KeepingRules, type Made, makeBaseline } from '../actors/make-baseline.ts';
import { type OwnerPoint, type Owners, POINT_OPERATION } from '../actors/owner-points.ts';
import { type Trimmed, trim } from '../actors/trim.ts';
import { type Verdict, verify } from '../actors/verify.ts';
import type { Settings } from '../config/settings.ts';
import { HORIZONS_BUCKET } from '../config/topology.ts';
import { NatsBroker, nonce } from '../streams/connection.ts';
import { SteadyClock } from './clock.ts';
import { NatsPeers } from './peers.ts';
import { RedisSnapshots } from './snapshots-redis.ts';

/** How long nodes that lag are waited for. */
const PATIENCE_MS = 60_000;

const clock = new SteadyClock();

export interface Patience {
  readonly patienceMs?: number;
}

/** Rejects with a sentence for people if none could be made. */
export async function runBaseline(settings: Settings, { patienceMs = PATIENCE_MS }: Patience = {}): Promise<Made> {
  return withBroker(settings, async (broker) => {
    const store = await BaselineStore.open(broker, settings.replicas);
    const rules = await rulesOf(broker, settings);
    const id = `${new Date().toISOString().replace(/[-:.]/g, '')}-${nonce()}`;
    return makeBaseline({ broker, store, rules, id, patienceMs, clock });
  });
}

/** Rejects with a sentence for people if nothing may be removed. */
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
      horizons: await horizonsOf(broker, settings),
      older,
      patienceMs,
      clock,
    }),
  );
}

export async function runVerify(settings: Settings): Promise<Verdict> {
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
      const rules = await rulesOf(broker, settings);
      return await verify({ broker, clock, snapshots, baselines: await BaselineStore.find(broker), rules });
    } finally {
      snapshots.close();
    }
  });
}

function ownersOf(broker: NatsBroker): Owners {
  const peers = new NatsPeers(broker);
  return { point: async (partition) => (await peers.ask(partition, POINT_OPERATION, {})) as OwnerPoint };
}

/** The list of horizons that nodes keep; without one, the setting. */
async function horizonsOf(broker: NatsBroker, settings: Settings): Promise<Horizons> {
  const horizons = new Horizons(await broker.keys(HORIZONS_BUCKET, { replicas: settings.replicas }), settings.horizon);
  await horizons.refresh();
  return horizons;
}

/** Rules of those who serve: a command that judged by others would find other numbers. */
async function rulesOf(broker: NatsBroker, settings: Settings): Promise<KeepingRules> {
  const { partitions } = settings;
  const owners = ownersOf(broker);
  const asked = await Promise.all(
    Array.from({ length: partitions }, (_, number) => owners.point(number).catch(() => undefined)),
  );
  const told = asked.find((each) => each !== undefined);
  return {
    partitions,
    horizons: await horizonsOf(broker, settings),
    reservationMemoryMs: told?.reservationMemoryMs,
  };
}

async function withBroker<T>(settings: Settings, work: (broker: NatsBroker) => Promise<T>): Promise<T> {
  const broker = await NatsBroker.connect(settings, 'holdfast-inspection');
  try {
    return await work(broker);
  } finally {
    await broker.close();
  }
}
