/** Over the running program: facts with fields that would change the count, or that say nothing, and requests that say too much. */
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { Packr } from 'msgpackr';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RULES_VERSION } from '../../../config/rules.ts';
import { ask, askUntilDecided } from '../../../harness/callers/http-caller.ts';
import { KeptNode } from '../../../harness/processes/kept-node.ts';

const packr = new Packr({ useRecords: false });
let kept: KeptNode;
let nc: NatsConnection;
beforeAll(async () => {
  kept = await KeptNode.up({ env: { HOLDFAST_ONE_PIECE: 'EA,Stück' } });
  nc = await connect({ servers: kept.servers.nats.url });
}, 60_000);
afterAll(async () => {
  await nc?.close();
  await kept?.close();
});

const now = () => new Date().toISOString();
const fact = (id: string, type: string, sku: string, more: object) => ({
  id,
  type,
  sku,
  location: 'dc',
  occurredAt: now(),
  ...more,
});
const submit = async (facts: unknown, query = '') =>
  (await askUntilDecided(kept.url, 'POST', `/v1/facts${query}`, facts)).body;
const stock = async (sku: string, location = 'dc') =>
  (await ask(kept.url(), 'GET', `/v1/stock/${sku}/${location}`)).body;
const parked = async () => (await kept.broker.subjects('PARKED', 'parked.')).length;
/** Publishes a fact as a device does, in JSON or in MessagePack. */
async function publish(sent: ReturnType<typeof fact>, form: 'json' | 'msgpack' = 'json'): Promise<void> {
  const type = { 'Content-Type': form === 'json' ? 'application/json' : 'application/msgpack' };
  const bytes = form === 'json' ? Buffer.from(JSON.stringify(sent)) : packr.pack(sent);
  await kept.broker.publish(`${sent.type}.${sent.location}.${sent.sku}`, bytes, { headers: type });
}

describe('a fact with a field that would change what is counted', () => {
  const rows = [
    ['count', { counted: 2, bucket: 'damaged' }, 'bucket'],
    ['sale', { qty: 1, counted: 5 }, 'counted'],
    ['receipt', { qty: 1, delta: -1 }, 'delta'],
    ['sale', { qty: 1, disposition: 'damaged' }, 'disposition'],
    ['return', { qty: 1, disposition: 'restock', damaged: 1 }, 'damaged'],
    ['receipt', { qty: 1, phase: 'received' }, 'phase'],
    ['receipt', { qty: 1, from: 'shop' }, 'from'],
    ['sale', { qty: 1, to: 'shop' }, 'to'],
    ['sale', { qty: 1, components: [{ sku: 'B', qty: 2 }] }, 'components'],
    ['receipt', { qty: 1, uom: 'BOX' }, 'uom'],
    ['count', { counted: 1, unit: 'case' }, 'unit'],
    ['adjustment', { delta: 1, reason: 'found', pack: 6 }, 'pack'],
  ] as const;

  it('is refused as invalid and parked, with the field named, over HTTP and NATS; the book is as it was', async () => {
    expect(await submit(fact('m-0', 'receipt', 'M', { qty: 40 }))).toMatchObject({ accepted: 1 });
    const answer = await submit(rows.map(([type, more], n) => fact(`m-http-${n}`, type, 'M', more)));
    expect(answer).toMatchObject({ accepted: 0, duplicates: 0 });
    const named = answer.rejected.map((each: { code: string; message: string }) => [
      each.code,
      each.message.split(' ')[0],
    ]);
    expect(named).toEqual(rows.map(([, , field]) => ['invalid', field]));
    const before = await parked();
    expect(before).toBe(rows.length);
    for (const [n, [type, more]] of rows.entries())
      await publish(fact(`m-nats-${n}`, type, 'M', more), n % 2 === 0 ? 'json' : 'msgpack');
    await expect.poll(() => parked(), { timeout: 20_000 }).toBe(2 * rows.length);
    expect(await stock('M')).toMatchObject({ sellable: 40, damaged: 0, inTransit: 0 });
  }, 60_000);

  it('counts if it says one piece by the setting, and other unknown fields are kept', async () => {
    const facts = [
      fact('u-1', 'receipt', 'U', { qty: 3, uom: 'ea' }),
      fact('u-2', 'receipt', 'U', { qty: 4, unit: 'STÜCK', operator: 'maria', note: { bucket: 'damaged' } }),
      fact('u-3', 'receipt', 'U', { qty: 5, uom: 'each' }),
    ];
    expect(await submit(facts)).toMatchObject({ accepted: 2, rejected: [{ index: 2, code: 'invalid' }] });
    await publish(fact('u-4', 'receipt', 'U', { qty: 10, pack: 'stück' }), 'msgpack');
    await expect.poll(async () => (await stock('U')).sellable, { timeout: 20_000 }).toBe(17);
  });
});

