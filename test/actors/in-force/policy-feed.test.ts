/** A node whose policies cannot be followed: what it does with its lease, and with what the bucket may hold. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PolicyFeed } from '../../../actors/in-force/policy-feed.ts';
import { policyKey } from '../../../actors/in-force/records.ts';
import { type Followed, Ownership } from '../../../actors/ownership/ownership.ts';
import { LIMITS } from '../../../config/limits.ts';
import { LOCATIONS_BUCKET, NODES_BUCKET, OWNERS_BUCKET, POLICIES_BUCKET } from '../../../config/topology.ts';
import { freshNats } from '../../../harness/servers/servers.ts';
import { until } from '../../../harness/until.ts';
import { SteadyClock } from '../../../src/process/steady-clock.ts';
import type { Broker, HistoryKeys } from '../../../streams/broker.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';

const TTL_MS = 1_500;
let broker: NatsBroker;
let policies: HistoryKeys;
const feeds: PolicyFeed[] = [];

beforeAll(async () => {
  broker = await NatsBroker.connect((await freshNats()).url, 'feed');
  policies = await broker.keys(POLICIES_BUCKET, { replicas: 1, history: LIMITS.policyHistory });
  await broker.keys(LOCATIONS_BUCKET, { replicas: 1, history: LIMITS.policyHistory });
});
afterAll(async () => {
  for (const feed of feeds) feed.stop();
  await broker.close();
});

const clock = new SteadyClock();
const setTo = (sku: string, safetyStock: number) =>
  policies.put(policyKey(sku, '*'), JSON.stringify({ sku, location: '*', set: { safetyStock }, at: '' }));

function feedOf(over: Partial<Broker> = {}): { feed: PolicyFeed; notes: string[]; changed: (string | undefined)[] } {
  const notes: string[] = [];
  const changed: (string | undefined)[] = [];
  // A link that is broken for some calls only. The client has no such fault of its own.
  const link: Broker = Object.assign(Object.create(broker) as Broker, {
    stream: broker.stream.bind(broker),
    follow: broker.follow.bind(broker),
    ...over,
  });
  const feed = new PolicyFeed({
    broker: link,
    clock,
    staleMs: TTL_MS,
    changed: (sku) => changed.push(sku),
    note: (_, message) => notes.push(message),
  });
  feeds.push(feed);
  return { feed, notes, changed };
}

async function leaseOf(followed: Followed, name: string) {
  const nodes = await broker.keys(NODES_BUCKET, { ttlMs: TTL_MS, replicas: 1 });
  const owners = await broker.keys(OWNERS_BUCKET, { replicas: 1 });
  const self = () => ({ name, writer: name, http: '', process: undefined });
  const ownership = new Ownership(nodes, owners, clock, self, TTL_MS, () => false, followed);
  const names = async () => (await ownership.live()).map((node) => node.name);
  return { ownership, names };
}

it('a node that no longer hears of changes stops to renew its lease, and is gone for the others', async () => {
  let deaf = false;
  const { feed } = feedOf({
    follow: (stream, options, handlers) =>
      broker.follow(stream, options, { ...handlers, message: (each) => (deaf ? undefined : handlers.message(each)) }),
  });
  await feed.start();
  const { ownership, names } = await leaseOf(feed, 'deaf');
  await ownership.renew(async () => undefined);
  expect(ownership.leased).toBe(true);
  deaf = true;
  await setTo('mug', 1);
  const refused: string[] = [];
  await until(
    async () => {
      await ownership.renew(async () => undefined).catch((error: Error) => refused.push(error.message));
      return refused.length > 0;
    },
    10_000,
    () => 'a renewal is refused',
    100,
  );
  expect(refused[0]).toMatch(/policies cannot be followed.*holdfast_policies has revision \d+, but only \d+ came here/);
  await until(
    async () => !ownership.leased && !(await names()).includes('deaf'),
    10_000,
    () => 'its lease has ended',
  );
});

it('a lease counts only when all that was set before it is in force', async () => {
  const { feed } = feedOf();
  await feed.start();
  let set: Promise<number> | undefined;
  const followed = {
    // Somebody sets a policy after the last look of this node, and does not wait for it.
    mustFollow: () => {
      set = setTo('pan', 3);
    },
    sync: async (stallMs: number) => {
      await set;
      await feed.sync(stallMs);
    },
  };
  const { ownership } = await leaseOf(followed, 'late');
  await ownership.renew(async () => undefined);
  expect(ownership.leased).toBe(true);
  expect(feed.policies.of('pan', 'dc').safetyStock).toBe(3);
});

it('a node that slept for longer than its lease renews it at once', async () => {
  const { feed } = feedOf();
  await feed.start();
  feed.mustFollow();
  await feed.sync(1_000);
  const wokenAt = performance.now() + 2 * TTL_MS;
  await until(
    () => performance.now() > wokenAt,
    10_000,
    () => 'it sleeps',
  );
  expect(() => feed.mustFollow()).not.toThrow();
});

it('what cannot be read is passed over and said, and a key that a tool deleted has no policy', async () => {
  const { feed, notes, changed } = feedOf();
  await feed.start();
  const end = await policies.put('broken.key', 'no record');
  await setTo('ü.*', 4);
  await until(
    () => feed.applied[0] > end,
    5_000,
    () => 'both are read',
  );
  expect(notes).toEqual(['a policy or location cannot be read and is passed over']);
  expect(changed.at(-1)).toBe('ü.*');
  expect(feed.policies.of('ü.*', 'dc').safetyStock).toBe(4);
  await policies.delete(policyKey('ü.*', '*'));
  await until(
    () => feed.policies.of('ü.*', 'dc').safetyStock === 0,
    5_000,
    () => 'it is deleted',
  );
});

it('a bucket that was replaced ends the lease, because others may have read less (PY3)', async () => {
  let replaced = false;
  const { feed } = feedOf({
    stream: async (name) => {
      const facts = await broker.stream(name);
      return replaced && facts !== undefined ? { ...facts, created: 'another time' } : facts;
    },
  });
  await feed.start();
  await feed.sync(1_000);
  replaced = true;
  await expect(feed.sync(1_000)).rejects.toThrow('was replaced or has lost its last changes');
});
