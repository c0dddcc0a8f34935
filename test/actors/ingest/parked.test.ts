/** Invalid messages of devices in every stream. Each is parked once with its reason and its bytes, and later messages are counted. */
import { Packr } from 'msgpackr';
import { beforeAll, describe, expect, it } from 'vitest';
import { FACT_STREAM_NAMES, FACT_STREAMS, type FactStream } from '../../../config/topology.ts';
import { ask, askUntilDecided } from '../../../harness/callers/http-caller.ts';
import { NodeProcess, type Servers } from '../../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { bytesAt } from '../../../streams/fact/bundle.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';

let servers: Servers;
let node: NodeProcess;
let broker: NatsBroker;
beforeAll(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  servers = { nats, redis };
  node = await NodeProcess.at(servers);
  await node.up();
  broker = await NatsBroker.connect(nats.url, 'devices');
});

const now = () => new Date().toISOString();
const packr = new Packr({ useRecords: false });

/** A valid fact of a type, for a SKU of its own. */
function good(type: string, sku: string, more: object = {}): Record<string, unknown> {
  const fields: Record<string, object> = {
    sale: { qty: 1 },
    receipt: { qty: 1 },
    transfer: { phase: 'received', transfer: `t-${sku}`, qty: 1, from: 'y', to: 'x' },
    return: { qty: 1, disposition: 'restock' },
    count: { counted: 1 },
    adjustment: { delta: 1, reason: 'found' },
  };
  return { id: `good-${sku}`, type, sku, location: 'x', occurredAt: now(), ...fields[type], ...more };
}
interface Poison {
  readonly reason: string;
  readonly message?: RegExp;
  readonly body: (type: string, sku: string) => Uint8Array;
  readonly subject?: (type: string, sku: string) => string;
}
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const POISONS: Record<string, Poison> = {
  'no JSON': { reason: 'unreadable', body: () => Buffer.from('{"id":') },
  'an empty body': { reason: 'unreadable', body: () => Buffer.alloc(0) },
  'broken MessagePack': { reason: 'unreadable', body: () => Buffer.from([0xc7, 0xff, 0x01]) },
  'invalid UTF-8': {
    reason: 'unreadable',
    message: /: the byte 0xFF at offset \d+ is not UTF-8$/,
    body: (type, sku) =>
      Buffer.concat([json(good(type, sku)).subarray(0, -1), Buffer.from(',"note":"\xff\xfe"}', 'latin1')]),
  },
  'a number': { reason: 'invalid', body: () => Buffer.from('[42]') },
  'an unknown type': { reason: 'invalid', body: (type, sku) => json({ ...good(type, sku), type: 'theft' }) },
  'a missing id': { reason: 'invalid', body: (type, sku) => json({ ...good(type, sku), id: undefined }) },
  'no offset': {
    reason: 'invalid',
    body: (type, sku) => json({ ...good(type, sku), occurredAt: '2026-11-24T09:15:00' }),
  },
  'a quantity of text': {
    reason: 'invalid',
    body: (type, sku) => packr.pack({ ...good(type, sku), qty: 'x', counted: 'x', delta: 'x' }),
  },
  'another SKU than its subject': { reason: 'subject-mismatch', body: (type, sku) => json(good(type, `${sku}-other`)) },
  'another location than its subject': {
    reason: 'subject-mismatch',
    body: (type, sku) => json({ ...good(type, sku, type === 'transfer' ? { to: 'z' } : {}), location: 'z' }),
  },
  'a literal star for a SKU': {
    reason: 'subject-mismatch',
    body: (type, sku) => json(good(type, sku)),
    subject: (type) => `${type}.x.*`,
  },
  'a moment past the horizon': {
    reason: 'too-old',
    body: (type, sku) => json(good(type, sku, { occurredAt: new Date(Date.now() - 8 * 86_400_000).toISOString() })),
  },
  'more than a fact may have': { reason: 'invalid', body: () => Buffer.alloc(300_000, 0x20) },
  'as much noise as is taken': { reason: 'unreadable', body: () => Buffer.alloc(65_536, 0xc1) },
  'depth without end': { reason: 'unreadable', body: () => Buffer.from('['.repeat(65_000)) },
};

interface Parked {
  readonly seq: number;
  readonly source: string;
  readonly reason: string;
  readonly message: string;
  readonly bytes: string;
}
async function parked(): Promise<Parked[]> {
  const all: Parked[] = [];
  for (let after: number | null = 0; after !== null; ) {
    const { body } = await ask(node.url, 'GET', `/v1/parked?after=${after}&limit=200`);
    all.push(...body.parked);
    after = body.next;
  }
  return all;
}
const sellable = async (sku: string) =>
  (await ask(node.url, 'GET', `/v1/stock/${encodeURIComponent(sku)}/x`)).body?.sellable;

