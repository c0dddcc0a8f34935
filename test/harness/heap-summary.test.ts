/** The summary of a heap snapshot, for a process with known objects. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { summarizeHeap } from '../../harness/heap/heap-summary.ts';
import { freshFolder } from '../../harness/servers/servers.ts';

/** Objects of classes that terms name: 4 MB of ids, 2,000 parts with a text and a list each, and one map of all parts. */
const PROGRAM = `
class FactIds { words = new Uint32Array(1_000_000).fill(1); }
class ReservationPart { constructor(i) { this.id = 'part ' + i + ' of this test'; this.lines = [{ qty: i + 0.5 }]; } }
class StockBook { parts = new Map(); }
globalThis.ids = new FactIds();
globalThis.book = new StockBook();
for (let i = 0; i < 2_000; i++) book.parts.set(i, new ReservationPart(i));
require('node:v8').writeHeapSnapshot(process.argv[1]);
`;

it('gives every byte to the nearest object with a term that alone holds it', async () => {
  const file = join(freshFolder('heap'), 'known.heapsnapshot');
  execFileSync(process.execPath, ['-e', PROGRAM, file]);
  const { bytes, terms, instances } = await summarizeHeap(file);
  const of = (name: string) => terms.find(({ term }) => term === name) ?? { bytes: 0, objects: 0 };
  expect(of('fact ids').bytes).toBeGreaterThan(4_000_000);
  expect(of('fact ids').bytes).toBeLessThan(4_100_000);
  expect(instances).toEqual({ FactIds: 1, ReservationPart: 2_000, StockBook: 1 });
  // Each part has its text, its list, the line in it and the line's number.
  expect(of('reservations, ended ones too').objects).toBeGreaterThanOrEqual(4 * 2_000);
  // The map's table belongs to the book. The parts in it do not.
  expect(of('tables of the books').bytes).toBeGreaterThan(2_000 * 16);
  expect(of('tables of the books').bytes).toBeLessThan(200_000);
  const told = terms.filter(({ term }) => !term.startsWith(' '));
  expect(told.reduce((sum, term) => sum + term.bytes, 0)).toBe(bytes);
});
