/**
 * Login to NATS: the credentials and certificates of a connection, and the meaning of a failure to connect.
 *
 * Invariants:
 *  LG1 With tls://, only a TLS handshake is sent to a server before TLS is established, at the first connection and at every later one. The
 *     client refuses a server that does not offer TLS.
 *  LG2 A message about a failure names the servers and the settings to check, never a secret.
 */
import type { ConnectionOptions as TlsConnectOptions } from 'node:tls';
import {
  AuthorizationError,
  type ConnectionOptions,
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  UserAuthenticationExpiredError,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';
import { NATS_ADDRESS_RULE, parseNatsAddress } from '../../config/servers/nats-address.ts';
import { type Secret, secretAddress } from '../../config/servers/secret.ts';
import { tlsFault, tlsOptionsOf } from '../../config/servers/tls.ts';
import type { Settings } from '../../config/settings.ts';
import { tlsRefusal } from './tls-probe.ts';

/** The settings with the address of NATS and the login. */
export type NatsLogin = Pick<Settings, 'nats'> &
  Partial<
    Pick<
      Settings,
      'natsUser' | 'natsPassword' | 'natsToken' | 'natsCreds' | 'natsNkey' | 'natsCa' | 'natsCert' | 'natsKey'
    >
  >;

/** Why there is no connection, in a sentence for people. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError';
  /** True if a retry changes nothing, because the settings are wrong, the server refuses this client or it cannot be trusted. */
  readonly final: boolean;
  constructor(message: string, final: boolean) {
    super(message);
    this.final = final;
  }
}

/** @param at settings, or only an address */
export function loginOf(at: NatsLogin | string): NatsLogin {
  return typeof at === 'string' ? { nats: secretAddress(at) } : at;
}

/** The client's options for a login. */
export function connectionOptions(login: NatsLogin): Pick<ConnectionOptions, 'servers' | 'authenticator' | 'tls'> {
  const address = parseNatsAddress(login.nats.reveal());
  if (address === undefined) throw new ConnectError(`NATS is at ${login.nats}, but must be ${NATS_ADDRESS_RULE}`, true);
  const authenticator = authenticatorOf(login, address);
  // Sign once before the client does. With a seed that it cannot read, the client would retry forever without a pause.
  try {
    authenticator?.(TRIAL_NONCE);
  } catch (error) {
    throw seedFault(error);
  }
  const tls = tlsOptionsOf({ ca: login.natsCa, cert: login.natsCert, key: login.natsKey });
  return {
    servers: [...address.servers],
    ...(authenticator === undefined ? {} : { authenticator }),
    // With this option the client refuses a server that does not offer TLS (LG1).
    ...(address.tls ? { tls } : {}),
  };
}

function authenticatorOf(login: NatsLogin, address: NonNullable<ReturnType<typeof parseNatsAddress>>) {
  const { natsCreds, natsNkey, natsToken, natsUser, natsPassword } = login;
  // The client needs a line end after the seed to find where the seed ends.
  const bytes = (secret: Secret) => Buffer.from(`${secret.reveal()}\n`);
  if (natsCreds !== undefined) return credsAuthenticator(bytes(natsCreds));
  if (natsNkey !== undefined) return nkeyAuthenticator(Buffer.from(natsNkey.reveal()));
  const token = address.token ?? natsToken?.reveal();
  if (token !== undefined) return tokenAuthenticator(token);
  const user = address.user ?? natsUser;
  return user === undefined
    ? undefined
    : usernamePasswordAuthenticator(user, address.password ?? natsPassword?.reveal());
}

/** Why a first connection failed. With TLS, the servers are asked directly as well, because the client misses some refusals. */
export async function firstConnectFault(login: NatsLogin, error: unknown): Promise<ConnectError> {
  const fault = connectFault(login, error);
  const { servers, tls } = connectionOptions(login);
  if (fault.final || !tls) return fault;
  const refusal = await tlsRefusal([servers ?? []].flat(), tls as TlsConnectOptions);
  return refusal === undefined ? fault : connectFault(login, refusal);
}

/** Why there is no connection, or why it was lost for good. */
export function connectFault(login: NatsLogin, error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const at = `NATS at ${login.nats}`;
  if (error instanceof AuthorizationError || error instanceof UserAuthenticationExpiredError)
    return new ConnectError(`${at} refuses the login: ${message}; ${LOGIN_ADVICE}`, true);
  if (message.includes("does not support 'tls'"))
    return new ConnectError(
      `${at} does not offer TLS, and nothing was sent to it; set up TLS there, or say nats://`,
      true,
    );
  const tls = tlsFault(error);
  if (tls !== undefined) return new ConnectError(`${at} cannot be reached over TLS: ${tls}; ${TLS_ADVICE}`, true);
  return new ConnectError(`${at} does not answer (${message}); start it, or set NATS_URL`, false);
}

/** The client's message about a seed does not repeat the seed (LG2). */
function seedFault(error: unknown): ConnectError {
  const message = error instanceof Error ? error.message : String(error);
  return new ConnectError(`the seed in NATS_CREDS_FILE or NATS_NKEY_FILE cannot be used: ${message}`, true);
}

/** Stands for the nonce that a server sends and the client signs. */
const TRIAL_NONCE = 'trial';
const LOGIN_ADVICE =
  'set NATS_USER and NATS_PASSWORD, NATS_TOKEN, NATS_CREDS_FILE or NATS_NKEY_FILE to what that server knows';
const TLS_ADVICE = 'look at NATS_CA_FILE, NATS_CERT_FILE and NATS_KEY_FILE, and at the certificate of the server';
