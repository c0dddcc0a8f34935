/** Difficult states that a node may find at its start: a different journal, holds that have expired, and quiet partitions far behind. */

import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { createClient, RESP_TYPES } from 'redis';
import { beforeEach, expect, it } from 'vitest';
import { decodeManifest } from '../../../actors/snapshot/format.ts';
import { LIMITS } from '../../../config/limits.ts';
import { askUntilDecided } from '../../../harness/callers/http-caller.ts';
import { NodeProcess, type Servers } from '../../../harness/processes/node-process.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { NatsBroker } from '../../../streams/nats/broker.ts';

let servers: Servers;
let node: NodeProcess;
const url = () => node.url;
const receipt = (id: string, sku: string, qty: number) => ({
  id,
  type: 'receipt',
  sku,
  location: 'x',
  occurredAt: new Date().toISOString(),
  qty,
});

beforeEach(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  servers = { nats, redis };
  node = await NodeProcess.at(servers);
  await node.up();
});

it('refuses to serve when JOURNAL was made again beside streams that are the same', async () => {
  await askUntilDecided(url, 'POST', '/v1/facts', receipt('f', 'A', 3));
  expect(
    (await askUntilDecided(url, 'POST', '/v1/reservations', { id: 'r', lines: [{ sku: 'A', qty: 3 }] })).status,
  ).toBe(201);
  expect(await node.stop()).toBe(0);
  const connection = await connect({ servers: servers.nats.url });
  await (await jetstreamManager(connection)).streams.delete('JOURNAL');
  await connection.close();
  node.start();
  await expect
    .poll(async () => (await node.readiness())?.reasons, { timeout: 15_000 })
    .toContainEqual(expect.stringMatching(/JOURNAL/));
  expect((await fetch(`${node.url}/v1/atp/A`)).status).toBe(503);
}, 60_000);

it('releases a hold whose time ran out while nobody ran, though it stood in a snapshot', async () => {
  await askUntilDecided(url, 'POST', '/v1/facts', receipt('f', 'A', 3));
  const held = await askUntilDecided(url, 'POST', '/v1/reservations', {
    id: 'r',
    ttlSeconds: 1,
    lines: [{ sku: 'A', qty: 3 }],
  });
  expect(held.status).toBe(201);
  expect(await node.stop()).toBe(0);
  await expect.poll(() => Date.now(), { timeout: 5_000 }).toBeGreaterThan(Date.parse(held.body.expiresAt));
  await node.up();
  await expect
    .poll(async () => (await askUntilDecided(url, 'GET', '/v1/reservations/r')).body.status, { timeout: 5_000 })
    .toBe('expired');
  expect((await askUntilDecided(url, 'GET', '/v1/stock/A/x')).body).toMatchObject({ held: 0, available: 3 });
}, 60_000);

it('keeps the replay at a start short: the snapshot of a partition where nothing happens goes along', async () => {
  const client = createClient({ url: servers.redis.url }).withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  await client.connect();
  try {
    const device = await NatsBroker.connect(servers.nats.url, 'device');
    for (let batch = 0; batch < 8; batch++) {
      const facts = Array.from({ length: 200 }, (_, i) =>
        Buffer.from(JSON.stringify(receipt(`f${batch}-${i}`, 'A', 1))),
      );
      await Promise.all(facts.map((fact) => device.publish('receipt.x.A', fact)));
    }
    await device.close();
    const oldest = async () => {
      const positions = [];
      for (let number = 0; number < 32; number++) {
        const bytes = (await client.hGet(`holdfast:{p${number}}`, 'm0')) as unknown as Buffer;
        positions.push(decodeManifest(bytes).positions.RECEIPTS);
      }
      return Math.min(...positions);
    };
    await expect.poll(oldest, { timeout: 10_000 }).toBeGreaterThan(500);
  } finally {
    client.destroy();
  }
}, 60_000);

it('parks what cannot even be quoted, and as much as a stream takes', async () => {
  const broker = await NatsBroker.connect(servers.nats.url, 'device');
  // The parser's error message ends in half of a surrogate pair.
  await broker.publish('sale.x.A', Buffer.from('{"id":😀}'), { headers: { 'Content-Type': 'application/json' } });
  await broker.publish('sale.x.A', Buffer.alloc(LIMITS.storedFactBytes - 200, 0x20));
  await askUntilDecided(url, 'POST', '/v1/facts', receipt('behind', 'A', 3));
  const parked = async () =>
    (await askUntilDecided(url, 'GET', '/v1/parked')).body.parked as { reason: string; source: string }[];
  await expect
    .poll(async () => (await parked()).map(({ source }) => source).sort(), { timeout: 10_000 })
    .toEqual(['SALES.1', 'SALES.2']);
  expect((await askUntilDecided(url, 'GET', '/v1/stock/A/x')).body.sellable).toBe(3);
}, 60_000);
