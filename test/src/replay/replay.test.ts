import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, describe, expect, test } from 'vitest';
import { Client } from '../../../src/client/client.ts';
import { runReplay } from '../../../src/replay/command.ts';
import { httpSender } from '../../../src/replay/http-sender.ts';
import { exitCodeOf, replay } from '../../../src/replay/replay.ts';
import { SendError } from '../../../src/replay/send.ts';
import { SHIPPED_MONTH } from './given/data-folder.ts';
import { FakeClock } from './given/fake-clock.ts';
import { MemoryServer } from './given/memory-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-replay-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const NOW = Date.parse('2026-11-24T09:00:00Z');
const sale = (id: string, occurredAt = '2026-11-24T09:00:00Z', more: object = {}) => ({
  id,
  type: 'sale',
  sku: 'A',
  location: 'x',
  occurredAt,
  qty: 1,
  ...more,
});
let files = 0;
function factsFile(...facts: (object | string)[]): string {
  const path = join(folder, `${files++}.ndjson`);
  writeFileSync(path, facts.map((fact) => (typeof fact === 'string' ? fact : JSON.stringify(fact))).join('\n'));
  return path;
}
function job(server: MemoryServer, ...names: string[]) {
  return { files: names, send: server.send, clock: new FakeClock(NOW, true) };
}

describe('the account', () => {
  test('of the shipped month has every row; a second time all are duplicates, and both exit 0', async () => {
    const server = new MemoryServer();
    const first = await replay(job(server, SHIPPED_MONTH));
    expect(first).toMatchObject({
      published: 42_286,
      accepted: 42_286,
      duplicates: 0,
      refused: 0,
      skipped: 195,
      unsent: 0,
    });
    expect(first.bySort).toEqual({ sale: 41_318, return: 698, adjustment: 270 });
    expect(exitCodeOf(first)).toBe(0);
    expect(Math.max(...server.batches)).toBe(1000);
    const second = await replay(job(server, SHIPPED_MONTH));
    expect(second).toMatchObject({ published: 42_286, accepted: 0, duplicates: 42_286, refused: 0 });
    expect(exitCodeOf(second)).toBe(0);
  });

  test('names what the server refused by file and line, and exits 1', async () => {
    const server = new MemoryServer();
    server.oldest = '2026-11-01';
    const path = factsFile(
      sale('a'),
      sale('b', '2026-10-01T00:00:00Z'),
      'broken',
      sale('a', undefined, { qty: 2 }),
      sale('c', undefined, { qty: 0 }),
      sale('a'),
    );
    const summary = await replay(job(server, path));
    expect(summary).toMatchObject({ published: 5, accepted: 1, duplicates: 1, refused: 4, stopped: null });
    expect(summary.refusedByCode).toEqual({ unreadable: 1, 'too-old': 1, 'id-conflict': 1, invalid: 1 });
    expect(summary.refusals.map(({ place, id, code }) => `${place} ${id} ${code}`)).toEqual([
      '3 undefined unreadable',
      '2 b too-old',
      '4 a id-conflict',
      '5 c invalid',
    ]);
    expect(exitCodeOf(summary)).toBe(1);
  });

  test.each(['refused', 'unsent'] as const)('exits 1 if one was %s', async (field) => {
    const summary = await replay(job(new MemoryServer(), factsFile(sale('a'))));
    expect([
      exitCodeOf(summary),
      exitCodeOf({ ...summary, [field]: 1 }),
      exitCodeOf({ ...summary, stopped: 'x' }),
    ]).toEqual([0, 1, 1]);
  });

  test('has what was read before a file broke off, and exits 1', async () => {
    const server = new MemoryServer();
    const summary = await replay(job(server, factsFile(sale('a')), join(folder, 'absent'), factsFile(sale('b'))));
    expect(summary).toMatchObject({ accepted: 1, stopped: expect.stringContaining('absent does not exist') });
    expect(exitCodeOf(summary)).toBe(1);
  });
});