/** Items have no stock by which a test could see that they count; test/src/node/items.test.ts parks them. */
const STOCK_STREAMS = FACT_STREAM_NAMES.filter((name) => name !== 'ITEMS');

describe.each(STOCK_STREAMS)('in %s', (stream: FactStream) => {
  const type = FACT_STREAMS[stream][0] as string;

  it('each of them is parked once, with its reason and its bytes, and a good fact behind it counts', async () => {
    for (const [what, poison] of Object.entries(POISONS)) {
      const sku = `${type} ${what}`;
      const encoded = sku.replaceAll(' ', '%20');
      const subject = poison.subject?.(type, sku) ?? `${type}.x.${encoded}`;
      const bytes = poison.body(type, sku);
      const seq = await broker.publish(subject, bytes);
      await broker.publish(`${type}.x.${encoded}`, json(good(type, sku)));
      await expect.poll(() => sellable(sku), { timeout: 10_000, message: what }).toBe(type === 'sale' ? -1 : 1);
      // The next fact does not wait for the PARKED entry. A snapshot would.
      const mine = async () => (await parked()).filter((each) => each.source === `${stream}.${seq}`);
      await expect
        .poll(async () => (await mine()).map((each) => each.reason), { timeout: 10_000, message: what })
        .toEqual([poison.reason]);
      const found = await mine();
      const { body } = await ask(node.url, 'GET', `/v1/parked/${found[0]?.seq}`);
      expect(Buffer.from(body.bytes, 'base64').equals(bytes), what).toBe(true);
      expect(found[0]?.message).toMatch(poison.message ?? /./);
    }
  }, 60_000);

  it('an id that was used with other content is parked, whichever way it comes', async () => {
    const sku = `${type}-twice`;
    const first = good(type, sku);
    await broker.publish(`${type}.x.${sku}`, json(first), { headers: { 'Nats-Msg-Id': String(first.id) } });
    await expect.poll(() => sellable(sku)).toBe(type === 'sale' ? -1 : 1);
    const other = { ...first, occurredAt: new Date(Date.now() + 1000).toISOString() };
    const seq = await broker.publish(`${type}.x.${sku}`, json(other));
    await expect
      .poll(async () =>
        (await parked()).filter((each) => each.source === `${stream}.${seq}`).map((each) => each.reason),
      )
      .toEqual(['id-conflict']);
    const { body } = await askUntilDecided(() => node.url, 'POST', '/v1/facts', [
      first,
      other,
      { ...first, sku: `${sku}-elsewhere` },
    ]);
    expect(body).toMatchObject({
      accepted: 0,
      duplicates: 1,
      rejected: [
        { index: 1, code: 'id-conflict' },
        { index: 2, code: 'id-conflict' },
      ],
    });
    expect(await sellable(sku)).toBe(type === 'sale' ? -1 : 1);
  });
});

it('nothing is parked twice, or counted after all, by a restart or by a replay of everything', async () => {
  const before = await parked();
  expect(before.length).toBeGreaterThan(60);
  await node.kill();
  await node.up();
  expect(await parked()).toEqual(before);
  await node.kill();
  await servers.redis.kill();
  await servers.redis.restart();
  await node.up();
  expect(await parked()).toEqual(before);
  for (const stream of STOCK_STREAMS) {
    const type = FACT_STREAMS[stream][0] as string;
    for (const what of [...Object.keys(POISONS).map((each) => `${type} ${each}`), `${type}-twice`])
      expect(await sellable(what), what).toBe(type === 'sale' ? -1 : 1);
  }
}, 60_000);

it('what was parked counts when a person submits it again: as it is, or corrected', async () => {
  const sku = 'again';
  const old = good('receipt', sku, {
    id: 'again-1',
    occurredAt: new Date(Date.now() - 9 * 86_400_000).toISOString(),
    qty: 7,
  });
  const wrong = good('receipt', sku, { id: 'again-2', qty: -7 });
  const { body } = await askUntilDecided(() => node.url, 'POST', '/v1/facts', [old, wrong]);
  expect(body).toMatchObject({
    accepted: 0,
    rejected: [{ code: 'too-old' }, { code: 'invalid', message: expect.stringContaining('qty') }],
  });
  const mine = (await parked()).filter((each) => Buffer.from(each.bytes, 'base64').toString().includes('"again-'));
  expect(mine.map((each) => each.reason).sort()).toEqual(['invalid', 'too-old']);
  for (const { seq, reason } of mine) {
    const corrected = reason === 'invalid' ? { ...wrong, qty: 5 } : undefined;
    expect((await ask(node.url, 'POST', `/v1/parked/${seq}/resubmit`, corrected)).status).toBe(200);
  }
  await expect.poll(() => sellable(sku)).toBe(12);
  expect((await ask(node.url, 'POST', '/v1/parked/999999/resubmit')).status).toBe(404);
});

