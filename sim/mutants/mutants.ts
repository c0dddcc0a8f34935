/** Bugs that the simulation must catch. Most are typical of a first version, and some were once in this program. */
import { BUNDLES } from './bundles.ts';
import { FACTS } from './facts.ts';
import { LOG } from './log.ts';
import type { Mutant } from './mutant.ts';
import { OWNERS } from './owners.ts';
import { PROMISES } from './promises.ts';

export const MUTANTS: readonly Mutant[] = [...LOG, ...OWNERS, ...FACTS, ...BUNDLES, ...PROMISES];
