/**
 * Write access to Redis does not allow changes to the stock. Real nodes start on snapshots that a stranger has rewritten with correct
 * checksums.
 */
import { crc32 } from 'node:zlib';
import { Packr } from 'msgpackr';
import { beforeAll, expect, it } from 'vitest';
import { blobRef, decodeManifest, encodeManifest, type Manifest } from '../../../actors/snapshot/format.ts';
import { snapshotKey } from '../../../actors/snapshot/seal.ts';
import { Secret } from '../../../config/servers/secret.ts';
import { names } from '../../../harness/callers/auditor.ts';
import { KeptNode } from '../../../harness/processes/kept-node.ts';
import { UpProcess } from '../../../harness/processes/up-process.ts';
import { secretFile } from '../../../harness/servers/logins.ts';
import { partitionOf } from '../../../streams/subjects.ts';
import { pageWithMore } from './stored-page.ts';

const KEY = 'the same on all nodes, and 32 bytes or more';
const OTHER = 'of somebody else, and just as long as it must be';
const packr = new Packr({ useRecords: false, int64AsType: 'number' });
const [signed, foreign] = [KEY, OTHER].map((text) => snapshotKey(new Secret(text)));
/** One SKU of each of seven partitions. */
const skus = [...new Map(names('K', 40).map((sku) => [partitionOf(sku, 32), sku])).values()].slice(0, 7);
type Fields = Record<string, Buffer>;
let kept: KeptNode;
let before: Map<string, Fields>;
let numbers: unknown[];

beforeAll(async () => {
  kept = await KeptNode.up({ env: { HOLDFAST_SNAPSHOT_KEY_FILE: secretFile(KEY) } });
  await kept.facts('a', skus, 6);
  for (const sku of skus) expect(await kept.reserve(`r-${sku}`, sku, 2)).toBe(201);
  numbers = await kept.numbers(skus);
  expect(await kept.node.stop()).toBe(0);
  before = await kept.snapshots();
});

/** Sets its units to 777,005. Returns the rewritten page and the manifest that names it, not yet encoded. */
function forged(fields: Fields, sku: string): { manifest: Manifest; name: string; bytes: Buffer } {
  const manifest = decodeManifest(fields.m0 as Buffer);
  for (const ref of manifest.pages) {
    const bytes = pageWithMore(fields[ref.name] as Buffer, sku, 777_000);
    if (bytes === undefined) continue;
    const pages = manifest.pages.map((each) => (each === ref ? { page: ref.page, ...blobRef(ref.name, bytes) } : each));
    return { manifest: { ...manifest, pages }, name: ref.name, bytes };
  }
  throw new Error(`no page holds ${sku}`);
}

/** The manifest as Holdfast 0.1 wrote it. */
function firstVersion(manifest: Manifest, blobs: Fields): Buffer {
  const old = (ref: Manifest['pages'][number] | Manifest['ids'][number]) => ({
    ...ref,
    sha256: undefined,
    crc: crc32(blobs[ref.name] as Buffer),
  });
  const text = JSON.stringify({
    ...manifest,
    observer: undefined,
    pages: manifest.pages.map(old),
    ids: manifest.ids.map(old),
  });
  const body = packr.pack([1, text]);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(crc32(body));
  return Buffer.concat([head, body]);
}

const keyOf = (sku: string) => `holdfast:{p${partitionOf(sku, 32)}}`;

/** Forges both generations of each partition, each in a different way. */
async function forgeAll(ways: readonly ((fields: Fields, sku: string) => Buffer)[]): Promise<void> {
  const snapshots = new Map([...(await kept.snapshots())].map(([name, fields]) => [name, { ...fields }]));
  for (const [i, way] of ways.entries()) {
    const fields = snapshots.get(keyOf(skus[i] as string)) as Fields;
    fields.m0 = way(fields, skus[i] as string);
    fields.m1 = fields.m0;
  }
  await kept.setSnapshots(snapshots);
}

function withPage(fields: Fields, sku: string, encode: (manifest: Manifest) => Buffer): Buffer {
  const { manifest, name, bytes } = forged(fields, sku);
  fields[name] = bytes;
  return encode(manifest);
}

