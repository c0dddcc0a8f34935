/** Finds or fetches nats-server, redis-server and Chromium once before all tests, so that no test file waits for a download. */
import { findServer } from '../../src/servers/fetch/find.ts';
import { findChromium } from '../dashboards/web/chromium-program.ts';

export default async function setup(): Promise<void> {
  const finds = [
    () => findServer('nats', { report: (line) => console.log(line) }),
    () => findServer('redis', { report: (line) => console.log(line) }),
    () => findChromium(),
  ];
  for (const find of finds) {
    try {
      await find();
    } catch (error) {
      // Tests of pure code need none of these programs. Tests that need one fail with the same message.
      console.warn(error instanceof Error ? error.message : error);
    }
  }
}
