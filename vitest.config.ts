/**
 * Tests: pure ones and ones against real servers side by side. Files that start servers get their own through harness/servers.
 *
 * Files run in three lanes, since most of them wait for servers, timers and leases; vitest's own choice on a machine of two cores is one
 * lane. Those that measure the machine run after all others, in one lane.
 */
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/setup/longest-first.ts';

const MEASURING = ['test/**/*.scale.test.ts'];

export default defineConfig({
  test: {
    globalSetup: ['test/setup/servers.ts'],
    setupFiles: ['test/setup/processes.ts'],
    pool: 'forks',
    // A bound against hanging, not a measure: a busy machine may be five times slower than a quiet one.
    testTimeout: 120_000,
    hookTimeout: 60_000,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'side by side',
          include: ['test/**/*.test.ts'],
          exclude: MEASURING,
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: MEASURING, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
