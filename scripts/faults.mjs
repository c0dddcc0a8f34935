/**
 * `npm run faults`: real faults on real processes; says what held, in a table and in faults/results. Arguments go to the runner: --list,
 * --only NAME, --trials N, --minutes M, --help.
 */
import { join } from 'node:path';
import { runCompiled } from './compiled.mjs';

// Nodes are of what was compiled with the scenarios: a build of dist meanwhile changes nothing under them.
process.env.HOLDFAST_TEST_DIST = join('dist', 'faults');
runCompiled('faults', ['faults', 'main.js']);
