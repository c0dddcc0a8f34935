/** The answer to facts over HTTP is their owner's verdict. The front waits for a verdict that can still come, and never guesses one. */
import { beforeAll, expect, it } from 'vitest';
import { FactIds } from '../../../actors/idempotency/fact-ids.ts';
import { Rules } from '../../../actors/idempotency/rules.ts';
import { Intake } from '../../../actors/ingest/intake.ts';
import { StreamFactIngress } from '../../../actors/ingest/submit.ts';
import { Partition } from '../../../actors/partition/partition.ts';
import { RULES_VERSION } from '../../../config/rules.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { NatsPeers } from '../../../src/node/peers.ts';
import { SteadyClock } from '../../../src/process/steady-clock.ts';
import { ParkMarks } from '../../../streams/fact/parked/park-marks.ts';
import { sentAsJson } from '../../../streams/fact/sent-body.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';
import { provision } from '../../../streams/nats/provision.ts';
import { Follower } from '../../../streams/read/follower.ts';
import { freshEngine } from '../engine/test-engine.ts';

const PARTITIONS = 32;
const none = () => undefined;
let nats: string;
let redis: string;
let broker: NatsBroker;
beforeAll(async () => {
  [nats, redis] = (await Promise.all([freshNats(), freshRedis()])).map(({ url }) => url) as [string, string];
  broker = await NatsBroker.connect(nats, 'front');
  await provision(broker, { partitions: PARTITIONS, replicas: 1 });
});

const RULES = [{ from: {}, horizonMs: null, slackMs: 0, version: RULES_VERSION }];
/** A front that owns these partitions, with an intake that receives the given messages. */
function frontOf(partitions: Map<number, Partition>, entries: ConstructorParameters<typeof Rules>[0] = RULES) {
  const rules = new Rules(entries);
  const events = { applied: none, duplicate: none, parked: none, inDoubt: none };
  const clock = new SteadyClock();
  const stored = { marks: new ParkMarks(), partitions: PARTITIONS };
  const intake = new Intake(clock, partitions, new FactIds(), async () => undefined, events, rules, stored);
  const ingress = new StreamFactIngress({
    broker,
    intake,
    peers: new NatsPeers(broker),
    parking: { park: async () => undefined, stalled: undefined },
    parked: none,
    stopping: () => false,
    clock,
    aheadMs: () => 0,
    partitions: PARTITIONS,
    rules,
    knows: async () => false,
  });
  return { intake, submit: (...facts: object[]) => ingress.submit(facts.map(sentAsJson)) };
}
const receipt = (id: string, sku: string, qty = 1) => ({
  id,
  type: 'receipt',
  sku,
  location: 'x',
  occurredAt: new Date().toISOString(),
  qty,
});
const stored = async () => (await broker.stream('RECEIPTS'))?.lastSeq ?? 0;

it('stores nothing and is undecided until the node has read the rules', async () => {
  const { submit } = frontOf(new Map(), []);
  const before = await stored();
  const starting = { kind: 'undecided', message: expect.stringContaining('the node is starting') };
  await expect(submit(receipt('early', 'A'))).rejects.toMatchObject(starting);
  expect(await stored()).toBe(before);
});

it('waits for the owner that comes; without one it is undecided, and all may be sent again', async () => {
  const front = frontOf(new Map());
  const fact = receipt('a', 'A');
  await expect(front.submit(fact)).rejects.toMatchObject({
    kind: 'undecided',
    message: expect.stringContaining('send all of them again, which is harmless'),
  });
  expect(await stored()).toBe(1);
  const [again, other] = [front.submit(fact), front.submit(receipt('b', 'B'))];
  await expect.poll(stored).toBe(3);
  const owner = await freshEngine(nats, redis, 'one');
  expect(await again).toEqual({ accepted: 0, duplicates: 1, rejected: [] });
  expect(await other).toEqual({ accepted: 1, duplicates: 0, rejected: [] });
  await owner.stop();
  // This owner does not know its predecessor's verdicts and does not guess them.
  const next = await freshEngine(nats, redis, 'one');
  const number = [...next.engine.partitions.values()].find((each) => each.loadedPositions.RECEIPTS >= 2)?.number ?? -1;
  expect(await next.engine.intake.outcomes('RECEIPTS', 2, [0], number, 1_000)).toEqual(['unknown']);
  await next.stop();
}, 40_000);

it('waits for its own intake while it catches up, however many ask', async () => {
  const partitions = new Map(Array.from({ length: PARTITIONS }, (_, number) => [number, new Partition(number)]));
  const front = frontOf(partitions);
  const before = await stored();
  const fact = receipt('c', 'C');
  const answers = [front.submit(fact), front.submit(fact, { ...fact, qty: 2 }, fact)];
  await expect.poll(stored).toBe(before + 1);
  const asked = [1, 2].map(() => front.intake.outcomes('RECEIPTS', before + 1, [0], 0, 20_000));
  const follower = new Follower({ broker, clock: new SteadyClock() }, 'RECEIPTS', [], 0, {
    message: (message) => {
      front.intake.take('RECEIPTS', message);
      return undefined;
    },
    caughtUp: none,
    restarted: none,
    lost: none,
  });
  follower.start();
  const [one, three] = await Promise.all(answers);
  follower.close();
  expect((one?.accepted ?? 0) + (three?.accepted ?? 0)).toBe(1);
  expect(three?.rejected).toMatchObject([{ index: 1, code: 'id-conflict' }]);
  front.intake.giveUp();
  expect(await Promise.all(asked)).toSatisfy((all: unknown[]) => all[0] === all[1]);
}, 30_000);

it('of one id in one request the first holds, whatever the types', async () => {
  const owner = await freshEngine(nats, redis, 'one');
  for (let turn = 0; turn < 20; turn++) {
    const first = receipt(`d${turn}`, `D${turn}`, 3);
    const sale = { ...first, type: 'sale', qty: 2 };
    const elsewhere = { ...first, sku: `E${turn}` };
    expect(await owner.facts.submit([first, sale, first, elsewhere, { ...first, qty: 'x' }, first])).toMatchObject({
      accepted: 1,
      duplicates: 2,
      rejected: [
        { index: 1, code: 'id-conflict' },
        { index: 3, code: 'id-conflict' },
        { index: 4, code: 'invalid' },
      ],
    });
  }
  await owner.stop();
}, 40_000);
