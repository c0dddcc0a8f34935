/**
 * `npm run bench`: every figure beside its limit and its peers, measured in the same run on this machine.
 *
 * Compiles the bench and what it measures into dist/bench, so that a build of dist while it runs changes nothing under it.
 * Arguments go to the bench: --only NAME, --seconds N, --json FILE, --cpu-prof, --help.
 */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ensureInstalled, root } from './install.mjs';

ensureInstalled({ development: true });
const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const compiled = spawnSync(process.execPath, [compiler, '-p', join(root, 'bench', 'tsconfig.json')], {
  cwd: root,
  stdio: 'inherit',
});
if (compiled.status !== 0) process.exit(compiled.status ?? 1);

const program = join(root, 'dist', 'bench', 'bench', 'main.js');
const child = spawn(process.execPath, [program, ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.once('exit', (code) => {
  process.exitCode = code ?? 1;
});
