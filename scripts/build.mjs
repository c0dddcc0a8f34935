/**
 * `npm run build`, also run by `npm ci` (prepare). It compiles to dist with tsc, removes files whose sources are gone, bundles the program,
 * and builds the live page.
 *
 * Without the development packages (`npm ci --omit=dev`) there is no compiler, so an existing dist is kept.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { buildWeb } from './build-web.mjs';
import { BUILD_LIST, root } from './install.mjs';

const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const entry = join(root, 'dist', 'program', 'src', 'cli', 'main.js');

if (existsSync(compiler)) await build();
else if (existsSync(entry)) console.log('No TypeScript compiler (development packages left out): dist stays as it is.');
else {
  console.error('dist is missing and there is no TypeScript compiler: run `npm ci --include=dev`.');
  process.exit(1);
}

async function build() {
  const args = [compiler, '-p', join(root, 'tsconfig.build.json'), '--listEmittedFiles'];
  const ended = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  const lines = (ended.stdout ?? '').split('\n');
  const emitted = lines
    .filter((line) => line.startsWith('TSFILE: '))
    .map((line) => relative(root, line.slice(8).trim()));
  for (const line of lines) if (line !== '' && !line.startsWith('TSFILE: ')) console.error(line);
  if (ended.stderr) console.error(ended.stderr);
  if (ended.status !== 0) process.exit(ended.status ?? 1);
  removeStale(new Set(emitted));
  await bundle();
  await buildWeb();
  writeFileSync(BUILD_LIST, `${emitted.join('\n')}\n`);
}

/**
 * Bundles the programs that are started as processes, with their packages, into dist/program. Loading a node takes Node.js 0.5 s of CPU
 * from the bundle, and 1.6 s from 1,200 files.
 */
async function bundle() {
  const { build } = await import('vite');
  const { DECIDING, DECIDING_CHUNK } = await import('../dist/src/node/stray-errors.js');
  const entries = ['src/cli/main', 'src/node/run-node', 'config/limits'];
  await build({
    configFile: false,
    root,
    logLevel: 'warn',
    ssr: { noExternal: true },
    build: {
      ssr: true,
      outDir: join(root, 'dist', 'program'),
      emptyOutDir: true,
      copyPublicDir: false,
      target: 'node20',
      minify: false,
      sourcemap: true,
      rolldownOptions: {
        input: Object.fromEntries(entries.map((name) => [name, join(root, 'dist', `${name}.js`)])),
        output: {
          entryFileNames: '[name].js',
          codeSplitting: {
            // Their dependencies stay outside the chunk, because a fault there leaves nothing in doubt.
            includeDependenciesRecursively: false,
            groups: [{ name: DECIDING_CHUNK, test: (id) => DECIDING.test(id) }],
          },
        },
      },
    },
  });
}

function removeStale(emitted) {
  if (!existsSync(BUILD_LIST)) return;
  for (const file of readFileSync(BUILD_LIST, 'utf8').split('\n')) {
    if (file.startsWith('dist') && !emitted.has(file)) rmSync(join(root, file), { force: true });
  }
}