it('what was written without the key is not used, however well it fits, and the log says why', async () => {
  const ways: Record<string, (fields: Fields, sku: string) => Buffer> = {
    'it is not signed, and HOLDFAST_SNAPSHOT_KEY is set': (fields, sku) =>
      withPage(fields, sku, (manifest) => encodeManifest(manifest)),
    'it is not signed with this HOLDFAST_SNAPSHOT_KEY': (fields, sku) =>
      withPage(fields, sku, (manifest) => encodeManifest(manifest, foreign)),
    'it is not signed, as version 1 cannot be': (fields, sku) =>
      withPage(fields, sku, (manifest) => firstVersion(manifest, fields)),
    'its page .* is damaged': (fields, sku) => withPage(fields, sku, () => fields.m0 as Buffer),
    'it is of partition': () => before.get(keyOf(skus[6] as string))?.m0 as Buffer,
    'it is signed, but not all of its pages are': (fields) => {
      const manifest = decodeManifest(fields.m0 as Buffer, signed);
      const ids = manifest.ids.map((ref) => ({ ...ref, sha256: undefined, crc: 1 }) as unknown as typeof ref);
      return encodeManifest({ ...manifest, ids }, signed);
    },
  };
  await forgeAll(Object.values(ways));
  const { answer, code } = await verify(KEY);
  expect(code).toBe(1);
  expect(new Set(answer.faults.map(({ partition }: { partition: number }) => partition)).size).toBe(6);
  await kept.node.up();
  expect(await kept.numbers(skus)).toEqual(numbers);
  const notes = kept.node.logged('a snapshot is not used').map(({ why, partition }) => ({ why, partition }));
  for (const [i, why] of Object.keys(ways).entries()) {
    const partition = partitionOf(skus[i] as string, 32);
    const said = i === 2 ? 'it is not signed, and' : why;
    expect(notes).toContainEqual({ partition, why: expect.stringMatching(said) });
  }
  expect(await kept.node.stop()).toBe(0);
  // The new generations are intact. The previous ones are the forged ones.
  for (const { what } of (await verify(KEY)).answer.faults) expect(what).toMatch(/^snapshot before the last/);
});

it('an older one that is signed, put back, is the state of its moment: the log behind it is replayed', async () => {
  await kept.node.up();
  await kept.facts('b', skus, 3);
  for (const sku of skus) expect(await kept.reserve(`s-${sku}`, sku, 1)).toBe(201);
  numbers = await kept.numbers(skus);
  expect(await kept.node.stop()).toBe(0);
  await kept.setSnapshots(before);
  const noted = kept.node.logged('is not used').length;
  await kept.node.up();
  expect(await kept.numbers(skus)).toEqual(numbers);
  expect(kept.node.logged('is not used')).toHaveLength(noted);
  expect(await kept.node.stop()).toBe(0);
});

it('another key costs a replay, and gives the same state', async () => {
  const file = secretFile(OTHER);
  await kept.node.up({ env: { HOLDFAST_SNAPSHOT_KEY_FILE: file } });
  expect(await kept.numbers(skus)).toEqual(numbers);
  expect(kept.node.logged('a snapshot is not used').at(-1)?.why).toMatch(/not signed with this HOLDFAST_SNAPSHOT_KEY/);
  expect(await kept.node.stop()).toBe(0);
  expect((await verify(OTHER)).answer).toMatchObject({
    good: true,
    notes: [expect.stringMatching(/not signed with this key/)],
  });
});

it('without a key, one of 0.1 is read; who writes to Redis is believed then, and the log warns of it', async () => {
  await forgeAll([(fields, sku) => withPage(fields, sku, (manifest) => firstVersion(manifest, fields))]);
  await kept.node.up({ env: { HOLDFAST_SNAPSHOT_KEY_FILE: '' } });
  expect(kept.node.logged('snapshots are not signed')).toHaveLength(1);
  const [first] = (await kept.numbers(skus)) as [string, number][];
  expect(first?.[1]).toBe(777_000 + (numbers[0] as [string, number])[1]);
  await kept.node.kill();
});

it('strict does not start without a key, and says what to do', async () => {
  const { nats } = kept.servers;
  const env = {
    ...kept.env,
    NATS_MONITOR_URL: nats.monitorUrl ?? '',
    HOLDFAST_DURABILITY: 'strict',
    HOLDFAST_NAME: 'strict',
  };
  const node = new UpProcess('', { command: ['node', '--http', '127.0.0.1:0'], env });
  expect((await node.ended).code).toBe(1);
  expect(node.output).toMatch(/durability is strict, but nothing signs the snapshots.*set HOLDFAST_SNAPSHOT_KEY_FILE/);
});

async function verify(key: string) {
  return kept.holdfast('verify', '--snapshot-key-file', secretFile(key));
}
