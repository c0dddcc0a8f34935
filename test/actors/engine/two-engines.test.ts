import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { PeerRequest } from '../../../actors/ports/peer-operations.ts';
import { Refusal } from '../../../actors/ports/refusal.ts';
import { LIMITS } from '../../../config/limits.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { partitionOf } from '../../../streams/subjects.ts';
import { freshEngine, type TestEngine } from './test-engine.ts';

let [one, two]: TestEngine[] = [];
const servers: { nats: string; redis: string } = { nats: '', redis: '' };
const PARTITIONS = 8;

beforeAll(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  Object.assign(servers, { nats: nats.url, redis: redis.url });
  one = await freshEngine(servers.nats, servers.redis, 'one', { partitions: PARTITIONS });
  const facts = Array.from({ length: 40 }, (_, i) => ({
    id: `f${i}`,
    type: 'receipt',
    sku: `S${i}`,
    location: 'x',
    occurredAt: new Date().toISOString(),
    qty: 5,
  }));
  expect((await one.facts.submit(facts)).accepted).toBe(40);
  two = await freshEngine(servers.nats, servers.redis, 'two', { partitions: PARTITIONS });
  await vi.waitFor(
    () => expect((one?.engine.partitions.size ?? 0) + (two?.engine.partitions.size ?? 0)).toBe(PARTITIONS),
    { timeout: 15_000 },
  );
  await vi.waitFor(() => expect([one?.engine.readiness.ready, two?.engine.readiness.ready]).toEqual([true, true]), {
    timeout: 15_000,
  });
});
afterAll(async () => {
  await two?.stop();
  await one?.stop();
});

const nodes = () => [one as TestEngine, two as TestEngine];
const ownerOf = (sku: string) => nodes().findIndex((node) => node.engine.partitions.has(partitionOf(sku, PARTITIONS)));
const request = (id: string, lines: { sku: string; qty: number }[], partial = false) => ({
  id,
  channel: 'web',
  purpose: 'order' as const,
  ttlSeconds: 60,
  partial,
  lines: lines.map((line) => ({ ...line, split: false })),
});
const skuOf = (owner: number, nth = 0) =>
  Array.from({ length: 40 }, (_, i) => `S${i}`).filter((sku) => ownerOf(sku) === owner)[nth] as string;

it('answers the same from either of two nodes that share the partitions', async () => {
  expect(nodes().every((node) => node.engine.partitions.size > 0)).toBe(true);
  for (const node of nodes()) {
    const answer = await node.router.atp({ lines: Array.from({ length: 40 }, (_, i) => ({ sku: `S${i}` })) });
    expect(answer.lines.map((line) => line.atp)).toEqual(Array(40).fill(5));
  }
});

it('holds a basket across owners whole or not at all, and steps it as one', async () => {
  const [near, far] = [skuOf(0), skuOf(1)];
  const node = one as TestEngine;
  const placed = await node.router.place(
    request('across-1', [
      { sku: near, qty: 2 },
      { sku: far, qty: 3 },
    ]),
  );
  expect(placed).toMatchObject({
    fresh: true,
    reservation: {
      status: 'held',
      lines: [
        { sku: near, qty: 2 },
        { sku: far, qty: 3 },
      ],
    },
  });
  expect(
    await (two as TestEngine).router.place(
      request('across-1', [
        { sku: near, qty: 2 },
        { sku: far, qty: 3 },
      ]),
    ),
  ).toEqual({ ...placed, fresh: false });
  const short = request('across-2', [
    { sku: near, qty: 2 },
    { sku: far, qty: 3 },
  ]);
  await expect(node.router.place(short)).rejects.toMatchObject({
    kind: 'insufficient-stock',
    shortages: [{ sku: far, requested: 3, available: 2 }],
  });
  expect(await node.router.stock(near, 'x')).toMatchObject({ held: 2 });
  expect((await (two as TestEngine).router.confirm('across-1')).status).toBe('allocated');
  expect(await node.router.stock(far, 'x')).toMatchObject({ held: 0, allocated: 3 });
  expect((await node.router.release('across-1')).status).toBe('released');
  // A request that was undone because another owner refused can be made again under the same id.
  expect((await node.router.place(short)).reservation.status).toBe('held');
  expect((await node.router.release('across-2')).status).toBe('released');
});

