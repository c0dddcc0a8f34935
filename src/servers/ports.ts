/**
 * Ports for local servers.
 *
 * Invariant: the ports lie below every system's range for outgoing connections (Linux 32768 and up, others 49152 and
 * up). A server that is down for a moment in a restart test therefore finds its port free: no outgoing connection can
 * have taken it, and a client that retries cannot connect to itself through it.
 */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const LOWEST = 20_000;
const HIGHEST = 32_000;
const TRIES = 100;

/** A port on loopback that nobody listened on a moment ago. The caller retries when somebody was quicker. */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < TRIES; tried += 1) {
    const port = randomInt(LOWEST, HIGHEST);
    if (await canListen(port)) return port;
  }
  throw new Error(`no free port found between ${LOWEST} and ${HIGHEST} on 127.0.0.1 in ${TRIES} tries`);
}

/** Nobody listens there now. */
export function canListen(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
