/** The command line: usage errors, exit codes, and output for people and for scripts. */
import { PassThrough } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyFact } from '../../../actors/stock/evolve.ts';
import { runCli } from '../../../src/cli/program.ts';
import { parseLine } from '../../../src/cli/support/line-option.ts';
import { purchase } from '../../actors/stock/given.ts';
import { front } from '../http/front.ts';
import type { MemoryFacts } from '../http/memory/memory-ports.ts';

let app: FastifyInstance;
let http: string;
let facts: MemoryFacts;
beforeAll(async () => {
  const it_ = front();
  facts = it_.facts;
  const ordered = { line: '2', vendor: 'Pottery', location: 'shop', promisedAt: '2026-11-23' };
  for (const fact of [purchase('08:00', 6), purchase('08:00', 4, ordered)]) applyFact(it_.stock.book, fact);
  it_.facts.parked.push({
    seq: 4,
    parkedAt: '2026-11-24T09:15:00.123Z',
    reason: 'too-old',
    message: 'old \u001b[31m',
    state: 'waiting',
    source: 'SALES.1',
    contentType: 'application/json',
    bytes: 'e30=',
    length: 2,
    cut: false,
  });
  app = it_.app;
  http = new URL(await app.listen({ host: '127.0.0.1', port: 0 })).host;
});
afterAll(() => app.close());

async function holdfast(args: string[], env: Record<string, string> = { HOLDFAST_HTTP: http }) {
  let out = '';
  const stderr = new PassThrough();
  const code = await runCli(args, { stdout: { write: (text: string) => (out += text) }, stderr, env });
  return { code, out, err: String(stderr.read() ?? '') };
}

describe('wrong usage', () => {
  it.each([
    [[], 'Usage: holdfast'],
    [['bogus'], "unknown command 'bogus'"],
    [['atp'], "missing required argument 'sku'"],
    [['explain', 'x'], "missing required argument 'location'"],
    [['stock', 'x', '--bogus'], "unknown option '--bogus'"],
    [['reserve', '--line', 'a=1'], "required option '--id <id>'"],
    [['reserve', '--id', 'a'], "required option '--line"],
    [['reserve', '--id', 'a', '--line', 'a'], 'It must be SKU=QTY[@LOC,LOC][:split]'],
    [['reserve', '--id', 'a', '--line', 'a=1', '--purpose', 'fun'], 'Allowed choices are order'],
    [['reserve', '--id', 'a', '--line', 'a=1', '--ttl', '1h'], 'whole number of seconds'],
    [['reserve', '--id', 'a', '--line', 'a=1', '--ttl', '0'], 'ttlSeconds must be a whole number from 1'],
    [['reserve', '--id', 'a', '--line', 'a=0'], 'qty must be a whole number from 1'],
    [['reserve', '--id', '', '--line', 'a=1'], 'id must be a string of 1 to 128 characters'],
    [['reserve', '--id', 'a', '--line', 'a=1', '--channel', ''], 'channel must be'],
    [['confirm', ''], 'id must be'],
    [['release', 'x'.repeat(129)], 'id must be'],
    [['atp', '85123A', '--by', 'yesterday'], 'by must be a date'],
    [['atp', ' 85123A'], 'sku must be'],
    [['stock', '85123A', ' '], 'location must be'],
    [['explain', '', 'store-12'], 'sku must be'],
    [['parked', 'resubmit', 'x'], 'whole number'],
    [['parked', 'list', '--limit', '0'], 'whole number from 1 to 1000'],
    [['parked', 'list', '--state', 'gone'], 'Allowed choices are'],
    [['parked', 'dismiss', '--by', 'mia', '--why', 'test'], '--state waiting for all'],
    [['parked', 'dismiss', '4', '--by', 'mia'], '--why must say why'],
    [['parked', 'resubmit', '4', '5', '--corrected', 'x.json'], '--corrected takes the place of one fact'],
    [['parked', 'resubmit', '4', '--corrected', '/nonexistent'], 'cannot be read as JSON'],
    [['atp', 'x', '--http', 'nonsense'], '--http is "nonsense", but must be HOST:PORT'],
    [['trim', '--older', 'x'], 'too many arguments'],
    [['verify', '--partitions', '0'], '--partitions is "0", but must be'],
    [['node', '--horizon', 'soon'], '--horizon is "soon", but must be recorded, off'],
    [['replay'], "missing required argument 'file'"],
  ])('%j ends with 2 and says what is wrong', async (args, says) => {
    const { code, err } = await holdfast(args);
    expect([code, err]).toEqual([2, expect.stringContaining(says)]);
  });
});

