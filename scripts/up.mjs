/**
 * `npm run up`: from a fresh clone to a running system. Installs and builds what is missing, then becomes
 * `holdfast up` in this same process, so that a signal reaches the program itself.
 */
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, root } from './install.mjs';

ensureInstalled();
ensureBuilt();
const program = join(root, 'bin', 'holdfast.js');
process.argv = [process.execPath, program, 'up', ...process.argv.slice(2)];
await import('../bin/holdfast.js');
