/**
 * `npm run sim`, `bench`, `faults`, `anomalies` and `dashboards`. Compiles a folder and its imports into dist/<folder>, and runs its
 * main.ts with the other arguments. A build of dist during a run does not affect the run.
 */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ensureInstalled, root } from './install.mjs';

const [folder, ...args] = process.argv.slice(2);
ensureInstalled({ development: true });
const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const compiled = spawnSync(process.execPath, [compiler, '-p', join(root, folder, 'tsconfig.json')], {
  cwd: root,
  stdio: 'inherit',
});
if (compiled.status !== 0) process.exit(compiled.status ?? 1);
const child = spawn(process.execPath, [join(root, 'dist', folder, folder, 'main.js'), ...args], {
  cwd: root,
  stdio: 'inherit',
  // Nodes that the harness starts use this compilation too.
  env: { ...process.env, HOLDFAST_TEST_DIST: join('dist', folder) },
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.once('exit', (code) => {
  process.exitCode = code ?? 1;
});
