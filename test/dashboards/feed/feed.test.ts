/** The live feed on real servers. Values arrive over any node, soon after their cause. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type {
  AnomalyTopic,
  AtpTopic,
  KpiTopic,
  LocationTopic,
  StockTopic,
  SystemTopic,
} from '../../../dashboards/topics.ts';
import { ask } from '../../../harness/callers/http-caller.ts';
import { endReaders, LiveReader } from '../../../harness/callers/live-reader.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { fact, type LiveNode, liveNode, send, shared } from './live-nodes.ts';

let nodes: LiveNode[] = [];

beforeAll(async () => {
  const servers = { nats: await freshNats(), redis: await freshRedis() };
  const one = await liveNode(servers, 'one');
  const two = await liveNode(servers, 'two');
  nodes = [one, two];
  await shared(one, two);
});
afterAll(async () => {
  endReaders();
  await Promise.all(nodes.map((node) => node.stop()));
});

/** Twelve SKUs, so that each of two nodes with four partitions owns some. */
const SKUS = Array.from({ length: 12 }, (_, index) => `sku-${index}`);

it('tells a new ATP within a second of the fact that changes it, over either node, with a version that grows', async () => {
  const [one, two] = nodes as [LiveNode, LiveNode];
  await send(one.url, ...SKUS.map((sku) => fact('receipt', sku, 'store-1', { qty: 10 })));
  const topics = SKUS.map((sku) => `atp:${sku}`).join(',');
  const readers = [one, two].map((node) => new LiveReader(node.url, topics));
  for (const reader of readers)
    for (const sku of SKUS) await reader.sees<AtpTopic>(`atp:${sku}`, (data) => data.atp === 10);
  for (const [index, sku] of SKUS.entries()) {
    const sale = fact('sale', sku, 'store-1', { qty: 1 + (index % 3) });
    await send(two.url, sale);
    for (const reader of readers)
      await reader.sees<AtpTopic>(`atp:${sku}`, (data) => data.atp === 10 - (1 + (index % 3)));
  }
  for (const reader of readers) {
    for (const sku of SKUS) {
      const versions = reader.of<AtpTopic>(`atp:${sku}`).map(({ data }) => data.version.split('.').map(Number));
      expect(versions.length).toBeGreaterThan(0);
      for (const [i, [epoch = 0, seq = 0]] of versions.entries()) {
        const [before = 0, seqBefore = 0] = versions[i - 1] ?? [];
        expect(epoch > before || (epoch === before && seq > seqBefore)).toBe(true);
      }
    }
  }
});

it('says what GET says, and a hold changes it', async () => {
  const [one, two] = nodes as [LiveNode, LiveNode];
  const sku = 'häkel nadel';
  await send(one.url, fact('receipt', sku, 'store-1', { qty: 5 }), fact('receipt', sku, 'store-2', { qty: 7 }));
  const topic = `atp:${encodeURIComponent(sku)}`;
  const stock = `stock:${encodeURIComponent(sku)}`;
  const reader = new LiveReader(two.url, `${topic},${stock}`);
  await reader.sees<AtpTopic>(topic, (data) => data.atp === 12);
  const placed = await ask(one.url, 'POST', '/v1/reservations', { id: 'hold-1', lines: [{ sku, qty: 4 }] });
  expect(placed.status).toBe(201);
  await reader.sees<AtpTopic>(topic, (data) => data.atp === 8);
  await reader.sees<StockTopic>(stock, (data) => data.locations.some(({ held }) => held === 4));
  const { body: atp } = await ask(one.url, 'GET', `/v1/atp/${encodeURIComponent(sku)}`);
  expect({ ...reader.latest<AtpTopic>(topic), asOf: '' }).toEqual({ ...atp, asOf: '' });
  const { body: shown } = await ask(two.url, 'GET', `/v1/stock/${encodeURIComponent(sku)}`);
  expect(reader.latest<StockTopic>(stock)).toEqual(shown);
  expect(isAtLeast(atp.version, placed.body.lines[0].version)).toBe(true);
  // A new reader never gets a value older than the version of an earlier answer.
  await send(one.url, fact('receipt', sku, 'store-1', { qty: 1 }));
  const { body: later } = await ask(one.url, 'GET', `/v1/atp/${encodeURIComponent(sku)}`);
  const second = new LiveReader(two.url, topic);
  await second.sees<AtpTopic>(topic, () => true);
  expect(isAtLeast(second.of<AtpTopic>(topic)[0]?.data.version ?? '0.0', later.version)).toBe(true);
});

