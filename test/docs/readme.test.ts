/** The README's examples, run against a running node, and its table of problems, compared with the code's. */

import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { REFUSALS } from '../../actors/ports/refusal.ts';
import { loadSettings } from '../../config/load-settings.ts';
import { freshNats, freshRedis } from '../../harness/servers/servers.ts';
import { type RunningNode, startNode } from '../../src/node/node.ts';
import { createLog } from '../../src/process/log.ts';
import { packageRoot } from '../../src/process/package-root.ts';

const readme = readFileSync(join(packageRoot(), 'README.md'), 'utf8');
const examples = [...readme.matchAll(/```sh\n((?:now=.*\n)?curl [\s\S]*?)\n```\n```json\n([\s\S]*?)\n```/g)].map(
  ([, command, answer]) => ({
    command: command as string,
    answer: JSON.parse(answer as string) as object,
  }),
);
let node: RunningNode;

beforeAll(async () => {
  const [nats, redis] = await Promise.all([freshNats(), freshRedis()]);
  const settings = loadSettings(
    { nats: nats.url, redis: redis.url, http: '127.0.0.1:0', name: 'readme', logLevel: 'silent' },
    {},
  );
  node = await startNode(settings, createLog({ level: 'silent', name: 'readme' }));
  await vi.waitFor(() => expect(node.engine.readiness.reasons).toEqual([]), { timeout: 20_000 });
});
afterAll(() => node?.stop());

it('answers every example of the README as the README says', async () => {
  expect(examples.length).toBeGreaterThanOrEqual(6);
  for (const { command, answer } of examples) {
    const typed = command.replaceAll('127.0.0.1:8080', node.http);
    const { stdout } = await promisify(execFile)('bash', ['-c', typed]);
    expect(JSON.parse(stdout), command).toEqual(matcher(answer));
  }
});

it('uses a SKU that the demo does not have', () => {
  const demo = gunzipSync(
    readFileSync(join(packageRoot(), 'config', 'demo', 'online-retail-2010-12.csv.gz')),
  ).toString();
  expect(demo).toContain('85123A');
  const skus = new Set([...readme.matchAll(/"sku": ?"([^"]+)"/g)].map(([, sku]) => sku as string));
  expect(skus.size).toBeGreaterThan(0);
  for (const sku of skus) expect(demo).not.toContain(sku);
});

it('lists every problem with its status', () => {
  for (const [kind, { status }] of Object.entries(REFUSALS)) {
    expect(readme).toMatch(new RegExp(`^\\| .*\`${kind}\`.*\\| ${status} +\\|`, 'm'));
  }
});

it('names only files that are there', () => {
  const named = [...readme.matchAll(/\]\((?!http)([^)#]+)\)/g)];
  expect(named.length).toBeGreaterThan(0);
  for (const [, path] of named) expect(existsSync(join(packageRoot(), path as string)), path).toBe(true);
});

/** `…` matches any string. */
function matcher(value: unknown): unknown {
  if (value === '…') return expect.any(String);
  if (Array.isArray(value)) return value.map(matcher);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, matcher(each)]));
}
