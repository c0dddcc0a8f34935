/**
 * The engine of a node: its life cycle, and the loops that renew the lease, claim partitions, take snapshots, audit, watch progress and
 * write high-water marks. The parts that do this work are in the folders beside this one. The PartitionSet has the partitions and their
 * states.
 */
import { LIMITS } from '../../config/limits.ts';
import { FACT_STREAM_NAMES, type FactStream, JOURNAL_STREAM, WRITERS_STREAM } from '../../config/topology.ts';
import { delay, inTime } from '../../streams/clock.ts';
import type { Journal } from '../../streams/journal/journal.ts';
import type { FactIds } from '../idempotency/fact-ids.ts';
import type { Intake } from '../ingest/intake.ts';
import type { FactParking } from '../ingest/parking.ts';
import type { Progress } from '../ingest/progress.ts';
import type { Writers } from '../log/writers.ts';
import type { PartitionSet } from '../partition/partition-set.ts';
import type { Readiness } from '../ports/ports.ts';
import type { Coordinator } from '../reservation/coordinator.ts';
import { type EngineDeps, type EngineParts, engineParts } from './parts.ts';
import { auditAll } from './self-audit.ts';

const DRAIN_MS = 3_000;
const LAST_MARK_MS = 1_000;
const LAST_SNAPSHOT_MS = 5_000;
const LOOPS_END_MS = 2_000;

export class Engine {
  readonly partitions: PartitionSet;
  readonly factIds: FactIds;
  readonly intake: Intake;
  readonly parking: FactParking;
  readonly coordinator: Coordinator;
  readonly journal: Journal;
  readonly progress: Progress;
  readonly writers: Writers;
  readonly #deps: EngineDeps;
  readonly #parts: EngineParts;
  readonly #stopSignal = new AbortController();
  #stopping = false;
  #loops: Promise<void>[] = [];

  constructor(deps: EngineDeps) {
    const parts = engineParts(deps, this.#stopSignal.signal);
    this.#deps = deps;
    this.#parts = parts;
    this.writers = deps.writers;
    this.partitions = parts.partitions;
    this.factIds = parts.factIds;
    this.intake = parts.intake;
    this.parking = parts.parking;
    this.coordinator = parts.coordinator;
    this.journal = parts.journal;
    this.progress = parts.progress;
  }

  /** Adopts the rules, enrols the writer, takes the lease and starts the loops. */
  async start(): Promise<void> {
    const { ownership, settings, clock, events } = this.#deps;
    const { ruleChanges, snapshots, progress, partitions } = this.#parts;
    await this.#deps.policies?.start();
    await ruleChanges.begin(settings);
    // mutant: append-before-enrolled
    await this.writers.enrol(this.journal.writer, ownership.name);
    await this.#foundRegistry();
    await this.#renew();
    const { leaseTtlMs, snapshotIntervalMs } = settings;
    this.#loops = [
      this.#every(leaseTtlMs / 3, () => this.#renew()),
      this.#every(Math.min(1_000, leaseTtlMs / 15), () => this.#assign(), true),
      this.#every(snapshotIntervalMs, () => snapshots.round(), false),
      this.#every(60_000, () => auditAll(clock, partitions, events.breach), false),
      this.#every(LIMITS.progressEveryMs, async () => progress.look(), false),
      // Marks are written this often, because a crash and disk damage within that time can go unseen (HW3).
      this.#every(LIMITS.marksEveryMs, () => this.#mark().catch(() => undefined), false),
    ];
  }

