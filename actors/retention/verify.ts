/**
 * Verification: every chain, every stored copy of the state against a replay of the streams, every invariant.
 *
 * The replay begins at the oldest baseline that the streams go on from, or at nothing, and stops at each stored copy to compare. It
 * names the first bad record or page of each kind, and goes on with what can still be judged.
 */

import { JOURNAL_STREAM } from '../../config/topology.ts';
import { readParked } from '../../streams/fact/park-marks.ts';
import { type Floors, floorsOf, readStreams } from '../../streams/journal/floors.ts';
import { JournalRecordError } from '../../streams/journal/record.ts';
import { type ReadingWorld, readUntil } from '../../streams/read/follower.ts';
import { SeenIds } from '../idempotency/fact-ids.ts';
import { Admission } from '../log/admission.ts';
import { ChainAudit, ChainBreak } from '../log/chain.ts';
import { Partition } from '../partition/partition.ts';
import { covers, type Point, pointOf } from '../partition/position.ts';
import { type Baseline, loadPart } from '../snapshot/baseline-format.ts';
import { blobsOf, decodeManifest, loadStored, UnsignedError } from '../snapshot/format.ts';
import type { SnapshotKey } from '../snapshot/seal.ts';
import type { SnapshotStore } from '../snapshot/snapshotter.ts';
import { audit } from '../stock/invariants.ts';
import type { BaselineStore } from './baseline-store.ts';
import { differences, type State } from './differences.ts';
import type { Keeping } from './make-baseline.ts';
import { type Fold, HoleError, Refold } from './rebuild.ts';

/** Where something is wrong. */
export interface Place {
  readonly stream?: string;
  readonly seq?: number;
  readonly writer?: string;
  readonly n?: number;
  readonly partition?: number;
  readonly page?: number | undefined;
}
export interface Fault extends Place {
  /** Which of the checks found it. */
  readonly check: 'streams' | 'journal' | 'facts' | 'snapshot' | 'baseline' | 'replay';
  readonly what: string;
}
export interface Verdict {
  readonly good: boolean;
  readonly faults: readonly Fault[];
  /** How much was checked. */
  readonly checked: {
    records: number;
    writers: number;
    facts: number;
    snapshots: number;
    baselines: number;
    keys: number;
    reservations: number;
  };
  readonly notes: readonly string[];
}
export interface VerifyWorld extends ReadingWorld {
  readonly snapshots: SnapshotStore;
  readonly baselines: BaselineStore | undefined;
  readonly keeping: Keeping;
}

/** One stored copy of one partition: what it says of itself, and how to load it. */
interface Copy {
  readonly name: string;
  readonly check: 'snapshot' | 'baseline';
  readonly partition: number;
  readonly point: Point;
  readonly atMs: number;
  /** The horizon, in milliseconds, by which it may have forgotten ids; infinite if it has forgotten none. */
  readonly forgotMs: number;
  load(): Promise<State>;
}

/** A snapshot as Redis held it when the check began. */
interface StoredSnapshot {
  readonly partition: number;
  readonly generation: number;
  readonly manifest: Buffer;
  read(partition: number, names: readonly string[]): Promise<(Buffer | undefined)[]>;
}

/** Nodes forget at times of their own: what ended so shortly before a copy was written must still be in it. */
const FORGET_SLACK_MS = 60_000;

export async function verify(world: VerifyWorld): Promise<Verdict> {
  return new Verification(world).run();
}

class Verification {
  readonly #world: VerifyWorld;
  readonly #faults: Fault[] = [];
  readonly #notes: string[] = [];
  readonly #checked = { records: 0, writers: 0, facts: 0, snapshots: 0, baselines: 0, keys: 0, reservations: 0 };
  /** Partitions whose replay has nothing to begin with. */
  readonly #unknown = new Set<number>();
  /** Copies that end before the replay can begin. */
  #outdated = 0;
  /** Of the generations before the last: those that this key has not signed. */
  #unsigned = 0;
  #created: Readonly<Record<string, string>> = {};
  #admission = Admission.open();

  constructor(world: VerifyWorld) {
    this.#world = world;
  }

