/** Every source file that the documents name exists. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { packageRoot } from '../../src/process/package-root.ts';

const root = packageRoot();
const documents = [
  ...readdirSync(root),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => join('docs', name)),
].filter((name) => name.endsWith('.md') && name !== 'CHANGELOG.md');

const PATH = /`((?:src|dashboards|actors|streams|config|test|sim|faults|bench|measure|scripts|docs)\/[\w./-]+\.\w+)`/g;

it.each(documents)('%s names only source files that are there', (document) => {
  const named = [...readFileSync(join(root, document), 'utf8').matchAll(PATH)].map(([, path]) => path as string);
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

it('finds the files that the architecture names', () => {
  expect([...readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8').matchAll(PATH)].length).toBeGreaterThan(5);
});
