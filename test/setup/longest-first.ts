/** The order of test files: the longest first, so that neither lane ends with one while the other has nothing left to do. */
import { relative, sep } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** As CI printed them at its end (scripts/slowest-files.mjs), longest first. Others follow by their times in the last run, or by size. */
const LONGEST: readonly string[] = [];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.indexOf(relative(this.ctx.config.root, moduleId).replaceAll(sep, '/'));
      return at < 0 ? LONGEST.length : at;
    };
    // Sorting is stable, and the runner itself keeps the groups of vitest.config.ts apart.
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
