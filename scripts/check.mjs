/**
 * `npm run check`: types, lint, format, dead code, import rules, sizes of files and folders, invariants and whether sbom.cdx.json is
 * current. It runs all steps and then names those that failed.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ensureInstalled, root } from './install.mjs';

const CODE = [
  'src',
  'dashboards',
  'actors',
  'streams',
  'config',
  'test',
  'harness',
  'sim',
  'faults',
  'bench',
  'measure',
];

const STEPS = [
  ['types', 'typescript/bin/tsc', ['--noEmit', '-p', 'tsconfig.json']],
  ['types of the page', 'typescript/bin/tsc', ['--noEmit', '-p', 'dashboards/web/tsconfig.json']],
  ['lint and format', '@biomejs/biome/bin/biome', ['check', '--error-on-warnings']],
  ['lint with types', 'oxlint/bin/oxlint', ['--type-aware', '--tsconfig', 'tsconfig.json', '--deny-warnings']],
  ['dead code', 'knip/bin/knip.js', []],
  ['imports', 'dependency-cruiser/bin/dependency-cruise.mjs', ['--config', '.dependency-cruiser.mjs', ...CODE]],
  ['sizes', undefined, ['scripts/checks/sizes.mjs']],
  ['invariants', undefined, ['scripts/checks/invariants.mjs']],
  ['list of packages', undefined, ['scripts/sbom.mjs', '--check']],
];

ensureInstalled({ development: true });
const failed = [];
for (const [name, tool, args] of STEPS) {
  const program = tool === undefined ? [] : [join(root, 'node_modules', tool)];
  console.log(`== ${name}`);
  const ended = spawnSync(process.execPath, [...program, ...args], { cwd: root, stdio: 'inherit' });
  if (ended.status !== 0) failed.push(name);
}
console.log(failed.length === 0 ? 'check: all good' : `check: FAILED in ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;
