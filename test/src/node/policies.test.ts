/** Policies and locations over HTTP, against three nodes that share the partitions, one of them behind a link that can be cut. */
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOCATIONS_STREAM, POLICIES_STREAM } from '../../../config/topology.ts';
import type { AtpTopic } from '../../../dashboards/topics.ts';
import { Auditor, names } from '../../../harness/callers/auditor.ts';
import { type Answer, ask, askUntilDecided } from '../../../harness/callers/http-caller.ts';
import { LiveReader } from '../../../harness/callers/live-reader.ts';
import { NodeProcess } from '../../../harness/processes/node-process.ts';
import { TcpProxy } from '../../../harness/proxy.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { until } from '../../../harness/until.ts';
import type { ServerHandle } from '../../../src/servers/local-server.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';
import { partitionOf } from '../../../streams/subjects.ts';

const PARTITIONS = 8;
/** The keys of the nodes last as long. Their leases are shorter. */
const LEASE_MS = 3_000;
const POLICY = {
  safetyStock: 2,
  protect: { pickup: 3 },
  cap: { marketplace: 10 },
  backorder: { web: 5 },
  priority: { pickup: 1, web: 2 },
  substitutes: ['85123B'],
  vendorManaged: false,
  channels: ['web', 'store', 'marketplace'],
  reorder: { min: 5, max: 20, pack: 6 },
};

let nodes: NodeProcess[];
let cuttable: NodeProcess;
let nats: ServerHandle;
let redis: ServerHandle;
let link: TcpProxy;
let broker: NatsBroker;

