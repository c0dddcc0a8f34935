/**
 * Logging in to NATS: what a connection shows and trusts, and what it means when it cannot be made.
 *
 * Invariants:
 *  LG1 With tls://, nothing but a TLS handshake is sent to a server before TLS stands, at the first connection and at every later one: the
 *     client refuses a server that does not offer it.
 *  LG2 What is said about a failure names the servers and the settings to look at, never a secret.
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

/** The settings that say where NATS is and who logs in. */
export type NatsLogin = Pick<Settings, 'nats'> &
  Partial<
    Pick<
      Settings,
      'natsUser' | 'natsPassword' | 'natsToken' | 'natsCreds' | 'natsNkey' | 'natsCa' | 'natsCert' | 'natsKey'
    >
  >;

/** No connection, in a sentence for people. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError';
  /** The server has refused this client, or is not to be trusted: trying again changes nothing. */
  readonly final: boolean;
  constructor(message: string, final: boolean) {
    super(message);
    this.final = final;
  }
}

/** @param at settings, or an address alone */
export function loginOf(at: NatsLogin | string): NatsLogin {
  return typeof at === 'string' ? { nats: secretAddress(at) } : at;
}

/** What the client needs of a login. */
export function connectionOptions(login: NatsLogin): Pick<ConnectionOptions, 'servers' | 'authenticator' | 'tls'> {
  const address = parseNatsAddress(login.nats.reveal());
  if (address === undefined) throw new ConnectError(`NATS is at ${login.nats}, but must be ${NATS_ADDRESS_RULE}`, true);
  const authenticator = authenticatorOf(login, address);
  // Tried before the client does: of a seed that cannot be read it tries again for ever, without a pause.
  try {
    authenticator?.(TRIAL_NONCE);
  } catch (error) {
    throw seedFault(error);
  }
  const tls = tlsOptionsOf({ ca: login.natsCa, cert: login.natsCert, key: login.natsKey });
  return {
    servers: [...address.servers],
    ...(authenticator === undefined ? {} : { authenticator }),
    // LG1.
    ...(address.tls ? { tls } : {}),
  };
}

function authenticatorOf(login: NatsLogin, address: NonNullable<ReturnType<typeof parseNatsAddress>>) {
  const { natsCreds, natsNkey, natsToken, natsUser, natsPassword } = login;
  // The client finds the end of a seed by the line end behind it.
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

/** Why a first connection could not be made. */
export async function firstConnectFault(login: NatsLogin, error: unknown): Promise<ConnectError> {
  const fault = connectFault(login, error);
  const { servers, tls } = connectionOptions(login);
  if (fault.final || !tls) return fault;
  const refusal = await tlsRefusal([servers ?? []].flat(), tls as TlsConnectOptions);
  return refusal === undefined ? fault : connectFault(login, refusal);
}

/** Why there is no connection, or why the one that was is lost for good. */
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

/** What the client says of a seed does not repeat it (LG2). */
function seedFault(error: unknown): ConnectError {
  const message = error instanceof Error ? error.message : String(error);
  return new ConnectError(`the seed in NATS_CREDS_FILE or NATS_NKEY_FILE cannot be used: ${message}`, true);
}

/** Such as a server sends for the client to sign. */
const TRIAL_NONCE = 'trial';
const LOGIN_ADVICE =
  'set NATS_USER and NATS_PASSWORD, NATS_TOKEN, NATS_CREDS_FILE or NATS_NKEY_FILE to what that server knows';
const TLS_ADVICE = 'look at NATS_CA_FILE, NATS_CERT_FILE and NATS_KEY_FILE, and at the certificate of the server';
