/** Seeded bugs are edits of the program's text at its markers. Each must still change the text, because otherwise it proves nothing. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { edited, markersIn } from '../../sim/mutants/markers.ts';
import { MUTANTS } from '../../sim/mutants/mutants.ts';
import { packageRoot } from '../../src/process/package-root.ts';

const markers = markersIn(packageRoot());

it.each(MUTANTS)('$name: changes what its markers mark', ({ edits }) => {
  expect(edits.length).toBeGreaterThan(0);
  for (const edit of edits) {
    expect(markers.has(edit.marker), edit.marker).toBe(true);
    const text = readFileSync(join(packageRoot(), markers.get(edit.marker) as string), 'utf8');
    const words = (of: string) => of.split(/\s+/).join(' ');
    expect(words(edited(text, edit)), edit.marker).not.toBe(words(text));
  }
});

it('are more than thirty, each by a name of its own', () => {
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  expect(MUTANTS.length).toBeGreaterThanOrEqual(30);
});

it('use every marker that the program has', () => {
  const used = new Set(MUTANTS.flatMap(({ edits }) => edits.map(({ marker }) => marker)));
  expect([...markers.keys()].filter((marker) => !used.has(marker))).toEqual([]);
});
