/**
 * Snapshots in Redis: the one file that imports its client. One hash a partition, `holdfast:{p<n>}`: fields `m0` (manifest in
 * force), `m1` (the one before) and one per blob. The tag in braces keeps a partition on one node of a cluster.
 */
import { createClient, RESP_TYPES } from 'redis';
import type { SnapshotStore } from '../actors/snapshotter.ts';

/**
 * KEYS[1] the partition's hash; ARGV[1] epoch, ARGV[2] manifest, ARGV[3] '1' if a manifest must be in force, ARGV[4…] blobs to drop.
 * Returns 0 and changes nothing if a newer epoch's manifest is in force, 2 if one was expected and none is; else the manifest in force
 * becomes the one before, the new one comes in force, and 1 is returned.
 */
const SWAP = `
local held = redis.call('HGET', KEYS[1], 'epoch')
if held and tonumber(held) > tonumber(ARGV[1]) then return 0 end
local before = redis.call('HGET', KEYS[1], 'm0')
if ARGV[3] == '1' and not before then return 2 end
if before then redis.call('HSET', KEYS[1], 'm1', before) end
redis.call('HSET', KEYS[1], 'm0', ARGV[2], 'epoch', ARGV[1])
for i = 4, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
return 1`;

const NO_BLOBS = new Set(['m0', 'm1', 'epoch']);
const FIELDS_PER_COMMAND = 64;

export class RedisSnapshots implements SnapshotStore {
  readonly #client;
  readonly #binary;

  private constructor(client: ReturnType<typeof makeClient>) {
    this.#client = client;
    this.#binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  }

  /** Connects in the background and for ever: Redis may be away, snapshots then fail and are tried again. */
  static async open(url: string, trouble: (message: string) => void): Promise<RedisSnapshots> {
    const client = makeClient(url);
    client.on('error', (error: Error) => trouble(error.message));
    const connecting = client.connect().catch((error: Error) => trouble(error.message));
    await Promise.race([connecting, new Promise((resolve) => setTimeout(resolve, 3_000))]);
    return new RedisSnapshots(client);
  }

  async ping(): Promise<void> {
    await this.#client.ping();
  }

  async version(): Promise<string> {
    return /redis_version:([^\r\n]+)/.exec(await this.#client.info('server'))?.[1] ?? '';
  }

  async write(partition: number, blobs: readonly { name: string; bytes: Buffer }[]): Promise<void> {
    for (let i = 0; i < blobs.length; i += FIELDS_PER_COMMAND) {
      const fields: Record<string, Buffer> = {};
      for (const { name, bytes } of blobs.slice(i, i + FIELDS_PER_COMMAND)) fields[name] = bytes;
      await this.#client.hSet(keyOf(partition), fields);
    }
  }

  async swap(
    partition: number,
    epoch: number,
    manifest: Buffer,
    drop: readonly string[],
    expectOne: boolean,
  ): Promise<'swapped' | 'older' | 'lost'> {
    const words = [String(epoch), manifest, expectOne ? '1' : '0', ...drop] as string[];
    const done = await this.#client.eval(SWAP, { keys: [keyOf(partition)], arguments: words });
    return done === 1 ? 'swapped' : done === 2 ? 'lost' : 'older';
  }

  async manifests(partition: number): Promise<Buffer[]> {
    const found = (await this.#binary.hmGet(keyOf(partition), ['m0', 'm1'])) as unknown as (Buffer | null)[];
    return found.filter((each) => each !== null);
  }

  async read(partition: number, names: readonly string[]): Promise<(Buffer | undefined)[]> {
    const blobs: (Buffer | undefined)[] = [];
    for (let i = 0; i < names.length; i += FIELDS_PER_COMMAND) {
      const found = (await this.#binary.hmGet(
        keyOf(partition),
        names.slice(i, i + FIELDS_PER_COMMAND),
      )) as unknown as (Buffer | null)[];
      for (const each of found) blobs.push(each ?? undefined);
    }
    return blobs;
  }

  async names(partition: number): Promise<string[]> {
    return (await this.#client.hKeys(keyOf(partition))).filter((name) => !NO_BLOBS.has(name));
  }

  close(): void {
    this.#client.destroy();
  }
}

function keyOf(partition: number): string {
  return `holdfast:{p${partition}}`;
}

function makeClient(url: string) {
  return createClient({
    url,
    // The per-command timer of 5 s costs six times the throughput on Node 20 and does not bound an answer; the socket's does.
    commandOptions: { timeout: undefined as unknown as number },
    disableOfflineQueue: true,
    maintNotifications: 'disabled',
    socket: {
      connectTimeout: 3_000,
      socketTimeout: 30_000,
      reconnectStrategy: (attempt: number) => Math.min(2_000, 100 * 2 ** attempt),
    },
    pingInterval: 10_000,
  });
}
