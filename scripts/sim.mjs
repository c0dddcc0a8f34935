/**
 * `npm run sim`: the deterministic simulation. Compiles it and what it simulates into dist/sim. Arguments go to it, see --help.
 */
import { runCompiled } from './compiled.mjs';

runCompiled('sim', ['sim', 'main.js']);
