/** Every fault scenario, in the order of a whole run. */
import type { Scenario } from './scenario.ts';
import { journalDamage } from './scenarios/journal-damage.ts';
import { killNodes } from './scenarios/kill-nodes.ts';
import { pausedOwner } from './scenarios/paused-owner.ts';
import { powerCut } from './scenarios/power-cut.ts';
import { snapshotDamage } from './scenarios/snapshot-damage.ts';

export const CATALOGUE: readonly Scenario[] = [killNodes, pausedOwner, powerCut, journalDamage, snapshotDamage];
