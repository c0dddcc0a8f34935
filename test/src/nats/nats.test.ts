/** The contract's rules for NATS: facts that devices publish, the service's requests, and the streams that store each subject. */
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { Packr } from 'msgpackr';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask } from '../../../harness/callers/http-caller.ts';
import { NodeProcess } from '../../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';
import { ProvisionError, provision } from '../../../streams/nats/provision.ts';
import { encodeToken, factSubject, partitionOf } from '../../../streams/subjects.ts';

const packr = new Packr({ useRecords: false });
let node: NodeProcess;
let nc: NatsConnection;
let broker: NatsBroker;
beforeAll(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  node = await NodeProcess.at({ nats, redis });
  await node.up();
  nc = await connect({ servers: nats.url });
  broker = await NatsBroker.connect(nats.url, 'test');
});
afterAll(async () => {
  await broker?.close();
  await nc?.close();
});

const ASTRAL = '𐍈'.repeat(64);
const NAMES = ['85123A', 'a.b', 'a b', 'a*b', '>', '%2E', 'über', '日本語', ASTRAL, "it's (new)!~", 'a/b?c#d'];
const now = () => new Date().toISOString();

async function request(
  subject: string,
  body: unknown,
  form: 'json' | 'msgpack',
): Promise<{ code: string; body: Record<string, unknown> }> {
  const head = headers();
  if (form === 'msgpack') head.set('Content-Type', 'application/msgpack');
  const reply = await nc.request(subject, form === 'json' ? JSON.stringify(body) : packr.pack(body), {
    headers: head,
    timeout: 5_000,
  });
  return {
    code: reply.headers?.get('Nats-Service-Error-Code') ?? '',
    body: form === 'json' ? JSON.parse(reply.string()) : packr.unpack(reply.data),
  };
}

it('takes facts of any names that devices publish, in JSON and MessagePack, and counts each once', async () => {
  for (const [i, name] of NAMES.entries()) {
    const fact = { id: `n-${i}`, type: 'receipt', sku: name, location: name, occurredAt: now(), qty: i + 1 };
    const msgpack = { headers: { 'Content-Type': 'application/msgpack', 'Nats-Msg-Id': fact.id } };
    await broker.publish(factSubject('receipt', name, name), Buffer.from(JSON.stringify(fact)), {
      headers: { 'Nats-Msg-Id': fact.id },
    });
    await broker.publish(factSubject('receipt', name, name), packr.pack(fact), msgpack);
    const again = await ask(node.url, 'POST', '/v1/facts', fact);
    expect(again.body, name).toEqual({ accepted: 0, duplicates: 1, rejected: [] });
    const path = `${encodeURIComponent(name)}/${encodeURIComponent(name)}`;
    expect((await ask(node.url, 'GET', `/v1/stock/${path}`)).body, name).toMatchObject({
      sku: name,
      location: name,
      sellable: i + 1,
    });
  }
  const { body } = await ask(node.url, 'POST', '/v1/atp', { lines: NAMES.map((sku) => ({ sku })) });
  expect(body.lines.map((line: { atp: number }) => line.atp)).toEqual(NAMES.map((_, i) => i + 1));
});

it('stores a fact under the partition that partitionOf names', async () => {
  const skus = [
    ...NAMES,
    ...Array.from({ length: 300 }, (_, i) => `${String.fromCodePoint(0x3b1 + (i % 24), 0x1f600 + i)}-${i}`),
  ];
  for (const sku of skus) {
    const seq = await broker.publish(
      factSubject('count', 'x', sku),
      Buffer.from(
        JSON.stringify({
          id: `p-${sku}`.slice(0, 60),
          type: 'count',
          sku,
          location: 'x',
          occurredAt: now(),
          counted: 1,
        }),
      ),
    );
    expect((await broker.message('COUNTS', seq))?.subject).toBe(`count.${partitionOf(sku, 32)}.x.${encodeToken(sku)}`);
  }
});

it.each(['json', 'msgpack'] as const)(
  'answers every endpoint in %s, and refuses with the status in a header and the problem as body',
  async (form) => {
    const [sku, id] = [`svc-${form}`, `svc-${form}`];
    await ask(node.url, 'POST', '/v1/facts', { id, type: 'receipt', sku, location: 'x', occurredAt: now(), qty: 5 });
    expect(await request('atp.query', { lines: [{ sku }] }, form)).toMatchObject({
      code: '',
      body: { lines: [{ sku, atp: 5 }] },
    });
    expect(await request('reservation.place', { id, lines: [{ sku, qty: 2 }] }, form)).toMatchObject({
      code: '',
      body: { id, status: 'held' },
    });
    expect(await request('reservation.place', { id, lines: [{ sku, qty: 3 }] }, form)).toMatchObject({
      code: '409',
      body: { type: 'id-conflict', status: 409 },
    });
    expect(await request('reservation.place', { id: 'x', lines: [{ sku, qty: 9 }] }, form)).toMatchObject({
      code: '409',
      body: { shortages: [{ sku, requested: 9, available: 3 }] },
    });
    expect(await request('reservation.confirm', { id }, form)).toMatchObject({
      code: '',
      body: { status: 'allocated' },
    });
    expect(await request('reservation.release', { id }, form)).toMatchObject({
      code: '',
      body: { status: 'released' },
    });
    expect(await request('reservation.confirm', { id }, form)).toMatchObject({
      code: '409',
      body: { type: 'already-released' },
    });
    const { body: row } = await request('stock.get', { sku, location: 'x' }, form);
    expect(row).toMatchObject({ sku, sellable: 5, promised: 0, oversold: 0 });
    expect(row).toEqual((await ask(node.url, 'GET', `/v1/stock/${sku}/x`)).body);
    expect(await request('stock.get', { sku }, form)).toMatchObject({ code: '', body: { sku, locations: [row] } });
    expect(await request('stock.get', { sku: 'never-heard-of' }, form)).toMatchObject({ code: '404' });
    expect(await request('reservation.place', { id: 'y', lines: [{ sku, qty: -1 }] }, form)).toMatchObject({
      code: '422',
      body: { errors: [{ field: 'lines[0].qty' }] },
    });
  },
);

