/**
 * The engine of a node: takes partitions over, follows the streams for them, decides, snapshots, audits, hands back.
 *
 * Take-over of a set of partitions: claim (compare-and-set) → fence every writer that may still write → load snapshots → replay
 * JOURNAL to what it held after the fences → follow the facts to what the streams held after the fences → serve.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { failpoint } from '../config/failpoints.ts';
import { LIMITS } from '../config/limits.ts';
import { FACT_STREAM_NAMES, type FactStream, JOURNAL_STREAM, PARKED_STREAM } from '../config/topology.ts';
import type { Broker } from '../streams/connection.ts';
import { JournalRecordError } from '../streams/decisions.ts';
import { fenceWriter, Journal } from '../streams/journal.ts';
import { type Parking, type ParkReason, park, parkedConflicts } from '../streams/parked.ts';
import { partitionOf } from '../streams/subjects.ts';
import { Expiry } from './expiry.ts';
import { Followers } from './followers.ts';
import { Intake, type IntakeEvents } from './intake.ts';
import { maintain } from './maintenance.ts';
import type { Marks } from './marks.ts';
import type { Claim, Ownership } from './ownership.ts';
import { Partition } from './partition.ts';
import type { Clock, Peers, Readiness } from './ports.ts';
import { LostLogError, loadSnapshot, type Recovering, type RecoveryWorld, replayJournal } from './recovery.ts';
import { Reservations } from './reservations.ts';
import { SeenIds } from './seen.ts';
import { type SnapshotStore, Snapshotter } from './snapshotter.ts';
import { audit } from './stock/invariants.ts';

export interface EngineSettings {
  readonly partitions: number;
  readonly horizonMs: number | undefined;
  readonly leaseTtlMs: number;
  readonly snapshotIntervalMs: number;
  readonly reservationMemoryMs: number;
}
/** What the engine tells the world: metrics and logs. */
export interface EngineEvents extends IntakeEvents {
  readonly expired: () => void;
  readonly journaled: (decisions: number, seconds: number) => void;
  readonly snapshot: (seconds: number) => void;
  readonly recovered: (seconds: number, partitions: number) => void;
  readonly followerRestarted: (stream: FactStream, why: string) => void;
  readonly breach: (what: string) => void;
  readonly note: (level: 'info' | 'warn' | 'error', message: string, detail: Record<string, unknown>) => void;
  /** The engine cannot go on; the process should end. */
  readonly failed: (why: string) => void;
}

export class Engine {
  readonly partitions = new Map<number, Partition>();
  readonly seen = new SeenIds();
  readonly intake: Intake;
  readonly reservations: Reservations;
  readonly journal: Journal;
  readonly expiry: Expiry;
  readonly #broker: Broker;
  readonly #store: SnapshotStore;
  readonly #marks: Marks;
  readonly #clock: Clock;
  readonly #ownership: Ownership;
  readonly #settings: EngineSettings;
  readonly #events: EngineEvents;
  readonly #created: Readonly<Record<string, string>>;
  readonly #snapshotters = new Map<number, Snapshotter>();
  readonly #followers: Followers;
  #tip = { n: 0, hash: '', seq: 0 };
  #stopping = false;
  #lost: string | undefined;
  #loops: Promise<void>[] = [];
  readonly #stopSignal = new AbortController();
  /** Called when the set of served partitions changes. */
  onServed: (served: readonly number[]) => void = () => undefined;

