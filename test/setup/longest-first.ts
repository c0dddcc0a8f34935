/** Orders test files longest first, so that no lane is idle while another runs a long file at the end. */
import { relative, sep } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Approximately in the order of their durations. CI prints the slowest files at its end (scripts/slowest-files.mjs). Other files follow by
 * their time in the last run, or by size if there was none.
 */
const LONGEST: readonly string[] = [
  'test/faults/slices-stores.test.ts',
  'test/faults/slices-processes.test.ts',
  'test/actors/retention/trim.test.ts',
  'test/faults/kill.test.ts',
  'test/faults/nats-cluster.test.ts',
  'test/src/replay/pipeline.test.ts',
  'test/actors/retention/baseline.test.ts',
  'test/dashboards/web/views.test.ts',
  'test/faults/redis-failover.test.ts',
  'test/faults/slices-strangers.test.ts',
  'test/faults/lost-servers.test.ts',
  'test/faults/full-streams.test.ts',
  'test/actors/recovery/million.test.ts',
  'test/src/up/up-nodes.test.ts',
  'test/actors/ownership/shared-nodes.test.ts',
  'test/actors/recovery/edge-of-log.test.ts',
  'test/streams/journal/journal.test.ts',
  'test/sim/sim.test.ts',
  'test/src/demo/demo.test.ts',
  'test/src/up/up.test.ts',
  'test/src/cli/printed.test.ts',
  'test/actors/retention/verify.test.ts',
  'test/actors/snapshot/sealed.test.ts',
  'test/faults/budgets.test.ts',
  'test/dashboards/web/live.test.ts',
  'test/src/node/standstill.test.ts',
  'test/actors/idempotency/rules.test.ts',
  'test/src/redis/snapshot-store.test.ts',
  'test/actors/ingest/parked.test.ts',
  'test/dashboards/feed/take-over.test.ts',
  'test/dashboards/grafana/live.test.ts',
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
