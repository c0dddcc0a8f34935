/** The events of running nodes on real servers: which there are, their ids and order, and that none is lost. */
import { spawn } from 'node:child_process';
import { PassThrough } from 'node:stream';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadSettings } from '../../../config/load-settings.ts';
import { ask } from '../../../harness/callers/http-caller.ts';
import { NodeProcess, type Servers } from '../../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { until } from '../../../harness/until.ts';
import { runCli } from '../../../src/cli/program.ts';
import { runBaseline, runTrim } from '../../../src/operate/retention-commands.ts';
import { EVENTS, type EventKind, envelope } from '../../../streams/contract/events.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';
import { published, send, shipped, untilPublished } from './published.ts';

let servers: Servers;
let broker: NatsBroker;
beforeEach(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  servers = { nats, redis };
  broker = await NatsBroker.connect(nats.url, 'test');
});
afterEach(() => broker.close());

async function printed(args: string[]): Promise<string> {
  const out = new PassThrough();
  expect(await runCli(args, { stdout: out, stderr: out, env: {} })).toBe(0);
  return String(out.read());
}

it('publishes an event for each counted transfer and return, and for each change of an anomaly', async () => {
  const node = await NodeProcess.at(servers);
  await node.up();
  const url = () => node.url;
  const at = new Date().toISOString();
  await send(url, [
    shipped('a', { occurredAt: at, eta: '2030-01-01', device: 'scanner-1' }),
    { ...shipped('b', { occurredAt: at, qty: 1, damaged: 1 }), phase: 'received', location: 'shop', transfer: 'T-a' },
    { ...shipped('c', { occurredAt: at, qty: 1 }), phase: 'closed', reason: 'lost', transfer: 'T-a' },
    { id: 'd', type: 'return', sku: 'S', location: 'shop', qty: 1, disposition: 'inspect', occurredAt: at },
    { id: 'e', type: 'sale', sku: 'S', location: 'shop', qty: 1, occurredAt: at },
  ]);
  await untilPublished(url, ['a', 'b', 'c', 'd']);
  // The book of the origin is below zero.
  await until(
    async () => (await published(node.url, 'anomaly.raised')).length > 0,
    15_000,
    () => 'an anomaly is raised',
  );
  const [anomaly] = (await ask(node.url, 'GET', '/v1/anomalies?kind=negative_stock')).body.anomalies;
  const { status } = await ask(node.url, 'POST', `/v1/anomalies/${anomaly.id}/acknowledge`, { by: 'mia', why: 'x' });
  expect(status).toBe(200);
  await until(
    async () => (await published(node.url, 'anomaly.acknowledged')).length > 0,
    15_000,
    () => 'it is acknowledged',
  );
  const all = await published(node.url);
  for (const { sequence: _, ...event } of all) {
    const kind = event.type.slice('holdfast.'.length, -'.v1'.length) as EventKind;
    expect(EVENTS).toHaveProperty([kind]);
    expect(envelope(kind).strict().parse(event)).toEqual(event);
  }
  const facts = all.filter(({ source }) => source === 'urn:holdfast:facts');
  expect(facts.map(({ id, type, subject }) => [id, type, subject])).toEqual(
    expect.arrayContaining([
      ['a', 'holdfast.transfer.shipped.v1', 'S/dc'],
      ['b', 'holdfast.transfer.received.v1', 'S/shop'],
      ['c', 'holdfast.transfer.closed.v1', 'S/dc'],
      ['d', 'holdfast.return.received.v1', 'S/shop'],
    ]),
  );
  expect(facts).toHaveLength(4);
  expect(facts.find(({ id }) => id === 'a')?.data).toMatchObject({ device: 'scanner-1', transfer: 'T-a', from: 'dc' });
  expect(await printed(['events', '--json', '--http', node.url, '--kind', 'return.*'])).toMatch(/^\{.*"id":"d".*\}\n$/);
  const follower = spawn(process.execPath, ['bin/holdfast.js', 'events', '--follow', '--http', node.url]);
  let followed = '';
  follower.stdout.setEncoding('utf8').on('data', (text: string) => (followed += text));
  let serial = 0;
  try {
    // The follower shows only what comes after its start, which takes a moment.
    await until(
      async () => {
        await send(url, [shipped(`f${serial++}`)]);
        return followed.includes('transfer.shipped  S/dc  f');
      },
      30_000,
      () => `the follower shows new events: ${followed}`,
      500,
    );
    expect(followed).not.toContain('return.received');
  } finally {
    follower.kill();
  }
  // A kind chooses, and a page says where the next one begins.
  expect((await published(node.url, 'return.*,transfer.closed')).map(({ id }) => id).sort()).toEqual(['c', 'd']);
  expect((await ask(node.url, 'GET', '/v1/events?after=1&limit=1')).body).toMatchObject({ next: '2' });
  expect((await ask(node.url, 'GET', '/v1/events?after=999')).status).toBe(422);
  expect((await ask(node.url, 'GET', '/v1/events?kind=transfers')).body.detail).toMatch(/must be one of \*, transfer/);
}, 120_000);

// GQ1, and OZ1 for the fact that was counted.
it('gives no event for a fact that was parked, and none twice for a duplicate', async () => {
  const node = await NodeProcess.at(servers);
  await node.up();
  const url = () => node.url;
  await send(url, [shipped('a', { qty: 2 }), shipped('old', { occurredAt: '2001-01-01T00:00:00Z' })]);
  await send(url, [shipped('a', { qty: 3 })]);
  const { data } = (await untilPublished(url, ['a']))[0] ?? { data: {} };
  await node.kill();
  // A device sends on its own, so the fact is stored and then parked.
  await broker.publish('transfer.dc.S', Buffer.from(JSON.stringify(shipped('a', { qty: 4 }))));
  await broker.publish('transfer.dc.S', Buffer.from('not a fact'));
  await node.up();
  await send(url, [shipped('last')]);
  const all = await untilPublished(url, ['last']);
  expect(all.filter(({ source }) => source === 'urn:holdfast:facts').map(({ id }) => id)).toEqual(['a', 'last']);
  expect(data).toMatchObject({ qty: 2 });
}, 120_000);

