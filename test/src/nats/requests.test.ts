/** The NATS front's endpoints without NATS: answers in the caller's format, and refusals with code and problem. */
import { Packr } from 'msgpackr';
import { beforeEach, describe, expect, it } from 'vitest';
import { Answers } from '../../../src/api/stock-api.ts';
import { Metrics } from '../../../src/metrics/metrics.ts';
import { requestEndpoints } from '../../../src/nats/service.ts';
import type { ServiceReply } from '../../../streams/nats/service.ts';
import { logInto } from '../http/front.ts';
import { MemoryFacts, MemoryStockService, NOT_DECIDED } from '../http/memory/memory-ports.ts';

const packr = new Packr({ useRecords: false });
const stock = () => new MemoryStockService().put('85123A', 'store-12', 5);
let memory: MemoryStockService;
let metrics: Metrics;
let room: number;
let ask: (subject: string, data: Uint8Array, contentType?: string) => Promise<ServiceReply>;

beforeEach(() => {
  memory = stock();
  room = 1_000_000;
  const facts = new MemoryFacts();
  metrics = new Metrics();
  const endpoints = requestEndpoints(new Answers({ stock: memory, facts, metrics }), metrics, logInto([]));
  ask = async (subject, data, contentType) => {
    const found = endpoints.find(({ group, name }) => `${group}.${name}` === subject);
    if (found === undefined) throw new Error(`no endpoint ${subject}`);
    return found.handler(data, contentType, room);
  };
});

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const read = ({ body, contentType }: ServiceReply) =>
  contentType === 'application/msgpack' ? packr.unpack(body) : JSON.parse(Buffer.from(body).toString());

describe.each([
  ['JSON, said', json, 'application/json'],
  ['JSON, by its first byte', json, undefined],
  ['MessagePack, said', (value: unknown) => packr.pack(value), 'application/msgpack'],
  ['MessagePack, by its first byte', (value: unknown) => packr.pack(value), undefined],
] as const)('%s', (form, encode, contentType) => {
  const type = form.startsWith('JSON') ? 'application/json' : 'application/msgpack';

  it('answers every endpoint in the form of the question', async () => {
    const walk: [string, object, object][] = [
      ['atp.query', { lines: [{ sku: '85123A' }] }, { lines: [{ atp: 5 }] }],
      ['reservation.place', { id: 'a', lines: [{ sku: '85123A', qty: 1 }] }, { id: 'a', status: 'held' }],
      ['reservation.confirm', { id: 'a' }, { status: 'allocated', expiresAt: null }],
      ['reservation.release', { id: 'a' }, { status: 'released' }],
      ['stock.get', { sku: '85123A', location: 'store-12' }, { onHand: 5 }],
      ['stock.get', { sku: '85123A' }, { sku: '85123A', locations: [{ location: 'store-12' }] }],
    ];
    for (const [subject, body, expected] of walk) {
      const reply = await ask(subject, encode(body), contentType);
      expect([reply.contentType, reply.errorCode]).toEqual([type, undefined]);
      expect(read(reply)).toMatchObject(expected);
    }
  });

  it('refuses with the HTTP status as code and the problem as body', async () => {
    const refusals: [string, object, number, string][] = [
      ['reservation.place', { id: 'b', lines: [{ sku: '85123A', qty: 9 }] }, 409, 'insufficient-stock'],
      ['reservation.place', { id: 'b', lines: [{ sku: '85123A', qty: 0 }] }, 422, 'invalid-request'],
      ['reservation.confirm', { id: 'never' }, 404, 'not-found'],
      ['reservation.release', {}, 422, 'invalid-request'],
      ['stock.get', { sku: 'nope' }, 404, 'not-found'],
      ['atp.query', {}, 422, 'invalid-request'],
    ];
    for (const [subject, body, code, kind] of refusals) {
      const reply = await ask(subject, encode(body), contentType);
      expect([reply.errorCode, reply.contentType]).toEqual([code, type]);
      expect(read(reply)).toMatchObject({ type: kind, status: code });
    }
  });
});

it.each([
  ['nothing', Buffer.alloc(0), undefined, 400],
  ['half JSON', Buffer.from('{"lines":'), undefined, 400],
  ['hostile MessagePack', Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]), undefined, 400],
  ['another content type', Buffer.from('{}'), 'text/plain', 415],
])('refuses %s', async (_what, data, contentType, code) => {
  expect((await ask('atp.query', data, contentType)).errorCode).toBe(code);
});

it.each([
  ['reservation.place', { id: 'a', ttl: 900, lines: [{ sku: '85123A', qty: 1 }] }, 'ttl'],
  ['reservation.place', { id: 'a', lines: [{ sku: '85123A', qty: 1, location: 'x' }] }, 'lines[0].location'],
  ['reservation.confirm', { id: 'a', lines: [] }, 'lines'],
  ['reservation.release', { id: 'a', line: '1' }, 'line'],
  ['stock.get', { sku: '85123A', locations: ['store-12'] }, 'locations'],
  ['atp.query', { lines: [{ sku: '85123A' }], chanel: 'web' }, 'chanel'],
])('%s refuses %j, and names what it does not know', async (subject, body, field) => {
  for (const [encode, contentType] of [
    [json, undefined],
    [(value: unknown) => packr.pack(value), 'application/msgpack'],
  ] as const) {
    const reply = await ask(subject, encode(body), contentType);
    expect([reply.errorCode, read(reply).errors[0].field]).toEqual([422, field]);
  }
  expect(memory.asked).toEqual([]);
});

it('says 503 when it is not decided, and 500 without the inside of a fault', async () => {
  memory.failure = NOT_DECIDED;
  expect((await ask('stock.get', json({ sku: 'a' }))).errorCode).toBe(503);
  memory.failure = new Error('secret');
  const reply = await ask('stock.get', json({ sku: 'a' }));
  expect([reply.errorCode, Buffer.from(reply.body).toString().includes('secret')]).toEqual([500, false]);
});

it('counts problems by their type, and what the system is to blame for by operation', async () => {
  await ask('stock.get', json({ sku: 'nope' }));
  memory.failure = NOT_DECIDED;
  for (const [subject, body] of [
    ['stock.get', { sku: 'a' }],
    ['atp.query', { lines: [{ sku: 'a' }] }],
    ['reservation.place', { id: 'a', lines: [{ sku: 'a', qty: 1 }] }],
  ] as const) {
    await ask(subject, json(body));
  }
  const text = await metrics.render();
  for (const line of [
    'problems_total{problem="not-found"} 1',
    'problems_total{problem="undecided"} 3',
    'requests_total{operation="stock"} 2',
    'requests_total{operation="reservation"} 1',
    'request_faults_total{operation="stock"} 1',
    'request_faults_total{operation="atp"} 1',
    'request_faults_total{operation="reservation"} 1',
    'request_faults_total{operation="facts"} 0',
    'atp_request_seconds_count 1',
  ]) {
    expect(text).toContain(`\nholdfast_${line}\n`);
  }
});