it('three hundred requests with one id, in one go, get one grant', async () => {
  const sku = 'at-once';
  const receipt = { id: sku, type: 'receipt', sku, location: 'x', occurredAt: now(), qty: 9 };
  expect((await ask(node.url, 'POST', '/v1/facts', receipt)).body.accepted).toBe(1);
  const body = { id: 'at-once', lines: [{ sku, qty: 2 }] };
  const all = Array.from({ length: 300 }, () => request('reservation.place', body, 'json'));
  const answers = await Promise.all(all);
  expect(new Set(answers.map(({ code }) => code))).toEqual(new Set(['']));
  expect(new Set(answers.map((answer) => JSON.stringify(answer.body))).size).toBe(1);
  expect((await request('stock.get', { sku, location: 'x' }, 'json')).body.held).toBe(2);
});

it('counts errors and time of its endpoints in STATS', async () => {
  const stats = async () => {
    const { endpoints } = (await nc.request('$SRV.STATS.holdfast', undefined, { timeout: 2_000 })).json<{
      endpoints: {
        subject: string;
        num_requests: number;
        num_errors: number;
        last_error?: string;
        processing_time: number;
        average_processing_time: number;
      }[];
    }>();
    return endpoints.find(({ subject }) => subject === 'reservation.confirm');
  };
  const before = await stats();
  for (const id of ['nobody-1', 'nobody-2'])
    expect((await request('reservation.confirm', { id }, 'json')).code).toBe('404');
  const after = await stats();
  expect((after?.num_requests ?? 0) - (before?.num_requests ?? 0)).toBe(2);
  expect((after?.num_errors ?? 0) - (before?.num_errors ?? 0)).toBe(2);
  expect(after?.last_error).toMatch(/^404 /);
  expect(after?.processing_time).toBeGreaterThan(before?.processing_time ?? 0);
  expect(after?.average_processing_time).toBeGreaterThan(0);
});

it('reads JSON with a byte order mark, facts and requests, over NATS without a content type too', async () => {
  const fact = { id: 'bom', type: 'receipt', sku: 'bom', location: 'x', occurredAt: now(), qty: 4 };
  await broker.publish('receipt.x.bom', Buffer.from(`\ufeff${JSON.stringify(fact)}`));
  await expect.poll(async () => (await ask(node.url, 'GET', '/v1/stock/bom/x')).body.sellable).toBe(4);
  const reply = await nc.request('stock.get', '\ufeff{"sku":"bom","location":"x"}', { timeout: 5_000 });
  expect([reply.headers?.get('Content-Type'), reply.json<{ sellable: number }>().sellable]).toEqual([
    'application/json',
    4,
  ]);
  const bytes = Buffer.from(`\ufeff${JSON.stringify(fact)}`);
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetch(`${node.url}/v1/facts`, { method: 'POST', headers, body: bytes });
  expect(await answer.json()).toEqual({ accepted: 0, duplicates: 1, rejected: [] });
});

it('is a NATS micro service: PING, INFO and STATS answer', async () => {
  for (const verb of ['PING', 'INFO', 'STATS']) {
    const reply = (await nc.request(`$SRV.${verb}.holdfast`, undefined, { timeout: 2_000 })).json<{
      name: string;
      type: string;
    }>();
    expect(reply.name).toBe('holdfast');
  }
  const { endpoints } = (await nc.request('$SRV.INFO.holdfast', undefined, { timeout: 2_000 })).json<{
    endpoints: { subject: string }[];
  }>();
  expect(endpoints.map((endpoint) => endpoint.subject).sort()).toEqual([
    'atp.query',
    'fact.submit',
    'reservation.amend',
    'reservation.confirm',
    'reservation.place',
    'reservation.release',
    'stock.get',
  ]);
});

it('refuses streams that were made for another number of partitions, and says what to set', async () => {
  await expect(provision(broker, { partitions: 16, replicas: 1 })).rejects.toThrow(ProvisionError);
  await expect(provision(broker, { partitions: 16, replicas: 1 })).rejects.toThrow(
    /partition count is "32".*HOLDFAST_PARTITIONS/,
  );
  await expect(provision(broker, { partitions: 32, replicas: 1 })).resolves.toHaveProperty('created');
});
