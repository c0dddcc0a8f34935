/** Who logs in to Redis, and where, as the settings say. */

import type { Settings } from '../settings.ts';
import { parseRedisAddress, type RedisAddress } from './redis-address.ts';
import type { Certificates } from './tls.ts';

/** The settings that say where Redis is and who logs in. */
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

/** Where Redis is, who logs in there and at its Sentinels, and what TLS shows and trusts. */
export interface RedisLogin {
  readonly address: RedisAddress;
  readonly sentinels: Pick<RedisAddress, 'username' | 'password'>;
  readonly certificates: Certificates;
  /** As it may be shown. */
  readonly shown: string;
}

/** Undefined if the address is none. */
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
