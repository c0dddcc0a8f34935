/** Seeded bugs are edits of the program's text: each must still fit it, or it proves nothing. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { MUTANTS } from '../../sim/mutants/mutants.ts';

it.each(MUTANTS)('$name: fits the program exactly once', ({ edits }) => {
  for (const { file, find, put } of edits) {
    const text = readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), 'utf8');
    expect(text.split(find).length - 1, `${file}: ${find}`).toBe(1);
    expect(put).not.toBe(find);
  }
});

it('are more than thirty, each by a name of its own', () => {
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  expect(MUTANTS.length).toBeGreaterThanOrEqual(30);
});