  get readiness(): Readiness {
    const { settings, ownership, storage } = this.#deps;
    const { partitions, takeOver, parking, progress } = this.#parts;
    const { quarantine, size } = partitions;
    const owns = [...partitions.values()]
      .filter((partition) => partition.serving)
      .map((partition) => ({ partition: partition.number, epoch: partition.book.epoch }))
      .sort((a, b) => a.partition - b.partition);
    const reasons: string[] = [...quarantine.reasons];
    if (takeOver.stalled !== undefined) reasons.push(takeOver.stalled);
    if (!ownership.leased) reasons.push('the lease is not confirmed: NATS does not answer');
    if (size === 0 && quarantine.size === 0) reasons.push('it owns no partition yet');
    else if (owns.length < size) reasons.push(`${size - owns.length} of its ${size} partitions are catching up`);
    if (parking.stalled !== undefined) reasons.push(parking.stalled);
    reasons.push(...(storage?.reasons ?? []), ...progress.reasons);
    if (this.#stopping) reasons.push('it is stopping');
    return {
      ready: reasons.length === 0,
      reasons,
      owned: owns.length,
      partitions: settings.partitions,
      owns,
      quarantined: quarantine.list,
    };
  }

  /** Whether the engine is stopping. Waiting requests are not decided here any more. */
  get stopping(): boolean {
    return this.#stopping;
  }

  /** Number of messages that a fact stream still has for this node. */
  lag(stream: FactStream): number {
    return this.#parts.followers.lag(stream);
  }

  /** Age in seconds of the oldest snapshot of a changed partition. Without a snapshot, the time since the take-over counts. */
  get snapshotAgeSeconds(): number {
    return this.#parts.snapshots.ageSeconds;
  }

  /** Journals what was accepted, writes a last mark and a snapshot, and hands partitions back. Each wait before that has a deadline. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    const { clock, ownership } = this.#deps;
    const { partitions, followers, intake, snapshots, expiry, promises, journal } = this.#parts;
    const within = (ms: number, work: Promise<unknown>) =>
      inTime(
        clock,
        ms,
        work.catch(() => undefined),
      );
    partitions.close();
    await within(DRAIN_MS, this.#drained());
    await within(LAST_MARK_MS, this.#mark());
    followers.close();
    intake.giveUp();
    await within(LAST_SNAPSHOT_MS, snapshots.round());
    this.#stopSignal.abort();
    expiry.stop();
    promises.stop();
    await within(LOOPS_END_MS, Promise.all(this.#loops));
    if (journal.inFlight === 0) {
      const all = [...partitions.keys(), ...partitions.quarantine.keys()];
      await ownership.handBack(all, true).catch(() => undefined);
    }
    await ownership.leave().catch(() => undefined);
    this.#deps.policies?.stop();
  }

  /** Ends the node because its state cannot be trusted. Nothing is served, handed back or written to a snapshot any more. */
  abandon(why: string): void {
    this.partitions.drop([...this.partitions.keys()]);
    this.#deps.events.failed(why);
  }

  async #every(ms: number, work: () => Promise<void>, atOnce = true): Promise<void> {
    const { signal } = this.#stopSignal;
    const { clock, events } = this.#deps;
    if (!atOnce) await delay(clock, ms, signal);
    while (!signal.aborted) {
      try {
        await work();
      } catch (error) {
        if (!signal.aborted)
          events.note('warn', 'a periodic task failed and is tried again', { why: (error as Error).message });
      }
      await delay(clock, ms, signal);
    }
  }

  async #renew(): Promise<void> {
    const { ownership, events } = this.#deps;
    await ownership.renew(async (still) => {
      const held = [...this.partitions.keys()];
      const lost: number[] = [];
      for (const number of held) {
        if (!(await ownership.reconfirm(number))) lost.push(number);
        await still();
      }
      if (held.length > 0)
        events.note('warn', 'the lease had run out', { kept: held.length - lost.length, lost: lost.length });
      this.partitions.drop(lost);
    });
    await this.#parts.ruleChanges.follow();
  }

  /** Founds the registry of writers as soon as every live node's writer is enrolled. Until then, every writer counts (WR2). */
  async #foundRegistry(): Promise<void> {
    await this.writers.found(async () => (await this.#deps.ownership.live()).map((node) => node.writer));
  }

  async #assign(): Promise<void> {
    const { ownership, settings } = this.#deps;
    const { takeOver, partitions } = this.#parts;
    const { quarantine } = partitions;
    if (this.#stopping || !ownership.leased) return;
    await this.#foundRegistry();
    if (quarantine.size > 0 && (await this.writers.judgedSince())) quarantine.retry();
    const due = new Set(quarantine.due());
    const kept = quarantine.keys().filter((number) => !due.has(number));
    const { claims, surplus } = await ownership
      .assign(settings.partitions, new Set([...partitions.keys(), ...kept]))
      .catch((error: Error) => {
        if (partitions.size === 0) takeOver.stalled = `no partition can be claimed: ${error.message}`;
        throw error;
      });
    for (const { partition } of claims) due.delete(partition);
    // Due partitions that this node did not claim again belong to another node.
    for (const number of due) quarantine.release(number);
    if (surplus.length > 0) await this.#giveUp(surplus);
    if (claims.length > 0 && !this.#stopping) await takeOver.perform(claims);
    // Nothing is left to claim, so partitions that could not be taken over belong to another node.
    else takeOver.stalled = undefined;
  }

  /** Hands partitions to the node that should own them, after their decisions in flight and a snapshot are stored. */
  async #giveUp(numbers: readonly number[]): Promise<void> {
    const { partitions, snapshots } = this.#parts;
    partitions.leave(numbers);
    // mutant: handed-over-in-flight
    await this.#drained();
    await snapshots.take(numbers);
    partitions.drop(numbers);
    for (const number of numbers) partitions.quarantine.release(number);
    await this.#deps.ownership.handBack(numbers, true);
    this.#deps.events.note('info', 'partitions handed to another node', { partitions: numbers.length });
  }

  /** Resolves when no decision is on its way to the journal. The delay covers decisions that the current turn is about to append. */
  async #drained(): Promise<void> {
    await delay(this.#deps.clock, 1);
    await this.journal.drained();
  }

  /** Writes high-water marks: how far the streams are known to be stored, and the highest epoch that is held. */
  async #mark(): Promise<void> {
    const held = [...this.partitions.values()];
    if (held.length === 0) return;
    const ends: Record<string, number> = {
      [JOURNAL_STREAM]: Math.max(this.journal.tip.seq, ...held.map((partition) => partition.journalSeq)),
      [WRITERS_STREAM]: this.writers.revision,
    };
    for (const stream of FACT_STREAM_NAMES) ends[stream] = this.#parts.followers.position(stream);
    await this.#deps.highWaterMarks.write(ends, Math.max(...held.map((partition) => partition.book.epoch)));
  }
}