  constructor(world: {
    broker: Broker;
    store: SnapshotStore;
    marks: Marks;
    clock: Clock;
    ownership: Ownership;
    peers: Peers;
    writer: string;
    created: Readonly<Record<string, string>>;
    settings: EngineSettings;
    events: EngineEvents;
  }) {
    this.#broker = world.broker;
    this.#store = world.store;
    this.#marks = world.marks;
    this.#clock = world.clock;
    this.#ownership = world.ownership;
    this.#settings = world.settings;
    this.#events = world.events;
    this.#created = world.created;
    this.intake = new Intake(
      this.partitions,
      this.seen,
      (parking) => this.park(parking),
      world.events,
      world.settings.horizonMs,
    );
    this.#followers = new Followers({
      broker: world.broker,
      intake: this.intake,
      partitions: this.partitions,
      count: world.settings.partitions,
      restarted: world.events.followerRestarted,
    });
    this.journal = new Journal(world.broker, world.writer, {
      fenced: (parts) => {
        // Claimed anew since, in a later epoch: the fence was for what this node held before.
        const lost = parts.filter(([number, epoch]) => (this.partitions.get(number)?.book.epoch ?? 0) < epoch);
        this.#drop(lost.map(([number]) => number));
      },
      stopped: (why) => world.events.failed(why),
      stored: (seq, decisions, seconds, tip) => {
        this.#tip = tip;
        for (const partition of this.partitions.values()) if (partition.serving) partition.journalSeq = seq;
        world.events.journaled(decisions, seconds);
      },
    });
    this.reservations = new Reservations({
      partitions: this.partitions,
      count: world.settings.partitions,
      clock: world.clock,
      log: this.journal,
      peers: world.peers,
      expired: world.events.expired,
    });
    this.expiry = new Expiry(world.clock, (due) => this.#expire(due));
  }

  /** Begins to renew the lease, to claim, to snapshot and to audit. */
  async start(): Promise<void> {
    await this.#renew();
    const { leaseTtlMs, snapshotIntervalMs } = this.#settings;
    this.#loops = [
      this.#every(leaseTtlMs / 3, () => this.#renew()),
      this.#every(Math.min(1_000, leaseTtlMs / 15), () => this.#assign(), true),
      this.#every(snapshotIntervalMs, () => this.#snapshotAll(), false),
      this.#every(60_000, () => this.#audit(), false),
      this.#every(LIMITS.marksEveryMs, () => this.#mark().catch(() => undefined), false),
    ];
  }

  get readiness(): Readiness {
    const reasons: string[] = [];
    const all = [...this.partitions.values()];
    const served = all.filter((partition) => partition.serving).length;
    if (this.#lost !== undefined) reasons.push(this.#lost);
    if (!this.#ownership.leased) reasons.push('the lease is not confirmed: NATS does not answer');
    if (all.length === 0) reasons.push('it owns no partition yet');
    else if (served < all.length)
      reasons.push(`${all.length - served} of its ${all.length} partitions are catching up`);
    if (this.#stopping) reasons.push('it is stopping');
    return { ready: reasons.length === 0, reasons, owned: served, partitions: this.#settings.partitions };
  }

  /** Messages that each fact stream still has for this node. */
  lag(stream: FactStream): number {
    return this.#followers.lag(stream);
  }

  /** Age in seconds of the oldest snapshot of a partition that has changed since. */
  get snapshotAgeSeconds(): number {
    let oldest = 0;
    for (const partition of this.partitions.values()) {
      if (!partition.serving || partition.book.seq === partition.snapshotSeq) continue;
      oldest = Math.max(oldest, (this.#clock.nowMs() - partition.snapshotAtMs) / 1000);
    }
    return oldest;
  }

  /** Stores what cannot be counted, whatever it takes. */
  async park(parking: Parking): Promise<void> {
    for (let attempt = 0; !this.#stopSignal.signal.aborted; attempt++) {
      try {
        await park(this.#broker, parking);
        return;
      } catch {
        await delay(Math.min(2_000, 50 * 2 ** Math.min(attempt, 6)));
      }
    }
  }

  countParked(reason: ParkReason): void {
    this.#events.parked(reason);
  }

  /** What was accepted is journaled, a snapshot is written, partitions are handed back. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    for (const partition of this.partitions.values()) partition.leaving = true;
    this.onServed([]);
    await Promise.race([this.#drained(), delay(3_000)]);
    await Promise.race([this.#mark().catch(() => undefined), delay(1_000)]);
    this.#followers.close();
    await Promise.race([this.#snapshotAll().catch(() => undefined), delay(5_000)]);
    this.#stopSignal.abort();
    this.expiry.stop();
    await Promise.race([Promise.all(this.#loops), delay(2_000)]);
    if (this.journal.inFlight === 0) await this.#ownership.handBack([...this.partitions.keys()]).catch(() => undefined);
    await this.#ownership.leave().catch(() => undefined);
  }

  async #every(ms: number, work: () => Promise<void>, atOnce = true): Promise<void> {
    const { signal } = this.#stopSignal;
    if (!atOnce) await delay(ms, undefined, { signal }).catch(() => undefined);
    while (!signal.aborted) {
      try {
        await work();
      } catch (error) {
        if (!signal.aborted)
          this.#events.note('warn', 'a periodic task failed and is tried again', { why: (error as Error).message });
      }
      await delay(ms, undefined, { signal }).catch(() => undefined);
    }
  }

  async #renew(): Promise<void> {
    await this.#ownership.renew(async (still) => {
      const held = [...this.partitions.keys()];
      const lost: number[] = [];
      for (const number of held) {
        if (!(await this.#ownership.reconfirm(number))) lost.push(number);
        await still();
      }
      if (held.length > 0) {
        this.#events.note('warn', 'the lease had run out', { kept: held.length - lost.length, lost: lost.length });
      }
      this.#drop(lost);
    });
  }

  async #assign(): Promise<void> {
    if (this.#stopping || !this.#ownership.leased) return;
    const { claims, surplus } = await this.#ownership.assign(
      this.#settings.partitions,
      new Set(this.partitions.keys()),
    );
    if (surplus.length > 0) await this.#giveUp(surplus);
    if (claims.length > 0 && !this.#stopping) await this.#takeOver(claims);
    // Whatever could not be taken over is another node's by now.
    else this.#lost = undefined;
  }

  async #takeOver(won: readonly Claim[]): Promise<void> {
    const began = performance.now();
    failpoint('claimed');
    const claims = await this.#fenced(won);
    failpoint('fenced');
    const recovering = claims.map((claim) => this.#prepare(claim));
    try {
      // What this node itself still had on its way for these, from an earlier time, is in the journal before its end is read.
      await this.journal.drained();
      const world = await this.#recoveryWorld();
      for (const source of await parkedConflicts(this.#broker)) this.intake.conflicts.add(source);
      const tips = [];
      for (const each of recovering) {
        const tip = await loadSnapshot(world, each);
        if (tip !== undefined) tips.push(tip);
      }
      const partitions = recovering.map((each) => each.partition);
      const decisions = await replayJournal(world, partitions, tips, world.lastSeqs[JOURNAL_STREAM] ?? 0);
      for (const partition of partitions) this.partitions.set(partition.number, partition);
      this.#followers.restart();
      const given = () => !partitions.some((partition) => this.partitions.get(partition.number) === partition);
      await this.#followers.reach(world.lastSeqs, () => this.#stopSignal.signal.aborted || given());
      const lost: number[] = [];
      for (const claim of claims) if (!(await this.#ownership.cleared(claim))) lost.push(claim.partition);
      this.#drop(lost);
      for (const partition of partitions) this.#serve(partition);
      this.#lost = undefined;
      this.#served();
      const seconds = (performance.now() - began) / 1000;
      this.#events.recovered(seconds, claims.length);
      this.#events.note('info', 'partitions are served', {
        partitions: claims.length,
        seconds: Number(seconds.toFixed(3)),
        decisions,
      });
    } catch (error) {
      this.#drop(claims.map((claim) => claim.partition));
      await this.#ownership.handBack(claims.map((claim) => claim.partition)).catch(() => undefined);
      await this.#refuse(error as Error);
      throw error;
    }
  }

  /**
   * The streams hold what marks know of, and no claim has an epoch that was used before: only then the fences are written, from which
   * on nobody else can write for these.
   */
  async #fenced(claims: readonly Claim[]): Promise<Claim[]> {
    try {
      const highest = await this.#marks.check(await this.#lastSeqs());
      const raised = [];
      for (const claim of claims) raised.push(await this.#ownership.above(claim, highest));
      const checked = raised.filter((claim) => claim !== undefined);
      await this.#fence(checked);
      return checked;
    } catch (error) {
      // The claims stay as they are: their writers are still to be fenced, and the owner keys say so.
      await this.#refuse(error as Error);
      throw error;
    }
  }

  /** Says why nothing is served, and waits a while before that is tried again. */
  async #refuse(error: Error): Promise<void> {
    const lost = error instanceof LostLogError || error instanceof JournalRecordError;
    this.#lost = lost ? error.message : `partitions cannot be taken over yet: ${error.message}`;
    if (!lost) return;
    this.#events.note('error', 'refuses to serve: the log has lost what was acknowledged', { why: error.message });
    await delay(5_000, undefined, { signal: this.#stopSignal.signal }).catch(() => undefined);
  }

  async #fence(claims: readonly Claim[]): Promise<void> {
    const byWriter = new Map<string, [number, number][]>();
    for (const { partition, epoch, fence } of claims) {
      for (const writer of fence) byWriter.set(writer, [...(byWriter.get(writer) ?? []), [partition, epoch]]);
    }
    for (const [writer, parts] of byWriter) await fenceWriter(this.#broker, writer, this.journal.writer, parts);
  }

  #prepare({ partition: number, epoch }: Claim): Recovering {
    const partition = new Partition(number);
    partition.book.epoch = epoch;
    const snapshotter = new Snapshotter(partition, this.seen, this.#store, {
      partitions: this.#settings.partitions,
      created: this.#created,
      tip: () => ({ writer: this.journal.writer, ...this.#tip }),
      nowMs: () => this.#clock.nowMs(),
      turnMs: LIMITS.snapshotTurnMs,
    });
    this.#snapshotters.set(number, snapshotter);
    return { partition, snapshotter };
  }

  /** From here on it answers, and its holds expire: those whose time ran out while nobody served, at once. */
  #serve(partition: Partition): void {
    if (this.partitions.get(partition.number) !== partition) return;
    partition.serving = true;
    for (const part of partition.book.parts.values()) this.expiry.watch(part);
    partition.book.onHold = (part) => this.expiry.watch(part);
  }

  async #lastSeqs(): Promise<Record<string, number>> {
    const lastSeqs: Record<string, number> = {};
    for (const name of [...FACT_STREAM_NAMES, JOURNAL_STREAM, PARKED_STREAM]) {
      const stream = await this.#broker.stream(name);
      if (stream === undefined || stream.created !== this.#created[name])
        throw new LostLogError(`stream ${name} is not the one this node started with`);
      lastSeqs[name] = stream.lastSeq;
    }
    return lastSeqs;
  }

  async #recoveryWorld(): Promise<RecoveryWorld> {
    return {
      broker: this.#broker,
      store: this.#store,
      seen: this.seen,
      partitions: this.#settings.partitions,
      created: this.#created,
      lastSeqs: await this.#lastSeqs(),
      note: (message, detail) => this.#events.note('warn', message, detail),
    };
  }

  /** Another node should own these: finish what is in flight, snapshot, hand back. */
  async #giveUp(numbers: readonly number[]): Promise<void> {
    for (const number of numbers) {
      const partition = this.partitions.get(number);
      if (partition !== undefined) partition.leaving = true;
    }
    this.#served();
    await this.#drained();
    await Promise.all(
      numbers.map(async (number) => {
        await this.#snapshotters
          .get(number)
          ?.take()
          .catch(() => false);
      }),
    );
    this.#drop(numbers);
    await this.#ownership.handBack(numbers);
    this.#events.note('info', 'partitions handed to another node', { partitions: numbers.length });
  }

  /** Nothing is on its way to the journal, nor in the turn that would put it there. */
  async #drained(): Promise<void> {
    await delay(1);
    await this.journal.drained();
  }

  #drop(numbers: readonly number[]): void {
    let changed = false;
    for (const number of numbers) {
      const partition = this.partitions.get(number);
      if (partition !== undefined) {
        partition.serving = false;
        changed = true;
      }
      this.partitions.delete(number);
      this.#snapshotters.delete(number);
      this.seen.drop(number);
    }
    if (!changed) return;
    this.#followers.restart();
    this.#served();
  }

  #served(): void {
    this.onServed(
      [...this.partitions.values()]
        .filter((partition) => partition.serving && !partition.leaving)
        .map((partition) => partition.number),
    );
  }

  async #snapshotAll(): Promise<void> {
    for (const [number, snapshotter] of this.#snapshotters) {
      if (!this.partitions.has(number)) continue;
      const partition = this.partitions.get(number) as Partition;
      maintain(partition, this.seen, {
        nowMs: this.#clock.nowMs(),
        ...this.#settings,
        caughtUp: FACT_STREAM_NAMES.every((stream) => this.lag(stream) === 0),
      });
      const began = performance.now();
      if (await snapshotter.take()) this.#events.snapshot((performance.now() - began) / 1000);
    }
  }

  async #audit(): Promise<void> {
    for (const partition of [...this.partitions.values()]) {
      if (!partition.serving) continue;
      const breaches = audit(partition.book);
      await delay(50);
      if (breaches.length === 0) continue;
      for (const { invariant, what } of breaches.slice(0, 10)) this.#events.breach(`${invariant} ${what}`);
      // A book that does not add up is not served: it is thrown away and built again from its log.
      this.#drop([partition.number]);
      await this.#ownership.handBack([partition.number]);
    }
  }

  /** Writes down how far the streams are known to be stored, and the epochs that are in use. */
  async #mark(): Promise<void> {
    const held = [...this.partitions.values()];
    if (held.length === 0) return;
    const ends: Record<string, number> = {
      [JOURNAL_STREAM]: Math.max(this.#tip.seq, ...held.map((partition) => partition.journalSeq)),
    };
    for (const stream of FACT_STREAM_NAMES) ends[stream] = this.#followers.position(stream);
    await this.#marks.write(ends, Math.max(...held.map((partition) => partition.book.epoch)));
  }

  #expire(due: Parameters<ConstructorParameters<typeof Expiry>[1]>[0]): void {
    for (const part of due) {
      const sku = part.lines[0]?.key.sku.name ?? '';
      const holder = this.partitions.get(partitionOf(sku, this.#settings.partitions));
      if (holder?.serving === true) this.reservations.expire(holder, part, () => this.expiry.retry(part, 1_000));
    }
  }
}
