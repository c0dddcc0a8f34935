/** The order of test files: the longest first, so that neither lane ends with one while the other has nothing left to do. */
import { relative, sep } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * About in the order of their times; CI prints the slowest at its end (scripts/slowest-files.mjs). Others follow by their times in the
 * last run, or by size where there was none.
 */
const LONGEST: readonly string[] = [
  'test/faults/slices-stores.test.ts',
  'test/faults/slices-processes.test.ts',
  'test/keeping/trim.test.ts',
  'test/faults/kill.test.ts',
  'test/faults/nats-cluster.test.ts',
  'test/replay/pipeline.test.ts',
  'test/keeping/baseline.test.ts',
  'test/browser/views.test.ts',
  'test/faults/redis-failover.test.ts',
  'test/faults/slices-strangers.test.ts',
  'test/faults/lost-servers.test.ts',
  'test/faults/full-streams.test.ts',
  'test/up-nodes.test.ts',
  'test/faults/shared-nodes.test.ts',
  'test/faults/edge-of-log.test.ts',
  'test/core/journal.test.ts',
  'test/sim/sim.test.ts',
  'test/replay/demo.test.ts',
  'test/up.test.ts',
  'test/secrets/printed.test.ts',
  'test/keeping/verify.test.ts',
  'test/secrets/sealed.test.ts',
  'test/faults/budgets.test.ts',
  'test/browser/live.test.ts',
  'test/faults/standstill.test.ts',
  'test/core/rules.test.ts',
  'test/core/redis-store.test.ts',
  'test/faults/parked.test.ts',
  'test/live/take-over.test.ts',
  'test/monitoring/live.test.ts',
];

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
