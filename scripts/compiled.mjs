/** Compiles a folder with a tsconfig of its own into dist/<name>, so that a build of dist while it runs changes nothing under it, and runs it. */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ensureInstalled, root } from './install.mjs';

/** Runs dist/<folder>/<main…> with the arguments of this process; its exit code becomes this one's. */
export function runCompiled(folder, main) {
  ensureInstalled({ development: true });
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const compiled = spawnSync(process.execPath, [compiler, '-p', join(root, folder, 'tsconfig.json')], {
    cwd: root,
    stdio: 'inherit',
  });
  if (compiled.status !== 0) process.exit(compiled.status ?? 1);
  const program = join(root, 'dist', folder, ...main);
  const child = spawn(process.execPath, [program, ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  child.once('exit', (code) => {
    process.exitCode = code ?? 1;
  });
}
