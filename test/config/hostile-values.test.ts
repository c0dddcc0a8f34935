/** Setting values that others may influence: files that are endless, huge or not text. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { loadSettings } from '../../config/load-settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-values-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, bytes: string | Buffer) => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};

it.skipIf(process.platform === 'win32').each([
  ['that never ends', '/dev/zero', 'holds more than 1024 KiB'],
  ['that is huge', () => file('huge', Buffer.alloc(2 ** 20 + 1, 0x61)), 'holds more than 1024 KiB'],
  ['that is a folder', () => folder, 'cannot be read (EISDIR)'],
  ['that is not there', '/nowhere/at/all', 'cannot be read (ENOENT)'],
  ['that is no text', () => file('bytes', Buffer.from([0xff, 0xfe, 0x00])), 'does not hold text in UTF-8'],
])('a file of a secret %s is refused with its name, and what it holds is not said', (_what, path, why) => {
  const named = typeof path === 'string' ? path : path();
  const before = process.memoryUsage().rss;
  expect(() => loadSettings({}, { NATS_TOKEN_FILE: named })).toThrow(
    `NATS_TOKEN_FILE is "${named}", but that file ${why}`,
  );
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20);
});