beforeAll(async () => {
  [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  link = await TcpProxy.to(nats.port);
  broker = await NatsBroker.connect(nats.url, 'test');
  const env = { HOLDFAST_PARTITIONS: String(PARTITIONS), HOLDFAST_LEASE: `${LEASE_MS}ms` };
  const cut = { ...env, NATS_URL: `nats://127.0.0.1:${link.port}` };
  nodes = await Promise.all(
    ['one', 'two', 'cut'].map((name) => NodeProcess.at({ nats, redis }, { name, env: name === 'cut' ? cut : env })),
  );
  cuttable = nodes[2] as NodeProcess;
  for (const node of nodes) await node.up();
  await allShare();
}, 120_000);
afterAll(async () => {
  link.close();
  await broker.close();
});

async function allShare(): Promise<void> {
  const shared = async () => {
    const owned = await Promise.all(nodes.map(async (node) => (await node.readiness())?.owned ?? 0));
    return owned.every((each) => each > 0) && owned.reduce((sum, each) => sum + each, 0) === PARTITIONS;
  };
  await until(shared, 60_000, () => nodes.map((node) => node.tail(3)).join('\n'));
}

let serial = 0;
const fresh = (what: string) => `${what}-${++serial}`;
const node = (index: number) => nodes[index % 3] as NodeProcess;
/** Asks the nodes in turn. */
const asked = (method: string, path: string, body?: unknown) => {
  serial += 1;
  return askUntilDecided(() => node(serial).url, method, path, body);
};
const policyPath = (sku: string, location: string) =>
  `/v1/policies/${encodeURIComponent(sku)}/${encodeURIComponent(location)}`;
const put = (sku: string, location: string, body: unknown) => asked('PUT', policyPath(sku, location), body);
const effective = (sku: string, location: string, at = ++serial) =>
  ask(node(at).url, 'GET', `${policyPath(sku, location)}/effective`);

async function withHeaders(method: string, path: string, headers: Record<string, string>, body?: unknown) {
  const response = await fetch(`${node(++serial).url}${path}`, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Answer['body'], headers: response.headers };
}
const etagOf = ({ headers }: Pick<Answer, 'headers'>) => headers.get('etag') ?? '';
const receive = async (sku: string, location: string, qty: number) => {
  const fact = { id: fresh('f'), type: 'receipt', sku, location, qty, occurredAt: new Date().toISOString() };
  expect((await asked('POST', '/v1/facts', fact)).body).toMatchObject({ accepted: 1 });
};
const stock = async (sku: string, location: string) => (await asked('GET', `/v1/stock/${sku}/${location}`)).body;
const seqOf = (version: string) => Number(version.split('.')[1]);

describe('a policy', () => {
  it('reads back as it was set, at any node, and its answer can be sent again', async () => {
    const [sku, location] = [fresh('ü/mug.'), fresh('läden')];
    const set = await put(sku, location, POLICY);
    expect([set.status, set.body]).toEqual([200, { sku, location, ...POLICY }]);
    for (const at of [0, 1, 2]) {
      const read = await ask(node(at).url, 'GET', policyPath(sku, location));
      expect([read.status, read.body, etagOf(read)]).toEqual([200, set.body, etagOf(set)]);
    }
    expect((await put(sku, location, set.body)).body).toEqual(set.body);
    expect((await put(sku, location, { safetyStock: 1 })).body).toEqual({ sku, location, safetyStock: 1 });
  });

  it('is unknown until it is set, and again once it is removed; the history says who did what', async () => {
    const path = policyPath(fresh('sku'), '*');
    expect((await asked('GET', path)).status).toBe(404);
    expect((await asked('GET', `${path}?history=1`)).status).toBe(404);
    expect((await asked('DELETE', path)).status).toBe(404);
    await asked('PUT', path, { safetyStock: 1, by: 'maria', why: 'first' });
    await asked('PUT', path, { safetyStock: 2 });
    const removed = await asked('DELETE', `${path}?by=tom&why=season%20over`);
    expect(removed).toMatchObject({ status: 200, body: { removed: true } });
    expect((await asked('GET', path)).status).toBe(404);
    const { history } = (await asked('GET', `${path}?history=1`)).body;
    const at = expect.stringMatching(/^20.*Z$/);
    expect(history).toEqual([
      { etag: removed.body.etag, at, by: 'tom', why: 'season over', policy: null },
      { etag: expect.any(String), at, policy: expect.objectContaining({ safetyStock: 2 }) },
      { etag: expect.any(String), at, by: 'maria', why: 'first', policy: expect.objectContaining({ safetyStock: 1 }) },
    ]);
    await asked('PUT', path, { safetyStock: 3 });
    expect((await asked('GET', path)).body).toMatchObject({ safetyStock: 3 });
  });

  it('keeps the last 64 changes', async () => {
    const path = policyPath(fresh('sku'), 'dc');
    for (let i = 0; i < 70; i++) await asked('PUT', path, { safetyStock: i });
    const { history } = (await asked('GET', `${path}?history=1`)).body;
    expect(history).toHaveLength(64);
    expect(history.at(0).policy.safetyStock).toBe(69);
    expect(history.at(-1).policy.safetyStock).toBe(6);
  });

  it('is in force by field, from the most specific level', async () => {
    const [sku, location] = [fresh('sku'), fresh('shop')];
    await put('*', '*', { safetyStock: 1, vendorManaged: true, priority: { web: 9 } });
    await put('*', location, { safetyStock: 2, channels: ['store'] });
    await put(sku, '*', { safetyStock: 3, protect: { pickup: 4 } });
    await put(sku, location, { protect: { web: 1 } });
    const everywhere = { sku: '*', location: '*' };
    for (const at of [0, 1, 2])
      expect((await effective(sku, location, at)).body).toEqual({
        sku,
        location,
        safetyStock: 3,
        protect: { web: 1 },
        cap: {},
        backorder: {},
        priority: { web: 9 },
        substitutes: [],
        vendorManaged: true,
        channels: ['store'],
        levels: {
          safetyStock: { sku, location: '*' },
          protect: { sku, location },
          priority: everywhere,
          vendorManaged: everywhere,
          channels: { sku: '*', location },
        },
      });
    await asked('DELETE', policyPath('*', '*'));
    expect((await effective(fresh('sku'), fresh('shop'))).body).toMatchObject({ safetyStock: 0, levels: {} });
  });

  it('is guarded by If-Match: of two changes with one version, one is a 412', async () => {
    const path = policyPath(fresh('sku'), 'dc');
    expect((await withHeaders('PUT', path, { 'If-Match': '*' }, { safetyStock: 1 })).status).toBe(412);
    const etag = etagOf(await asked('PUT', path, { safetyStock: 1 }));
    expect(etag).toMatch(/^"\d+"$/);
    const both = await Promise.all(
      [2, 3].map((safetyStock) => withHeaders('PUT', path, { 'If-Match': etag }, { safetyStock })),
    );
    expect(both.map(({ status }) => status).sort()).toEqual([200, 412]);
    expect(both.find(({ status }) => status === 412)?.body).toMatchObject({ type: 'changed' });
    expect((await withHeaders('DELETE', path, { 'If-Match': etag })).status).toBe(412);
    const now = etagOf(await asked('GET', path));
    expect((await withHeaders('DELETE', path, { 'If-Match': now })).status).toBe(200);
  });
});

describe('stock', () => {
  it('withholds the safety stock in force, and the version of what a policy touches rises', async () => {
    const [sku, shop] = [fresh('sku'), fresh('shop')];
    let other = fresh('sku');
    while (partitionOf(other, PARTITIONS) === partitionOf(sku, PARTITIONS)) other = fresh('sku');
    for (const each of [sku, other]) await receive(each, shop, 5);
    const [before, otherBefore] = [await stock(sku, shop), await stock(other, shop)];
    expect(before).toMatchObject({ safetyStock: 0, available: 5, atp: 5 });
    await put(sku, '*', { safetyStock: 2 });
    const after = await stock(sku, shop);
    expect(after).toMatchObject({ sellable: 5, safetyStock: 2, available: 3, atp: 3 });
    expect(seqOf(after.version)).toBe(seqOf(before.version) + 1);
    expect((await stock(other, shop)).version).toBe(otherBefore.version);
    expect((await asked('GET', `/v1/atp/${sku}`)).body).toMatchObject({ atp: 3, version: after.version });
    const reservation = { id: fresh('r'), lines: [{ sku, qty: 4 }] };
    expect((await asked('POST', '/v1/reservations', reservation)).status).toBe(409);
    expect((await asked('POST', '/v1/reservations', { id: fresh('r'), lines: [{ sku, qty: 3 }] })).status).toBe(201);
    // Raising it takes nothing back.
    await put(sku, shop, { safetyStock: 4 });
    expect(await stock(sku, shop)).toMatchObject({ held: 3, safetyStock: 4, available: -2, atp: 0 });
    await put('*', shop, { safetyStock: 1 });
    expect(seqOf((await stock(other, shop)).version)).toBe(seqOf(otherBefore.version) + 1);
    expect(await stock(other, shop)).toMatchObject({ safetyStock: 1, available: 4 });
    await asked('DELETE', policyPath('*', shop));
  });
});

describe('a live reader', () => {
  it('is told the new figures of what a policy touches', async () => {
    const [sku, shop] = [fresh('sku'), fresh('shop')];
    await receive(sku, shop, 5);
    const reader = await new LiveReader(node(0).url, `atp:${sku},stock:${sku}`).opened();
    await reader.sees<AtpTopic>(`atp:${sku}`, ({ atp }) => atp === 5);
    await put(sku, '*', { safetyStock: 2 });
    await reader.sees<AtpTopic>(`atp:${sku}`, ({ atp }) => atp === 3);
    await put('*', shop, { safetyStock: 1 });
    await asked('DELETE', policyPath(sku, '*'));
    await reader.sees<AtpTopic>(`atp:${sku}`, ({ atp }) => atp === 4);
    await asked('DELETE', policyPath('*', shop));
    reader.close();
  });
});

describe('a location', () => {
  const place = {
    name: 'Leeds Briggate',
    kind: '3pl',
    lat: 53.797,
    lon: -1.542,
    timezone: 'Europe/London',
    hours: {
      mon: [
        ['09:00', '12:00'],
        ['13:00', '17:30'],
      ],
      sun: [],
    },
    capacityPerHour: 20,
    handlingCost: 1.5,
    services: ['pickup'],
    transitHours: { 'dc-1': 18 },
  };

  it('reads back as it was described, with a history, and its answer can be sent again', async () => {
    const id = fresh('shop');
    const path = `/v1/locations/${id}`;
    expect((await asked('GET', path)).status).toBe(404);
    const set = await asked('PUT', path, { ...place, by: 'maria', why: 'new shop' });
    expect([set.status, set.body]).toEqual([200, { id, ...place }]);
    const read = await asked('GET', path);
    expect([read.body, etagOf(read)]).toEqual([set.body, etagOf(set)]);
    expect((await withHeaders('PUT', path, { 'If-Match': '"999"' }, set.body)).status).toBe(412);
    expect((await withHeaders('PUT', path, { 'If-Match': etagOf(read) }, set.body)).status).toBe(200);
    expect((await asked('GET', `${path}?history=1`)).body.history).toMatchObject([
      { location: { id, ...place } },
      { by: 'maria', why: 'new shop', location: { id, ...place } },
    ]);
    expect((await asked('DELETE', path)).status).toBe(200);
    expect((await asked('GET', path)).status).toBe(404);
  });

  it('known only from facts has the defaults', async () => {
    const id = fresh('shop');
    await receive(fresh('sku'), id, 1);
    await until(
      async () => (await asked('GET', `/v1/locations/${id}`)).status === 200,
      20_000,
      () => 'the location is known',
    );
    const read = await asked('GET', `/v1/locations/${id}`);
    expect(read.body).toEqual({ id, name: id, kind: 'store', services: ['ship', 'pickup'] });
    expect(read.headers.get('etag')).toBeNull();
  });

  it('raises every version by its zone and its lanes, and by nothing else', async () => {
    const [sku, id] = [fresh('sku'), fresh('shop')];
    await receive(sku, id, 1);
    const change = async (body: object) => {
      const before = seqOf((await stock(sku, id)).version);
      await asked('PUT', `/v1/locations/${id}`, body);
      return seqOf((await stock(sku, id)).version) - before;
    };
    expect(await change({ name: 'Leeds' })).toBe(0);
    expect(await change({ name: 'Leeds', timezone: 'Europe/London' })).toBe(1);
    expect(await change({ timezone: 'Europe/London', transitHours: { dc: 18 } })).toBe(1);
    expect(await change({ timezone: 'Europe/London', transitHours: { dc: 18 }, kind: 'dc' })).toBe(0);
    expect(await change({ timezone: 'Europe/London', transitHours: { dc: 20 } })).toBe(1);
    expect(await change({})).toBe(1);
  });
});

describe('hostile requests', () => {
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`c${i}`, 1]));
  it.each([
    [{ safetystock: 2 }, 'safetystock', 'did you mean safetyStock'],
    [{ safetyStock: -1 }, 'safetyStock', 'a whole number from 0'],
    [{ safetyStock: 1.5 }, 'safetyStock', 'a whole number from 0'],
    [{ safetyStock: 2e9 }, 'safetyStock', 'a whole number from 0'],
    [{ safetyStock: null }, 'safetyStock', 'a whole number from 0'],
    [{ protect: { web: '3' } }, 'protect.web', 'a whole number from 0'],
    [{ protect: ['web'] }, 'protect', 'must be an object'],
    [{ cap: { '': 3 } }, 'cap.', 'is no name of a channel or purpose'],
    [{ cap: many }, 'cap', 'must name at most 64'],
    [{ priority: { web: 0 } }, 'priority.web', 'a whole number from 1'],
    [{ substitutes: Array.from({ length: 33 }, (_, i) => `s${i}`) }, 'substitutes', 'a list of at most 32'],
    [{ substitutes: [' x'] }, 'substitutes[0]', 'must be 1 to 64 characters'],
    [{ vendorManaged: 'yes' }, 'vendorManaged', 'true or false'],
    [{ channels: [''] }, 'channels[0]', '1 to 64 characters'],
    [{ reorder: { min: 5, max: 4, pack: 1 } }, 'reorder.min', 'must be at most max'],
    [{ reorder: { min: 1, max: 4, pack: 0 } }, 'reorder.pack', 'a whole number from 1'],
    [{ reorder: { min: 1, max: 4, packs: 2 } }, 'reorder.packs', 'did you mean pack'],
    [{ by: '' }, 'by', '1 to 128 characters'],
    [{ sku: 'another' }, 'sku', 'must be that of the path'],
    [[], 'body', 'must be an object'],
    ['{"protect":{"__proto__":3}}', 'protect.__proto__', 'not allowed'],
  ])('PUT of a policy %j names %s', async (body, field, message) => {
    const { status, body: problem } = await withHeaders('PUT', policyPath('sku-x', 'dc'), {}, body);
    expect(status, JSON.stringify(problem)).toBe(422);
    expect(problem.errors).toContainEqual({ field, message: expect.stringContaining(message) });
  });

  it.each([
    [{ kind: 'shop' }, 'kind', 'one of store, dc, 3pl, dropship'],
    [{ lat: 91, lon: 0 }, 'lat', 'from -90 to 90'],
    [{ lat: 0, lon: -180.1 }, 'lon', 'from -180 to 180'],
    [{ lat: 1 }, 'lat', 'and lon must be given together'],
    [{ timezone: 'Europe/Lodnon' }, 'timezone', 'IANA'],
    [{ timezone: '+01:00' }, 'timezone', 'IANA'],
    [{ hours: { monday: [] } }, 'hours.monday', 'did you mean mon'],
    [{ hours: { mon: [['17:00', '09:00']] } }, 'hours.mon[0]', 'the earlier first'],
    [{ hours: { mon: [['9:00', '17:00']] } }, 'hours.mon[0]', 'two times of day'],
    [
      {
        hours: {
          mon: [
            ['09:00', '12:00'],
            ['11:00', '13:00'],
          ],
        },
      },
      'hours.mon',
      'must not overlap',
    ],
    [{ services: ['drone'] }, 'services[0]', 'one of ship, pickup'],
    [{ transitHours: { dc: -1 } }, 'transitHours.dc', 'from 0 to 8760'],
    [{ capacityPerHour: 1.5 }, 'capacityPerHour', 'a whole number'],
    [{ handlingCost: '1' }, 'handlingCost', 'must be a number'],
    [{ name: '' }, 'name', '1 to 200 characters'],
  ])('PUT of a location %j names %s', async (body, field, message) => {
    const { status, body: problem } = await withHeaders('PUT', '/v1/locations/shop-x', {}, body);
    expect(status, JSON.stringify(problem)).toBe(422);
    expect(problem.errors).toContainEqual({ field, message: expect.stringContaining(message) });
  });

  it('a name that no new fact can have is refused, and so is a body that is too large', async () => {
    const odd = await withHeaders('PUT', policyPath('a\u200bb', 'dc'), {}, {});
    expect([odd.status, odd.body.errors[0].field]).toEqual([422, 'sku']);
    const large = await withHeaders('PUT', policyPath('sku-x', 'dc'), {}, `{"why":"${'x'.repeat(600_000)}"}`);
    expect(large.status).toBe(413);
    expect((await asked('GET', `${policyPath('sku-x', 'dc')}?history=0`)).status).toBe(422);
    expect((await asked('GET', policyPath('sku-x', 'dc'))).status).toBe(404);
  });
});

