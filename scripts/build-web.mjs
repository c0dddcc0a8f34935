/**
 * Builds the live page (dashboards/web) into dist/web: hashed assets, and beside each file that gains by it its .br and .gz,
 * so that no node compresses anything while it serves.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { root } from './install.mjs';

const PACKS = /\.(html|js|css|svg)$/;

export async function buildWeb() {
  const { build } = await import('vite');
  const outDir = join(root, 'dist', 'web');
  await build({
    configFile: false,
    root: join(root, 'dashboards', 'web'),
    logLevel: 'warn',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir,
      emptyOutDir: true,
      // The style sheet uses light-dark(), which these know.
      target: ['chrome123', 'firefox125', 'safari17.5'],
      // A data: address would need more than default-src 'self'.
      assetsInlineLimit: 0,
      modulePreload: false,
    },
  });
  compress(outDir);
}

function compress(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) compress(path);
    else if (PACKS.test(entry.name)) {
      const bytes = readFileSync(path);
      writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
      writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
    }
  }
}
