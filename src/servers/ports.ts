/**
 * Ports for local servers.
 *
 * Invariant: the ports lie below every system's range for outgoing connections (Linux 32768 and up, others 49152 and
 * up). A server that is briefly down in a restart test therefore finds its port free, because no outgoing connection
 * can have taken it. Nor can a client that retries connect to itself through that port.
 */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const LOWEST = 20_000;
const HIGHEST = 32_000;
const TRIES = 100;

/**
 * Returns a loopback port on which nothing listened a moment ago. The caller retries if another process was faster.
 */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < TRIES; tried += 1) {
    const port = randomInt(LOWEST, HIGHEST);
    if (await canListen(port)) return port;
  }
  throw new Error(`no free port found between ${LOWEST} and ${HIGHEST} on 127.0.0.1 in ${TRIES} tries`);
}

/** True if nothing listens there now. */
export function canListen(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
