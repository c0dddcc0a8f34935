/**
 * The form of a snapshot: pages of a book, chunks of ids, and the manifest that names them with their SHA-256 and may be sealed
 * (snapshot-seal.ts). Version 1, of Holdfast 0.1, has a CRC-32 in its place and no seal: it is read where there is no key.
 *
 * Invariants:
 *  SN1 A manifest is consistent at (positions of the fact streams, sequence of JOURNAL): pages hold exactly what was folded then.
 *  SN2 Pages are never overwritten: a changed page gets a new name, so the generation before stays whole.
 *  SN3 Whatever is missing, torn, of another stream, partition count or version, is recognised and not used.
 *  SN4 Derived totals are not stored: loading computes them from their parts.
 */

import { crc32 } from 'node:zlib';
import { Packr } from 'msgpackr';
import { FACT_STREAM_NAMES, type FactStream } from '../../config/topology.ts';
import { at } from '../../streams/assert.ts';
import type { ChainTip } from '../../streams/journal/record.ts';
import type { Books } from '../book/books.ts';
import type { PageItem } from '../book/pages.ts';
import { type SnapshotKey, sha256 } from './seal.ts';

const VERSION = 2;
const UNSEALED_VERSION = 1;
const packr = new Packr({ useRecords: false, int64AsType: 'number' });

export interface BlobRef {
  readonly name: string;
  readonly sha256?: string;
  /** Of a page that was written for version 1. */
  readonly crc?: number;
  readonly bytes: number;
}
export interface PageRef extends BlobRef {
  readonly page: number;
}
export interface IdsRef extends BlobRef {
  /** The latest moment from which an id of the chunk is remembered, microseconds; of 0.1, see `idsBy`. */
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
  /** The snapshot's writer at journalSeq. */
  readonly tip: ChainTip;
  /** Identity of every stream: when it was made. */
  readonly created: Readonly<Record<string, string>>;
  /** The horizon, in milliseconds, by which ids and movements were forgotten; null if nothing was, absent in manifests before this. */
  readonly horizonMs?: number | null;
  /** Entries of the list of rules (of horizons, in 0.1) that its facts were judged by; absent likewise. */
  readonly horizonsKnown?: number;
  /** What `latest` of ids goes by. 0.1 does not say, and wrote the latest occurredAt: loading makes up for it. */
  readonly idsBy?: 'stored';
  readonly pages: readonly PageRef[];
  readonly ids: readonly IdsRef[];
  /** What the partition's watch keeps; absent where nobody watched. */
  readonly watch?: BlobRef;
}

/** Everything that a manifest names. */
export function blobsOf({ pages, ids, watch }: Manifest): BlobRef[] {
  return watch === undefined ? [...pages, ...ids] : [...pages, ...ids, watch];
}

export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
}

/** Somebody without the key has written it, or the key was another one. */
export class UnsignedError extends SnapshotError {}

/** @param key seals it; what has no seal is used only where there is no key */
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

/** A stream that came after a copy was written has nothing in it. */
export function wholePositions(positions: Readonly<Partial<Record<FactStream, number>>>): Record<FactStream, number> {
  const all = FACT_STREAM_NAMES.map((name) => [name, positions[name] ?? 0] as const);
  return Object.fromEntries(all) as Record<FactStream, number>;
}

/** When ids of 0.1 were stored is not known, but not after the copy was written. */
function datedIds({ ids, idsBy, atMs }: Manifest): readonly IdsRef[] {
  if (idsBy === 'stored') return ids;
  return ids.map((ref) => ({ ...ref, latest: Math.max(ref.latest, (atMs + WRITTEN_SLACK_MS) * 1000) }));
}

/** Between the clock that stamps messages and that of the node that wrote a snapshot. */
const WRITTEN_SLACK_MS = 60_000;

// SN3.
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

/** A page's items as they are now. */
export function encodePage(books: Books, items: Iterable<PageItem>): Buffer {
  return Buffer.from(packr.pack(Array.from(items, (item) => books.tupleOf(item))));
}

/** Puts decoded pages into empty books. Throws a SnapshotError for an item that no domain knows. */
export function loadPages(books: Books, pages: readonly { page: number; bytes: Buffer }[]): void {
  const items = pages.flatMap(({ page, bytes }) =>
    (packr.unpack(bytes) as (readonly unknown[])[]).map((tuple) => ({ page, tuple })),
  );
  try {
    books.load(items);
  } catch (error) {
    throw new SnapshotError((error as Error).message, { cause: error });
  }
}

/** A copy that is aligned for words of four bytes. */
export function idWords(bytes: Buffer): Uint32Array {
  return new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/** Loads what a manifest names into empty books and among the ids. Throws a SnapshotError if anything is not whole. */
export async function loadStored(
  store: { read(partition: number, names: readonly string[]): Promise<(Buffer | undefined)[]> },
  manifest: Manifest,
  books: Books,
  factIds: { load(partition: number, words: Uint32Array, latest: number): void },
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
  );
  manifest.ids.forEach((ref, i) => {
    // mutant: ids-not-loaded
    factIds.load(manifest.partition, idWords(at(whole, manifest.pages.length + i)), ref.latest);
  });
}

/** What a watch kept at a manifest's moment; undefined if there is none that is whole (PV3). */
export async function loadObserver(
  store: { read(partition: number, names: readonly string[]): Promise<(Buffer | undefined)[]> },
  { partition, watch }: Manifest,
): Promise<Buffer | undefined> {
  if (watch === undefined) return undefined;
  const [bytes] = await store.read(partition, [watch.name]);
  return bytes !== undefined && isBlob(watch, bytes) ? bytes : undefined;
}
