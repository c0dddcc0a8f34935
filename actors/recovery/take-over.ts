/**
 * Takes over a set of partitions in six steps. Claim them by compare-and-set (actors/ownership/ownership.ts). Fence every writer that may
 * still write for them. Load snapshots. Replay JOURNAL to its end as of the fences. Follow the facts to their ends as of the fences. Serve.
 *
 * Invariants:
 *  TO1 The ends of the streams are read after the fences, so no other writer can add a decision for these partitions after them.
 *  TO2 Nothing is served where something acknowledged is lost. The claims stay, and a writer stays in their fence list until it is fenced.
 *  TO3 A take-over that fails for another reason hands its claims back, with this node's writer to be fenced, and is tried again.
 */
import { failpoint } from '../../config/failpoints.ts';
import { FACT_STREAM_NAMES, JOURNAL_STREAM, PARKED_STREAM, WRITERS_STREAM } from '../../config/topology.ts';
import type { Broker, StoredMessage } from '../../streams/broker.ts';
import type { Clock } from '../../streams/clock.ts';
import { readMarks } from '../../streams/fact/parked/park-marks.ts';
import { fenceWriter } from '../../streams/journal/fence.ts';
import type { Journal } from '../../streams/journal/journal.ts';
import { JournalRecordError } from '../../streams/journal/record.ts';
import type { FactIds } from '../idempotency/fact-ids.ts';
import type { Rules } from '../idempotency/rules.ts';
import type { Followers } from '../ingest/followers.ts';
import type { Intake } from '../ingest/intake.ts';
import type { Admission } from '../log/admission.ts';
import type { Writers } from '../log/writers.ts';
import type { Claim, Ownership } from '../ownership/ownership.ts';
import type { MakeObserver } from '../partition/observer.ts';
import { Partition } from '../partition/partition.ts';
import type { PartitionSet } from '../partition/partition-set.ts';
import type { Baselines } from '../snapshot/baseline-format.ts';
import type { SnapshotRounds } from '../snapshot/scheduler.ts';
import type { SnapshotStore } from '../snapshot/snapshotter.ts';
import type { HighWaterMarks } from './high-water-marks.ts';
import { lastSeqOf, recoverPartitions, recoveryDeps, refuseIfTrimmed } from './recover-partitions.ts';
import { LostLogError, type Recovering } from './recovery.ts';
import type { RuleChanges } from './rule-changes.ts';

export interface TakeOverDeps {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly store: SnapshotStore;
  readonly baselines: Baselines;
  readonly highWaterMarks: HighWaterMarks;
  readonly writers: Writers;
  readonly ownership: Ownership;
  readonly rules: Rules;
  readonly journal: Journal;
  readonly intake: Intake;
  readonly followers: Followers;
  readonly factIds: FactIds;
  readonly created: Readonly<Record<string, string>>;
  /** Total number of partitions (P). */
  readonly count: number;
  readonly partitions: PartitionSet;
  readonly snapshots: Pick<SnapshotRounds, 'begin'>;
  readonly ruleChanges: RuleChanges;
  readonly observer: MakeObserver | undefined;
  /** Items per page of a snapshot; the usual number if undefined. */
  readonly itemsPerPage: number | undefined;
  /** Aborted when the node ends. */
  readonly signal: AbortSignal;
  readonly recovered: (seconds: number, partitions: number) => void;
  readonly note: (level: 'info' | 'warn', message: string, detail: Record<string, unknown>) => void;
}

export class TakeOver {
  readonly #deps: TakeOverDeps;
  /** Partitions of the current take-over whose fences could not be written. */
  readonly #unfenced = new Set<number>();
  /** Why the last take-over failed and is being tried again; undefined if it did not fail. */
  stalled: string | undefined;

  constructor(deps: TakeOverDeps) {
    this.#deps = deps;
  }

  /** Rejects only with errors that are not a loss, such as a server that does not answer. Then the partitions are claimed again. */
  async perform(won: readonly Claim[]): Promise<void> {
    const { broker, clock, ownership, journal, intake, followers, partitions, ruleChanges, signal } = this.#deps;
    const began = clock.monoMs();
    failpoint('claimed');
    // mutant: end-read-early
    const claims = await this.#fenced(won);
    if (claims === undefined) return;
    failpoint('fenced');
    const recovering = claims.map((claim) => this.#prepare(claim));
    try {
      // This node may still have appends in flight from an earlier ownership. They are stored before the journal's end is read.
      // mutant: own-decisions-not-awaited
      await journal.drained();
      await ruleChanges.follow();
      // The ends are read now that every other writer is fenced (TO1).
      // mutant: end-read-before-fence
      const deps = await this.#recoveryDeps();
      await readMarks({ broker, clock }, intake.marks, deps.lastSeqs);
      const recovered = await recoverPartitions(deps, recovering);
      for (const [number, { message, place }] of recovered.lost) partitions.isolate([number], message, place);
      this.#tellAside(deps.admission);
      partitions.add(recovered.partitions);
      const given = () => !recovered.partitions.some((partition) => partitions.get(partition.number) === partition);
      await followers.reach(deps.lastSeqs, () => signal.aborted || given());
      await refuseIfTrimmed(broker, recovered.starts);
      const lost: number[] = [];
      for (const claim of claims) if (!(await ownership.cleared(claim))) lost.push(claim.partition);
      partitions.drop(lost);
      for (const number of lost) partitions.quarantine.release(number);
      // mutant: fence-after-serving
      partitions.serve(recovered.partitions);
      this.stalled = undefined;
      this.#tell(recovered.partitions, (clock.monoMs() - began) / 1000, recovered.decisions);
    } catch (error) {
      const numbers = claims.map((claim) => claim.partition);
      partitions.drop(numbers);
      if (error instanceof LostLogError) return partitions.isolate(numbers, error.message, error.place);
      // This node's writer stays to be fenced, because the take-over may have failed half-way (TO3).
      await ownership.handBack(numbers, false).catch(() => undefined);
      this.#stall(error as Error);
      throw error;
    }
  }

  /** Makes an empty partition in the epoch of the claim, with its observer and its snapshotter. */
  #prepare({ partition: number, epoch }: Claim): Recovering {
    const { clock, observer, itemsPerPage, snapshots } = this.#deps;
    const partition = new Partition(number, clock.nowMs());
    partition.book.epoch = epoch;
    partition.observer = observer?.(partition);
    const { pages } = partition.books;
    pages.itemsPerPage = itemsPerPage ?? pages.itemsPerPage;
    return { partition, snapshotter: snapshots.begin(partition) };
  }