it('undoes an attempt that failed, and a late request of it changes nothing', async () => {
  const [near, far] = [skuOf(0, 2), skuOf(1, 2)];
  const wanted = request('attempts', [
    { sku: near, qty: 5 },
    { sku: far, qty: 5 },
  ]);
  const coordinatingPartition = partitionOf(wanted.id, PARTITIONS);
  const coordinator = nodes().findIndex((node) => node.engine.partitions.has(coordinatingPartition));
  const part = partitionOf(coordinator === 0 ? far : near, PARTITIONS);
  // The request that the coordinator sent to another owner before its attempt failed, to be sent again later.
  const asked: { ask?: PeerRequest<'growPart'> } = {};
  const peers = (nodes()[coordinator] as TestEngine).peers;
  const ask = peers.ask.bind(peers);
  const spied = vi.spyOn(peers, 'ask').mockImplementation(async (number, operation, body) => {
    const answer = await ask(number, operation, body);
    if (operation !== 'growPart') return answer;
    asked.ask = body as PeerRequest<'growPart'>;
    throw new Refusal('undecided', 'the answer was lost');
  });
  const node = nodes()[coordinator] as TestEngine;
  await expect(node.router.place(wanted)).rejects.toMatchObject({ kind: 'undecided' });
  spied.mockRestore();
  // What the attempt had claimed is free again, before anybody asks again.
  for (const sku of [near, far]) expect(await node.router.stock(sku, 'x')).toMatchObject({ sellable: 5, held: 0 });
  expect((await node.router.place(wanted)).reservation.status).toBe('held');
  const attempt = asked.ask as PeerRequest<'growPart'>;
  await ask(part, 'undoPart', { id: wanted.id, attempt: attempt.terms.attempt });
  await expect(ask(part, 'growPart', attempt)).rejects.toMatchObject({ kind: 'undecided' });
  expect((await node.router.reservation(wanted.id)).status).toBe('held');
  for (const sku of [near, far]) expect(await node.router.stock(sku, 'x')).toMatchObject({ sellable: 5, held: 5 });
  expect((await node.router.release(wanted.id)).status).toBe('released');
});

it('does not take a part that stands at the home of its reservation for the whole', async () => {
  const [near, far] = [skuOf(0, 3), skuOf(1, 3)];
  const atCoordinator = Array.from({ length: 1000 }, (_, i) => `home-${i}`).find(
    (id) => partitionOf(id, PARTITIONS) === partitionOf(near, PARTITIONS),
  ) as string;
  const wanted = request(atCoordinator, [
    { sku: near, qty: 5 },
    { sku: far, qty: 5 },
  ]);
  const node = one as TestEngine;
  const lost = vi.spyOn(node.peers, 'ask').mockRejectedValueOnce(new Refusal('undecided', 'no owner now'));
  await expect(node.router.place(wanted)).rejects.toMatchObject({ kind: 'undecided' });
  lost.mockRestore();
  await expect(node.router.reservation(atCoordinator)).rejects.toMatchObject({ kind: 'not-found' });
  expect(await node.router.place(wanted)).toMatchObject({ fresh: true, reservation: { status: 'held' } });
  expect((await node.router.release(atCoordinator)).status).toBe('released');
});

it('changes a reservation across owners as a whole, and a change whose outcome was lost on the way is finished', async () => {
  const [near, far] = [skuOf(0, 4), skuOf(1, 4)];
  const { router, peers } = one as TestEngine;
  const id = Array.from({ length: 100 }, (_, i) => `change-${i}`).find((each) => ownerOf(each) === 0) as string;
  const lines = (n: number, f: number) => [
    { sku: near, qty: n, split: false },
    { sku: far, qty: f, split: false },
  ];
  const of = { id, channel: 'web', purpose: 'order' as const, partial: false };
  const claims = async () => {
    const both = await Promise.all([near, far].map((sku) => router.stock(sku, 'x')));
    return both.map(({ held, allocated }) => [held, allocated]);
  };
  expect((await router.place({ ...of, confirm: true, lines: lines(1, 4) })).reservation.status).toBe('allocated');
  expect(await claims()).toEqual([
    [0, 1],
    [0, 4],
  ]);
  await expect(router.amend({ ...of, lines: lines(3, 9) })).rejects.toMatchObject({ kind: 'insufficient-stock' });
  expect(await claims()).toEqual([
    [0, 1],
    [0, 4],
  ]);
  expect((await router.amend({ ...of, lines: lines(4, 2) })).lines.map(({ qty }) => qty)).toEqual([4, 2]);
  expect(await claims()).toEqual([
    [0, 4],
    [0, 2],
  ]);
  // The outcome is stored at the home, and the participant does not hear of it.
  const ask = peers.ask.bind(peers);
  const spied = vi.spyOn(peers, 'ask').mockImplementation(async (number, operation, body) => {
    if (operation === 'followPart') throw new Refusal('undecided', 'the owner does not answer');
    return ask(number, operation, body as never);
  });
  expect((await router.amend({ ...of, lines: lines(4, 1) })).lines.map(({ qty }) => qty)).toEqual([4, 1]);
  spied.mockRestore();
  expect((await router.reservation(id)).lines.map(({ qty }) => qty)).toEqual([4, 1]);
  await vi.waitFor(
    async () =>
      expect(await claims()).toEqual([
        [0, 4],
        [0, 1],
      ]),
    { timeout: 10_000 },
  );
  const part = { id: 'r1', lines: [{ sku: far, qty: 1 }] };
  expect((await router.releaseSome(id, part)).lines.map(({ sku }) => sku)).toEqual([near]);
  expect(await router.releaseSome(id, part)).toMatchObject({ status: 'allocated' });
  expect((await router.release(id)).status).toBe('released');
  expect(await claims()).toEqual([
    [0, 0],
    [0, 0],
  ]);
});

