/**
 * `npm run faults`: real faults on real processes; says what held, in a table and in faults/results.
 *
 * Compiles the scenarios and the program they attack into dist/faults, so that a build of dist while it runs changes nothing under it.
 * Arguments go to the runner: --list, --only NAME, --trials N, --minutes M, --help.
 */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ensureInstalled, root } from './install.mjs';

ensureInstalled({ development: true });
const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const compiled = spawnSync(process.execPath, [compiler, '-p', join(root, 'faults', 'tsconfig.json')], {
  cwd: root,
  stdio: 'inherit',
});
if (compiled.status !== 0) process.exit(compiled.status ?? 1);

const program = join(root, 'dist', 'faults', 'faults', 'main.js');
const child = spawn(process.execPath, [program, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, HOLDFAST_TEST_DIST: join('dist', 'faults') },
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.once('exit', (code) => {
  process.exitCode = code ?? 1;
});
