/** Sentences of the contract on facts, on a running node: counts, returns, adjustments, stopped parcels, and the request fact.submit. */
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { Packr } from 'msgpackr';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askUntilDecided } from '../../../harness/callers/http-caller.ts';
import { NodeProcess } from '../../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';

const packr = new Packr({ useRecords: false });
let node: NodeProcess;
let nc: NatsConnection;
beforeAll(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  node = await NodeProcess.at({ nats, redis });
  await node.up();
  nc = await connect({ servers: nats.url });
});
afterAll(() => nc?.close());

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const HORIZON_MS = 7 * 24 * HOUR_MS;
const began = Date.now();
const later = (ms: number) => new Date(began + ms).toISOString();
/** An hour of a day that began ten hours ago. */
const hour = (of: number) => later((of - 10) * HOUR_MS);

const ask = (method: string, path: string, body?: unknown) => askUntilDecided(() => node.url, method, path, body);
let serial = 0;
const newSku = () => `sku-${++serial}`;
const fact = (type: string, sku: string, more: object) => {
  const id = `${sku}/${++serial}`;
  return { id, type, sku, location: 'shop', occurredAt: hour(0), ...more };
};
const send = async (...facts: object[]) => {
  expect((await ask('POST', '/v1/facts', facts)).body).toMatchObject({ accepted: facts.length, rejected: [] });
};
const stock = async (sku: string, location = 'shop') => (await ask('GET', `/v1/stock/${sku}/${location}`)).body;
const sellable = async (sku: string) => (await stock(sku)).sellable;

describe('a count', () => {
  const count = (sku: string, of: number, counted: number, more: object = {}) =>
    fact('count', sku, { occurredAt: hour(of), counted, ...more });
  const sale = (sku: string, of: number, qty: number) => fact('sale', sku, { occurredAt: hour(of), qty });

  it('counts units as of its moment: what happened until then no longer moves them, whenever it arrives', async () => {
    const sku = newSku();
    await send(fact('receipt', sku, { occurredAt: hour(1), qty: 10, damaged: 3 }), sale(sku, 3, 1));
    await send(count(sku, 3, 20), sale(sku, 4, 2));
    expect(await stock(sku)).toMatchObject({ sellable: 18, damaged: 3 });
    await send(sale(sku, 2, 5), fact('adjustment', sku, { occurredAt: hour(3), delta: -6, reason: 'theft' }));
    expect(await sellable(sku)).toBe(18);
    await send(sale(sku, 3.001, 1));
    expect(await sellable(sku)).toBe(17);
  });

  it('that is earlier than another one changes nothing, and a later one corrects it', async () => {
    const sku = newSku();
    await send(count(sku, 3, 20), count(sku, 2, 7), sale(sku, 2.5, 4));
    expect(await sellable(sku)).toBe(20);
    await send(count(sku, 5, 9), sale(sku, 4, 1));
    expect(await sellable(sku)).toBe(9);
  });

  it('of two at one moment, the one with the greater id by UTF-8 bytes wins, and moments are instants', async () => {
    const sku = newSku();
    // In UTF-16 the second id would be the greater one.
    const [greater, less] = [`${sku}/\u{10348}`, `${sku}/\uff5e`];
    const at = new Date(began - 7 * HOUR_MS);
    const zoned = new Date(at.getTime() + 2 * HOUR_MS).toISOString().replace('Z', '+02:00');
    await send(count(sku, 3, 4, { id: less }), count(sku, 3, 5, { id: greater, occurredAt: zoned }));
    expect(await sellable(sku)).toBe(5);
    const other = newSku();
    await send(count(other, 3, 5, { id: `${other}/\u{10348}` }), count(other, 3, 4, { id: `${other}/\uff5e` }));
    expect(await sellable(other)).toBe(5);
  });
});

it('a return goes where its disposition says', async () => {
  const sku = newSku();
  const back = (disposition: string, qty: number) => fact('return', sku, { disposition, qty });
  await send(back('restock', 1), back('inspect', 2), back('damaged', 4), back('scrap', 8), back('vendor', 16));
  expect(await stock(sku)).toMatchObject({ sellable: 1, inspection: 2, damaged: 4, onHand: 7, available: 1 });
});

it('an adjustment changes its bucket, the sellable one if it names none', async () => {
  const sku = newSku();
  const adjusted = (delta: number, bucket?: string) => fact('adjustment', sku, { delta, bucket, reason: 'moved' });
  await send(adjusted(10), adjusted(-2, 'sellable'), adjusted(5, 'damaged'), adjusted(-1, 'damaged'));
  await send(adjusted(3, 'inspection'), adjusted(-7, 'inspection'));
  expect(await stock(sku)).toMatchObject({ sellable: 8, damaged: 4, inspection: -4, onHand: 8 });
  const negative = async () => (await ask('GET', `/v1/anomalies?kind=negative_stock&sku=${sku}`)).body.anomalies;
  await expect.poll(negative, { timeout: 20_000 }).toMatchObject([{ location: 'shop', data: { inspection: -4 } }]);
  const refused = await ask('POST', '/v1/facts', [adjusted(0), adjusted(1.5), adjusted(1, 'held')]);
  expect(refused.body.rejected.map(({ code }: { code: string }) => code)).toEqual(['invalid', 'invalid', 'invalid']);
});

