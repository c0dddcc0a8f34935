/**
 * `npm test`: from a fresh clone to the result of every test. Extra arguments go to vitest.
 *
 * The last line is `N passed, N failed`, with `, N skipped` if there are any. The exit code is 0 only if at least one test ran and none
 * failed. A file that does not load, or an error outside all tests, counts as a failure.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, root } from './install.mjs';

ensureInstalled({ development: true });
ensureBuilt();

const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
const results = join(folder, 'results.json');
let code = 1;
let counts = { passed: 0, failed: 0, skipped: 0 };
try {
  code = await vitest([
    'run',
    '--reporter=default',
    '--reporter=json',
    '--reporter=./scripts/slowest-files.mjs',
    `--outputFile.json=${results}`,
  ]);
  counts = count(results);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (code !== 0 && counts.failed === 0) {
  console.error(`vitest ended with exit code ${code} and no failed test: counted as one failure`);
  counts.failed = 1;
}
if (counts.passed === 0 && counts.failed === 0) console.error('no test ran: that is no success');
process.exitCode = counts.failed > 0 || counts.passed === 0 ? 1 : 0;
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`);

function vitest(args) {
  const program = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const child = spawn(process.execPath, [program, ...args, ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.once('error', (error) => {
      console.error(`vitest does not run: ${error.message}`);
      resolve(1);
    });
    child.once('exit', (exitCode) => resolve(exitCode ?? 1));
  });
}

/** Counts tests. A failed file without a failed test (it did not load, or a hook threw) counts as one failure. */
function count(file) {
  let read;
  try {
    read = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
  const counted = { passed: 0, failed: 0, skipped: 0 };
  for (const { status, assertionResults } of read.testResults) {
    let failedHere = 0;
    for (const test of assertionResults) {
      if (test.status === 'passed') counted.passed += 1;
      else if (test.status === 'failed') failedHere += 1;
      else counted.skipped += 1;
    }
    counted.failed += status === 'failed' ? Math.max(1, failedHere) : failedHere;
  }
  return counted;
}