  async run(): Promise<Verdict> {
    // Stored copies first: what they know, the streams must hold when they are looked at after that.
    const stored = await this.#readSnapshots();
    const streams = await readStreams(this.#world.broker);
    // Read behind the streams' ends: what is added to the list from now on comes into force behind them.
    await this.#world.keeping.refresh();
    const end = pointOf(Object.fromEntries([...streams].map(([name, { lastSeq }]) => [name, lastSeq])));
    this.#created = Object.fromEntries([...streams].map(([name, { created }]) => [name, created]));
    const floors = floorsOf(streams);
    const baselines = await this.#wholeBaselines();
    this.#admission = await this.#world.keeping.writers.read();
    await this.#checkJournal(streams.get(JOURNAL_STREAM)?.firstSeq ?? 1, end, floors, baselines);
    await this.#replay(end, floors, baselines, stored);
    if (this.#outdated > 0)
      this.#notes.push(
        `${this.#outdated} snapshots end before what the streams and baselines still hold: they are not compared`,
      );
    if (this.#unsigned > 0)
      this.#notes.push(`${this.#unsigned} snapshots before the last are not signed with this key: nobody uses them`);
    return { good: this.#faults.length === 0, faults: this.#faults, checked: this.#checked, notes: this.#notes };
  }

  async #wholeBaselines(): Promise<Baseline[]> {
    const whole: Baseline[] = [];
    for (const { baseline, damage } of (await this.#world.baselines?.generations()) ?? []) {
      if (baseline === undefined) this.#faults.push({ check: 'baseline', what: damage });
      else whole.push(baseline);
    }
    return whole;
  }

  /** Every record that JOURNAL holds, and what baselines know of its writers. */
  async #checkJournal(first: number, end: Point, floors: Floors, baselines: readonly Baseline[]): Promise<void> {
    const chain = new ChainAudit(undefined, floors[JOURNAL_STREAM] ?? 0, this.#admission);
    const known = new Map(
      baselines.flatMap(({ id, writers }) => writers.map((tip) => [tip.seq, { id, tip }] as const)),
    );
    try {
      await readUntil(this.#world, JOURNAL_STREAM, [], first, end.journalSeq, (message) => {
        const record = chain.take(message);
        if (record === undefined) return;
        const { writer, n } = record;
        this.#checked.records += 1;
        const expected = known.get(message.seq);
        if (expected === undefined) return;
        known.delete(message.seq);
        const { id, tip } = expected;
        if (tip.writer !== writer || tip.n !== n || tip.hash !== chain.tip(writer)?.hash)
          throw new ChainBreak(message.seq, writer, n, `is not the one that baseline ${id} knows`);
      });
      // Trimming leaves the last record of each writer at the newest baseline; those of the one before may have gone.
      const gone = [...known.values()].find(({ id }) => id === baselines[0]?.id);
      if (gone !== undefined)
        throw new ChainBreak(gone.tip.seq, gone.tip.writer, gone.tip.n, `is missing, but baseline ${gone.id} knows it`);
    } catch (error) {
      if (!(error instanceof ChainBreak)) throw error;
      const { seq, writer, n, message } = error;
      this.#faults.push({ check: 'journal', stream: JOURNAL_STREAM, seq, writer, n, what: message });
    }
    this.#noteAdmission();
    this.#checked.writers = chain.state.writers.length;
  }

  /** What is known not to count is no fault. */
  #noteAdmission(): void {
    const { aside, skips } = this.#admission;
    for (const { stream, seq, by, why, at } of skips.list)
      this.#notes.push(`${stream}.${seq} is passed over: ${by} has skipped it at ${at}: ${why}`);
    if (aside.first !== undefined)
      this.#notes.push(
        `${aside.records} records of JOURNAL are of writers that never owned a partition and do not count; the first is ${JOURNAL_STREAM}.${aside.first.seq} on ${aside.first.subject}`,
      );
  }