it('a stopped parcel is allocated again if it comes back within the horizon after the sale, and else it is free', async () => {
  for (const [what, gapMs, status, allocated] of [
    ['inside', HORIZON_MS - MINUTE_MS, 'allocated', 1],
    ['outside', HORIZON_MS + MINUTE_MS, 'fulfilled', 0],
  ] as const) {
    const sku = newSku();
    const reservation = `${what}-${sku}`;
    await send(fact('receipt', sku, { qty: 5 }));
    expect(
      (await ask('POST', '/v1/reservations', { id: reservation, confirm: true, lines: [{ sku, qty: 2 }] })).status,
    ).toBe(201);
    // The return is ahead by less than the clock slack, because a sale before the horizon would be too old.
    const back = later(2 * MINUTE_MS);
    const sold = later(2 * MINUTE_MS - gapMs);
    await send(fact('sale', sku, { occurredAt: sold, qty: 2, reservation }));
    expect((await ask('GET', `/v1/reservations/${reservation}`)).body.status).toBe('fulfilled');
    await send(fact('return', sku, { occurredAt: back, qty: 1, disposition: 'restock', reservation }));
    expect((await ask('GET', `/v1/reservations/${reservation}`)).body, what).toMatchObject({ status });
    expect(await stock(sku), what).toMatchObject({ sellable: 4, allocated });
  }
});

describe('fact.submit over NATS', () => {
  const head = headers();
  head.set('Content-Type', 'application/msgpack');
  const submit = async (facts: unknown) => {
    const reply = await nc.request('fact.submit', packr.pack(facts), { headers: head, timeout: 10_000 });
    return { code: reply.headers?.get('Nats-Service-Error-Code') ?? '', body: packr.unpack(reply.data) };
  };

  it('judges up to 1,000 facts in MessagePack before it answers, and refuses more as a whole', async () => {
    const sku = newSku();
    const many = Array.from({ length: 1_001 }, () => fact('receipt', sku, { qty: 1 }));
    expect(await submit(many)).toMatchObject({ code: '413', body: { type: 'too-large', status: 413 } });
    expect((await ask('GET', `/v1/stock/${sku}`)).status).toBe(404);
    expect(await submit(many.slice(0, 1_000))).toEqual({
      code: '',
      body: { accepted: 1_000, duplicates: 0, rejected: [] },
    });
    expect(await sellable(sku)).toBe(1_000);
    expect(await submit(many[0])).toEqual({ code: '', body: { accepted: 0, duplicates: 1, rejected: [] } });
  });

  it('names what it rejects at its index, and counts the rest', async () => {
    const sku = newSku();
    const first = fact('receipt', sku, { qty: 1 });
    const { code, body } = await submit([
      first,
      fact('receipt', sku, { qty: 2, occurredAt: later(-HORIZON_MS - MINUTE_MS) }),
      { ...first, qty: 4 },
      fact('receipt', sku, { qty: 8, note: 'x'.repeat(64 * 1024) }),
      fact('receipt', sku, { qty: 0 }),
      fact('receipt', sku, { qty: 16 }),
    ]);
    expect([code, body.accepted, body.duplicates]).toEqual(['', 2, 0]);
    expect(body.rejected.map((each: { index: number; code: string }) => [each.index, each.code])).toEqual([
      [1, 'too-old'],
      [2, 'id-conflict'],
      [3, 'too-large'],
      [4, 'invalid'],
    ]);
    expect(await sellable(sku)).toBe(17);
  });
});

it('remembers the cancellation of an unknown id after maintenance and over a restart', async () => {
  const sku = newSku();
  await send(fact('receipt', sku, { qty: 5 }));
  const id = `early-${sku}`;
  const cancelled = await ask('DELETE', `/v1/reservations/${id}`);
  expect([cancelled.status, cancelled.body]).toMatchObject([200, { id, status: 'released', lines: [], known: false }]);
  const snapshots = async () =>
    Number(/^holdfast_snapshot_seconds_count (\d+)/m.exec((await ask('GET', '/metrics')).body)?.[1]);
  // Maintenance comes before each snapshot. The first one may have begun before the cancellation.
  for (let i = 0; i < 2; i++) {
    const before = await snapshots();
    await send(fact('receipt', sku, { qty: 5 }));
    await expect.poll(snapshots, { timeout: 20_000 }).toBeGreaterThan(before);
  }
  await node.kill();
  await node.up();
  const placed = await ask('POST', '/v1/reservations', { id, lines: [{ sku, qty: 1 }] });
  expect(placed.body).toMatchObject({ status: 409, type: 'already-released' });
  expect(await stock(sku)).toMatchObject({ sellable: 15, held: 0, allocated: 0 });
});
