/**
 * The stored form of a snapshot: pages of the books, chunks of fact ids, and a manifest. The manifest names every blob with its SHA-256
 * and can be sealed (seal.ts). Version 1, from Holdfast 0.1, has a CRC-32 instead and no seal, so it is read only where no key is set.
 *
 * Invariants:
 *  SN1 A manifest is consistent at (positions of the fact streams, sequence of JOURNAL). Its pages hold exactly what was folded then.
 *  SN2 Pages are never overwritten. A changed page gets a new name, so the generation before stays whole.
 *  SN3 A snapshot that is missing, damaged, or of another stream, partition count or version is detected and not used.
 *  SN4 Derived totals are not stored, because loading computes them from their parts.
 */

import { crc32 } from 'node:zlib';
import { Packr } from 'msgpackr';
import { FACT_STREAM_NAMES, type FactStream } from '../../config/topology.ts';
import { at } from '../../streams/assert.ts';
import type { ChainTip } from '../../streams/journal/record.ts';
import type { Books } from '../book/books.ts';
import type { PageItem } from '../book/pages.ts';
import type { Rules } from '../idempotency/rules.ts';
import { type SnapshotKey, sha256 } from './seal.ts';

const VERSION = 2;
const UNSEALED_VERSION = 1;
const packr = new Packr({ useRecords: false, int64AsType: 'number' });

export interface BlobRef {
  readonly name: string;
  readonly sha256?: string;
  /** CRC-32, only of a blob that was written for version 1. */
  readonly crc?: number;
  readonly bytes: number;
}
export interface PageRef extends BlobRef {
  readonly page: number;
}
export interface IdsRef extends BlobRef {
  /** The latest moment from which an id of the chunk is remembered, in microseconds. For Holdfast 0.1 see `idsBy`. */
  readonly latest: number;
}
export interface Manifest {
  readonly partitions: number;
  readonly partition: number;
  readonly epoch: number;
  readonly seq: number;
  readonly atMs: number;
  readonly positions: Readonly<Record<FactStream, number>>;
  readonly journalSeq: number;
  /** Chain tip, at journalSeq, of the writer that took the snapshot. */
  readonly tip: ChainTip;
  /** When each stream was created, which identifies it. */
  readonly created: Readonly<Record<string, string>>;
  /** The narrowest horizon, in milliseconds, by which ids and movements were forgotten. Null if none were, absent in old manifests. */
  readonly horizonMs?: number | null;
  /** How many entries of the rules list (in 0.1, of the list of horizons) its node knew. Absent in old manifests. */
  readonly horizonsKnown?: number;
  /** Says that `latest` of ids is based on when they were stored. 0.1 omits this and wrote the latest occurredAt; see `datedIds`. */
  readonly idsBy?: 'stored';
  readonly pages: readonly PageRef[];
  readonly ids: readonly IdsRef[];
  /** State of the partition's observer. Absent if it had none. */
  readonly watch?: BlobRef;
}

/** All blobs that a manifest names. */
export function blobsOf({ pages, ids, watch }: Manifest): BlobRef[] {
  return watch === undefined ? [...pages, ...ids] : [...pages, ...ids, watch];
}

export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
}

/** The manifest has no seal, or the seal of another key. */
export class UnsignedError extends SnapshotError {}

/** @param key key of the seal. Without one the manifest has no seal, and a reader with a key rejects it. */
export function encodeManifest(manifest: Manifest, key?: SnapshotKey): Buffer {
  const text = JSON.stringify(manifest);
  const body = packr.pack([VERSION, text, key?.seal(text) ?? Buffer.alloc(0)]);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(crc32(body));
  return Buffer.concat([head, body]);
}

export function decodeManifest(bytes: Buffer, key?: SnapshotKey): Manifest {
  // mutant: damaged-manifest-used
  if (bytes.length < 8 || crc32(bytes.subarray(4)) !== bytes.readUInt32BE(0))
    throw new SnapshotError('its manifest is damaged');
  const [version, text, seal = Buffer.alloc(0)] = packr.unpack(bytes.subarray(4)) as [number, string, Uint8Array?];
  if (version !== VERSION && version !== UNSEALED_VERSION)
    throw new SnapshotError(`its version is ${version}, not ${VERSION}`);
  if (key !== undefined) checkSeal(text, seal, key);
  const manifest = JSON.parse(text) as Manifest;
  if (key !== undefined && blobsOf(manifest).some((ref) => ref.sha256 === undefined))
    throw new SnapshotError('it is signed, but not all of its pages are');
  return { ...manifest, positions: wholePositions(manifest.positions), ids: datedIds(manifest) };
}

