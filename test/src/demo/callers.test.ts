import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEMO } from '../../../config/demo/demo.ts';
import type { Ask, Asked } from '../../../src/client/client.ts';
import { type Month, readMonth } from '../../../src/demo/month.ts';
import { storesOf } from '../../../src/demo/movements.ts';
import { Retailer } from '../../../src/demo/retailer.ts';
import { Storefront } from '../../../src/demo/storefront.ts';
import type { SentFact } from '../../../src/replay/entry.ts';
import { SendError } from '../../../src/replay/send.ts';
import { parseFact } from '../../../streams/fact/fact.ts';
import { SHIPPED_MONTH } from '../replay/given/data-folder.ts';
import { FakeClock } from '../replay/given/fake-clock.ts';
import { MemoryServer } from '../replay/given/memory-server.ts';
import { scripted } from './scripted.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-demo-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
/** No cycle counts, because their timer would let a leaping clock run ahead while the month is read. */
const UNCOUNTED = { ...DEMO, countEveryMs: 1e9 } as unknown as typeof DEMO;
const NOW = Date.parse('2026-11-24T09:00:00Z');
const refused = (status: number): Asked => ({
  ok: false,
  problem: { type: 'x', title: '', status, detail: '' },
  base: '',
  retryAfterMs: 0,
});
let month: Month;
beforeAll(async () => {
  month = await readMonth(SHIPPED_MONTH, DEMO);
});

describe('the retailer', () => {
  /** Plays until this many facts were requested, then stops as by Ctrl-C or, with `crash`, as by a power cut. */
  async function play(server: MemoryServer, clock: FakeClock, facts: number, stateFile: string, crash = false) {
    const stop = new AbortController();
    let asked = 0;
    let stateAtCrash: string | undefined;
    const reports: string[] = [];
    const send: typeof server.send = async (batch) => {
      asked += batch.length;
      const over = asked >= facts;
      if (over && crash) stateAtCrash = readFileSync(stateFile, 'utf8');
      const answer = await server.send(batch);
      if (over) stop.abort();
      if (over && crash) throw new SendError('gone', 'again');
      return answer;
    };
    const ask: Ask = async () => refused(404);
    const retailer = new Retailer({
      demo: UNCOUNTED,
      month,
      stateFile,
      send,
      ask,
      clock,
      signal: stop.signal,
      report: (line) => reports.push(line),
    });
    await retailer.run();
    if (stateAtCrash !== undefined) writeFileSync(stateFile, stateAtCrash);
    return { retailer, reports };
  }

  test.each([false, true])(
    'goes on where it stopped, stores each fact once, and after a crash (%j) repeats what it sent',
    async (crash) => {
      const server = new MemoryServer();
      const clock = new FakeClock(NOW, true);
      const stateFile = join(folder, `${crash}`, 'state.json');
      let refused = 0;
      for (const facts of [1_500, 9_000, 20, 12_000]) {
        const { retailer } = await play(server, clock, facts, stateFile, crash);
        refused += retailer.counters().refused;
        clock.advanceTo(clock.nowMs() + 3_600_000);
      }
      expect(refused).toBe(0);
      // Names of items are sent beside the script, and again at each start.
      const stored = [...server.facts.values()].filter(({ type }) => type !== 'item').map(({ id }) => String(id));
      const series = stored[0]?.split(':')[0] ?? '';
      const planned = (await scripted(month, 1, `${series}:`)).map((fact) => fact.id);
      expect(stored).toEqual(planned.slice(0, stored.length));
      expect(stored.length).toBeGreaterThan(15_000);
    },
  );

  test('plays on its clock: a fact is stamped when it is sent, not in the future and not in 2010', async () => {
    const server = new MemoryServer();
    const clock = new FakeClock(NOW, true);
    const late: number[] = [];
    const spying = new MemoryServer();
    const send: typeof server.send = (batch) => {
      // Names are as old as the month, so that a person's own name wins.
      const happened = batch.filter(({ type }) => type !== 'item');
      for (const fact of happened) late.push(clock.nowMs() - Date.parse(String(fact.occurredAt)));
      return server.send(batch);
    };
    await play(Object.assign(spying, { send }), clock, 20_000, join(folder, 'stamps.json'));
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...late)).toBeLessThan(2_000);
  });

  test('plays the month again under new ids, and begins anew without its file', async () => {
    const server = new MemoryServer();
    const clock = new FakeClock(NOW, true);
    const small = { ...month, balances: month.balances.slice(0, 5) };
    const stop = new AbortController();
    const stateFile = join(folder, 'loop.json');
    const send: typeof server.send = (batch) => {
      if (server.facts.size > 60_000) stop.abort();
      return server.send(batch);
    };
    const ask: Ask = async () => refused(404);
    const retailer = new Retailer({
      demo: UNCOUNTED,
      month: small,
      stateFile,
      send,
      ask,
      clock,
      signal: stop.signal,
      report: () => undefined,
    });
    await retailer.run();
    expect(retailer.counters()).toMatchObject({ run: 2, refused: 0 });
    const minutes = (clock.nowMs() - NOW) / 60_000;
    expect(minutes).toBeGreaterThan(5);
    expect(minutes).toBeLessThan(60);
  }, 60_000);
});

