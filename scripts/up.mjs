/**
 * `npm run up`: from a fresh clone to a running system. It installs and builds what is missing, and then runs `holdfast up` in this
 * process, so that signals reach the program itself.
 */
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, root } from './install.mjs';

ensureInstalled();
ensureBuilt();
const program = join(root, 'bin', 'holdfast.js');
process.argv = [process.execPath, program, 'up', ...process.argv.slice(2)];
await import('../bin/holdfast.js');
