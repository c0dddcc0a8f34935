/**
 * Part of `npm run check`. A folder has at most twelve files beside its subfolders, and a source file at most 400 lines, so that a reader
 * can take in either at once. Data files do not count, nor does the root, where tools look for their files.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { root } from '../install.mjs';

const MOST_FILES = 12;
const MOST_LINES = 400;
const SOURCE = ['.ts', '.tsx', '.mjs', '.js', '.css', '.lua', '.sh'];
const DATA = ['.json', '.csv', '.svg', '.png', '.gz', '.hex', '.pem', '.key'];

// Files that are not committed yet count too.
const listed = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'];
const gone = new Set(git(['ls-files', '-z', '--deleted']));
const files = git(listed).filter((file) => !gone.has(file) && !DATA.includes(extname(file)));

const folders = new Map();
for (const folder of files.map(dirname)) folders.set(folder, (folders.get(folder) ?? 0) + 1);
const faults = [...folders]
  .filter(([folder, count]) => folder !== '.' && count > MOST_FILES)
  .map(([folder, count]) => `${folder}/ has ${count} files: at most ${MOST_FILES} beside subfolders`);
for (const file of files.filter((each) => SOURCE.includes(extname(each)))) {
  const lines = readFileSync(join(root, file), 'utf8').split('\n').length - 1;
  if (lines > MOST_LINES) faults.push(`${file} has ${lines} lines: at most ${MOST_LINES}`);
}
for (const fault of faults) console.error(fault);
process.exitCode = faults.length === 0 ? 0 : 1;

function git(args) {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 16 * 1024 * 1024 })
    .split('\0')
    .filter((file) => file !== '');
}
