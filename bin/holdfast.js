#!/usr/bin/env node
// The program. It is compiled: this file only finds what was compiled, and says how to compile it.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// What runs until a signal ends it ends well from the first moment on: while its modules load there is nothing to put in order.
// Its own handlers take the place of these (src/node/run-node.ts, signalled).
if (process.argv[2] === 'up' || process.argv[2] === 'node') {
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
}

const program = new URL('../dist/program/src/cli/main.js', import.meta.url);
if (existsSync(program)) {
  await import(program.href);
} else {
  console.error(
    `holdfast is not built: ${fileURLToPath(program)} is missing.\n` +
      'Run `npm ci` (or `npm run build`) in its folder, or `npm run up`, which does both.',
  );
  process.exitCode = 1;
}