  async #replay(
    end: Point,
    floors: Floors,
    baselines: readonly Baseline[],
    stored: readonly StoredSnapshot[],
  ): Promise<void> {
    const { broker, clock, keeping } = this.#world;
    const base = [...baselines].reverse().find((each) => covers(each, pointOf(floors)));
    const trimmed = Object.entries(floors).find(([, seq]) => seq > 0);
    if (base === undefined && trimmed !== undefined) {
      const what = `it was trimmed up to ${trimmed[1]}, and no whole baseline holds what came before`;
      this.#faults.push({ check: 'streams', stream: trimmed[0], seq: trimmed[1], what });
      return;
    }
    const { marks } = await readParked(this.#world, end.positions);
    const refold = new Refold({ broker, clock, ...keeping, skips: this.#admission.skips, marks, dated: true });
    // A baseline that nothing before it is left of is a copy to begin from, and cannot be compared with the streams.
    const start = trimmed === undefined ? undefined : base;
    if (start !== undefined) {
      this.#notes.push(`what came before baseline ${start.id} has been trimmed: the replay begins with it`);
      for (let number = 0; number < keeping.partitions; number++)
        refold.folds[number] = await this.#begin(start, refold, number);
    }
    const copies = [
      ...(await this.#baselineGenerations(baselines, start, floors)),
      ...this.#snapshotGenerations(stored, end, floors),
    ];
    try {
      await this.#throughCopies(refold, copies, start);
      await this.#advance(refold, () => end);
      for (const { partition } of refold.folds)
        if (!this.#unknown.has(partition.number)) this.#auditBook(partition, 'replay', 'the replay');
    } catch (error) {
      if (!(error instanceof HoleError) && !(error instanceof ReadError)) throw error;
      if (error instanceof HoleError)
        this.#faults.push({ check: 'facts', stream: error.stream, seq: error.seq, what: error.message });
      this.#notes.push('stored copies behind the fault could not be compared with a replay');
    }
    for (const [stream, seq] of Object.entries(end.positions))
      this.#checked.facts += seq - (start?.positions[stream as 'SALES'] ?? 0);
    for (const { partition } of refold.folds) {
      this.#checked.keys += partition.book.keyCount;
      this.#checked.reservations += partition.book.parts.size;
    }
  }

  /** Folds on to one generation of copies after the other, oldest first, and compares each. */
  async #throughCopies(refold: Refold, copies: readonly Copy[][], start: Baseline | undefined): Promise<void> {
    for (const generation of copies) {
      const reachable: Copy[] = [];
      for (const copy of generation) {
        const number = copy.partition;
        // Taken at another moment than the one before, behind it in one stream and ahead in another: begun anew.
        if (!covers(copy.point, (refold.folds[number] as Fold).point))
          refold.folds[number] = start === undefined ? refold.fresh(number) : await this.#begin(start, refold, number);
        if (covers(copy.point, (refold.folds[number] as Fold).point)) reachable.push(copy);
        else this.#outdated += 1;
      }
      const points = new Map(reachable.map((copy) => [copy.partition, copy.point]));
      const stand = refold.folds.map((fold) => fold.point);
      await this.#advance(refold, (number) => points.get(number) ?? (stand[number] as Point));
      for (const copy of reachable)
        await this.#compare(copy, refold.folds[copy.partition] as Fold, start !== undefined);
    }
  }

  async #advance(refold: Refold, target: (partition: number) => Point): Promise<void> {
    try {
      await refold.advance(target, (message) => this.#admission.admit(message));
    } catch (error) {
      // Said already, where the chains were checked.
      if (error instanceof JournalRecordError) throw new ReadError(error.message);
      throw error;
    }
  }

  /** A fold that begins with the baseline. One that cannot be loaded stands there empty, and is not judged by. */
  async #begin(start: Baseline, refold: Refold, number: number): Promise<Fold> {
    try {
      const fold = refold.fresh(number);
      loadPart(await (this.#world.baselines as BaselineStore).part(start, number), fold.partition, fold.seen);
      return fold;
    } catch {
      // Said where the stored copies are loaded.
      this.#unknown.add(number);
      const fold = refold.fresh(number);
      Object.assign(fold.partition.positions, start.positions);
      fold.partition.journalSeq = start.journalSeq;
      return fold;
    }
  }

  /** Baselines to compare, the oldest first. */
  async #baselineGenerations(
    baselines: readonly Baseline[],
    start: Baseline | undefined,
    floors: Floors,
  ): Promise<Copy[][]> {
    const generations: Copy[][] = [];
    for (const baseline of [...baselines].reverse()) {
      this.#checked.baselines += 1;
      const copies = this.#baselineCopies(baseline);
      if (!covers(baseline, pointOf(floors)))
        this.#notes.push(`baseline ${baseline.id} ends before what has been trimmed: it is not compared`);
      // The one that the replay begins with: whole, and adding up, is all that can be said of it.
      else if (baseline === start) for (const copy of copies) await this.#loaded(copy);
      else generations.push(copies);
    }
    return generations;
  }

  #snapshotGenerations(stored: readonly StoredSnapshot[], end: Point, floors: Floors): Copy[][] {
    const [newest, older]: [Copy[], Copy[]] = [[], []];
    for (const each of stored) {
      const copy = this.#snapshotCopy(each, end, floors);
      if (copy !== undefined) (each.generation === 0 ? newest : older).push(copy);
    }
    return [older, newest];
  }

  /** Read at once, since nodes go on replacing them. */
  async #readSnapshots(): Promise<StoredSnapshot[]> {
    const { snapshots, keeping } = this.#world;
    const stored: StoredSnapshot[] = [];
    for (let partition = 0; partition < keeping.partitions; partition++) {
      const manifests = await snapshots.manifests(partition);
      for (const [generation, manifest] of manifests.entries()) {
        const names = namesIn(manifest, snapshots.key);
        const blobs = await snapshots.read(partition, names);
        const inForce = await snapshots.manifests(partition);
        // Replaced while it was read: its pages may have gone in the meantime.
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

  #baselineCopies(baseline: Baseline): Copy[] {
    return baseline.parts.map(({ partition }) => ({
      name: `baseline ${baseline.id}, partition ${partition}`,
      check: 'baseline',
      partition,
      point: baseline,
      atMs: baseline.atMs,
      forgotMs: baseline.horizonMs ?? Number.POSITIVE_INFINITY,
      load: async () => {
        const [fresh, seen] = [new Partition(partition), new SeenIds()];
        loadPart(await (this.#world.baselines as BaselineStore).part(baseline, partition), fresh, seen);
        return { book: fresh.book, seen };
      },
    }));
  }

  #snapshotCopy(stored: StoredSnapshot, end: Point, floors: Floors): Copy | undefined {
    const { partition, generation, manifest: bytes } = stored;
    const name = `${generation === 0 ? 'snapshot' : 'snapshot before the last'} of partition ${partition}`;
    const fault = (what: string) => void this.#faults.push({ check: 'snapshot', partition, what: `${name}: ${what}` });
    try {
      const manifest = decodeManifest(bytes, this.#world.snapshots.key);
      const { partitions } = this.#world.keeping;
      if (manifest.partition !== partition || manifest.partitions !== partitions)
        return fault(`it is of partition ${manifest.partition} of ${manifest.partitions}`);
      const foreign = Object.entries(this.#created).find(([stream, at]) => (manifest.created[stream] ?? at) !== at);
      if (foreign !== undefined) return fault(`it is of another stream ${foreign[0]}`);
      this.#checked.snapshots += 1;
      if (!covers(end, { positions: manifest.positions, journalSeq: manifest.journalSeq }))
        return fault('it knows more than the streams hold: their end has been lost');
      if (!covers(manifest, pointOf(floors))) {
        this.#outdated += 1;
        return undefined;
      }
      const load = async () => {
        const [fresh, seen] = [new Partition(partition), new SeenIds()];
        await loadStored(stored, manifest, fresh.books, seen);
        return { book: fresh.book, seen };
      };
      return {
        name,
        check: 'snapshot',
        partition,
        point: manifest,
        atMs: manifest.atMs,
        forgotMs: manifest.horizonMs ?? Number.POSITIVE_INFINITY,
        load,
      };
    } catch (error) {
      if (!(error instanceof UnsignedError) || generation === 0) return fault((error as Error).message);
      // It stays for a round after the key was set or changed, and nobody uses it.
      this.#unsigned += 1;
      return undefined;
    }
  }

  async #loaded(copy: Copy): Promise<State | undefined> {
    try {
      const state = await copy.load();
      this.#auditBook({ number: copy.partition, book: state.book }, copy.check, copy.name);
      return state;
    } catch (error) {
      this.#faults.push({
        check: copy.check,
        partition: copy.partition,
        what: `${copy.name}: ${(error as Error).message}`,
      });
      return undefined;
    }
  }

  async #compare(copy: Copy, fold: Fold, fromBaseline: boolean): Promise<void> {
    const state = await this.#loaded(copy);
    if (state === undefined || this.#unknown.has(copy.partition)) return;
    const found = differences(
      state,
      { book: fold.partition.book, seen: fold.seen },
      {
        forgottenBeforeMs: copy.atMs - FORGET_SLACK_MS,
        idsForgottenBefore: (copy.atMs - copy.forgotMs) * 1000,
        foldedForgot: fromBaseline,
      },
    );
    const [first] = found;
    if (first === undefined) return;
    const more = found.length > 1 ? ` (and ${found.length - 1} more)` : '';
    const { page, what } = first;
    this.#faults.push({ check: copy.check, partition: copy.partition, page, what: `${copy.name}: ${what}${more}` });
  }

  #auditBook({ number, book }: Pick<Partition, 'number' | 'book'>, check: Fault['check'], name: string): void {
    const breach = audit(book)[0];
    if (breach !== undefined)
      this.#faults.push({
        check,
        partition: number,
        what: `${name} does not add up: ${breach.invariant} ${breach.what}`,
      });
  }
}

/** The replay cannot go on. */
class ReadError extends Error {
  override readonly name = 'ReadError';
}

function namesIn(manifest: Buffer, key: SnapshotKey | undefined): string[] {
  try {
    return blobsOf(decodeManifest(manifest, key)).map(({ name }) => name);
  } catch {
    return [];
  }
}
