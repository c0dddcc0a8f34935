/** One short exchange with a server: connect on loopback, send a text, and read until the answer is complete. */
import { connect } from 'node:net';

const LIMIT_MS = 1_000;

/**
 * Returns the server's answer once `enough` accepts it, or undefined if the server refused, closed, or was silent for
 * LIMIT_MS.
 */
export function firstAnswer(
  port: number,
  say: string,
  enough: (received: string) => boolean,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    let received = '';
    const socket = connect({ port, host: '127.0.0.1' });
    const finish = (answer: string | undefined) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(LIMIT_MS, () => finish(undefined));
    socket.once('error', () => finish(undefined));
    socket.once('close', () => resolve(undefined));
    if (say !== '') socket.once('connect', () => socket.write(say));
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      if (enough(received)) finish(received);
    });
  });
}
