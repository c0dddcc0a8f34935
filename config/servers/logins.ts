/** Checks settings that depend on each other: logins, pairs of certificate and key, and TLS. */

import type { Settings } from '../settings.ts';
import { parseNatsAddress } from './nats-address.ts';
import { parseRedisAddress } from './redis-address.ts';
import { certificateFault } from './tls.ts';

/** A sentence about the first settings that do not fit together; undefined if all do. */
export function checkTogether(settings: Settings): string | undefined {
  const { nats, redis } = settings;
  const natsAddress = parseNatsAddress(nats.reveal());
  const redisAddress = parseRedisAddress(redis.reveal());
  const natsInUrl = natsAddress?.user !== undefined || natsAddress?.token !== undefined;
  const redisInUrl = redisAddress?.username !== undefined || redisAddress?.password !== undefined;
  const { natsUser, natsPassword, natsToken, natsCreds, natsNkey, redisUser, redisPassword } = settings;
  const ways = {
    'user or token in NATS_URL': natsInUrl || undefined,
    NATS_USER: natsUser,
    NATS_TOKEN: natsToken,
    NATS_CREDS_FILE: natsCreds,
    NATS_NKEY_FILE: natsNkey,
  };
  return (
    oneOf(ways) ??
    both({ NATS_USER: natsUser, NATS_PASSWORD: natsPassword }) ??
    (redisUser === undefined ? undefined : both({ REDIS_USER: redisUser, REDIS_PASSWORD: redisPassword })) ??
    oneOf({ 'user or password in REDIS_URL': redisInUrl || undefined, REDIS_PASSWORD: redisPassword }) ??
    pair('NATS', settings.natsCert, settings.natsKey) ??
    pair('REDIS', settings.redisCert, settings.redisKey) ??
    pair('HOLDFAST_TLS', settings.tlsCert, settings.tlsKey) ??
    onlyWithTls('NATS', 'NATS_URL', String(nats), natsAddress?.tls, [settings.natsCa, settings.natsCert]) ??
    onlyWithTls('REDIS', 'REDIS_URL', String(redis), redisAddress?.tls, [settings.redisCa, settings.redisCert])
  );
}

function oneOf(ways: Readonly<Record<string, unknown>>): string | undefined {
  const given = Object.keys(ways).filter((name) => ways[name] !== undefined);
  return given.length < 2 ? undefined : `${given.join(' and ')} are both given, but one way to log in is allowed`;
}

function both(values: Readonly<Record<string, unknown>>): string | undefined {
  const names = Object.keys(values);
  const given = names.filter((name) => values[name] !== undefined);
  if (given.length === 0 || given.length === names.length) return undefined;
  return `${given.join()} is given without ${names.filter((name) => values[name] === undefined).join()}, but they belong together`;
}

function pair(prefix: string, cert: string | undefined, key: Settings['tlsKey']): string | undefined {
  const [certName, keyName] = [`${prefix}_CERT_FILE`, `${prefix}_KEY_FILE`];
  const alone = both({ [certName]: cert, [keyName]: key });
  if (alone !== undefined || cert === undefined) return alone;
  const fault = certificateFault({ cert, key });
  return fault === undefined ? undefined : `${certName} and ${keyName} do not belong to each other: ${fault}`;
}

/** An operator who names a CA or a certificate expects TLS, so a plain address is refused. */
function onlyWithTls(
  prefix: string,
  name: string,
  shown: string,
  tls: boolean | undefined,
  files: readonly unknown[],
): string | undefined {
  if (tls !== false || files.every((each) => each === undefined)) return undefined;
  const given = files[0] === undefined ? `${prefix}_CERT_FILE` : `${prefix}_CA_FILE`;
  return `${name} is "${shown}", but must begin with ${prefix === 'NATS' ? 'tls://' : 'rediss'} when ${given} is given`;
}
