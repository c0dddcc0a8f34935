/**
 * Builds the live page (dashboards/web) into dist/web with hashed assets. Each text file also gets a .br and a .gz copy, so that no node
 * compresses while it serves. The licences of third-party code are in assets/licenses.txt.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { root } from './install.mjs';

const PACKS = /\.(html|js|css|svg|txt)$/;

/** Third-party packages in the page, which sbom.mjs lists too. The build fails if the page contains other packages than these. */
export const PAGE_PACKAGES = [
  '@fontsource-variable/archivo',
  '@preact/signals',
  '@preact/signals-core',
  'preact',
  'uplot',
];
const LICENSE_FILE = /^(licen[cs]e|copying|notice)/i;

export async function buildWeb() {
  const { build } = await import('vite');
  const outDir = join(root, 'dist', 'web');
  const built = await build({
    configFile: false,
    root: join(root, 'dashboards', 'web'),
    logLevel: 'warn',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir,
      emptyOutDir: true,
      // Browsers that support light-dark(), which the style sheet uses.
      target: ['chrome123', 'firefox125', 'safari17.5'],
      // A data: address would need more than default-src 'self'.
      assetsInlineLimit: 0,
      modulePreload: false,
    },
  });
  const held = packagesIn([built].flat().flatMap(({ output }) => output));
  if (held.join() !== PAGE_PACKAGES.join()) {
    throw new Error(`the page has in it ${held.join(', ')}: put that into PAGE_PACKAGES, and run npm run sbom`);
  }
  writeFileSync(join(outDir, 'assets', 'licenses.txt'), PAGE_PACKAGES.map(licenseOf).join('\n'));
  compress(outDir);
}

/** The bundler reports the modules of scripts. It does not report the imports of style sheets, so these are parsed here. */
function packagesIn(output) {
  const modules = output.flatMap(({ moduleIds }) => moduleIds ?? []);
  const files = modules.flatMap((id) => id.split('/node_modules/').slice(1).at(-1) ?? []);
  const styles = join(root, 'dashboards', 'web', 'style');
  for (const name of readdirSync(styles)) {
    const text = readFileSync(join(styles, name), 'utf8');
    for (const [, file] of text.matchAll(/(?:@import |url\()"([^"]+)"/g)) if (!file.startsWith('.')) files.push(file);
  }
  const names = files.map((file) => file.split('/', file.startsWith('@') ? 2 : 1).join('/'));
  return [...new Set(names)].sort(byText);
}

function byText(a, b) {
  return a < b ? -1 : 1;
}

function licenseOf(name) {
  const folder = join(root, 'node_modules', name);
  const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const texts = readdirSync(folder)
    .filter((file) => LICENSE_FILE.test(file))
    .map((file) => readFileSync(join(folder, file), 'utf8').trim());
  if (texts.length === 0 || texts.includes('')) throw new Error(`${name} is in the page, and has no licence text`);
  return `${'='.repeat(100)}\n${name} ${version} (${license})\n\n${texts.join('\n\n')}\n`;
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
