/**
 * Makes a fresh clone ready. Installs the npm packages and builds the program, each only when it is missing or out of date. This file runs
 * on bare Node.js, so it must not import packages.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Sources of dist, and the other files that its contents depend on. */
const SOURCES = ['src', 'dashboards', 'actors', 'streams', 'config', 'tsconfig.json', 'tsconfig.build.json'];

/** Written by scripts/build.mjs at the end of a build, so its age is the age of dist. */
export const BUILD_LIST = join(root, 'dist', '.built-files');

/** npm writes both files in one run, some milliseconds apart. */
const SAME_WRITE_MS = 2_000;

/**
 * Runs `npm ci` if node_modules is missing or older than package-lock.json. It also runs it if the development packages are missing but
 * needed. Tests and checks always need them, and other commands only to compile.
 */
export function ensureInstalled({ development = !isBuilt() } = {}) {
  const lock = mtime(join(root, 'package-lock.json'));
  const installed = mtime(join(root, 'node_modules', '.package-lock.json'));
  const why =
    installed === 0
      ? 'no node_modules yet'
      : lock > installed + SAME_WRITE_MS
        ? 'node_modules is older than package-lock.json'
        : development && !existsSync(join(root, 'node_modules', 'typescript'))
          ? 'node_modules lacks the development packages'
          : undefined;
  if (why === undefined) return;
  console.log(`${why}: npm ci`);
  npm(['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']);
}

/** Runs `npm run build` if dist is missing or older than a source. */
export function ensureBuilt() {
  if (isBuilt()) return;
  console.log(`${existsSync(BUILD_LIST) ? 'dist is older than its sources' : 'no dist yet'}: npm run build`);
  npm(['run', '--silent', 'build']);
}

function isBuilt() {
  const built = mtime(BUILD_LIST);
  return built > 0 && existsSync(join(root, 'dist', 'program', 'src', 'cli', 'main.js')) && newest() <= built;
}

/** Runs npm, preferably the one that runs this script, and ends the process if it fails. */
function npm(args) {
  const self = process.env.npm_execpath;
  const inherited = { cwd: root, stdio: 'inherit' };
  const ended = self?.endsWith('.js')
    ? spawnSync(process.execPath, [self, ...args], inherited)
    : spawnSync('npm', args, { ...inherited, shell: process.platform === 'win32' });
  if (ended.error) console.error(`npm does not run: ${ended.error.message}`);
  if (ended.status !== 0) {
    console.error(`npm ${args.join(' ')} failed`);
    process.exit(ended.status ?? 1);
  }
}

function newest() {
  return Math.max(...SOURCES.map((name) => newestIn(join(root, name))));
}

function newestIn(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  let latest = 0;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.name === 'node_modules') continue;
    if (entry.isDirectory() || /\.(ts|tsx|css|html)$/.test(entry.name)) {
      latest = Math.max(latest, newestIn(join(path, entry.name)));
    }
  }
  return latest;
}

function mtime(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
