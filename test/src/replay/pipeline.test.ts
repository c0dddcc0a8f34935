/** Real sales through the whole program (files → HTTP → JetStream → books), compared with readers that share no code with it. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { loadSettings } from '../../../config/load-settings.ts';
import { freshNats, freshRedis } from '../../../harness/servers/servers.ts';
import { type RunningNode, startNode } from '../../../src/node/node.ts';
import { createLog } from '../../../src/process/log.ts';
import { runReplay } from '../../../src/replay/command.ts';
import type { ReplaySummary } from '../../../src/replay/replay.ts';
import { deriveFacts, expectedStock } from './complete-journey.ts';
import { journeyFile, monthFile, SHIPPED_MONTH } from './given/data-folder.ts';
import { readIndependently } from './given/independent-reader.ts';

/** A sample of two months. All of them would take five minutes longer, because each month passes through the whole program twice. */
const MONTHS = ['2010-12', '2011-09'];
const files = MONTHS.map((month) => [month, monthFile(month)] as const).filter(([, file]) => file !== undefined);
if (files.length < MONTHS.length)
  console.warn(
    `only ${files.map(([month]) => month).join(', ')} are here: the folder with the other months is not (HOLDFAST_DATA)`,
  );

describe('replay of real months', () => {
  it.each(files)(
    '%s, from an empty book, ends in what an independent reader sums, SKU by SKU; again it moves nothing',
    async (_, file) => {
      const expected = readIndependently(file as string);
      await withNode(async (node) => {
        const first = await replayed(node, file as string);
        expect(first.code).toBe(0);
        expect(first.summary).toMatchObject({
          accepted: expected.facts.size,
          duplicates: 0,
          refused: 0,
          skipped: expected.table.skipped,
        });
        expect(sellableOf(node)).toEqual(expected.sellable);
        const again = await replayed(node, file as string);
        expect(again.code).toBe(0);
        expect(again.summary).toMatchObject({ accepted: 0, duplicates: expected.facts.size, refused: 0 });
        expect(sellableOf(node)).toEqual(expected.sellable);
      });
    },
    180_000,
  );
});

describe('replay to a node whose horizon is a week', () => {
  it('ends before it has filled PARKED, and moves the stamps if it is asked to', async () => {
    await withNode(async (node) => {
      const parked = async () => {
        const answer = (await (await fetch(`http://${node.http}/v1/parked?limit=1`)).json()) as { parked: unknown[] };
        return answer.parked.length;
      };
      const { code, summary } = await replayed(node, SHIPPED_MONTH);
      expect([code, summary.published, summary.unsent, await parked()]).toEqual([1, 0, 100, 0]);
      expect(summary.stopped).toMatch(/^the first 100 facts would all be refused, so nothing was sent \(100 too-old\)/);
      const small = join(mkdtempSync(join(tmpdir(), 'holdfast-old-')), 'old.ndjson');
      const fact = { id: 'old', type: 'sale', sku: 'A', location: 'x', occurredAt: '2010-12-01T08:26:00Z', qty: 1 };
      writeFileSync(small, JSON.stringify(fact));
      const one = await replayed(node, small);
      expect([one.code, one.summary.refusedByCode, await parked()]).toEqual([1, { 'too-old': 1 }, 1]);
      const moved = await replayed(node, small, true);
      expect([moved.code, moved.summary.accepted]).toEqual([0, 1]);
    }, '7d');
  }, 60_000);
});

describe.runIf(journeyFile() !== undefined)('replay of complete-journey', () => {
  it('as a facts file, lines not in time order, ends in an independent sum for each of its store-products', async () => {
    const path = journeyFile() as string;
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-journey-'));
    const file = join(folder, 'facts.ndjson');
    const lines: string[] = [];
    for await (const fact of deriveFacts(path)) lines.push(JSON.stringify(fact));
    writeFileSync(file, lines.join('\n'));
    try {
      await withNode(async (node) => {
        const { code, summary } = await replayed(node, file);
        expect(code).toBe(0);
        expect(summary.accepted).toBe(lines.length);
        const expected = expectedStock(path);
        expect(stockKeysOf(node)).toEqual(expected.sellable);
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }, 180_000);
});

/** A node on servers of its own. Syncing every message would take minutes, and this test checks the sum and not the disk. */
async function withNode(use: (node: RunningNode) => Promise<void>, horizon = 'off'): Promise<void> {
  const [nats, redis] = await Promise.all([freshNats({ config: { syncInterval: '2m' } }), freshRedis()]);
  const settings = loadSettings(
    { nats: nats.url, redis: redis.url, http: '127.0.0.1:0', horizon, logLevel: 'silent' },
    {},
  );
  const node = await startNode(settings, createLog({ level: 'silent', name: 'replay' }));
  try {
    await vi.waitFor(() => expect(node.engine.readiness.reasons).toEqual([]), { timeout: 20_000 });
    await use(node);
  } finally {
    await node.stop();
    await Promise.all([nats.kill(), redis.kill()]);
  }
}

async function replayed(
  node: RunningNode,
  file: string,
  fromNow = false,
): Promise<{ code: number; summary: ReplaySummary }> {
  let printed = '';
  const stdout = { write: (text: string) => (printed += text) };
  const stderr = new Writable({ write: (_chunk, _encoding, done) => done() });
  const code = await runReplay({ files: [file], http: node.http, json: true, fromNow }, { stdout, stderr });
  return { code, summary: JSON.parse(printed) as ReplaySummary };
}

/** Sellable units by SKU, over all locations. */
function sellableOf(node: RunningNode): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { book } of node.engine.partitions.values()) {
    for (const entry of book.skus.values())
      sums.set(
        entry.name,
        entry.keys.reduce((sum, key) => sum + key.sellable, 0),
      );
  }
  return sums;
}

/** Sellable units by `location sku`. */
function stockKeysOf(node: RunningNode): Map<string, number> {
  const keys = new Map<string, number>();
  for (const { book } of node.engine.partitions.values()) {
    for (const entry of book.skus.values())
      for (const key of entry.keys) keys.set(`${key.location} ${entry.name}`, key.sellable);
  }
  return keys;
}
