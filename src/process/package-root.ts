/** Finds Holdfast's own folder, which contains config/ and .servers/. Works from the sources and from dist. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The nearest folder above this file whose package.json is Holdfast's. */
export function packageRoot(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let folder = start; ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest)) {
      const { name } = JSON.parse(readFileSync(manifest, 'utf8')) as { name?: unknown };
      if (name === 'holdfast') return folder;
    }
    if (dirname(folder) === folder) throw new Error(`no package.json of holdfast above ${start}`);
  }
}