  #tellAside({ aside: { records, first } }: Admission): void {
    if (first === undefined) return;
    const detail = { records, first: `${JOURNAL_STREAM}.${first.seq}`, subject: first.subject };
    this.#deps.note('warn', 'records of writers that never owned a partition do not count', detail);
  }

  #tell(partitions: readonly Partition[], seconds: number, decisions: number): void {
    const served = partitions.filter(({ serving }) => serving).length;
    if (served === 0) return;
    this.#deps.recovered(seconds, served);
    const detail = { partitions: served, seconds: Number(seconds.toFixed(3)), decisions };
    this.#deps.note('info', 'partitions are served', detail);
  }

  /**
   * Writes the fences, after which no other writer can append for these partitions. Before that, it checks that the streams hold what the
   * marks name, and raises every epoch above those already used (TO2). Returns the claims that are fenced; undefined after a loss.
   */
  async #fenced(claims: readonly Claim[]): Promise<Claim[] | undefined> {
    const { highWaterMarks, ownership, partitions, writers, journal } = this.#deps;
    try {
      const fenced = claims.flatMap((claim) => claim.fence);
      const admission = await writers.readWith(fenced, journal.writer);
      const highest = await highWaterMarks.check(() => this.#lastSeqs(), admission.skips);
      const raised = [];
      for (const claim of claims) raised.push(await ownership.above(claim, highest));
      const checked = raised.filter((claim) => claim !== undefined);
      // mutant: serve-before-fence
      await this.#fence(checked);
      return checked.filter((claim) => !this.#unfenced.has(claim.partition));
    } catch (error) {
      if (error instanceof LostLogError) {
        const numbers = claims.map((claim) => claim.partition);
        partitions.isolate(numbers, error.message, error.place);
        return undefined;
      }
      this.#stall(error as Error);
      throw error;
    }
  }

  /** Fences the writers of all claims. If the last record of a writer cannot be read, its partitions are isolated and the others go on. */
  async #fence(claims: readonly Claim[]): Promise<void> {
    const { broker, clock, journal, partitions, writers } = this.#deps;
    this.#unfenced.clear();
    const byWriter = new Map<string, [number, number][]>();
    for (const { partition, epoch, fence } of claims) {
      for (const writer of fence) byWriter.set(writer, [...(byWriter.get(writer) ?? []), [partition, epoch]]);
    }
    const skipped = (message: StoredMessage) => writers.latest.skips.of(JOURNAL_STREAM, message) !== undefined;
    for (const [writer, parts] of byWriter) {
      try {
        await fenceWriter({ broker, clock }, writer, journal.writer, parts, skipped);
      } catch (error) {
        if (!(error instanceof JournalRecordError)) throw error;
        for (const [number] of parts) {
          this.#unfenced.add(number);
          partitions.isolate([number], error.message, `${JOURNAL_STREAM}.${error.seq}`);
        }
      }
    }
  }

  #stall(error: Error): void {
    this.stalled = `partitions cannot be taken over yet: ${error.message}`;
  }

  async #lastSeqs(): Promise<Record<string, number>> {
    const { broker, created } = this.#deps;
    const lastSeqs: Record<string, number> = {};
    lastSeqs[WRITERS_STREAM] = (await broker.stream(WRITERS_STREAM))?.lastSeq ?? 0;
    for (const name of [...FACT_STREAM_NAMES, JOURNAL_STREAM, PARKED_STREAM]) {
      lastSeqs[name] = lastSeqOf(name, await broker.stream(name), created);
    }
    return lastSeqs;
  }

  #recoveryDeps() {
    const { broker, clock, store, factIds, count, created, rules, partitions, note, baselines, writers } = this.#deps;
    return recoveryDeps(
      {
        broker,
        clock,
        store,
        factIds,
        partitions: count,
        created,
        rules,
        writers,
        suspects: partitions.quarantine.suspects,
        note: (message, detail) => note('warn', message, detail),
      },
      baselines,
    );
  }
}
