/** What a home has answered about a reservation holds while homes do not answer, such as after a take-over. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AnomalyKeeper } from '../../../actors/anomaly/keeper.ts';
import { foldFact } from '../../../actors/partition/fold.ts';
import { Partition } from '../../../actors/partition/partition.ts';
import type { Peers } from '../../../actors/ports/ports.ts';
import { UNDECIDED, undecided } from '../../../actors/ports/refusal.ts';
import { ANOMALY_DEFAULTS } from '../../../config/anomalies.ts';
import { ANOMALIES_BUCKET } from '../../../config/topology.ts';
import { freshNats } from '../../../harness/servers/servers.ts';
import { SteadyClock } from '../../../src/process/steady-clock.ts';
import type { Keys } from '../../../streams/broker.ts';
import type { Anomaly } from '../../../streams/contract/anomaly.ts';
import { parseFact } from '../../../streams/fact/fact.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';
import { partitionOf } from '../../../streams/subjects.ts';

const PARTITIONS = 8;
const HERE = 3;
let broker: NatsBroker;
let keys: Keys;
beforeAll(async () => {
  broker = await NatsBroker.connect((await freshNats()).url, 'keeper');
  keys = await broker.keys(ANOMALIES_BUCKET, { replicas: 1 });
});
afterAll(() => broker?.close());

/** Ids whose home is not served here. */
const [known = '', unknown = ''] = Array.from({ length: 50 }, (_, i) => `r-${i}`).filter(
  (id) => partitionOf(id, PARTITIONS) !== HERE,
);

/** A node that serves one partition, in which units were sold for the two reservations, as it is after a take-over. */
function takeOver(ask: (ids: readonly string[]) => Promise<readonly string[]>) {
  const changes: Anomaly[] = [];
  const peers = { ask: (_: number, __: string, ids: readonly string[]) => ask(ids) } as unknown as Peers;
  const keeper = new AnomalyKeeper({
    keys,
    clock: new SteadyClock(),
    peers,
    count: PARTITIONS,
    parameters: { ...ANOMALY_DEFAULTS, unknownAfterMs: 0 },
    laneTimeMs: 0,
    memoryMs: 3_600_000,
    changed: (anomaly) => void changes.push(anomaly),
    trouble: () => undefined,
  });
  const partition = new Partition(HERE);
  partition.state = 'serving';
  partition.observer = keeper.observer(HERE);
  const sell = (sku: string, reservation?: string) => {
    const occurredAt = '2026-01-05T09:00:00Z';
    const parsed = parseFact({
      id: `${sku}-${reservation}`,
      type: 'sale',
      sku,
      location: 'x',
      occurredAt,
      qty: 1,
      reservation,
    });
    if (!parsed.ok) throw new Error(parsed.message);
    foldFact(partition, parsed.fact, parsed.fact.at);
  };
  sell('mug', known);
  sell('mug', unknown);
  keeper.start({
    partitions: new Map([[HERE, partition]]),
    lease: { leased: true },
    parked: { version: undefined, of: () => new Map() },
  });
  const open = () => [...keeper.open()].map(({ kind, data, sku }) => `${kind} ${data.reservation ?? sku}`).toSorted();
  return { keeper, sell, changes, open };
}

it('leaves the anomalies that it led to open, until a home says otherwise', async () => {
  const expected = ['negative_stock mug', `over_fulfilled ${known}`, `reservation_unknown ${unknown}`].toSorted();
  const first = takeOver(async (ids) => ids.filter((id) => id === known));
  await expect.poll(first.open, { timeout: 20_000 }).toEqual(expected);
  await first.keeper.stop();
  const next = takeOver(async () => Promise.reject(undecided(UNDECIDED.moving)));
  await expect.poll(next.open, { timeout: 20_000 }).toEqual(expected);
  // One that is raised later shows that a round has stored what it found.
  next.sell('pan');
  await expect.poll(next.open, { timeout: 20_000 }).toContain('negative_stock pan');
  expect(next.changes.map(({ kind, sku, state }) => [kind, sku, state])).toEqual([['negative_stock', 'pan', 'open']]);
  await next.keeper.stop();
  const last = takeOver(async (ids) => ids);
  const told = ['negative_stock mug', ...[known, unknown].map((id) => `over_fulfilled ${id}`)].toSorted();
  await expect.poll(last.open, { timeout: 20_000 }).toEqual(told);
  await last.keeper.stop();
});
