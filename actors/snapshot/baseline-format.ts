/**
 * The stored form of a baseline: the whole state at one cut through all streams. Each partition has the form of a snapshot. Recovery starts
 * from a baseline when the messages before it have been trimmed.
 *
 * Invariants:
 *  BL1 All partitions are at the same cut, which is one sequence per fact stream and one of JOURNAL.
 *  BL2 It carries every writer's chain tip and fences, and every partition's epoch, at the cut, so chains can be checked across it.
 *  BL3 The index holds the SHA-256 of every object, and the list of generations holds the SHA-256 of the index.
 */

import { createHash } from 'node:crypto';
import type { Point } from '../../streams/read/position.ts';
import type { FactIds } from '../idempotency/fact-ids.ts';
import type { Rules } from '../idempotency/rules.ts';
import type { ChainState } from '../log/chain.ts';
import type { Partition } from '../partition/partition.ts';
import {
  type BlobRef,
  blobRef,
  checkBlob,
  decodeManifest,
  encodeManifest,
  encodePage,
  idWords,
  loadPages,
  type Manifest,
  SnapshotError,
  wholePositions,
} from './format.ts';

export interface ObjectRef {
  readonly object: string;
  readonly bytes: number;
  readonly sha256: string;
}
export interface PartRef extends ObjectRef {
  readonly partition: number;
  readonly keys: number;
  readonly reservations: number;
}
/** The index of one baseline. The chain state lets readers check chains across the cut (BL2). */
export interface Baseline extends Point, ChainState {
  readonly version: 1;
  readonly id: string;
  /** Latest stamp of a message up to the cut, in milliseconds. It decided what was forgotten. */
  readonly atMs: number;
  readonly partitions: number;
  readonly created: Readonly<Record<string, string>>;
  /** The narrowest horizon, in milliseconds, by which ids and movements were forgotten. Null if none were. */
  readonly horizonMs: number | null;
  /** How many entries of the rules list were known when its facts were judged. */
  readonly horizonsKnown: number;
  readonly parts: readonly PartRef[];
}

/** A whole baseline and access to its objects. */
export interface BaselineSource {
  readonly baseline: Baseline;
  readonly part: (partition: number) => Promise<Uint8Array>;
}
/** Reads the usable baselines, newest first. Reports damage of the others through `note`. */
export type Baselines = (note: (message: string, detail: Record<string, unknown>) => void) => Promise<BaselineSource[]>;

export function refOf(object: string, bytes: Uint8Array): ObjectRef {
  return { object, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

export function checkObject(ref: ObjectRef, bytes: Uint8Array | undefined): Uint8Array {
  if (bytes === undefined) throw new SnapshotError(`its object ${ref.object} is missing`);
  // The bytes must match the hash in the index or in the list of generations (BL3).
  if (refOf(ref.object, bytes).sha256 !== ref.sha256) throw new SnapshotError(`its object ${ref.object} is damaged`);
  return bytes;
}

export function encodeIndex(baseline: Baseline): Buffer {
  return Buffer.from(JSON.stringify(baseline));
}

export function decodeIndex(bytes: Uint8Array): Baseline {
  const baseline = JSON.parse(Buffer.from(bytes).toString('utf8')) as Baseline;
  if (baseline.version !== 1) throw new SnapshotError(`its version is ${String(baseline.version)}, not 1`);
  return { ...baseline, positions: wholePositions(baseline.positions) };
}

type Whole = Pick<
  Baseline,
  'partitions' | 'created' | 'atMs' | 'journalSeq' | 'positions' | 'epochs' | 'horizonsKnown'
>;

/** Encodes one partition as one object: length of the manifest, manifest, then its pages and ids in the manifest's order. */
export function encodePart(partition: Partition, factIds: FactIds, whole: Whole): Buffer {
  const blobs: Buffer[] = [];
  const ref = (name: string, bytes: Buffer): BlobRef => {
    blobs.push(bytes);
    return blobRef(name, bytes);
  };
  const pages = partition.books.pages.list.flatMap((page, index) =>
    page.items.size === 0 ? [] : [{ page: index, ...ref(`p${index}`, encodePage(partition.books, page.items)) }],
  );
  const ids = factIds.chunksOf(partition.number).map((chunk, index) => ({
    ...ref(`i${index}`, Buffer.from(chunk.words.slice(0, chunk.used * 4).buffer)),
    latest: chunk.latest,
  }));
  const manifest = encodeManifest({
    partitions: whole.partitions,
    partition: partition.number,
    epoch: whole.epochs.find(([number]) => number === partition.number)?.[1] ?? 0,
    seq: partition.book.seq,
    atMs: whole.atMs,
    // Every partition gets the cut of the whole baseline (BL1).
    positions: whole.positions,
    journalSeq: whole.journalSeq,
    tip: { writer: '', n: 0, hash: '', seq: 0 },
    created: whole.created,
    horizonMs: partition.remembersMs === Number.POSITIVE_INFINITY ? null : partition.remembersMs,
    horizonsKnown: whole.horizonsKnown,
    idsBy: 'stored',
    pages,
    ids,
  });
  const length = Buffer.alloc(4);
  length.writeUInt32BE(manifest.length);
  return Buffer.concat([length, manifest, ...blobs]);
}

/** Loads one partition into an empty book and returns its manifest. Throws a SnapshotError if any part is missing or damaged. */
export function loadPart(
  bytes: Uint8Array,
  partition: Partition,
  factIds: FactIds,
  rules: Pick<Rules, 'latestOf'>,
): Manifest {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length < 4) throw new SnapshotError('it is too short');
  const end = 4 + buffer.readUInt32BE(0);
  const manifest = decodeManifest(buffer.subarray(4, end));
  if (manifest.partition !== partition.number)
    throw new SnapshotError(`it is of partition ${manifest.partition}, not ${partition.number}`);
  let at = end;
  const next = (ref: BlobRef) => {
    at += ref.bytes;
    return checkBlob(ref, buffer.subarray(at - ref.bytes, at));
  };
  loadPages(
    partition.books,
    manifest.pages.map((ref) => ({ page: ref.page, bytes: next(ref) })),
    rules.latestOf(manifest.horizonsKnown),
  );
  for (const ref of manifest.ids) factIds.load(partition.number, idWords(next(ref)), ref.latest);
  Object.assign(partition.positions, manifest.positions);
  Object.assign(partition.loadedPositions, manifest.positions);
  partition.remembersMs = manifest.horizonMs ?? Number.POSITIVE_INFINITY;
  partition.journalSeq = manifest.journalSeq;
  return manifest;
}