describe('a batch', () => {
  const again = (reached = false) => new SendError('down', 'again', { reached });

  test('is sent again with the same stamps until it is stored, and counts once', async () => {
    const server = new MemoryServer();
    server.failures.push({ error: again() }, { error: again(), after: true }, { error: again() });
    const summary = await replay({ ...job(server, factsFile(sale('a'), sale('b'))), fromNow: true });
    expect(summary).toMatchObject({ accepted: 0, duplicates: 2, refused: 0, unsent: 0, stopped: null });
    expect(exitCodeOf(summary)).toBe(0);
  });

  test('is given up soon when nothing ever listened, and late when a server was there', async () => {
    for (const [reached, fromSeconds, toSeconds] of [
      [false, 5, 12],
      [true, 120, 130],
    ] as const) {
      const server = new MemoryServer();
      for (let i = 0; i < 1000; i++) server.failures.push({ error: again(reached) });
      const summary = await replay({ ...job(server, factsFile(sale('a'))), batchFacts: 1 });
      expect(summary).toMatchObject({ published: 0, unsent: 1, stopped: 'down' });
      expect(summary.seconds).toBeGreaterThanOrEqual(fromSeconds);
      expect(summary.seconds).toBeLessThan(toSeconds);
      expect(exitCodeOf(summary)).toBe(1);
    }
  });

  test('waits while four are in flight', async () => {
    const server = new MemoryServer();
    const asked: (() => void)[] = [];
    const send: typeof server.send = async (facts) => {
      await new Promise<void>((resolve) => asked.push(resolve));
      return server.send(facts);
    };
    const path = factsFile(...'abcdef'.split('').map((id) => sale(id)));
    const done = replay({ ...job(server, path), send, batchFacts: 1 });
    await expect.poll(() => asked.length, { interval: 1 }).toBe(4);
    await new Promise((resolve) => setImmediate(resolve));
    expect(asked.length).toBe(4);
    asked.shift()?.();
    await expect.poll(() => asked.length, { interval: 1 }).toBe(4);
    const release = setInterval(() => asked.shift()?.(), 1);
    expect(await done).toMatchObject({ accepted: 6 });
    clearInterval(release);
  });

  test('that is too large is halved; a fact that is too large alone is refused', async () => {
    const server = new MemoryServer();
    const path = factsFile(...'abcdefgh'.split('').map((id) => sale(id)));
    const send: typeof server.send = (facts) =>
      facts.length > 2 || facts[0]?.id === 'g' ? Promise.reject(new SendError('413', 'smaller')) : server.send(facts);
    const summary = await replay({ ...job(server, path), send });
    expect(summary).toMatchObject({ published: 8, accepted: 7, refused: 1, refusedByCode: { 'too-large': 1 } });
    expect(summary.refusals[0]).toMatchObject({ id: 'g', place: 7 });
  });

  test('is not sent again after advice to give up', async () => {
    const server = new MemoryServer();
    server.failures.push({ error: new SendError('is that a Holdfast node?', 'give-up') });
    const summary = await replay({
      ...job(server, factsFile(sale('a'), sale('b'))),
      batchFacts: 1,
      bounds: { inFlight: 1 },
    });
    expect(summary).toMatchObject({ accepted: 0, unsent: 2, stopped: 'is that a Holdfast node?' });
  });
});

describe('playing in time', () => {
  test('sends each fact when it is due, and not before', async () => {
    const server = new MemoryServer();
    const clock = new FakeClock(NOW);
    const stamps = ['2010-12-01T08:00:00Z', '2010-12-01T08:00:00Z', '2010-12-01T09:00:00Z', '2010-12-01T09:30:00Z'];
    const path = factsFile(...stamps.map((stamp, index) => sale(`${index}`, stamp)));
    const done = replay({ files: [path], send: server.send, clock, speed: 60 });
    const stored = async (count: number) => {
      await expect.poll(() => server.facts.size, { interval: 1 }).toBe(count);
      await expect.poll(() => clock.waiting, { interval: 1 }).toBe(1);
    };
    await stored(2);
    clock.advanceTo(NOW + 59_999);
    await stored(2);
    clock.advanceTo(NOW + 60_000);
    await stored(3);
    clock.advanceTo(NOW + 90_000);
    expect(await done).toMatchObject({ accepted: 4, seconds: 90 });
  });

  test('ends when it is told to, stores what is in flight, and exits 1', async () => {
    const server = new MemoryServer();
    const stop = new AbortController();
    const path = factsFile(sale('a', '2010-12-01T08:00:00Z'), sale('b', '2010-12-02T08:00:00Z'));
    const clock = new FakeClock(NOW);
    const done = replay({ files: [path], send: server.send, clock, speed: 1, signal: stop.signal });
    await expect.poll(() => clock.waiting, { interval: 1 }).toBe(1);
    stop.abort();
    const summary = await done;
    expect(summary).toMatchObject({ accepted: 1, unsent: 1, stopped: expect.stringContaining('stopped') });
    expect(exitCodeOf(summary)).toBe(1);
  });
});

