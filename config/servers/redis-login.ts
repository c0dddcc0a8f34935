/** The address, login and certificates for Redis, from the settings. */

import type { Settings } from '../settings.ts';
import { parseRedisAddress, type RedisAddress } from './redis-address.ts';
import type { Certificates } from './tls.ts';

/** The settings that name the Redis servers and the login. */
export type RedisSettings = Pick<Settings, 'redis'> &
  Partial<
    Pick<
      Settings,
      | 'redisUser'
      | 'redisPassword'
      | 'redisSentinelUser'
      | 'redisSentinelPassword'
      | 'redisCa'
      | 'redisCert'
      | 'redisKey'
    >
  >;

/** The address of Redis, the logins there and at its Sentinels, and the certificates for TLS. */
export interface RedisLogin {
  readonly address: RedisAddress;
  readonly sentinels: Pick<RedisAddress, 'username' | 'password'>;
  readonly certificates: Certificates;
  /** The address as it may be printed. */
  readonly shown: string;
}

/** Undefined if the address is not valid. */
export function redisLoginOf(settings: RedisSettings): RedisLogin | undefined {
  const address = parseRedisAddress(settings.redis.reveal());
  if (address === undefined) return undefined;
  const { redisUser, redisPassword, redisSentinelUser, redisSentinelPassword } = settings;
  const { username = redisUser, password = redisPassword?.reveal() } = address;
  return {
    address: { ...address, username, password },
    sentinels: { username: redisSentinelUser, password: redisSentinelPassword?.reveal() },
    certificates: { ca: settings.redisCa, cert: settings.redisCert, key: settings.redisKey },
    shown: String(settings.redis),
  };
}