it('counts a sale whose optional fields are null or empty, and knows it again without them', async () => {
  const nothing = {
    unitPrice: null,
    channel: '',
    transaction: null,
    reservation: '',
    device: '',
    currency: null,
    uom: '',
  };
  const sale = fact('n-1', 'sale', 'N', { qty: 2 });
  expect(await submit([{ ...sale, ...nothing }, sale])).toEqual({ accepted: 1, duplicates: 1, rejected: [] });
  const other = fact('n-2', 'sale', 'N', { qty: 3 });
  await publish({ ...other, ...nothing }, 'msgpack');
  await expect.poll(async () => (await stock('N')).sellable, { timeout: 20_000 }).toBe(-5);
  expect(await submit(other)).toMatchObject({ duplicates: 1 });
  expect(await submit(fact('n-3', 'adjustment', 'N', { delta: 1, reason: 'found', bucket: null }))).toMatchObject({
    accepted: 1,
  });
  expect(await submit(fact('n-4', 'sale', 'N', { qty: null }))).toMatchObject({ rejected: [{ code: 'invalid' }] });
  expect(await stock('N')).toMatchObject({ sellable: -4 });
});

it('books a delivery that is damaged as a whole, as a receipt and as a received transfer', async () => {
  const shipped = { phase: 'shipped', transfer: 't-1', from: 'dc', to: 'shop', qty: 5 };
  const received = {
    ...fact('d-3', 'transfer', 'D', { ...shipped, phase: 'received', qty: 0, damaged: 5 }),
    location: 'shop',
  };
  const answer = await submit([
    fact('d-1', 'receipt', 'D', { qty: 0, damaged: 4 }),
    fact('d-2', 'transfer', 'D', shipped),
    received,
    fact('d-4', 'receipt', 'D', { qty: 0 }),
    fact('d-5', 'receipt', 'D', { qty: 0, damaged: 0 }),
    fact('d-6', 'transfer', 'D', { ...shipped, qty: 0, damaged: 1 }),
  ]);
  expect(answer).toMatchObject({ accepted: 3, rejected: [{ index: 3 }, { index: 4 }, { index: 5 }] });
  expect(await stock('D')).toMatchObject({ sellable: -5, damaged: 4 });
  expect(await stock('D', 'shop')).toMatchObject({ sellable: 0, damaged: 5, inTransit: 0, onHand: 5 });
  await publish(fact('d-7', 'receipt', 'D', { qty: 0, damaged: 2 }));
  await expect.poll(async () => (await stock('D')).damaged, { timeout: 20_000 }).toBe(6);
});

it('says with versions=1 from which version on an answer includes the facts', async () => {
  const sent = [
    fact('v-1', 'receipt', 'V', { qty: 5 }),
    fact('v-2', 'receipt', 'W', { qty: 6 }),
    fact('v-3', 'sale', 'X', { qty: 0 }),
    fact('v-4', 'sale', 'V', { qty: 1 }),
  ];
  const answer = await submit(sent, '?versions=1');
  expect(Object.keys(answer.versions).sort()).toEqual(['V', 'W']);
  for (const [sku, atp] of [
    ['V', 4],
    ['W', 6],
  ] as const) {
    const { body } = await ask(kept.url(), 'GET', `/v1/atp/${sku}`);
    expect([body.atp, parts(body.version) >= parts(answer.versions[sku])]).toEqual([atp, true]);
  }
  const again = await submit(sent.slice(0, 1), '?versions=1');
  expect([again.duplicates, parts(again.versions.V) >= parts(answer.versions.V)]).toEqual([1, true]);
  const later = await submit(fact('v-5', 'sale', 'V', { qty: 1 }), '?versions=1');
  expect(parts(later.versions.V)).toBeGreaterThan(parts(again.versions.V));
  expect(await submit([], '?versions=1')).toEqual({ accepted: 0, duplicates: 0, rejected: [], versions: {} });
  expect('versions' in (await submit(sent))).toBe(false);
  expect((await ask(kept.url(), 'POST', '/v1/facts?versions=yes', sent)).body.errors).toEqual([
    { field: 'versions', message: 'must be 1' },
  ]);
});

/** A version as one number that compares as versions do. */
function parts(version: string): number {
  const [epoch, sequence] = version.split('.').map(Number) as [number, number];
  return epoch * 1e9 + sequence;
}

it('rejects a fact above 64 KiB at its index, keeps the rest, and neither stores nor parks it', async () => {
  const before = await parked();
  const answer = await submit([
    fact('l-1', 'receipt', 'L', { qty: 1 }),
    fact('l-2', 'receipt', 'L', { qty: 1, note: 'x'.repeat(64 * 1024) }),
    fact('l-3', 'receipt', 'L', { qty: 1 }),
  ]);
  expect(answer).toMatchObject({ accepted: 2, rejected: [{ index: 1, code: 'too-large' }] });
  expect(await parked()).toBe(before);
  expect(await stock('L')).toMatchObject({ sellable: 2 });
});

