import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import type { Entry } from '../../../src/replay/entry.ts';
import { readFactsText } from '../../../src/replay/file/facts-file.ts';
import { type ReadOptions, readFacts } from '../../../src/replay/read.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-read-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function file(content: string | Uint8Array): string {
  const path = join(folder, `${files++}`);
  writeFileSync(path, content);
  return path;
}
async function all(entries: AsyncIterable<Entry>): Promise<Entry[]> {
  const out: Entry[] = [];
  for await (const entry of entries) out.push(entry);
  return out;
}
const read = (content: string | Uint8Array, options?: ReadOptions) => entriesOf(file(content), options);
async function entriesOf(path: string, options?: ReadOptions): Promise<Entry[]> {
  const out: Entry[] = [];
  for await (const { entry } of readFacts(path, options)) out.push(entry);
  return out;
}
const short = (entries: Entry[]) =>
  entries.map((entry) => (entry.kind === 'fact' ? `${entry.place} ${entry.fact.id}` : `${entry.place} ${entry.kind}`));

describe('the format facts', () => {
  test('has one fact a line; what is no fact is refused with its line, and blank lines are nothing', async () => {
    const entries = await read('\n{"id":"a"}\r\nnonsense\n\n[1]\n"b"\nnull\n{"id":"c"}');
    expect(short(entries)).toEqual(['2 a', '3 refused', '5 refused', '6 refused', '7 refused', '8 c']);
  });

  test('may be one array; a wrong element costs only itself', async () => {
    const entries = await read('[\n {"id":"a","x":{"y":["]",{}]}},\n nonsense, 7,\n {"id":"b\\"],"}\n]\n');
    expect(short(entries)).toEqual(['2 a', '3 refused', '3 refused', '4 b"],']);
  });

  test.each([
    ['[]', []],
    ['[ ]\n', []],
    ['[{"id":"a"},]', ['1 a', '1 refused']],
    ['[{"id":"a"},,{"id":"b"}]', ['1 a', '1 refused', '1 b']],
    ['[{"id":"a"}', ['1 refused']],
    ['[{"id":"a"},', ['1 a', '1 refused']],
    ['[{"id":"a"}]\nmore {}', ['1 a', '2 refused']],
  ])('reads %j as %j', async (text, expected) => {
    expect(short(await read(text))).toEqual(expected);
  });

  test('is the same however the text is cut into pieces, as lines and as an array', async () => {
    const fact = fc.record({ id: fc.string({ unit: 'grapheme' }), n: fc.jsonValue({ maxDepth: 2 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fact, { minLength: 1 }),
        fc.integer({ min: 1, max: 7 }),
        fc.boolean(),
        async (facts, size, array) => {
          const text = array ? JSON.stringify(facts, null, 1) : facts.map((each) => JSON.stringify(each)).join('\n');
          const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
            text.slice(i * size, (i + 1) * size),
          );
          const entries = await all(readFactsText(fromPieces(pieces), array));
          expect(entries.map((entry) => entry.kind === 'fact' && entry.fact)).toEqual(
            JSON.parse(JSON.stringify(facts)),
          );
        },
      ),
    );
  });

  test('takes the location from the option only where a fact names none', async () => {
    const entries = await read('{"id":"a"}\n{"id":"b","location":"x"}', { location: 'shop' });
    expect(entries.map((entry) => entry.kind === 'fact' && entry.fact.location)).toEqual(['shop', 'x']);
  });

  test('refuses a line that is too long without keeping it, and goes on', async () => {
    const entries = await read(`{"id":"a"}\n{"id":"${'x'.repeat(9_000_000)}"}\n{"id":"b"}\n`);
    expect(short(entries)).toEqual(['1 a', '2 refused', '3 b']);
  });
});

describe('a file', () => {
  const CSV =
    'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n1,A1,"say ""x"", y",2,2010-12-01 08:26,1,1,UK\n\n1,B1,x,3,2010-12-01 08:26:00,1,1,UK\n';

  test.each([
    ['plain', CSV],
    ['gzip', gzipSync(CSV)],
    ['gzip in two members', Buffer.concat([gzipSync(CSV.slice(0, 90)), gzipSync(CSV.slice(90))])],
    ['with a byte order mark', `\uFEFF${CSV}`],
    ['with the line ends of Windows', CSV.replaceAll('\n', '\r\n')],
  ])('that is %s is known by its content', async (_, content) => {
    expect(short(await read(content))).toEqual(['2 1:1', '4 1:2']);
  });

  test.each([
    ['hello', 'is neither online-retail'],
    [gzipSync(CSV).subarray(0, 60), 'is damaged or cut short'],
    ['InvoiceNo,Code\n1,2\n', 'has another header'],
    ['', 'is empty'],
    ['  \n ', 'is empty'],
  ])('that cannot be read says so: %#', async (content, message) => {
    await expect(read(content)).rejects.toThrow(message);
  });

  test('that is not there says so', async () => {
    await expect(entriesOf(join(folder, 'absent'))).rejects.toThrow(/absent does not exist$/);
  });

  test('is taken as the format that was asked for', async () => {
    expect(short(await read(CSV, { format: 'facts' }))).toEqual(['1 refused', '2 refused', '4 refused']);
    await expect(read('{"id":"a"}', { format: 'online-retail' })).rejects.toThrow('without InvoiceNo');
  });

  test('is not read further than its facts are taken', async () => {
    let bytes = 0;
    const big = file(`${'{"id":"a","pad":"0123456789"}\n'.repeat(400_000)}`);
    let taken = 0;
    for await (const _ of readFacts(big, { onBytes: (count) => (bytes += count) })) if (++taken === 10) break;
    expect(bytes).toBeLessThan(1_000_000);
  });
});

async function* fromPieces(pieces: readonly string[]): AsyncGenerator<string> {
  yield* pieces;
}
