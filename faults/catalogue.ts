/** Every fault scenario, in the order of a whole run. */
import type { Scenario } from './scenario.ts';
import { journalDamage } from './scenarios/journal-damage.ts';
import { snapshotDamage } from './scenarios/snapshot-damage.ts';

export const CATALOGUE: readonly Scenario[] = [journalDamage, snapshotDamage];
