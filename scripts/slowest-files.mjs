/** A vitest reporter that lists the twenty slowest test files at the end, including their set-up time. */
import { relative } from 'node:path';
import { root } from './install.mjs';

const SHOWN = 20;

export default class SlowestFiles {
  onTestRunEnd(modules) {
    const times = modules.map((module) => {
      const { environmentSetupDuration, prepareDuration, collectDuration, setupDuration, duration } =
        module.diagnostic();
      const ms = environmentSetupDuration + prepareDuration + collectDuration + setupDuration + duration;
      return { file: relative(root, module.moduleId), seconds: ms / 1000 };
    });
    const slowest = times.sort((a, b) => b.seconds - a.seconds).slice(0, SHOWN);
    const all = times.reduce((sum, { seconds }) => sum + seconds, 0);
    console.log(`\nThe slowest of ${times.length} files, which took ${all.toFixed(0)} s together:`);
    for (const { file, seconds } of slowest) console.log(`${seconds.toFixed(1).padStart(8)} s  ${file}`);
  }
}
