/**
 * kill −9 of the node at every failpoint while callers write, then a restart. The auditor knows only what callers were told and
 * what the node says afterwards.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { FAILPOINTS, type Failpoint } from '../../config/failpoints.ts';
import { askUntilDecided } from '../fixtures/http-caller.ts';
import { NodeProcess, type Servers } from '../fixtures/node-process.ts';
import { freshNats, freshRedis } from '../fixtures/servers.ts';

const CALLERS = 24;
const ROUNDS = 6;
/** How often a place is passed before the process dies there: late enough that callers are under way. */
const PASSES: Partial<Record<Failpoint, number>> = {
  'fact-received': 40,
  'fact-applied': 40,
  'before-append': 20,
  'append-stored': 20,
  'decision-folded': 20,
  'mid-replay': 5,
  'snapshot-half-written': 3,
  'snapshot-before-swap': 3,
};
/** Passed only while a node starts: the one under load is killed, and the next one dies there. */
const AT_START: readonly Failpoint[] = ['mid-replay', 'claimed', 'fenced'];

let servers: Servers;
beforeAll(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  servers = { nats, redis };
});

interface Told {
  /** Units of every acknowledged fact, by SKU. */
  readonly stocked: Map<string, number>;
  /** Live reservations by id: SKU, units, and the status that was told last. */
  readonly granted: Map<string, { sku: string; qty: number; status: string }>;
  readonly versions: Map<string, string>;
}

describe('a node killed at', () => {
  it.each(FAILPOINTS)(
    '%s loses nothing it acknowledged and doubles nothing',
    async (failpoint) => {
      const node = await NodeProcess.at(servers, { name: `node-${failpoint}` });
      const told: Told = { stocked: new Map(), granted: new Map(), versions: new Map() };
      const atStart = AT_START.includes(failpoint);
      const armed = { failpoint: `${failpoint}@${PASSES[failpoint] ?? 1}` as const };
      await node.up(atStart ? {} : armed);
      const callers = Promise.all(Array.from({ length: CALLERS }, (_, caller) => call(node, failpoint, caller, told)));
      let done = false;
      void callers.finally(() => {
        done = true;
      });
      if (atStart) {
        await expect.poll(() => told.granted.size, { timeout: 20_000 }).toBeGreaterThan(10);
        await node.kill();
        node.start(armed);
      }
      await node.ended();
      // It died of the failpoint, under load.
      expect(done).toBe(false);
      await node.up();
      await callers;
      await audit(node, told);
      await node.kill();
      await node.up();
      await audit(node, told);
      await node.kill();
    },
    90_000,
  );
});

/** One caller: stocks a SKU of its own and a shared one, reserves, and confirms or releases some. */
async function call(node: NodeProcess, run: string, caller: number, told: Told): Promise<void> {
  const url = () => node.url;
  for (let round = 0; round < ROUNDS; round++) {
    const own = `${run}-${caller}`;
    const shared = `${run}-shared`;
    const name = `${run}-${caller}-${round}`;
    const facts = [own, shared].map((sku) => ({
      id: `${name}-${sku}`,
      type: 'receipt',
      sku,
      location: 'x',
      occurredAt: new Date().toISOString(),
      qty: 3,
    }));
    const stocked = await askUntilDecided(url, 'POST', '/v1/facts', facts);
    expect(stocked.status, JSON.stringify(stocked.body)).toBe(200);
    expect(stocked.body.accepted + stocked.body.duplicates).toBe(2);
    for (const { sku, qty } of facts) told.stocked.set(sku, (told.stocked.get(sku) ?? 0) + qty);
    const sku = round % 2 === 0 ? own : shared;
    const placed = await askUntilDecided(url, 'POST', '/v1/reservations', {
      id: name,
      ttlSeconds: 600,
      lines: [{ sku, qty: 2 }],
    });
    expect([200, 201, 409], JSON.stringify(placed.body)).toContain(placed.status);
    if (placed.status === 409) {
      expect(placed.body.type).toBe('insufficient-stock');
      continue;
    }
    told.granted.set(name, { sku, qty: 2, status: 'held' });
    seeVersion(told, sku, placed.body.lines[0].version);
    if (round % 3 === 0) continue;
    const [method, path, status] =
      round % 3 === 1
        ? ['POST', `/v1/reservations/${name}/confirm`, 'allocated']
        : ['DELETE', `/v1/reservations/${name}`, 'released'];
    const stepped = await askUntilDecided(url, method as string, path as string);
    expect(stepped.status, JSON.stringify(stepped.body)).toBe(200);
    told.granted.set(name, { sku, qty: 2, status: status as string });
    const atp = await askUntilDecided(url, 'GET', `/v1/atp/${sku}`);
    seeVersion(told, sku, atp.body.version, true);
  }
}

/** Versions that one caller sees one after the other never go back; the shared SKU's answers race, so only a caller's own count. */
function seeVersion(told: Told, sku: string, version: string, atLeast = false): void {
  if (sku.endsWith('-shared')) return;
  const before = told.versions.get(sku);
  if (before !== undefined && atLeast)
    expect(compare(version, before), `${sku}: ${before} then ${version}`).toBeGreaterThanOrEqual(0);
  if (before === undefined || compare(version, before) > 0) told.versions.set(sku, version);
}

function compare(a: string, b: string): number {
  const [x, y] = [a, b].map((each) => each.split('.').map(Number));
  return (x?.[0] ?? 0) - (y?.[0] ?? 0) || (x?.[1] ?? 0) - (y?.[1] ?? 0);
}

async function audit(node: NodeProcess, told: Told): Promise<void> {
  const url = () => node.url;
  const live = new Map<string, { held: number; allocated: number }>();
  for (const [id, { sku, qty, status }] of told.granted) {
    const found = await askUntilDecided(url, 'GET', `/v1/reservations/${id}`);
    expect([id, found.body?.status]).toEqual([id, status]);
    const claims = live.get(sku) ?? { held: 0, allocated: 0 };
    if (status === 'held') claims.held += qty;
    if (status === 'allocated') claims.allocated += qty;
    live.set(sku, claims);
  }
  for (const [sku, sellable] of told.stocked) {
    const { held, allocated } = live.get(sku) ?? { held: 0, allocated: 0 };
    const { body } = await askUntilDecided(url, 'GET', `/v1/stock/${sku}/x`);
    expect({ sku, sellable: body.sellable, held: body.held, allocated: body.allocated }).toEqual({
      sku,
      sellable,
      held,
      allocated,
    });
    expect(held + allocated).toBeLessThanOrEqual(sellable);
    const atp = await askUntilDecided(url, 'GET', `/v1/atp/${sku}`);
    seeVersion(told, sku, atp.body.version, true);
  }
}
