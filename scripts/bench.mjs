/**
 * `npm run bench`: every figure beside its limit and its peers, measured in the same run on this machine.
 *
 * Arguments go to the bench: --only NAME, --seconds N, --json FILE, --cpu-prof, --help.
 */
import { runCompiled } from './compiled.mjs';

runCompiled('bench', ['bench', 'main.js']);
