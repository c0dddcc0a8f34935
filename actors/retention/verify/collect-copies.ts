/** Collects the stored copies of the state that verification compares, which are snapshots of both generations and baselines. */

import { present } from '../../../streams/assert.ts';
import { covers, type Point, pointOf } from '../../../streams/read/position.ts';
import { FactIds } from '../../idempotency/fact-ids.ts';
import { Partition } from '../../partition/partition.ts';
import { type Baseline, loadPart } from '../../snapshot/baseline-format.ts';
import { blobsOf, decodeManifest, loadStored, UnsignedError } from '../../snapshot/format.ts';
import type { SnapshotKey } from '../../snapshot/seal.ts';
import type { State } from '../differences.ts';
import type { Fault, Findings, StreamRanges, VerifyDeps } from './report.ts';

/** One stored copy of one partition. */
export interface Copy {
  readonly name: string;
  readonly check: 'snapshot' | 'baseline';
  readonly partition: number;
  readonly point: Point;
  readonly atMs: number;
  /** The horizon, in milliseconds, by which it may have forgotten ids. Infinite if it has forgotten none. */
  readonly forgotMs: number;
  load(): Promise<State>;
}

/** A snapshot as Redis held it when the check began. */
export interface StoredSnapshot {
  readonly partition: number;
  readonly generation: number;
  readonly manifest: Buffer;
  read(partition: number, names: readonly string[]): Promise<(Buffer | undefined)[]>;
}

export interface Copies extends Findings {
  /** Copies by generation, oldest first. */
  readonly generations: readonly (readonly Copy[])[];
  readonly snapshots: number;
  /** Number of snapshots that end before the replay can begin. */
  readonly outdated: number;
  /** Number of snapshots of the previous generation that are not signed with this key. */
  readonly unsigned: number;
}

/** Reads all snapshots up front, because nodes keep replacing them. */
export async function readSnapshots({ snapshots, keeping }: VerifyDeps): Promise<StoredSnapshot[]> {
  const stored: StoredSnapshot[] = [];
  for (let partition = 0; partition < keeping.partitions; partition++) {
    const manifests = await snapshots.manifests(partition);
    for (const [generation, manifest] of manifests.entries()) {
      const names = namesIn(manifest, snapshots.key);
      const blobs = await snapshots.read(partition, names);
      const inForce = await snapshots.manifests(partition);
      // The snapshot was replaced while it was read, so its pages may be gone.
      if (blobs.includes(undefined) && !inForce.some((each) => each.equals(manifest))) continue;
      const byName = new Map(names.map((name, i) => [name, blobs[i]]));
      stored.push({
        partition,
        generation,
        manifest,
        read: async (_, wanted) => wanted.map((name) => byName.get(name)),
      });
    }
  }
  return stored;
}

/** @param start the baseline that the replay begins with, if any */
export async function collectCopies(
  deps: VerifyDeps,
  held: StreamRanges,
  baselines: readonly Baseline[],
  stored: readonly StoredSnapshot[],
  start: Baseline | undefined,
): Promise<Copies> {
  const faults: Fault[] = [];
  const notes: string[] = [];
  const generations: Copy[][] = [];
  for (const baseline of [...baselines].reverse()) {
    const copies = baselineCopies(deps, baseline);
    if (!covers(baseline, pointOf(held.floors)))
      notes.push(`baseline ${baseline.id} ends before what has been trimmed: it is not compared`);
    // The replay begins with this one, so it can only be checked for damage and for its own invariants.
    else if (baseline === start) for (const copy of copies) faults.push(...(await loadCopy(copy)).faults);
    else generations.push(copies);
  }
  const counts = { snapshots: 0, outdated: 0, unsigned: 0 };
  const [newest, older]: [Copy[], Copy[]] = [[], []];
  for (const each of stored) {
    const { copy, fault } = snapshotCopy(deps, held, each, counts);
    if (fault !== undefined) faults.push(fault);
    if (copy !== undefined) (each.generation === 0 ? newest : older).push(copy);
  }
  return { faults, notes, generations: [...generations, older, newest], ...counts };
}