it('takes 1,000 facts and no more, and no body without a content type', async () => {
  const many = Array.from({ length: 1_001 }, (_, n) => fact(`k-${n}`, 'receipt', 'K', { qty: 1 }));
  expect((await ask(kept.url(), 'POST', '/v1/facts', many)).status).toBe(413);
  expect(await submit(many.slice(0, 1_000))).toMatchObject({ accepted: 1_000 });
  const bytes = new TextEncoder().encode(JSON.stringify(many[1_000]));
  const bare = await fetch(`${kept.url()}/v1/facts`, { method: 'POST', body: bytes });
  expect([bare.status, ((await bare.json()) as { type: string }).type]).toEqual([415, 'unsupported-media-type']);
  const packed = await fetch(`${kept.url()}/v1/facts`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/msgpack' },
    body: new Uint8Array(packr.pack(many[1_000])),
  });
  expect(await packed.json()).toEqual({ accepted: 1, duplicates: 0, rejected: [] });
  expect(await stock('K')).toMatchObject({ sellable: 1_001 });
});

it('refuses a request that says what does not exist, over HTTP and NATS, and decides nothing of it', async () => {
  await submit(fact('s-1', 'receipt', 'S', { qty: 10 }));
  const place = async (body: object) => ask(kept.url(), 'POST', '/v1/reservations', body);
  const lines = [{ sku: 'S', qty: 2 }];
  expect((await place({ id: 's', lines })).status).toBe(201);
  const released = await ask(kept.url(), 'DELETE', '/v1/reservations/s?line=1');
  expect([released.status, released.body.detail]).toEqual([422, 'line is not known; the request takes none']);
  const named = [
    [{ id: 'a', ttl: 5, lines }, 'ttl is not known; did you mean ttlSeconds?'],
    [
      { id: 'a', lines: [{ ...lines[0], location: 'shop' }] },
      'lines[0].location is not known; did you mean locations?',
    ],
    [{ id: 'a', lines: [{ ...lines[0], bi: '2026-12-01' }] }, 'lines[0].bi is not known; did you mean by?'],
    [
      { id: 'a', lines: [{ ...lines[0], backOrder: true }] },
      'lines[0].backOrder is not known; did you mean backorder?',
    ],
  ] as const;
  for (const [body, detail] of named) {
    const { status, body: problem } = await place(body);
    expect([status, problem.detail.slice(0, detail.length)]).toEqual([422, detail]);
    const head = headers();
    head.set('Content-Type', 'application/msgpack');
    const reply = await nc.request('reservation.place', packr.pack(body), { headers: head, timeout: 5_000 });
    expect(reply.headers?.get('Nats-Service-Error-Code')).toBe('422');
    expect(packr.unpack(reply.data).detail.slice(0, detail.length)).toBe(detail);
  }
  const reply = await nc.request('reservation.release', JSON.stringify({ id: 's', line: '1' }), { timeout: 5_000 });
  expect(reply.headers?.get('Nats-Service-Error-Code')).toBe('422');
  expect(await stock('S')).toMatchObject({ sellable: 10, held: 2, available: 8 });
});

it('keeps the words for one piece that are recorded, until the command changes them; stored facts keep their verdict', async () => {
  const before = await stock('U');
  expect((await kept.holdfast('one-piece', 'Box')).err).toMatch(/these nodes live: one; end all nodes first/);
  expect(await kept.node.stop()).toBe(0);
  const { code, answer } = await kept.holdfast('one-piece', 'Box,box 1');
  expect([code, answer.pieces, answer.version]).toEqual([0, ['box', 'box 1'], RULES_VERSION]);
  await kept.setSnapshots();
  await kept.node.up();
  expect(
    kept.node.log.some(({ msg, recorded }) => msg.includes('HOLDFAST_ONE_PIECE') && recorded === 'box,box 1'),
  ).toBe(true);
  expect(await stock('U')).toMatchObject({ sellable: before.sellable });
  expect(
    await submit([
      fact('p-1', 'receipt', 'U', { qty: 1, uom: 'BOX' }),
      fact('p-2', 'receipt', 'U', { qty: 1, uom: 'EA' }),
    ]),
  ).toMatchObject({ accepted: 1, rejected: [{ index: 1, code: 'invalid' }] });
  // A person corrects the parked fact; it is read by the words in force.
  const { body } = await ask(kept.url(), 'GET', '/v1/parked?limit=1000');
  const { seq } = body.parked.at(-1);
  const corrected = (uom: string) => fact('p-3', 'receipt', 'U', { qty: 1, uom });
  const refused = await ask(kept.url(), 'POST', `/v1/parked/${seq}/resubmit`, corrected('EA'));
  expect([refused.status, refused.body.errors[0].field]).toEqual([422, 'uom']);
  expect((await ask(kept.url(), 'POST', `/v1/parked/${seq}/resubmit`, corrected('box'))).status).toBe(200);
  await expect.poll(async () => (await stock('U')).sellable, { timeout: 20_000 }).toBe(before.sellable + 2);
  expect((await kept.holdfast('one-piece', 'x'.repeat(17))).code).not.toBe(0);
}, 60_000);
