/**
 * Snapshots in Redis, one hash per partition named `holdfast:{p<n>}`. Its fields are `m0` (the manifest in force), `m1` (the one before),
 * `epoch` (that of the manifest in force) and one field per blob. The tag in braces keeps all of a partition in one slot of a Cluster,
 * where the script can see it.
 *
 * Invariant SS1: a manifest comes into force only over the manifest that this store knows to be in force, and only with all blobs that
 * were written for it. Redis copies to replicas after it has answered, so a failover may undo both. Blobs that a manifest takes from
 * earlier ones would then be missing until their pages change. The answer `lost` makes the next snapshot a complete one.
 */

import { createHash } from 'node:crypto';
import { type SnapshotKey, snapshotKey } from '../../actors/snapshot/seal.ts';
import type { SnapshotStore } from '../../actors/snapshot/snapshotter.ts';
import { REDIS_ADDRESS_RULE } from '../../config/servers/redis-address.ts';
import { type RedisSettings, redisLoginOf } from '../../config/servers/redis-login.ts';
import { secretAddress } from '../../config/servers/secret.ts';
import type { Settings } from '../../config/settings.ts';
import { connectRedis, type RedisConnection } from './connection.ts';

/**
 * KEYS[1] the partition's hash; ARGV[1] epoch, ARGV[2] manifest, ARGV[3] SHA-1 of the manifest that must be in force ('*' if any must be,
 * '' if any or none may be), ARGV[4] how many blobs were written, ARGV[5…] their names, then the names of the blobs to drop.
 * Returns 0 and changes nothing if a newer epoch's manifest is in force. Returns 2 and changes nothing if the required manifest is not in
 * force or a written blob is missing. Otherwise the manifest in force becomes the one before, the new one comes into force, and 1 is
 * returned.
 */
// One script checks and swaps, so no other writer can come between (SS1).
const SWAP = `
local held = redis.call('HGET', KEYS[1], 'epoch')
if held and tonumber(held) > tonumber(ARGV[1]) then return 0 end
local before = redis.call('HGET', KEYS[1], 'm0')
if ARGV[3] ~= '' and (not before or (ARGV[3] ~= '*' and redis.sha1hex(before) ~= ARGV[3])) then return 2 end
local written = tonumber(ARGV[4])
for i = 5, 4 + written do if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 0 then return 2 end end
if before then redis.call('HSET', KEYS[1], 'm1', before) end
redis.call('HSET', KEYS[1], 'm0', ARGV[2], 'epoch', ARGV[1])
for i = 5 + written, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
return 1`;

const NO_BLOBS = new Set(['m0', 'm1', 'epoch']);
const FIELDS_PER_COMMAND = 64;

/** What this store knows about a partition's hash. */
interface Known {
  /** SHA-1 of the manifest in force; '' until one is read or swapped in. */
  inForce: string;
  /** Names of the blobs written since. */
  written: string[];
}

export class RedisSnapshots implements SnapshotStore {
  readonly #connection: RedisConnection;
  readonly #known = new Map<number, Known>();
  readonly key: SnapshotKey | undefined;

  private constructor(connection: RedisConnection, key: SnapshotKey | undefined) {
    this.#connection = connection;
    this.key = key;
  }

  /**
   * Keeps connecting in the background, because Redis may be away. Snapshots fail until then and are tried again. Rejects with a
   * RedisRefusal if a retry would not help.
   * @param at settings that say where Redis is and who logs in, or only a URL
   */
  static async open(
    at: (RedisSettings & Partial<Pick<Settings, 'snapshotKey'>>) | string,
    trouble: (message: string) => void,
  ): Promise<RedisSnapshots> {
    const settings = typeof at === 'string' ? { redis: secretAddress(at) } : at;
    const login = redisLoginOf(settings);
    if (login === undefined) throw new Error(`Redis is at ${settings.redis}, but must be ${REDIS_ADDRESS_RULE}`);
    const key = 'snapshotKey' in settings ? settings.snapshotKey : undefined;
    return new RedisSnapshots(await connectRedis(login, trouble), key === undefined ? undefined : snapshotKey(key));
  }

  async ping(): Promise<void> {
    await (await this.#connection.commands()).ping();
  }

  async version(): Promise<string> {
    const info = await (await this.#connection.commands()).info('server');
    return /redis_version:([^\r\n]+)/.exec(info.toString())?.[1] ?? '';
  }

  async write(partition: number, blobs: readonly { name: string; bytes: Buffer }[]): Promise<void> {
    const redis = await this.#connection.commands();
    for (let i = 0; i < blobs.length; i += FIELDS_PER_COMMAND) {
      const fields: Record<string, Buffer> = {};
      for (const { name, bytes } of blobs.slice(i, i + FIELDS_PER_COMMAND)) fields[name] = bytes;
      await redis.hSet(keyOf(partition), fields);
    }
    this.#of(partition).written.push(...blobs.map(({ name }) => name));
  }

  async swap(
    partition: number,
    epoch: number,
    manifest: Buffer,
    drop: readonly string[],
    expectOne: boolean,
  ): Promise<'swapped' | 'older' | 'lost'> {
    const redis = await this.#connection.commands();
    const known = this.#of(partition);
    const written = known.written.splice(0);
    const must = !expectOne ? '' : known.inForce === '' ? '*' : known.inForce;
    const words = [String(epoch), manifest, must, String(written.length), ...written, ...drop];
    const done = await redis.eval(SWAP, { keys: [keyOf(partition)], arguments: words });
    if (done === 1) known.inForce = sha1(manifest);
    return done === 1 ? 'swapped' : done === 2 ? 'lost' : 'older';
  }

  async manifests(partition: number): Promise<Buffer[]> {
    const [inForce, before] = await (await this.#connection.commands()).hmGet(keyOf(partition), ['m0', 'm1']);
    this.#known.set(partition, { inForce: inForce == null ? '' : sha1(inForce), written: [] });
    return [inForce, before].filter((each) => each != null);
  }

  async read(partition: number, names: readonly string[]): Promise<(Buffer | undefined)[]> {
    const redis = await this.#connection.commands();
    const blobs: (Buffer | undefined)[] = [];
    for (let i = 0; i < names.length; i += FIELDS_PER_COMMAND) {
      const found = await redis.hmGet(keyOf(partition), names.slice(i, i + FIELDS_PER_COMMAND));
      for (const each of found) blobs.push(each ?? undefined);
    }
    return blobs;
  }

  async names(partition: number): Promise<string[]> {
    const names = await (await this.#connection.commands()).hKeys(keyOf(partition));
    return names.map(String).filter((name) => !NO_BLOBS.has(name));
  }

  close(): void {
    this.#connection.close();
  }

  #of(partition: number): Known {
    let known = this.#known.get(partition);
    if (known === undefined) {
      known = { inForce: '', written: [] };
      this.#known.set(partition, known);
    }
    return known;
  }
}

function sha1(bytes: Buffer): string {
  return createHash('sha1').update(bytes).digest('hex');
}

function keyOf(partition: number): string {
  return `holdfast:{p${partition}}`;
}