it('tells each owner of its own lines only, however many there are in all', async () => {
  const node = one as TestEngine;
  const asked = vi.spyOn(node.peers, 'ask');
  const lines = Array.from({ length: 40 }, (_, i) => ({ sku: `S${i}`, qty: 1 }));
  const id = Array.from({ length: 100 }, (_, i) => `across-many-${i}`).find((each) => ownerOf(each) === 0) as string;
  await node.router.place(request(id, lines, true));
  const parts = asked.mock.calls
    .filter(([, operation]) => operation === 'growPart')
    .map(([number, , body]) => ({ number, body: body as PeerRequest<'growPart'> }));
  asked.mockRestore();
  expect(parts.length).toBeGreaterThan(0);
  for (const { number, body } of parts) {
    const own = lines.filter(({ sku }) => partitionOf(sku, PARTITIONS) === number).map(({ sku }) => sku);
    expect(body.wish.lines.map(({ sku }) => sku)).toEqual(own);
  }
});

it('keeps every promise when a node leaves, and gives its partitions to the other', async () => {
  const sku = skuOf(1, 1);
  const before = await (one as TestEngine).router.place(request('stays', [{ sku, qty: 4 }]));
  const epoch = Number(before.reservation.lines[0]?.version.split('.')[0]);
  await two?.stop();
  await vi.waitFor(() => expect(one?.engine.readiness.owned).toBe(PARTITIONS), { timeout: 10_000 });
  expect(await one?.router.place(request('stays', [{ sku, qty: 4 }]))).toEqual({ ...before, fresh: false });
  await expect(one?.router.place(request('more', [{ sku, qty: 2 }]))).rejects.toMatchObject({
    kind: 'insufficient-stock',
  });
  const after = await one?.router.atp({ lines: [{ sku }] });
  expect(Number(after?.lines[0]?.version.split('.')[0])).toBeGreaterThan(epoch);
  two = undefined;
});

it('works on one reservation of many lines at a time, lets small ones pass, and refuses the crowd behind', async () => {
  const { router, engine } = one as TestEngine;
  let [going, most] = [0, 0];
  const waiting: (() => void)[] = [];
  const place = engine.coordinator.place.bind(engine.coordinator);
  const placing = vi.spyOn(engine.coordinator, 'place').mockImplementation(async (asked) => {
    if (asked.lines.length === 1) return place(asked);
    going += 1;
    most = Math.max(most, going);
    await new Promise<void>((resolve) => waiting.push(resolve));
    going -= 1;
    return { fresh: true, reservation: { id: asked.id, status: 'held', expiresAt: null, lines: [], etag: '' } };
  });
  // Ids whose coordinator is this node.
  const ids = Array.from({ length: 1_000 }, (_, i) => `wide-${i}`).filter((id) => ownerOf(id) === 0);
  const lines = Array.from({ length: LIMITS.wideLines + 1 }, () => ({ sku: skuOf(0), qty: 1 }));
  const wide = () => router.place(request(ids.pop() as string, lines, true));
  const made = Array.from({ length: LIMITS.wideAtOnce + LIMITS.wideWaiting }, wide);
  await expect(wide()).rejects.toMatchObject({ kind: 'busy' });
  expect(await router.place(request(ids.pop() as string, [{ sku: skuOf(0), qty: 1 }]))).toMatchObject({ fresh: true });
  let ended = 0;
  for (const each of made) each.finally(() => ended++).catch(() => undefined);
  while (ended < made.length) {
    for (const go of waiting.splice(0)) go();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(made);
  placing.mockRestore();
  expect(most).toBe(LIMITS.wideAtOnce);
});
