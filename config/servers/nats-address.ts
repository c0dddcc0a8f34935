/**
 * The address of NATS in NATS_URL. It names one server or several, all with the same scheme.
 *
 *   nats://[USER:PASSWORD@ or TOKEN@]HOST[:PORT][,nats://HOST[:PORT]…]
 *
 * `tls` in place of `nats` requires TLS, without fallback. User and password may be in one part or in all, and are percent-encoded.
 */
export interface NatsAddress {
  /** HOST:PORT of each server. */
  readonly servers: readonly string[];
  readonly tls: boolean;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly token: string | undefined;
}

export const NATS_ADDRESS_RULE =
  'a URL that begins with nats:// or tls://; several with commas, all with the same scheme, user and password, which are percent-encoded';

const PART = /^(nats|tls):\/\/(?:([^@/?#\s]*)@)?(\[[0-9a-fA-F:.]+\]|[^\s:/@?#[\],]+)(?::(\d{1,5}))?\/?$/;
const DEFAULT_PORT = '4222';

/** Undefined if the text is not such an address. */
export function parseNatsAddress(text: string): NatsAddress | undefined {
  const parts = text.split(',').map((each) => PART.exec(each.trim()));
  const [first] = parts;
  if (first == null || !parts.every((part) => part != null)) return undefined;
  const logins = new Set(parts.flatMap(([, , login]) => (login === undefined ? [] : [login])));
  if (logins.size > 1 || parts.some(([, scheme]) => scheme !== first[1])) return undefined;
  const login = loginOf([...logins][0]);
  const servers = parts.map(([, , , host, port = DEFAULT_PORT]) => `${host}:${port}`);
  if (login === undefined || servers.some((each) => Number(each.slice(each.lastIndexOf(':') + 1)) > 65_535))
    return undefined;
  return { servers, tls: first[1] === 'tls', ...login };
}

/** A login without a colon is a token, as in other NATS clients. Undefined if it is badly encoded. */
function loginOf(text: string | undefined): Pick<NatsAddress, 'user' | 'password' | 'token'> | undefined {
  const none = { user: undefined, password: undefined, token: undefined };
  if (text === undefined || text === '') return none;
  const colon = text.indexOf(':');
  try {
    if (colon < 0) return { ...none, token: decodeURIComponent(text) };
    const [user, password] = [text.slice(0, colon), text.slice(colon + 1)].map(decodeURIComponent);
    return { ...none, user, password };
  } catch {
    return undefined;
  }
}
