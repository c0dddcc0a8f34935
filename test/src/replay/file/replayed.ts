/** Replays a file and gives all that the command says about it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll } from 'vitest';
import { type ReplayArgs, type ReplayIo, runReplay } from '../../../../src/replay/command.ts';
import { MemoryServer } from '../given/memory-server.ts';

export type Flags = Partial<Omit<ReplayArgs, 'files' | 'http'>>;
/** `outcome` is the exit code and what became of the rows; `says` is every other line that is printed. */
export type Case = [
  what: string,
  outcome: string,
  says: string[],
  file: string,
  content: string | Uint8Array,
  flags?: Flags,
];

const folder = mkdtempSync(join(tmpdir(), 'holdfast-files-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const HEADER = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country';
/** A row of online-retail. */
export const row = (
  invoice: string,
  sku: string,
  more: { qty?: string; date?: string; price?: string; what?: string } = {},
) => {
  const { qty = '1', date = '2010-12-01 08:26:00', price = '2.55', what = 'CUP' } = more;
  return `${invoice},${sku},${what},${qty},${date},${price},17850,UK`;
};
export const csv = (...rows: string[]) => `${[HEADER, ...rows].join('\n')}\n`;
export const fact = (id: string, more: object = {}) =>
  JSON.stringify({ id, type: 'sale', sku: 'MUG', location: 'x', occurredAt: '2026-11-24T09:00:00Z', qty: 1, ...more });
export const many = (count: number, make: (i: number) => string) => Array.from({ length: count }, (_, i) => make(i));

export async function replayed(
  file: string,
  content: string | Uint8Array,
  flags: Flags = {},
  server = new MemoryServer(),
  io: Partial<ReplayIo> = {},
) {
  const path = join(folder, file);
  writeFileSync(path, content);
  let printed = '';
  const stdout = { write: (text: string) => (printed += text) };
  const args = { files: [path], http: '127.0.0.1:1', ...flags };
  const code = await runReplay(args, { stdout, stderr: new PassThrough(), send: server.send, ...io });
  // What JSON.parse says differs from one release of Node.js to the next.
  const lines = printed
    .replaceAll(`${folder}/`, '')
    .replace(/(is no JSON): .*/g, '$1')
    .trimEnd()
    .split('\n');
  const counts = lines.flatMap((line) => {
    const [, name, count] = /^(accepted|duplicates|refused|skipped|unsent) +([1-9]\d*)/.exec(line) ?? [];
    if (name === undefined) return [];
    return name === 'accepted'
      ? `accepted ${[...server.facts.values()].map(({ sku }) => sku).join(' ')}`
      : `${name} ${count}`;
  });
  const says = lines.filter((line) => !/^(published|accepted|duplicates|refused|skipped|unsent) /.test(line));
  return { outcome: `${code}: ${counts.join(', ') || 'nothing'}`, says };
}
