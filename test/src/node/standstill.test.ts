/**
 * Requests that one caller can make too large, and the report of /readyz when nothing moves, on a node and a server with the default
 * max_payload.
 */

import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadSettings } from '../../../config/load-settings.ts';
import { ask, askUntilDecided } from '../../../harness/callers/http-caller.ts';
import { NodeProcess } from '../../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { startNode } from '../../../src/node/node.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';
import { logInto } from '../http/front.ts';

const skus = ['wide-1', 'wide-2', 'wide-3', 'wide-4'];
/** 61 characters that take 241 bytes. */
const wide = '\u{1F9E6}'.repeat(60);
const locations = Array.from({ length: 1000 }, (_, i) => wide + String.fromCodePoint(0x4e00 + i));
let node: NodeProcess;
let broker: NatsBroker;

beforeAll(async () => {
  const [nats, redis] = await Promise.all([freshNats({ config: { maxPayload: '1MB' } }), freshRedis()]);
  // A lease that does not expire on a busy machine.
  node = await NodeProcess.at({ nats, redis }, { env: { HOLDFAST_LEASE: '15s' } });
  await node.up();
  broker = await NatsBroker.connect(nats.url, 'test');
  const occurredAt = new Date().toISOString();
  for (const sku of skus) {
    const facts = locations.map((location, i) => ({
      id: `${sku}-${i}`,
      type: 'receipt',
      sku,
      location,
      occurredAt,
      qty: 1,
    }));
    expect((await askUntilDecided(() => node.url, 'POST', '/v1/facts', facts)).body.accepted).toBe(1000);
  }
}, 60_000);
afterAll(() => broker.close());

const body = (id: string, lines: object[]) => ({ id, ttlSeconds: 3600, lines });
const reserve = (id: string, lines: object[]) =>
  askUntilDecided(() => node.url, 'POST', '/v1/reservations', body(id, lines), 15_000);
const free = async () =>
  Promise.all(skus.map(async (sku) => (await ask(node.url, 'GET', `/v1/atp/${sku}`)).body.atp as number));

it('a reservation whose decision would be too large is refused before anything is held, and nobody waits behind it', async () => {
  const lines = skus.map((sku) => ({ sku, qty: 1000, split: true }));
  const answers = await Promise.all([
    reserve('too-wide', lines),
    reserve(
      'too-wide-alone',
      lines.slice(0, 1).map((line) => ({ ...line, qty: 950 })),
    ),
    reserve('honest', [{ sku: 'wide-4', qty: 1 }]),
  ]);
  expect(answers.map(({ status }) => status)).toEqual([413, 201, 201]);
  expect(answers[0]?.body).toMatchObject({
    type: 'too-large',
    errors: [{ field: 'lines', message: expect.stringMatching(/4000 lines at their locations and \d{7} bytes/) }],
  });
  expect(await free()).toEqual([50, 1000, 1000, 999]);
  // Each is within its limit, and together they exceed the limit of one record.
  const together = await Promise.all(
    [1, 2, 3].map((i) => reserve(`wide-${i}`, [{ sku: skus[i], qty: 950, split: true }])),
  );
  expect(together.map(({ status }) => status)).toEqual([201, 201, 201]);
  expect((await node.readiness())?.ready).toBe(true);
});

it('a journal and a parking that get nothing stored make the node unready, with the reason; it recovers by itself', async () => {
  for (const stream of ['JOURNAL', 'PARKED']) await broker.updateStream(stream, { max_bytes: 1 });
  for (let i = 0; i < 320; i++) void broker.publish('sale.x.y', Buffer.from('no fact')).catch(() => undefined);
  const waits = body('waits', [{ sku: 'wide-4', qty: 1 }]);
  const waiting = ask(node.url, 'POST', '/v1/reservations', waits);
  const reasons = async () => (await node.readiness())?.reasons ?? [];
  const expected = [
    /^the journal has taken nothing for \d+ s: the stream JOURNAL has no room$/,
    /^stream SALES has not been read for \d+ s, until facts that cannot be counted are parked$/,
    /^facts that cannot be counted have waited \d+ s to be stored in PARKED$/,
  ].map((text) => expect.stringMatching(text));
  // /readyz reports the full streams as well.
  await expect.poll(reasons, { timeout: 20_000 }).toEqual(expect.arrayContaining(expected));
  expect((await waiting).status).toBe(503);
  const metrics = await (await fetch(`${node.url}/metrics`)).text();
  for (const name of ['journal_stalled_seconds', 'parking_stalled_seconds', 'intake_stalled_seconds{stream="SALES"}'])
    expect(Number(metrics.split(`\nholdfast_${name} `)[1]?.split('\n')[0])).toBeGreaterThan(5);
  expect(metrics).toContain('\nholdfast_ready 0\n');
  for (const stream of ['JOURNAL', 'PARKED']) await broker.updateStream(stream, { max_bytes: -1 });
  expect((await reserve('waits', waits.lines)).status).toBeLessThan(202);
  await node.serves(20_000);
  const told = (message: string) => node.logged(message).map(({ what }) => what);
  expect(new Set(told('this node does not move'))).toEqual(new Set(['intake SALES', 'journal', 'parking']));
  await expect
    .poll(() => new Set(told('this node moves again')))
    .toEqual(new Set(['intake SALES', 'journal', 'parking']));
}, 60_000);

it('a server that takes too little in one message is refused at start', async () => {
  const { url } = await freshNats({ config: { maxPayload: '512KB' } });
  const settings = loadSettings({ nats: url, http: '127.0.0.1:0', name: 'two' }, {});
  await expect(startNode(settings, logInto([]))).rejects.toThrow(
    /takes messages of at most 524288 bytes, and the journal needs 1048576: set max_payload in nats.conf/,
  );
});
