/** The first hundred facts: if all of them would be refused, a person is asked before PARKED fills. */
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { csv, fact, many, replayed, row } from './file/replayed.ts';
import { MemoryServer } from './given/memory-server.ts';

const DAY_MS = 86_400_000;
const week = { horizonMs: async () => 7 * DAY_MS };
const TOO_OLD =
  'too-old: they happened before the idempotency horizon. Give the first node HOLDFAST_HORIZON=off, or later end all nodes and run holdfast horizon off, or use --from-now.';
const wrongDates = (count: number) => many(count, (i) => row(`${i}`, 'MUG', { date: '01.12.2010 08:26' }));
const old = csv(...many(150, (i) => row(`${i}`, 'MUG')));

/** What a person sees at a terminal and answers. */
function terminal(answer: string) {
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  const stderr = Object.assign(new PassThrough(), { isTTY: true });
  stdin.write(answer);
  return { stdin, stderr, shown: () => String(stderr.read() ?? '') };
}

describe('the first hundred facts', () => {
  test('that cannot be read end the replay before anything is sent', async () => {
    const server = new MemoryServer();
    const { outcome, says } = await replayed('a.csv', csv(...wrongDates(100), row('x', 'MUG')), {}, server);
    expect([outcome, server.batches]).toEqual(['1: refused 100', []]);
    expect(says.at(-1)).toBe(
      'Not finished: the first 100 facts would all be refused, so nothing was sent (100 unreadable). The first is a.csv:2 unreadable: InvoiceDate is "01.12.2010 08:26", but must be like 2010-12-01 08:26:00. Give another form with --date-format',
    );
  });

  test('that are older than the horizon of the node end it too, and it says what to do', async () => {
    const server = new MemoryServer();
    expect(await replayed('a.csv', old, {}, server, week)).toEqual({
      outcome: '1: unsent 100',
      says: [
        'Not finished: the first 100 facts would all be refused, so nothing was sent (100 too-old). The first is a.csv:2 0:1 too-old: occurredAt is 2010-12-01T08:26:00Z, which is before the idempotency horizon',
        TOO_OLD,
      ],
    });
    expect(server.batches).toEqual([]);
  });

  test('of facts and nonsense, each refused for its own reason, end it', async () => {
    const lines = many(100, (i) => (i % 2 === 0 ? fact(`${i}`, { qty: 0 }) : 'nonsense'));
    const { says } = await replayed('a.ndjson', lines.join('\n'), {}, undefined, week);
    expect(says.at(-1)).toBe(
      'Not finished: the first 100 facts would all be refused, so nothing was sent (50 invalid, 50 unreadable). The first is a.ndjson:1 0 invalid: qty must be a whole number from 1 to 1000000000',
    );
  });

  test.each([
    ['one of them can count', csv(...wrongDates(99), row('x', 'CUP')), {}, '1: accepted CUP, refused 99'],
    ['there are fewer', csv(...wrongDates(98)), {}, '1: refused 98'],
    ['their stamps are moved to now', csv(...many(100, (i) => row(`${i}`, 'A'))), { fromNow: true }, /^0: accepted A/],
    [
      'skipped rows are among them',
      csv(...many(99, (i) => row(`${i}`, 'POST')), row('x', 'CUP')),
      {},
      /^0: accepted CUP/,
    ],
  ])('are sent if %s', async (_, content, flags, outcome) => {
    const io = _ === 'their stamps are moved to now' ? week : {};
    expect((await replayed('a.csv', content, flags, undefined, io)).outcome).toMatch(outcome);
  });

  test('that the server refuses are the only ones that it gets', async () => {
    const server = new MemoryServer();
    await replayed('a.csv', csv(...many(1_500, (i) => row(`${i}`, 'MUG'))), {}, server);
    server.batches.length = 0;
    const other = csv(...many(1_500, (i) => row(`${i}`, 'CUP')));
    const { outcome, says } = await replayed('a.csv', other, {}, server);
    expect([outcome.replace(/ MUG/g, ''), server.batches]).toEqual(['1: refused 100', [100]]);
    expect(says.slice(-2)).toEqual([
      'Not finished: the first 100 facts were all refused (100 id-conflict). The first is a.csv:2 0:1 id-conflict: was used with other content',
      'id-conflict: these ids were stored with other content before. Other stamps (by --from-now), another encoding and another order of the rows are other content.',
    ]);
  });
});

describe('at a terminal', () => {
  test('a person is asked, and can send them all the same', async () => {
    const server = new MemoryServer();
    const { shown, ...io } = terminal('y\n');
    const { outcome } = await replayed('a.csv', old, {}, server, { ...week, ...io });
    expect([outcome.slice(0, 15), server.facts.size]).toEqual(['0: accepted MUG', 150]);
    expect(shown()).toContain(`before the idempotency horizon\n${TOO_OLD}\nSend the facts all the same? [y/N] `);
  });

  test.each(['n\n', '\n', 'yesterday\n'])('nothing is sent after the answer %j', async (answer) => {
    const server = new MemoryServer();
    const { outcome } = await replayed('a.csv', old, {}, server, { ...week, ...terminal(answer) });
    expect([outcome, server.batches]).toEqual(['1: unsent 100', []]);
  });

  test('Ctrl-C at the question ends the replay', async () => {
    const stop = new AbortController();
    const { stdin, stderr } = terminal('');
    stderr.on('data', (text) => String(text).includes('[y/N]') && stop.abort());
    const io = { ...week, stdin, stderr, signal: stop.signal };
    expect((await replayed('a.csv', old, {}, undefined, io)).outcome).toBe('1: unsent 100');
  });
});
