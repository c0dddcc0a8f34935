/** Every fault scenario, in the order of a whole run. */
import type { Scenario } from './scenario.ts';
import { clockJump } from './scenarios/clock-jump.ts';
import { diskFull } from './scenarios/disk-full.ts';
import { diskTrouble } from './scenarios/disk-trouble.ts';
import { flood } from './scenarios/flood.ts';
import { hostile } from './scenarios/hostile.ts';
import { journalDamage } from './scenarios/journal-damage.ts';
import { journalLost } from './scenarios/journal-lost.ts';
import { killNodes } from './scenarios/kill-nodes.ts';
import { links } from './scenarios/links.ts';
import { pausedOwner } from './scenarios/paused-owner.ts';
import { powerCut } from './scenarios/power-cut.ts';
import { redis } from './scenarios/redis.ts';
import { slowReaders } from './scenarios/slow-readers.ts';
import { snapshotDamage } from './scenarios/snapshot-damage.ts';
import { soak } from './scenarios/soak.ts';

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