it('shows the whole system over either node: figures, a location, nodes and owners', async () => {
  const [one, two] = nodes as [LiveNode, LiveNode];
  await send(two.url, ...SKUS.map((sku) => fact('receipt', sku, 'dc east', { qty: 3 })));
  const location = 'location:dc%20east';
  const readers = [one, two].map((node) => new LiveReader(node.url, `kpi,system,${location}`));
  for (const reader of readers) {
    await reader.sees<LocationTopic>(location, ({ units }) => units.onHand === 36);
    await reader.sees<KpiTopic>('kpi', ({ locations }) =>
      locations.some((each) => each.location === 'dc east' && each.units.onHand === 36),
    );
    await reader.sees<SystemTopic>(
      'system',
      ({ nodes: all, owners }) => all.length === 2 && owners.every((owner) => owner !== null),
    );
  }
  await send(one.url, fact('sale', SKUS[0] as string, 'dc east', { qty: 2 }));
  await Promise.all(readers.map((reader) => reader.sees<LocationTopic>(location, ({ units }) => units.onHand === 34)));
  await Promise.all(
    readers.map((reader) =>
      reader.sees<KpiTopic>('kpi', ({ locations }) =>
        locations.some((each) => each.location === 'dc east' && each.units.onHand === 34),
      ),
    ),
  );
  const [a, b] = await Promise.all([one, two].map((node) => ask(node.url, 'GET', '/v1/kpi')));
  expect(a?.body.units).toEqual(b?.body.units);
  expect(a?.body.windows.all.facts).toEqual(b?.body.windows.all.facts);
  const { windows } = (readers[0] as LiveReader).latest<LocationTopic>(location) as LocationTopic;
  expect(windows.all.facts).toMatchObject({ receipt: 12, sale: 1 });
  expect(windows.minute.unitsSold).toBe(2);
  expect(windows.all.sellThrough).toBeCloseTo(2 / 36);
  const { body: system } = await ask(two.url, 'GET', '/v1/system');
  expect(system.nodes.map(({ name }: { name: string }) => name)).toEqual(['one', 'two']);
});

it('changes its topics while it is open', async () => {
  const [one] = nodes as [LiveNode];
  const reader = await new LiveReader(one.url).opened();
  reader.say({ subscribe: ['kpi', 'atp:sku-1'] });
  await reader.sees('kpi', () => true);
  await reader.sees('atp:sku-1', () => true);
  reader.say({ unsubscribe: ['kpi'], subscribe: ['system'] });
  await reader.sees('system', () => true);
  const seen = reader.of('kpi').length;
  const systems = reader.of('system').length;
  await reader.sees('system', () => reader.of('system').length >= systems + 2);
  expect(reader.of('kpi').length).toBe(seen);
});

it('finds names, stock by need, and live reservations, over either node', async () => {
  const [one, two] = nodes as [LiveNode, LiveNode];
  await send(
    one.url,
    ...SKUS.map((sku, index) => fact('receipt', sku, 'store-9', { qty: index + 1 })),
    fact('sale', 'sku-3', 'store-9', { qty: 9 }),
    fact('sale', 'sku-4', 'store-9', { qty: 5 }),
  );
  await ask(one.url, 'POST', '/v1/reservations', {
    id: 'hold-9',
    lines: [{ sku: 'sku-7', qty: 2, locations: ['store-9'] }],
  });
  for (const node of [one, two]) {
    expect((await ask(node.url, 'GET', '/v1/search?q=KU-1')).body).toMatchObject({
      skus: ['sku-1', 'sku-10', 'sku-11'],
      locations: [],
    });
    expect((await ask(node.url, 'GET', '/v1/search?q=store-9')).body.locations).toEqual(['store-9']);
    const order: string[] = [];
    let after: string | null = '';
    while (after !== null) {
      const { body } = await ask(
        node.url,
        'GET',
        `/v1/locations/store-9/stock?limit=5&after=${encodeURIComponent(after)}`,
      );
      order.push(...body.stock.map(({ sku }: { sku: string }) => sku));
      after = body.next;
    }
    expect(order.slice(0, 3)).toEqual(['sku-3', 'sku-4', 'sku-7']);
    expect([...order].sort()).toEqual([...SKUS].sort());
    const { body: negative } = await ask(node.url, 'GET', '/v1/locations/store-9/stock?state=negative');
    expect(negative.stock.map(({ sku }: { sku: string }) => sku)).toEqual(['sku-3']);
    expect((await ask(node.url, 'GET', '/v1/locations/nowhere/stock')).status).toBe(404);
    expect((await ask(node.url, 'GET', '/v1/claims?sku=sku-7&location=store-9')).body.claims).toMatchObject([
      { id: 'hold-9', status: 'held', qty: 2, location: 'store-9', channel: 'web', purpose: 'order' },
    ]);
    const { body: all } = await ask(node.url, 'GET', '/v1/locations');
    expect(all.locations.map(({ location }: { location: string }) => location)).toContain('store-9');
  }
});