describe('the command', () => {
  async function run(args: Partial<Parameters<typeof runReplay>[0]>, server = new MemoryServer()) {
    const out: string[] = [];
    const stderr = new PassThrough();
    const stdout = { write: (text: string) => out.push(text) };
    const code = await runReplay({ files: [], http: '127.0.0.1:1', ...args }, { stdout, stderr, send: server.send });
    return { code, out: out.join(''), err: String(stderr.read() ?? '') };
  }

  test('prints the counts, and as JSON the whole summary', async () => {
    const path = factsFile(sale('a'), sale('b'), sale('a'));
    expect(await run({ files: [path] })).toMatchObject({
      code: 0,
      out: expect.stringMatching(/accepted +2\nduplicates +1\nrefused +0/),
    });
    const { code, out } = await run({ files: [path], json: true });
    expect([code, JSON.parse(out)]).toMatchObject([
      0,
      { published: 3, accepted: 2, duplicates: 1, bySort: { sale: 3 } },
    ]);
  });

  test('says what to do about what was refused', async () => {
    const server = new MemoryServer();
    server.oldest = '2026-11-01';
    const { code, out } = await run({ files: [factsFile(sale('b', '2010-12-01T08:00:00Z'))] }, server);
    expect(code).toBe(1);
    expect(out).toContain('HOLDFAST_HORIZON=off');
  });

  test.each([
    [{ files: [] }, 'at least one file'],
    [{ files: ['x'], speed: 'fast' }, '--speed is "fast", but must be a number above 0'],
    [{ files: ['x'], format: 'xml' }, '--format is "xml", but must be online-retail or facts'],
    [{ files: ['x'], location: ' x' }, '--location is " x"'],
    [{ files: ['x'], encoding: 'ebcdic' }, '--encoding is "ebcdic", but must be a name of the Encoding Standard'],
    [{ files: ['x'], delimiter: 'x' }, '--delimiter is "x", but must be comma, semicolon, tab or pipe'],
    [{ files: ['x'], dateFormat: 'dd/mm/yy' }, '--date-format is "dd/mm/yy", but must be made of YYYY or YY'],
  ])('refuses wrong usage with 2: %j', async (args, message) => {
    expect(await run(args)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(message) });
  });

  test('fails before it sends anything if a file is not there', async () => {
    const server = new MemoryServer();
    const result = await run({ files: [factsFile(sale('a')), join(folder, 'absent')] }, server);
    expect(result).toMatchObject({ code: 1, err: expect.stringContaining('absent: no such file') });
    expect(server.batches).toEqual([]);
  });
});

describe('over HTTP', () => {
  async function served(answer: (path: string) => { status: number; body: unknown; headers?: Record<string, string> }) {
    const server = createServer((request, response) => {
      request.resume().on('end', () => {
        const { status, body, headers } = answer(request.url ?? '');
        response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return { base, close: () => new Promise((resolve) => server.close(resolve)) };
  }
  const stored = { accepted: 1, duplicates: 0, rejected: [] };

  test('posts to /v1/facts and reads the answer', async () => {
    const { base, close } = await served((path) => ({ status: path === '/v1/facts' ? 200 : 404, body: stored }));
    expect(await httpSender(new Client([`${base}/`]))([sale('a')])).toEqual(stored);
    await close();
  });

  test.each<[number, object, { message?: string; advice: string; reached?: boolean; retryAfterMs?: number }]>([
    [503, { detail: 'no owner' }, { advice: 'again', reached: true, retryAfterMs: 2000, message: 'no owner' }],
    [413, {}, { advice: 'smaller' }],
    [404, {}, { advice: 'give-up', message: 'Is that a Holdfast node?' }],
    [422, { title: 'wrong' }, { advice: 'give-up', message: 'wrong' }],
    [200, { hello: 1 }, { advice: 'give-up', message: 'is that a Holdfast node?' }],
    [200, { ...stored, accepted: 7 }, { advice: 'give-up', message: 'accounted for 7 of 1' }],
  ])('takes %i %j as %j', async (status, body, expected) => {
    const { base, close } = await served(() => ({ status, body, headers: { 'retry-after': '2' } }));
    const error = await httpSender(new Client([base]))([sale('a')]).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ ...expected, message: expect.stringContaining(expected.message ?? '') });
    await close();
  });

  test('says what to do when nothing listens', async () => {
    const { base, close } = await served(() => ({ status: 200, body: stored }));
    await close();
    await expect(httpSender(new Client([base]))([sale('a')])).rejects.toMatchObject({
      advice: 'again',
      message: expect.stringContaining('holdfast up'),
    });
  });
});
