/** Bugs that the simulation must catch. Most of them are what a first version gets wrong; some were here once. */
import { FACTS } from './facts.ts';
import { LOG } from './log.ts';
import type { Mutant } from './mutant.ts';
import { OWNERS } from './owners.ts';
import { PROMISES } from './promises.ts';

export const MUTANTS: readonly Mutant[] = [...LOG, ...OWNERS, ...FACTS, ...PROMISES];