it('tells oversold units from a book below zero, and sums of the same parts, over either node', async () => {
  const [one, two] = nodes as [LiveNode, LiveNode];
  await send(
    one.url,
    fact('receipt', 'promised', 'store-8', { qty: 5 }),
    fact('sale', 'never came', 'store-8', { qty: 6 }),
    fact('receipt', 'broken', 'store-8', { qty: 10 }),
    fact('adjustment', 'broken', 'store-8', { bucket: 'damaged', delta: -2, reason: 'thrown away' }),
  );
  const held = await ask(one.url, 'POST', '/v1/reservations', { id: 'hold-8', lines: [{ sku: 'promised', qty: 4 }] });
  expect(held.status).toBe(201);
  await send(two.url, fact('sale', 'promised', 'store-8', { qty: 3 }));
  for (const node of [one, two]) {
    const { body: row } = await ask(node.url, 'GET', '/v1/stock/promised/store-8');
    // The whole row, in the contract's order.
    expect(Object.entries(row)).toEqual([
      ...[
        ['sku', 'promised'],
        ['location', 'store-8'],
        ['onHand', 2],
        ['sellable', 2],
        ['damaged', 0],
      ],
      ...[
        ['inspection', 0],
        ['held', 4],
        ['allocated', 0],
        ['promised', 0],
        ['safetyStock', 0],
        ['available', -2],
      ],
      ...[
        ['oversold', 2],
        ['atp', 0],
        ['inTransit', 0],
        ['onOrder', 0],
        ['version', expect.stringMatching(/^\d+\.\d+$/)],
      ],
    ]);
    expect(isAtLeast(row.version, held.body.lines[0].version)).toBe(true);
    expect((await ask(node.url, 'GET', '/v1/stock/promised')).body.locations).toEqual([row]);
    expect((await ask(node.url, 'GET', '/v1/stock/never%20came/store-8')).body).toMatchObject({
      ...{ onHand: -6, available: -6, oversold: 0, atp: 0 },
    });
    const skus = async (state: string) => {
      const { body } = await ask(node.url, 'GET', `/v1/locations/store-8/stock?state=${state}`);
      return body.stock.map(({ sku }: { sku: string }) => sku);
    };
    expect(await skus('oversold')).toEqual(['promised']);
    expect(await skus('negative')).toEqual(['broken', 'never came']);
    expect(await skus('all')).toEqual(['promised', 'broken', 'never came']);
    expect((await ask(node.url, 'GET', '/v1/locations/store-8/stock?state=shortfall')).status).toBe(422);
    const reader = new LiveReader(node.url, 'location:store-8,anomaly');
    await reader.sees<LocationTopic>('location:store-8', ({ oversold }) => oversold === 2);
    const figures = reader.latest<LocationTopic>('location:store-8');
    expect(figures).toMatchObject({
      units: { onHand: 12, sellable: 12, damaged: 0, held: 4, atp: 10 },
      ...{ oversold: 2, negative: 2, negativeUnits: 8 },
    });
    expect(figures).not.toHaveProperty('shortfall');
    await reader.sees<AnomalyTopic>('anomaly', ({ kind, sku }) => kind === 'shortfall' && sku === 'promised');
    await reader.sees<AnomalyTopic>('anomaly', ({ kind, sku }) => kind === 'negative_stock' && sku === 'never came');
    const { body: open } = await ask(node.url, 'GET', '/v1/anomalies?kind=shortfall&location=store-8');
    expect(open.anomalies.map(({ sku }: { sku: string }) => sku)).toEqual(['promised']);
  }
});

it('exports figures that add up over the nodes', async () => {
  const metrics = await Promise.all(nodes.map(async (node) => (await ask(node.url, 'GET', '/metrics')).body as string));
  const sum = (series: string) =>
    metrics.reduce((total, text) => {
      const line = text.split('\n').find((each) => each.startsWith(`holdfast_${series} `));
      return total + Number(line?.split(' ').at(-1) ?? 0);
    }, 0);
  const { body: kpi } = await ask((nodes[0] as LiveNode).url, 'GET', '/v1/kpi');
  const store = kpi.locations.find(({ location }: { location: string }) => location === 'store-9');
  expect(sum('units{location="store-9",bucket="on_hand"}')).toBe(store.units.onHand);
  expect(sum('negative_stock_keys{location="store-9"}')).toBe(1);
  expect(sum('stock_keys{location="store-9"}')).toBe(12);
  expect(sum('aged_units{location="store-9",age="30d"}')).toBe(
    SKUS.reduce((units, _, index) => units + index + 1, 0) - 4 - 5,
  );
  expect(sum('units{location="store-8",bucket="on_hand"}')).toBe(12);
  expect(sum('units{location="store-8",bucket="atp"}')).toBe(10);
  expect(sum('oversold_units{location="store-8"}')).toBe(2);
  expect(sum('negative_units{location="store-8"}')).toBe(8);
  expect(sum('holds_total{outcome="granted"}')).toBe(3);
  expect(sum('live_clients')).toBeGreaterThan(0);
});

function isAtLeast(version: string, than: string): boolean {
  const [epoch = 0, seq = 0] = version.split('.').map(Number);
  const [thanEpoch = 0, thanSeq = 0] = than.split('.').map(Number);
  return epoch > thanEpoch || (epoch === thanEpoch && seq >= thanSeq);
}
