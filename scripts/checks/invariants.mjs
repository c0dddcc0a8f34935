/**
 * Checks invariants and their ids. A header claims one as ` *  PS1 …` or `Invariant PS1: …`. An id belongs to one file, and another line
 * must hold it in an assertion, a comment or a test. Reports ids that are claimed twice, held nowhere, or asserted without a claim.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../install.mjs';

const CLAIM = /^ \* {2,}([A-Z]{1,3}\d{1,2}) |^ \* Invariant ([A-Z]{1,3}\d{1,2})\b/;
/** Text that may cite ids: comments, lines within longer comments, and strings such as `assert(…, 'PS1')` or test titles. */
const NOTE = /\/\/.*|\/\*.*|^\s*\*.*|'[^']*'|`[^`]*`/g;
const ID = /(?<![\w#/.%:-])[A-Z]{1,3}\d{1,2}(?![\w-])/g;
/** An assertion that names an id. */
const ASSERTED = /\b(?:assert|at|present)\(.*, '([A-Z]{1,3}\d{1,2})'/g;

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '--', '*.ts', '*.tsx', '*.mjs'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && !file.includes('/golden/'));

const claims = new Map();
const held = new Set();
const asserted = [];
for (const file of files) {
  readFileSync(join(root, file), 'utf8')
    .split('\n')
    .forEach((line, index) => {
      const place = `${file}:${index + 1}`;
      const [, listed, alone] = CLAIM.exec(line) ?? [];
      const claimed = listed ?? alone;
      if (claimed !== undefined) claims.set(claimed, [...(claims.get(claimed) ?? []), place]);
      for (const [note] of line.matchAll(NOTE)) for (const [id] of note.matchAll(ID)) if (id !== claimed) held.add(id);
      for (const [, id] of line.matchAll(ASSERTED)) asserted.push([id, place]);
    });
}

const wrong = [];
for (const [id, places] of claims) {
  if (places.length > 1) wrong.push(`${id} is claimed more than once: ${places.join(', ')}`);
  if (!held.has(id)) wrong.push(`${id}, claimed at ${places[0]}, is neither asserted nor cited`);
}
for (const [id, place] of asserted) if (!claims.has(id)) wrong.push(`${place} asserts ${id}, which no header claims`);
for (const line of wrong.sort()) console.log(line);
console.log(`${claims.size} invariants, ${new Set(asserted.map(([id]) => id)).size} of them asserted`);
process.exitCode = wrong.length === 0 ? 0 : 1;
