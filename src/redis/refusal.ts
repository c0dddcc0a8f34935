/**
 * How Redis refuses a connection: faults that a retry cannot fix, in words, and whether a server speaks without TLS.
 */
import { connect } from 'node:net';
import type { RedisServer } from '../../config/servers/redis-address.ts';
import { tlsFault } from '../../config/servers/tls.ts';

/**
 * A refused connection. connectRedis throws a whole sentence. Inside this folder, the message is only the part after
 * "Redis at ADDRESS".
 */
export class RedisRefusal extends Error {
  override readonly name = 'RedisRefusal';
}

const LOGIN_FAULTS = /^(WRONGPASS|NOAUTH|NOPERM|DENIED)|^ERR (AUTH|invalid password|Client sent AUTH)/;
const LOGIN_ADVICE = 'set REDIS_USER and REDIS_PASSWORD, or user and password in REDIS_URL, to what that server knows';
const TLS_ADVICE = 'look at REDIS_CA_FILE, REDIS_CERT_FILE and REDIS_KEY_FILE, and at the certificate of the server';

/** Says what is refused and what to do; undefined if a retry may help. */
export function refusalOf(error: unknown): string | undefined {
  if (error instanceof RedisRefusal) return error.message;
  if (!(error instanceof Error)) return undefined;
  if (LOGIN_FAULTS.test(error.message)) return `refuses the login: ${error.message}; ${LOGIN_ADVICE}`;
  const tls = tlsFault(error);
  return tls === undefined ? undefined : `cannot be reached over TLS: ${tls}; ${TLS_ADVICE}`;
}

const PLAIN_ANSWER_MS = 1_000;

/** True if the server answers a PING without TLS, even with an error. */
export function speaksPlainly({ host, port }: RedisServer): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    let heard = '';
    const end = () => {
      socket.destroy();
      resolve(/^(\+PONG|-[A-Z]+ )/.test(heard));
    };
    const late = setTimeout(end, PLAIN_ANSWER_MS);
    socket.on('connect', () => socket.write('PING\r\n'));
    socket.on('data', (bytes) => {
      heard += bytes.toString('latin1', 0, 64);
      end();
    });
    socket.on('error', end);
    socket.on('close', () => clearTimeout(late));
  });
}
