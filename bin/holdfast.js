#!/usr/bin/env node
// The program. It is compiled: this file only finds what was compiled, and says how to compile it.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = new URL('../dist/src/cli.js', import.meta.url);
if (existsSync(program)) {
  await import(program.href);
} else {
  console.error(
    `holdfast is not built: ${fileURLToPath(program)} is missing.\n` +
      'Run `npm ci` (or `npm run build`) in its folder, or `npm run up`, which does both.',
  );
  process.exitCode = 1;
}
