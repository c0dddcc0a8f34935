/**
 * Streams that 0.1 wrote (test/streams/golden/streams-0.1). Later changes to reading or judging must not change the verdicts on stored
 * messages. A change of rules or formats adds here the messages of 0.1 that it would read differently.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import type { RulesEntry } from '../../../actors/idempotency/rules.ts';
import { RULES_VERSION } from '../../../config/rules.ts';
import { JOURNAL_STREAM, RULES_METADATA } from '../../../config/topology.ts';
import { askUntilDecided } from '../../../harness/callers/http-caller.ts';
import { KeptNode } from '../../../harness/processes/kept-node.ts';
import { freshFolder, freshNats, freshRedis } from '../../../harness/servers/servers.ts';

const RECORDING = fileURLToPath(new URL('../../streams/golden/streams-0.1/', import.meta.url));
const served = JSON.parse(readFileSync(`${RECORDING}served.json`, 'utf8'));
const env = { HOLDFAST_PARTITIONS: '4' };
let kept: KeptNode;

beforeAll(async () => {
  const dataDir = freshFolder('nats');
  execFileSync('tar', ['-C', dataDir, '-xzf', `${RECORDING}store.tar.gz`]);
  const [nats, redis] = await Promise.all([freshNats({ dataDir }), freshRedis()]);
  kept = await KeptNode.on({ nats, redis }, { env });
  return () => kept.close();
}, 120_000);

const ask = async (path: string) => (await askUntilDecided(kept.url, 'GET', path)).body;
/** Sorts locations, because their order follows the arrival of facts, which is not defined across streams. */
const byLocation = (rows: { location: string }[]) => [...rows].sort((a, b) => (a.location < b.location ? -1 : 1));
async function expectServed() {
  for (const [sku, rows] of Object.entries(served.stock as Record<string, { location: string }[]>)) {
    const { locations } = await ask(`/v1/stock/${encodeURIComponent(sku)}`);
    expect(byLocation(locations)).toMatchObject(byLocation(rows));
  }
}
const parked = async () =>
  (await ask('/v1/parked?limit=1000')).parked.map(({ reason, source }: { reason: string; source: string }) => ({
    reason,
    source,
  }));
const rules = async () =>
  JSON.parse((await kept.broker.stream(JOURNAL_STREAM))?.metadata?.[RULES_METADATA] ?? '[]') as RulesEntry[];
const command = async (...args: string[]) => {
  const { code, answer, err } = await kept.holdfast(...args, '--partitions', '4');
  expect([args[0], err, code, answer?.faults ?? []]).toEqual([args[0], '', 0, []]);
  return answer;
};

it('are served as 0.1 served them, from the log, a snapshot and a baseline, and can be kept', async () => {
  await expectServed();
  expect(await parked()).toEqual(served.parked);
  expect(await ask('/v1/reservations/r-confirmed')).toMatchObject(served.reservation);
  for (const [sku, rows] of Object.entries(served.stock as Record<string, { location: string }[]>)) {
    for (const { location } of rows) {
      const explained = await ask(`/v1/explain/${encodeURIComponent(sku)}/${encodeURIComponent(location)}`);
      expect([sku, location, explained.adds]).toEqual([sku, location, true]);
    }
  }
  // The times of 0.1 have become sequences. Messages stored from here on are judged by this version.
  const entries = await rules();
  expect(entries.map(({ horizonMs, version }) => [horizonMs, version])).toEqual([
    ...served.horizons.map(({ horizonMs }: RulesEntry) => [horizonMs, 1]),
    [served.horizons.at(-1).horizonMs, RULES_VERSION],
  ]);
  await command('baseline');
  await command('trim');
  await command('verify');
  // New names must not look like these, but names already stored can be read, reserved and counted.
  const [zeroWidth, shop] = [Object.keys(served.stock).find((sku) => sku.includes('\u200b')) as string, 'shop\u2060'];
  const fact = (id: string, more: object) => ({
    id,
    sku: zeroWidth,
    location: shop,
    occurredAt: new Date().toISOString(),
    ...more,
  });
  const send = async (...facts: object[]) => (await askUntilDecided(kept.url, 'POST', '/v1/facts', facts)).body;
  const place = (sku: string, locations?: string[]) =>
    askUntilDecided(kept.url, 'POST', '/v1/reservations', { id: `r-${sku}`, lines: [{ sku, qty: 1, locations }] });
  expect(await send(fact('new-sale', { type: 'sale', qty: 1 }))).toMatchObject({
    rejected: [{ code: 'invalid', message: expect.stringMatching(/^sku must be 1 to 64 .* invisible/) }],
  });
  expect(await send(fact('new-count', { type: 'count', counted: 8 }))).toMatchObject({ accepted: 1 });
  expect(await send(fact('strange-count', { type: 'count', counted: 8, sku: 'X\u200b' }))).toMatchObject({
    rejected: [{ code: 'invalid' }],
  });
  expect(await place(zeroWidth, [shop])).toMatchObject({ status: 201, body: { lines: [{ location: shop }] } });
  expect(await place('X\u200b')).toMatchObject({ status: 422, body: { errors: [{ field: 'lines[0].sku' }] } });
  expect(await place('A', ['dc\u200b'])).toMatchObject({
    status: 422,
    body: { errors: [{ field: 'lines[0].locations' }] },
  });
  expect((await askUntilDecided(kept.url, 'GET', `/v1/stock/${encodeURIComponent('X\u202e')}`)).status).toBe(422);
  const rows = served.stock[zeroWidth] as { location: string }[];
  served.stock[zeroWidth] = rows.map((row) =>
    row.location === shop ? { location: shop, sellable: 8, held: 1, atp: 7 } : row,
  );
  await expectServed();
  expect(await kept.node.stop()).toBe(0);
  for (const snapshots of [true, false]) {
    if (!snapshots) await kept.setSnapshots();
    await kept.node.up();
    await expectServed();
    expect(await rules()).toEqual(entries);
    if (snapshots) await kept.node.kill();
  }
  await command('verify');
}, 120_000);
