/** Every fault scenario, in the order of a whole run. */
import type { Scenario } from './scenario.ts';
import { clockJump } from './scenarios/nodes/clock-jump.ts';
import { killNodes } from './scenarios/nodes/kill-nodes.ts';
import { links } from './scenarios/nodes/links.ts';
import { pausedOwner } from './scenarios/nodes/paused-owner.ts';
import { soak } from './scenarios/nodes/soak.ts';
import { diskFull } from './scenarios/stores/disk-full.ts';
import { diskTrouble } from './scenarios/stores/disk-trouble.ts';
import { journalDamage } from './scenarios/stores/journal-damage.ts';
import { journalLost } from './scenarios/stores/journal-lost.ts';
import { powerCut } from './scenarios/stores/power-cut.ts';
import { redis } from './scenarios/stores/redis.ts';
import { snapshotDamage } from './scenarios/stores/snapshot-damage.ts';
import { flood } from './scenarios/strangers/flood.ts';
import { hostile } from './scenarios/strangers/hostile.ts';
import { slowReaders } from './scenarios/strangers/slow-readers.ts';

export const CATALOGUE: readonly Scenario[] = [
  killNodes,
  pausedOwner,
  powerCut,
  journalDamage,
  snapshotDamage,
  journalLost,
  links,
  diskFull,
  diskTrouble,
  redis,
  clockJump,
  flood,
  slowReaders,
  hostile,
  soak,
];