it('what comes over HTTP is stored and parked as it was sent, and submitted again from these bytes', async () => {
  const old = new Date(Date.now() - 9 * 86_400_000).toISOString();
  const text = (id: string, at: string, qty: string) =>
    `{ "id":"${id}","type":"receipt","sku":"bytes","location":"x","occurredAt":"${at}","qty":${qty},"big":12345678901234567890,"more":1e400 }`;
  const texts = [text('bytes-1', now(), '1'), text('bytes-2', now(), '1e400'), text('bytes-3', old, '10')];
  const post = async (type: string, body: string | Uint8Array) =>
    (await fetch(`${node.url}/v1/facts`, { method: 'POST', headers: { 'Content-Type': type }, body })).json();
  expect(await post('application/json; charset=utf-8', `\ufeff[${texts.join(' ,\n')}]`)).toMatchObject({
    accepted: 1,
    rejected: [
      { index: 1, code: 'invalid' },
      { index: 2, code: 'too-old' },
    ],
  });
  const last = (await broker.stream('RECEIPTS'))?.lastSeq ?? 0;
  const bundle = (await broker.message('RECEIPTS', last))?.data ?? new Uint8Array();
  expect(Buffer.from(bytesAt(bundle, 0) ?? []).toString()).toBe(texts[0]);
  // A single body is kept unchanged, including its byte order mark. MessagePack stays MessagePack.
  expect(await post('application/json', `\ufeff ${text('bytes-4', now(), '100')}`)).toMatchObject({ accepted: 1 });
  const packed = packr.pack({ ...good('receipt', 'bytes'), id: 'bytes-5', occurredAt: old, qty: 1_000 });
  expect(await post('application/msgpack', packed)).toMatchObject({ rejected: [{ code: 'too-old' }] });
  expect(await post('application/msgpack', packr.pack([packr.unpack(packed)]))).toMatchObject({
    rejected: [{ code: 'too-old' }],
  });
  // A device that sends MessagePack without declaring it.
  const silent = packr.pack({ ...good('receipt', 'bytes'), id: 'bytes-6', occurredAt: old, qty: 10_000 });
  const source = `RECEIPTS.${await broker.publish('receipt.x.bytes', silent)}`;
  await expect.poll(async () => (await parked()).some((each) => each.source === source)).toBe(true);
  const mine = (await parked()).filter((each) => Buffer.from(each.bytes, 'base64').toString().includes('bytes-'));
  const expected = [Buffer.from(texts[1] as string), Buffer.from(texts[2] as string), packed, silent];
  expect(mine.map((each) => each.bytes)).toEqual(expected.map((bytes) => bytes.toString('base64')));
  await expect.poll(() => sellable('bytes')).toBe(101);
  const again = await Promise.all(mine.map(({ seq }) => ask(node.url, 'POST', `/v1/parked/${seq}/resubmit`)));
  expect(again.map(({ status }) => status)).toEqual([422, 200, 200, 200]);
  await expect.poll(() => sellable('bytes')).toBe(11_111);
});

it('facts past the horizon come to the same in whatever order they are submitted again around a count, which is not', async () => {
  const day = 86_400_000;
  const ago = (days: number) => new Date(Date.now() - days * day).toISOString();
  const orders = [
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
  ];
  const ends: unknown[] = [];
  for (const [turn, order] of orders.entries()) {
    const sku = `order-${turn}`;
    const old = [
      good('receipt', sku, { id: `${sku}-r`, occurredAt: ago(9), qty: 10 }),
      good('count', sku, { id: `${sku}-c`, occurredAt: ago(10), counted: 3 }),
      good('sale', sku, { id: `${sku}-s`, occurredAt: ago(11), qty: 4 }),
    ];
    expect((await ask(node.url, 'POST', '/v1/facts', old)).body.rejected).toHaveLength(3);
    const mine = (await parked()).filter((each) => Buffer.from(each.bytes, 'base64').toString().includes(`"${sku}-`));
    const answers = [];
    for (const index of order) {
      const seq = mine.find((each) => Buffer.from(each.bytes, 'base64').equals(json(old[index])))?.seq;
      const { status, body } = await ask(node.url, 'POST', `/v1/parked/${seq}/resubmit`);
      answers[index] = status;
      if (status === 422) {
        expect(body.detail).toContain('send a newer count, or an adjustment');
        // The header has no effect either when a device or an older node publishes it.
        const headers = { 'Holdfast-Resubmit': 'yes' };
        const source = `COUNTS.${await broker.publish(`count.x.${sku}`, json(old[index]), { headers })}`;
        await expect.poll(async () => (await parked()).find((each) => each.source === source)?.reason).toBe('too-old');
      } else await expect.poll(() => sellable(sku)).toBeDefined();
    }
    expect(answers).toEqual([200, 422, 200]);
    await expect.poll(() => sellable(sku)).toBe(6);
    ends.push((await ask(node.url, 'GET', `/v1/explain/${sku}/x`)).body.adds);
  }
  expect(ends).toEqual([true, true, true]);
});