it.each([
  'up',
  'node',
  'replay',
  'doctor',
  'atp',
  'stock',
  'supply',
  'explain',
  'reserve',
  'confirm',
  'release',
  'parked',
  'baseline',
  'trim',
  'verify',
])('%s has --help', async (command) => {
  const { code, out } = await holdfast([command, '--help']);
  expect([code, out]).toEqual([0, expect.stringContaining(`Usage: holdfast ${command}`)]);
});

describe('at a desk', () => {
  it('prints aligned tables', async () => {
    expect(await holdfast(['atp', '85123A', 'nope'])).toEqual({
      code: 0,
      err: '',
      out: [
        'SKU     LOCATION                ATP',
        '85123A  2 locations              17',
        '        store-12                  5',
        '        dc-1                     12',
        'nope    nothing is known of it    0',
        'as of 2026-11-24T09:15:00.123Z',
        '',
      ].join('\n'),
    });
    expect((await holdfast(['stock', '85123A'])).out.split('\n')).toHaveLength(4);
    expect((await holdfast(['explain', '85123A', 'dc-1'])).out).toContain('+12 = 12');
    expect((await holdfast(['supply', 'mug'])).out).toBe(
      [
        'DUE                                  UNITS  TO    FROM     BY',
        '2026-11-23T23:59:59.999999Z overdue      4  shop  Pottery  purchase order p1, line 2',
        '2026-11-25T23:59:59.999999Z              6  dc             purchase order p1',
        '',
      ].join('\n'),
    );
    expect((await holdfast(['supply', 'mug', '--location', 'attic'])).out).toBe('nothing is on its way\n');
  });

  it('prints the answer as JSON with --json, problems too', async () => {
    expect(JSON.parse((await holdfast(['stock', '85123A', 'dc-1', '--json'])).out)).toMatchObject({ onHand: 12 });
    const { code, out, err } = await holdfast(['stock', 'nope', '--json']);
    expect([code, JSON.parse(out).type, err]).toEqual([1, 'not-found', '']);
  });

  it('reserves, confirms and releases', async () => {
    expect((await holdfast(['reserve', '--id', 'c1', '--line', '85123A=2@store-12,dc-1:split'])).out).toContain(
      'c1 is held until',
    );
    expect((await holdfast(['confirm', 'c1'])).out).toContain('c1 is allocated');
    expect((await holdfast(['release', 'c1'])).out).toContain('c1 is released');
  });

  it('says a refusal in sentences, with what to do', async () => {
    const { code, out, err } = await holdfast(['reserve', '--id', 'c2', '--line', '85123A=99']);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('85123A: 99 requested, 5 available');
    expect(err).toContain('--partial');
  });

  it('lists parked facts without letting them steer the terminal, and submits them again', async () => {
    const { out } = await holdfast(['parked']);
    expect(out).toContain('too-old');
    expect(out).not.toContain('\u001b');
    expect((await holdfast(['parked', 'list', '--json'])).code).toBe(0);
    const shown = await holdfast(['parked', 'show', '4']);
    expect([shown.code, shown.out.includes('\u001b'), /text +\{\}/.test(shown.out)]).toEqual([0, false, true]);
    expect((await holdfast(['parked', 'resubmit', '4'])).code).toBe(0);
    expect((await holdfast(['parked', 'resubmit', '5'])).code).toBe(1);
  });

  it('asks on until all facts are worked through, and says which still wait', async () => {
    const said = ['--by', 'mia', '--why', 'offline'];
    expect(await holdfast(['parked', 'resubmit', '--reason', 'too-old', ...said])).toMatchObject({
      code: 0,
      out: '3 facts are submitted again\n',
    });
    const left = await holdfast(['parked', 'dismiss', '4', ...said]);
    expect([left.code, left.out]).toEqual([1, '0 facts are dismissed\n1 still wait: it is being sent (such as 4)\n']);
    const worked = { by: 'mia', why: 'offline' };
    expect(facts.worked).toEqual([
      { step: 'resubmit', reason: 'too-old', ...worked },
      { step: 'resubmit', reason: 'too-old', after: 7, ...worked },
      { step: 'dismiss', seqs: [4], ...worked },
    ]);
  });

  it('says when nothing listens, and how to start', async () => {
    const { code, err } = await holdfast(['stock', 'x', '--http', '127.0.0.1:47999']);
    expect(code).toBe(1);
    expect(err).toContain('Nothing listens at http://127.0.0.1:47999.');
    expect(err).toContain('holdfast up');
  });
});

it.each([
  ['a=1', { sku: 'a', qty: 1 }],
  ['a=b=2', { sku: 'a=b', qty: 2 }],
  ['a=2:split', { sku: 'a', qty: 2, split: true }],
  ['a=2@x', { sku: 'a', qty: 2, locations: ['x'] }],
  ['a=2@x,y z:split', { sku: 'a', qty: 2, locations: ['x', 'y z'], split: true }],
])('reads the line %s', (text, line) => {
  expect(parseLine(text)).toEqual(line);
});
