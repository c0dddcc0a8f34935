/** Snapshots in Redis, forged by a stranger (case 11). */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { Packr } from 'msgpackr';
import { createClient, RESP_TYPES } from 'redis';
import { type Attack, type Ground, paced } from '../attack.ts';

const packr = new Packr({ useRecords: false, int64AsType: 'number' });
const STOLEN = 777_000;

interface Ref {
  name: string;
  bytes: number;
  [hash: string]: unknown;
}

function client(url: string) {
  return createClient({ url, disableOfflineQueue: true, socket: { reconnectStrategy: 500 } }).withTypeMapping({
    [RESP_TYPES.BLOB_STRING]: Buffer,
  });
}
type Client = ReturnType<typeof client>;

/** Adds units to every key of the page. Its items are `[0, sku, [[location, base, …], …]]`. */
function swollen(page: Buffer): Buffer | undefined {
  const items = packr.unpack(page) as unknown[];
  let changed = false;
  for (const item of items) {
    if (!Array.isArray(item) || item[0] !== 0 || !Array.isArray(item[2])) continue;
    for (const key of item[2] as unknown[][]) {
      if (typeof key[1] !== 'number') continue;
      key[1] += STOLEN;
      changed = true;
    }
  }
  return changed ? Buffer.from(packr.pack(items)) : undefined;
}

/** Computes every checksum of a page that a manifest may hold. A keyed checksum stays wrong, because the attacker has no key. */
function restate(ref: Ref, page: Buffer): void {
  ref.bytes = page.length;
  for (const [name, value] of Object.entries(ref)) {
    if (name === 'crc') ref.crc = crc32(page);
    else if (typeof value === 'string' && /^[0-9a-f]{64}$/.test(value))
      ref[name] = createHash('sha256').update(page).digest('hex');
  }
}

async function forge(redis: Client, partition: number): Promise<void> {
  const key = `holdfast:{p${partition}}`;
  for (const field of ['m0', 'm1']) {
    const bytes = await redis.hGet(key, field);
    if (bytes == null) continue;
    const [version, text, ...rest] = packr.unpack(bytes.subarray(4)) as [number, string, ...unknown[]];
    const manifest = JSON.parse(text) as { pages: Ref[] };
    for (const ref of manifest.pages) {
      const page = await redis.hGet(key, ref.name);
      const forged = page == null ? undefined : swollen(page);
      if (forged === undefined) continue;
      restate(ref, forged);
      await redis.hSet(key, ref.name, forged);
    }
    const body = packr.pack([version, JSON.stringify(manifest), ...rest]);
    const head = Buffer.alloc(4);
    head.writeUInt32BE(crc32(body));
    await redis.hSet(key, field, Buffer.concat([head, body]));
  }
}

export const forgedSnapshots: Attack = {
  name: 'forged-snapshots',
  of: 11,
  does: 'pages and manifests of snapshots in Redis get 777,000 units for every key, with new checksums',
  run: async (ground: Ground) => {
    const redis = client(ground.target.redis);
    redis.on('error', () => undefined);
    await redis.connect();
    let partition = 0;
    await paced(ground, 40, async () => {
      partition = (partition + 1) % ground.target.partitions;
      await forge(redis, partition);
    });
    redis.destroy();
  },
};
