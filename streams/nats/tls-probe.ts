/**
 * Asks a NATS server why it ends a TLS connection. With TLS 1.3 the server judges the client's certificate after the handshake. The NATS
 * client then misses the alert and waits for an answer that never comes.
 */
import { connect as connectPlainly, isIP } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';

const PROBE_MS = 2_000;

/** The error with which one of the servers (HOST:PORT) ends a TLS connection; undefined if none does so within PROBE_MS. */
export async function tlsRefusal(servers: readonly string[], options: ConnectionOptions): Promise<Error | undefined> {
  const refusals = await Promise.all(servers.map((server) => refusalOf(server, options)));
  return refusals.find((each) => each !== undefined);
}

function refusalOf(server: string, options: ConnectionOptions): Promise<Error | undefined> {
  const colon = server.lastIndexOf(':');
  const host = server.slice(0, colon).replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const plain = connectPlainly({ host, port: Number(server.slice(colon + 1)) });
    const end = (why?: Error) => {
      clearTimeout(late);
      plain.destroy();
      resolve(why);
    };
    const late = setTimeout(end, PROBE_MS);
    plain.once('error', () => end());
    // The server speaks first, in plain text, and then expects TLS from the client.
    plain.once('data', () => {
      plain.removeAllListeners('error');
      const socket = connectTls({ ...options, socket: plain, ...(isIP(host) === 0 ? { servername: host } : {}) });
      socket.once('error', end);
      socket.once('close', () => end());
    });
  });
}