/** The safety stock that a node answers by; undefined if it does not answer. */
async function safetyStockAt(at: NodeProcess, sku: string): Promise<number | undefined> {
  const { status, body } = await ask(at.url, 'GET', `/v1/stock/${sku}/dc`);
  return status === 200 ? (body.safetyStock as number) : undefined;
}

describe('in force', () => {
  it('100 changes under load are in force on every node when they are answered', async () => {
    const sku = fresh('sku');
    await receive(sku, 'dc', 5);
    const auditor = new Auditor({
      callers: 8,
      scarce: names('S', 4),
      busy: names('B', 4),
      locations: ['east', 'west'],
    });
    await auditor.stock(() => node(0).url, 100);
    const load = auditor.load(() => node(++serial).url);
    const took: number[] = [];
    for (let i = 1; i <= 100; i++) {
      const began = performance.now();
      expect((await put(sku, '*', { safetyStock: i })).status).toBe(200);
      took.push(performance.now() - began);
      const all = await Promise.all([0, 1, 2].map(async (at) => (await effective(sku, 'dc', at)).body.safetyStock));
      expect(all).toEqual([i, i, i]);
      expect(await Promise.all(nodes.map((each) => safetyStockAt(each, sku)))).toEqual([i, i, i]);
    }
    await load.stop();
    took.sort((a, b) => a - b);
    console.log(`a change was answered in ${took[50]?.toFixed(0)} ms, p99 ${took[98]?.toFixed(0)} ms, under load`);
    expect(took[50]).toBeLessThan(1_000);
  });

  it('a paused node makes a change wait until its lease has ended, and does not answer by the old policy after that', async () => {
    const sku = fresh('sku');
    await receive(sku, 'dc', 5);
    await put(sku, 'dc', { safetyStock: 1 });
    const [paused, other] = [node(1), node(0)];
    await paused.pause();
    const began = performance.now();
    const answer = ask(other.url, 'PUT', policyPath(sku, 'dc'), { safetyStock: 2 }, 30_000);
    await until(
      async () => (await ask(other.url, 'GET', `${policyPath(sku, 'dc')}/effective`)).body.safetyStock === 2,
      5_000,
      () => 'the change is stored',
    );
    const early = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 300, 'waits'))]);
    expect(early).toBe('waits');
    expect((await answer).status).toBe(200);
    const tookMs = performance.now() - began;
    console.log(`a change took ${tookMs.toFixed(0)} ms beside a paused node with keys of ${LEASE_MS} ms`);
    expect(tookMs).toBeLessThan(LEASE_MS + 3_000);
    paused.resume();
    // Whatever it answers from now on is by the new policy.
    for (let i = 0; i < 50; i++) expect([undefined, 2]).toContain(await safetyStockAt(paused, sku));
    await allShare();
    expect(await safetyStockAt(paused, sku)).toBe(2);
  });

  it('a node that is cut off makes a change wait, and no longer answers when the change is in force', async () => {
    const skus = Array.from({ length: PARTITIONS }, (_, partition) => {
      let sku = fresh('sku');
      while (partitionOf(sku, PARTITIONS) !== partition) sku = fresh('sku');
      return sku;
    });
    for (const sku of skus) await receive(sku, 'dc', 5);
    await put('*', 'dc', { safetyStock: 1 });
    link.cut();
    const began = performance.now();
    const set = await ask(node(0).url, 'PUT', policyPath('*', 'dc'), { safetyStock: 2 }, 30_000);
    expect(set.status).toBe(200);
    expect(performance.now() - began).toBeLessThan(LEASE_MS + 3_000);
    for (const sku of skus) expect(await safetyStockAt(cuttable, sku)).toBeUndefined();
    link.heal();
    await allShare();
    for (const sku of skus) expect(await safetyStockAt(cuttable, sku)).toBe(2);
    await asked('DELETE', policyPath('*', 'dc'));
  });

  it('a change that its node had stored when it was killed is in force on the others, and none is lost', async () => {
    const skus = Array.from({ length: 40 }, () => fresh('sku'));
    const killed = node(0);
    const answers = skus.map((sku) => ask(killed.url, 'PUT', policyPath(sku, '*'), { safetyStock: 7 }));
    await until(
      async () => ((await broker.stream(POLICIES_STREAM))?.lastSeq ?? 0) > 0,
      5_000,
      () => 'a change is stored',
      1,
    );
    await Promise.race(answers);
    await killed.kill();
    const done = await Promise.all(answers);
    const stored = new Set<string>();
    for (const [i, sku] of skus.entries()) {
      const { status } = await ask(node(1).url, 'GET', policyPath(sku, '*'));
      if (status === 200) stored.add(sku);
      else expect(done[i]?.status, sku).not.toBe(200);
    }
    expect(stored.size).toBeGreaterThan(0);
    await until(
      async () => {
        const found = await Promise.all([...stored].flatMap((sku) => [1, 2].map((at) => effective(sku, 'x', at))));
        return found.every(({ body }) => body.safetyStock === 7);
      },
      1_000,
      () => 'what is stored is in force',
    );
    // A node that joins has it before it answers.
    await killed.up();
    for (const sku of stored) expect((await effective(sku, 'x', 0)).body.safetyStock).toBe(7);
    await allShare();
  });
});

it('the journal gives the same book without any policy, because decisions hold their results', async () => {
  const sku = fresh('sku');
  await receive(sku, 'dc', 10);
  await put(sku, '*', { safetyStock: 4 });
  const held = { id: fresh('r'), lines: [{ sku, qty: 6 }] };
  expect((await asked('POST', '/v1/reservations', held)).status).toBe(201);
  expect(await stock(sku, 'dc')).toMatchObject({ sellable: 10, held: 6, safetyStock: 4, available: 0 });
  for (const each of nodes) await each.kill();
  const connection = await connect({ servers: nats.url });
  const { streams } = await jetstreamManager(connection);
  for (const stream of [POLICIES_STREAM, LOCATIONS_STREAM]) await streams.delete(stream);
  await connection.close();
  const snapshots = await createClient({ url: redis.url }).connect();
  await snapshots.flushAll();
  snapshots.destroy();
  for (const each of nodes) await each.up();
  await allShare();
  expect(await stock(sku, 'dc')).toMatchObject({ sellable: 10, held: 6, safetyStock: 0, available: 4 });
});