describe('the storefront', () => {
  test('asks and reserves at its rates, sells what it confirmed, and leaves some holds to expire', async () => {
    const clock = new FakeClock(NOW, true);
    const server = new MemoryServer();
    const stop = new AbortController();
    const reserved = new Map<string, { lines: { sku: string; qty: number }[] }>();
    const confirmed = new Set<string>();
    const ask: Ask = async (method, path, body) => {
      if (method === 'GET') return { ok: true, body: { atp: 1 } };
      if (path === '/v1/reservations') {
        const request = body as { id: string; lines: { sku: string; qty: number; locations: string[] }[] };
        for (const { locations } of request.lines) expect(locations).toEqual(storesOf(DEMO));
        if (reserved.has(request.id)) throw new Error('an id was used twice');
        reserved.set(request.id, request);
        if (reserved.size % 10 === 0) return refused(409);
        return {
          ok: true,
          body: { id: request.id, lines: request.lines.map((line) => ({ ...line, location: 'store-london' })) },
        };
      }
      if (method === 'POST') confirmed.add(path.split('/')[3] ?? '');
      return { ok: true, body: {} };
    };
    const storefront = new Storefront({
      demo: DEMO,
      month,
      ask,
      send: server.send,
      clock,
      signal: stop.signal,
    });
    const done = storefront.run();
    await expect.poll(() => clock.nowMs() - NOW, { interval: 1, timeout: 20_000 }).toBeGreaterThan(30_000);
    const seconds = (clock.nowMs() - NOW) / 1000;
    const counters = storefront.counters();
    stop.abort();
    await done;
    expect(counters.atpRequests / seconds).toBeGreaterThan(150);
    expect(counters.atpRequests / seconds).toBeLessThan(210);
    expect(counters.reservations / seconds).toBeGreaterThan(30);
    expect(counters.reservations / seconds).toBeLessThan(45);
    expect(counters.troubles).toBe(0);
    expect(counters.refused).toBeGreaterThan(0);
    expect(counters.released).toBeGreaterThan(0);
    expect(counters.forgotten).toBeGreaterThan(0);
    const sold = new Set([...server.facts.values()].map((fact) => fact.reservation));
    expect(sold).toEqual(confirmed);
    expect([...server.facts.values()].every((fact) => parseFact(fact).ok)).toBe(true);
  });
});

test.each([
  ['now and then one less', 1, [6, 7]],
  ['never a promised unit less', 0, [7]],
])('shelves are counted as the book has them, %s, under ids of their own', async (_, available, counted) => {
  const server = new MemoryServer();
  const stop = new AbortController();
  const clock = new FakeClock(NOW, true);
  const counts: SentFact[] = [];
  const send: typeof server.send = (batch) => {
    if (String(batch[0]?.id).includes('-count:')) counts.push(...batch);
    if (counts.length >= 100) stop.abort();
    return server.send(batch);
  };
  const ask: Ask = async () => ({ ok: true, body: { sellable: 7, available } });
  const stateFile = join(folder, `counts-${available}.json`);
  const report = () => undefined;
  await new Retailer({ demo: DEMO, month, stateFile, send, ask, clock, signal: stop.signal, report }).run();
  expect(new Set(counts.map((fact) => fact.counted))).toEqual(new Set(counted));
  expect(new Set(counts.map((fact) => fact.id)).size).toBe(counts.length);
  expect(counts.every((fact) => parseFact(fact).ok)).toBe(true);
});
