/** Tests: pure ones and ones against real servers side by side. Files that start servers get their own through test/fixtures. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/setup/servers.ts'],
    setupFiles: ['test/setup/processes.ts'],
    pool: 'forks',
    // A bound against hanging, not a measure: a busy machine may be five times slower than a quiet one.
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