// OZ2, OY1
it('loses no event when the node is killed between publishing and recording the position', async () => {
  const node = await NodeProcess.at(servers, { env: { HOLDFAST_PARTITIONS: '4' } });
  await node.up({ failpoint: 'event-published@40' });
  const url = () => node.url;
  const ids = Array.from({ length: 120 }, (_, i) => `k${i}`);
  const facts = ids.map((id, i) => shipped(id, { sku: `S${i % 7}` }));
  const sent = send(url, facts);
  await node.ended();
  // The snapshot may be ahead of the position now.
  await node.up({ failpoint: 'event-published@40' });
  await sent;
  await node.ended();
  await node.up();
  const all = await untilPublished(url, ids);
  const known = new Set(ids);
  expect(all.filter(({ source, id }) => source === 'urn:holdfast:facts' && !known.has(id))).toEqual([]);
}, 180_000);

// LN1
it('loses no event and keeps the order of a SKU when its owner dies', async () => {
  const env = { HOLDFAST_PARTITIONS: '8' };
  const [one, two] = [
    await NodeProcess.at(servers, { name: 'one', env }),
    await NodeProcess.at(servers, { name: 'two', env }),
  ];
  await Promise.all([one.up(), two.up()]);
  const ids: string[] = [];
  for (let round = 0; round < 12; round++) {
    const some = Array.from({ length: 20 }, (_, i) => `r${round}-${i}`);
    ids.push(...some);
    await send(
      () => two.url,
      some.map((id, i) => shipped(id, { sku: `S${i}` })),
    );
    if (round === 5) await one.kill();
  }
  const all = await untilPublished(() => two.url, ids);
  for (let i = 0; i < 20; i++) {
    const wanted = ids.filter((id) => id.endsWith(`-${i}`));
    const first = new Set(all.map(({ id }) => id).filter((id) => wanted.includes(id)));
    expect([...first]).toEqual(wanted);
  }
}, 180_000);

it('starts at the present ends in an installation that had no events before', async () => {
  const node = await NodeProcess.at(servers);
  await node.up();
  const url = () => node.url;
  await send(url, [shipped('before')]);
  await untilPublished(url, ['before']);
  await node.stop();
  const connection = await connect({ servers: servers.nats.url });
  const { streams } = await jetstreamManager(connection);
  await streams.delete('EVENTS');
  await streams.delete('KV_holdfast_outbox');
  await connection.close();
  await node.up();
  await send(url, [shipped('after')]);
  const all = await untilPublished(url, ['after']);
  expect(all.map(({ id }) => id)).not.toContain('before');
}, 120_000);

// OZ3, LN2: nothing waits for the outbox.
it('goes on with stock while EVENTS takes nothing, and publishes everything afterwards', async () => {
  const node = await NodeProcess.at(servers, { env: { HOLDFAST_PARTITIONS: '1' } });
  await node.up();
  const url = () => node.url;
  await broker.updateStream('EVENTS', { max_msg_size: 1 });
  const ids = Array.from({ length: 4_500 }, (_, i) => `f${i}`);
  for (let from = 0; from < ids.length; from += 500)
    await send(
      url,
      ids.slice(from, from + 500).map((id, i) => shipped(id, { sku: `S${i % 5}` })),
    );
  const placed = await ask(node.url, 'POST', '/v1/reservations', {
    id: 'r',
    channel: 'web',
    purpose: 'order',
    lines: [{ sku: 'S0', qty: 1 }],
  });
  expect(placed.status).toBe(409);
  const metrics = async () => (await ask(node.url, 'GET', '/metrics')).body as string;
  // More wait than memory takes, so they are read from the stream later.
  expect(await metrics()).toMatch(/holdfast_outbox_partitions_behind 1\n/);
  expect(await metrics()).toMatch(/holdfast_outbox_stalled_seconds [1-9]/);
  await broker.updateStream('EVENTS', { max_msg_size: -1 });
  await untilPublished(url, ids);
  await until(
    async () => /holdfast_outbox_partitions_behind 0\n/.test(await metrics()),
    15_000,
    () => 'the outbox has caught up',
  );
}, 180_000);

it('trims nothing whose events are not published, and trims once they are', async () => {
  const node = await NodeProcess.at(servers, { env: { HOLDFAST_PARTITIONS: '2' } });
  await node.up();
  const url = () => node.url;
  await send(url, [shipped('early')]);
  await untilPublished(url, ['early']);
  await broker.updateStream('EVENTS', { max_msg_size: 1 });
  await send(url, [shipped('late')]);
  const flags = { nats: servers.nats.url, redis: servers.redis.url, partitions: '2', logLevel: 'silent' };
  const settings = loadSettings(flags, {});
  await runBaseline(settings);
  await expect(runTrim(settings, { older: false, patienceMs: 1_500 })).rejects.toThrow(
    /events of [12] partitions are not published yet/,
  );
  expect((await broker.stream('TRANSFERS'))?.messages).toBe(2);
  await broker.updateStream('EVENTS', { max_msg_size: -1 });
  expect((await runTrim(settings, { older: false })).removed.TRANSFERS).toBe(2);
  expect((await published(node.url)).map(({ id }) => id)).toContain('late');
}, 120_000);
