/** Before all tests: nats-server and redis-server are found or fetched once, so that no test file waits for a download. */
import { findServer } from '../../src/servers/find.ts';

export default async function setup(): Promise<void> {
  for (const kind of ['nats', 'redis'] as const) {
    try {
      await findServer(kind, { report: (line) => console.log(line) });
    } catch (error) {
      // Tests of pure code need no server; those that do fail with this same message.
      console.warn(error instanceof Error ? error.message : error);
    }
  }
}
