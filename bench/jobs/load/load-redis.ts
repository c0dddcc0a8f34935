/** Redis as a peer. One Lua script takes the units if they are available and records the hold with its expiry, without a disk. */
import { createClient } from 'redis';
import { closedLoop, type LoadOptions, type LoadResult } from '../../closed-loop.ts';
import { freshId, skuName } from '../requests.ts';

export interface RedisLoad extends LoadOptions {
  readonly redis: string;
  readonly skus: number;
}

/** KEYS: stock, reservations, expiries. ARGV: sku, qty, id, expiry. Returns 1, or 0 if there is not enough. */
const RESERVE = `
if redis.call('HEXISTS', KEYS[2], ARGV[3]) == 1 then return 1 end
local left = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if left < tonumber(ARGV[2]) then return 0 end
redis.call('HINCRBY', KEYS[1], ARGV[1], -ARGV[2])
redis.call('HSET', KEYS[2], ARGV[3], ARGV[1] .. ' ' .. ARGV[2])
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[3])
return 1`;

export async function loadRedisLua(options: RedisLoad): Promise<LoadResult> {
  const client = createClient({ url: options.redis, commandOptions: { timeout: undefined as unknown as number } });
  await client.connect();
  const sha = await client.scriptLoad(RESERVE);
  for (let number = 0; number < options.skus; number++) await client.hSet('stock', skuName(number), '1000000000');
  let turn = 0;
  const expiry = String(Date.now() + 900_000);
  const result = await closedLoop(options, async () => {
    turn = (turn + 1) % options.skus;
    const request = { keys: ['stock', 'reservations', 'expiries'], arguments: [skuName(turn), '1', freshId(), expiry] };
    return (await client.evalSha(sha, request)) === 1 ? 'done' : 'refused';
  });
  await client.flushAll();
  client.destroy();
  return result;
}