/** Loads a copy and audits it by itself. Returns no state if it cannot be loaded. */
export async function loadCopy(copy: Copy): Promise<{ state?: State; faults: readonly Fault[] }> {
  const { check, partition, name } = copy;
  try {
    const state = await copy.load();
    return { state, faults: auditBooks({ number: partition, books: state.books }, check, name) };
  } catch (error) {
    return { faults: [{ check, partition, what: `${name}: ${(error as Error).message}` }] };
  }
}

export function auditBooks(
  { number, books }: Pick<Partition, 'number' | 'books'>,
  check: Fault['check'],
  name: string,
): Fault[] {
  const breach = books.audit()[0];
  if (breach === undefined) return [];
  return [{ check, partition: number, what: `${name} does not add up: ${breach.invariant} ${breach.what}` }];
}

function baselineCopies(deps: VerifyDeps, baseline: Baseline): Copy[] {
  return baseline.parts.map(({ partition }) => ({
    name: `baseline ${baseline.id}, partition ${partition}`,
    check: 'baseline',
    partition,
    point: baseline,
    atMs: baseline.atMs,
    forgotMs: baseline.horizonMs ?? Number.POSITIVE_INFINITY,
    load: async () => {
      const [fresh, factIds] = [new Partition(partition), new FactIds()];
      loadPart(await present(deps.baselines).part(baseline, partition), fresh, factIds, deps.keeping.rules);
      return { books: fresh.books, factIds };
    },
  }));
}

/** Returns the copy or its fault, or neither if it is not compared. */
function snapshotCopy(
  { snapshots, keeping }: VerifyDeps,
  { created, end, floors }: StreamRanges,
  stored: StoredSnapshot,
  counts: { snapshots: number; outdated: number; unsigned: number },
): { copy?: Copy; fault?: Fault } {
  const { partition, generation, manifest: bytes } = stored;
  const name = `${generation === 0 ? 'snapshot' : 'snapshot before the last'} of partition ${partition}`;
  const fault = (what: string) => ({ fault: { check: 'snapshot' as const, partition, what: `${name}: ${what}` } });
  try {
    const manifest = decodeManifest(bytes, snapshots.key);
    if (manifest.partition !== partition || manifest.partitions !== keeping.partitions)
      return fault(`it is of partition ${manifest.partition} of ${manifest.partitions}`);
    const foreign = Object.entries(created).find(([stream, at]) => (manifest.created[stream] ?? at) !== at);
    if (foreign !== undefined) return fault(`it is of another stream ${foreign[0]}`);
    counts.snapshots += 1;
    if (!covers(end, { positions: manifest.positions, journalSeq: manifest.journalSeq }))
      return fault('it knows more than the streams hold: their end has been lost');
    if (!covers(manifest, pointOf(floors))) {
      counts.outdated += 1;
      return {};
    }
    const load = async () => {
      const [fresh, factIds] = [new Partition(partition), new FactIds()];
      await loadStored(stored, manifest, fresh.books, factIds, keeping.rules);
      return { books: fresh.books, factIds };
    };
    const forgotMs = manifest.horizonMs ?? Number.POSITIVE_INFINITY;
    return { copy: { name, check: 'snapshot', partition, point: manifest, atMs: manifest.atMs, forgotMs, load } };
  } catch (error) {
    if (!(error instanceof UnsignedError) || generation === 0) return fault((error as Error).message);
    // After the key was set or changed, the previous generation stays for one more round. No node uses it.
    counts.unsigned += 1;
    return {};
  }
}

function namesIn(manifest: Buffer, key: SnapshotKey | undefined): string[] {
  try {
    return blobsOf(decodeManifest(manifest, key)).map(({ name }) => name);
  } catch {
    return [];
  }
}