function checkSeal(text: string, seal: Uint8Array, key: SnapshotKey): void {
  if (seal.length === 0) throw new UnsignedError('it is not signed, and HOLDFAST_SNAPSHOT_KEY is set');
  if (!key.fits(text, seal)) throw new UnsignedError('it is not signed with this HOLDFAST_SNAPSHOT_KEY');
}

/** Sets position 0 for streams that were added after a copy was written. */
export function wholePositions(positions: Readonly<Partial<Record<FactStream, number>>>): Record<FactStream, number> {
  const all = FACT_STREAM_NAMES.map((name) => [name, positions[name] ?? 0] as const);
  return Object.fromEntries(all) as Record<FactStream, number>;
}

/** Holdfast 0.1 does not say when its ids were stored, so they count as stored when the copy was written, the latest possible moment. */
function datedIds({ ids, idsBy, atMs }: Manifest): readonly IdsRef[] {
  if (idsBy === 'stored') return ids;
  return ids.map((ref) => ({ ...ref, latest: Math.max(ref.latest, (atMs + WRITTEN_SLACK_MS) * 1000) }));
}

/** Allowed difference between the clock that stamps messages and the clock of the node that wrote a snapshot. */
const WRITTEN_SLACK_MS = 60_000;

/** Throws a SnapshotError if a blob is missing or damaged (SN3). */
export function checkBlob(ref: BlobRef, bytes: Buffer | undefined): Buffer {
  if (bytes === undefined) throw new SnapshotError(`its page ${ref.name} is missing`);
  // mutant: damaged-page-used
  if (!isBlob(ref, bytes)) throw new SnapshotError(`its page ${ref.name} is damaged`);
  return bytes;
}

function isBlob(ref: BlobRef, bytes: Buffer): boolean {
  if (bytes.length !== ref.bytes) return false;
  return ref.sha256 === undefined ? crc32(bytes) === ref.crc : sha256(bytes) === ref.sha256;
}

export function blobRef(name: string, bytes: Buffer): BlobRef {
  return { name, sha256: sha256(bytes), bytes: bytes.length };
}

/** Encodes a page's items in their current state. */
export function encodePage(books: Books, items: Iterable<PageItem>): Buffer {
  return Buffer.from(packr.pack(Array.from(items, (item) => books.tupleOf(item))));
}

/**
 * Decodes pages into empty books. Throws a SnapshotError for an item that no domain knows.
 * @param latest what the pages say of the time after it counts as of it (Rules.latestOf)
 */
export function loadPages(
  books: Books,
  pages: readonly { page: number; bytes: Buffer }[],
  latest: number | undefined,
): void {
  const items = pages.flatMap(({ page, bytes }) =>
    (packr.unpack(bytes) as (readonly unknown[])[]).map((tuple) => ({ page, tuple })),
  );
  try {
    books.load(items);
    if (latest !== undefined) books.moveBack(latest);
  } catch (error) {
    throw new SnapshotError((error as Error).message, { cause: error });
  }
}

/** Copies the bytes, because a Uint32Array must be aligned to 4 bytes. */
export function idWords(bytes: Buffer): Uint32Array {
  return new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/** Loads a manifest's pages into empty books and its ids into `factIds`. Throws a SnapshotError if a blob is missing or damaged. */
export async function loadStored(
  store: { read(partition: number, names: readonly string[]): Promise<(Buffer | undefined)[]> },
  manifest: Manifest,
  books: Books,
  factIds: { load(partition: number, words: Uint32Array, latest: number): void },
  rules: Pick<Rules, 'latestOf'>,
): Promise<void> {
  const refs = [...manifest.pages, ...manifest.ids];
  const blobs = await store.read(
    manifest.partition,
    refs.map((ref) => ref.name),
  );
  const whole = refs.map((ref, i) => checkBlob(ref, blobs[i]));
  loadPages(
    books,
    manifest.pages.map((ref, i) => ({ page: ref.page, bytes: at(whole, i) })),
    rules.latestOf(manifest.horizonsKnown),
  );
  manifest.ids.forEach((ref, i) => {
    // mutant: ids-not-loaded
    factIds.load(manifest.partition, idWords(at(whole, manifest.pages.length + i)), ref.latest);
  });
}

/** Reads the observer's state at a manifest's moment. Returns undefined if it is missing or damaged (PV3). */
export async function loadObserver(
  store: { read(partition: number, names: readonly string[]): Promise<(Buffer | undefined)[]> },
  { partition, watch }: Manifest,
): Promise<Buffer | undefined> {
  if (watch === undefined) return undefined;
  const [bytes] = await store.read(partition, [watch.name]);
  return bytes !== undefined && isBlob(watch, bytes) ? bytes : undefined;
}
