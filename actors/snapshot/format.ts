/**
 * The form of a snapshot: pages of a book, chunks of ids, and the manifest that names them with their SHA-256 and may be sealed
 * (snapshot-seal.ts). Version 1, of Holdfast 0.1, has a CRC-32 in its place and no seal: it is read where there is no key.
 *
 * Invariants:
 *  Z1 A manifest is consistent at (positions of the fact streams, sequence of JOURNAL): pages hold exactly what was folded then.
 *  Z2 Pages are never overwritten: a changed page gets a new name, so the generation before stays whole.
 *  Z3 Whatever is missing, torn, of another stream, partition count or version, is recognised and not used.
 *  Z4 Derived totals are not stored: loading computes them from their parts.
 */
import { crc32 } from 'node:zlib';
import { Packr } from 'msgpackr';
import { FACT_STREAM_NAMES, type FactStream } from '../../config/topology.ts';
import type { ChainTip } from '../../streams/journal/record.ts';
import type { StockBook } from '../stock/book.ts';
import { sellableFromParts } from '../stock/movements.ts';
import { settle } from '../stock/reservation.ts';
import { HomeEntry, type PageItem, ReservationPart, SkuEntry, type StockKey } from '../stock/state.ts';
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

export function checkBlob(ref: BlobRef, bytes: Buffer | undefined): Buffer {
  if (bytes === undefined) throw new SnapshotError(`its page ${ref.name} is missing`);
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
export function encodePage(items: Iterable<PageItem>): Buffer {
  const tuples: unknown[] = [];
  for (const item of items) tuples.push(itemTuple(item));
  return Buffer.from(packr.pack(tuples));
}

type Tuple = readonly unknown[];

/** Puts decoded pages into an empty book: keys first, then what refers to them. */
export function loadPages(book: StockBook, pages: readonly { page: number; bytes: Buffer }[]): void {
  const later: { page: number; tuple: Tuple }[] = [];
  for (const { page, bytes } of pages) {
    for (const tuple of packr.unpack(bytes) as Tuple[]) {
      if (tuple[0] === 0) loadSku(book, page, tuple);
      else later.push({ page, tuple });
    }
  }
  for (const { page, tuple } of later) {
    if (tuple[0] === 1) loadPart(book, page, tuple);
    else if (tuple[0] === 2) loadHome(book, page, tuple);
    else throw new SnapshotError(`it holds an item of unknown kind ${String(tuple[0])}`);
  }
  for (const page of book.pages) page.dirty = false;
}

/** A copy that is aligned for words of four bytes. */
export function idWords(bytes: Buffer): Uint32Array {
  return new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/** Loads what a manifest names into an empty book and among the ids. Throws a SnapshotError if anything is not whole. */
export async function loadStored(
  store: { read(partition: number, names: readonly string[]): Promise<(Buffer | undefined)[]> },
  manifest: Manifest,
  book: StockBook,
  seen: { load(partition: number, words: Uint32Array, latest: number): void },
): Promise<void> {
  const refs = [...manifest.pages, ...manifest.ids];
  const blobs = await store.read(
    manifest.partition,
    refs.map((ref) => ref.name),
  );
  const whole = refs.map((ref, i) => checkBlob(ref, blobs[i]));
  loadPages(
    book,
    manifest.pages.map((ref, i) => ({ page: ref.page, bytes: whole[i] as Buffer })),
  );
  manifest.ids.forEach((ref, i) => {
    seen.load(manifest.partition, idWords(whole[manifest.pages.length + i] as Buffer), ref.latest);
  });
}

/** What a watch kept at a manifest's moment; undefined if there is none that is whole (V3 of watch.ts). */
export async function loadWatch(
  store: { read(partition: number, names: readonly string[]): Promise<(Buffer | undefined)[]> },
  { partition, watch }: Manifest,
): Promise<Buffer | undefined> {
  if (watch === undefined) return undefined;
  const [bytes] = await store.read(partition, [watch.name]);
  return bytes !== undefined && isBlob(watch, bytes) ? bytes : undefined;
}

function itemTuple(item: PageItem): Tuple {
  switch (item.kind) {
    case 'sku':
      return [0, item.name, item.keys.map(keyTuple)];
    case 'part':
      return partTuple(item);
    case 'home':
      return [
        2,
        item.id,
        item.content.hi,
        item.content.lo,
        item.spread,
        item.shortages.map((short) => [short.sku, short.requested, short.available]),
        item.expiresAtMs,
        item.confirmedAtMs,
        item.endedAtMs,
      ];
  }
}

function keyTuple(key: StockKey): Tuple {
  const { count, seldom } = key;
  const transit = seldom?.transit;
  return [
    key.location,
    key.base,
    key.movements,
    count === undefined ? 0 : [count.at, count.id, count.counted],
    seldom === undefined
      ? 0
      : [
          seldom.damaged,
          seldom.inspection,
          transit === undefined
            ? 0
            : [...transit].map(([id, each]) => [id, each.shipped, each.arrived, each.shippedAt, each.eta ?? null]),
        ],
  ];
}

type TransitTuple = [string, number, number, number, number | null];
type KeyTuple = [string, number, number[], 0 | [number, string, number], 0 | [number, number, 0 | TransitTuple[]]];

function loadSku(book: StockBook, page: number, tuple: Tuple): void {
  const [, name, keys] = tuple as [0, string, KeyTuple[]];
  const entry = new SkuEntry(name);
  book.skus.set(name, entry);
  book.place(entry, page);
  for (const [location, base, movements, count, seldom] of keys) {
    const key = book.addKey(entry, location);
    key.base = base;
    key.movements = movements;
    if (count !== 0) key.count = { at: count[0], id: count[1], counted: count[2] };
    if (seldom !== 0) {
      const transit = seldom[2] === 0 ? undefined : new Map(seldom[2].map(transitEntry));
      key.seldom = { damaged: seldom[0], inspection: seldom[1], transit };
    }
    key.sellable = sellableFromParts(key);
  }
}

function transitEntry([id, shipped, arrived, shippedAt, eta]: TransitTuple) {
  return [id, { shipped, arrived, shippedAt, eta: eta ?? undefined }] as const;
}

function partTuple(part: ReservationPart): Tuple {
  return [
    1,
    part.id,
    part.granted,
    part.content.hi,
    part.content.lo,
    part.channel,
    part.purpose,
    part.home,
    part.spread,
    part.shortages.map((short) => [short.sku, short.requested, short.available]),
    part.epoch,
    part.seq,
    part.grantedAtMs,
    part.expiresAtMs,
    part.confirmedAtMs,
    part.releasedAtMs,
    part.expiredAtMs,
    part.lines.map((line) => [line.index, line.key.sku.name, line.key.location, line.qty]),
    part.sold === undefined ? 0 : part.sold.map((sold) => [sold.sku, sold.location, sold.qty]),
    part.soldAtMs,
  ];
}

function loadPart(book: StockBook, page: number, tuple: Tuple): void {
  const [
    ,
    id,
    granted,
    hi,
    lo,
    channel,
    purpose,
    home,
    spread,
    shortages,
    epoch,
    seq,
    grantedAtMs,
    expiresAtMs,
    confirmedAtMs,
    releasedAtMs,
    expiredAtMs,
    lines,
    sold,
    soldAtMs,
  ] = tuple as [
    1,
    string,
    boolean,
    number,
    number,
    string,
    string,
    number,
    number[],
    [string, number, number][],
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    [number, string, string, number][],
    0 | [string, string, number][],
    number,
  ];
  const part = new ReservationPart(id);
  Object.assign(part, {
    granted,
    content: { hi, lo },
    channel,
    purpose,
    home,
    spread,
    epoch,
    seq,
    grantedAtMs,
    expiresAtMs,
    confirmedAtMs,
    releasedAtMs,
    expiredAtMs,
    soldAtMs,
  });
  part.shortages = shortages.map(([sku, requested, available]) => ({ sku, requested, available }));
  part.lines = lines.map(([index, sku, location, qty]) => ({
    index,
    key: book.key(sku, location),
    qty,
    fulfilled: 0,
    claimed: 0,
  }));
  part.sold = sold === 0 ? undefined : sold.map(([sku, location, qty]) => ({ sku, location, qty }));
  book.parts.set(id, part);
  book.place(part, page);
  settle(part);
  if (part.granted) book.onHold?.(part);
}

function loadHome(book: StockBook, page: number, tuple: Tuple): void {
  const [, id, hi, lo, spread, short, expiresAtMs, confirmedAtMs, endedAtMs] = tuple as [
    2,
    string,
    number,
    number,
    number[],
    [string, number, number][],
    number,
    number,
    number,
  ];
  const shortages = short.map(([sku, requested, available]) => ({ sku, requested, available }));
  const home = new HomeEntry(id, { hi, lo }, spread, shortages, expiresAtMs);
  home.confirmedAtMs = confirmedAtMs;
  home.endedAtMs = endedAtMs;
  book.homes.set(id, home);
  book.place(home, page);
}
