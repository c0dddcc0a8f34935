/**
 * The engine of a node: takes partitions over, follows the streams for them, decides, snapshots, audits, hands back. It holds them;
 * how each of these is done stands in files of their own.
 */
import { LIMITS } from '../../config/limits.ts';
import { FACT_STREAM_NAMES, type FactStream, JOURNAL_STREAM, WRITERS_STREAM } from '../../config/topology.ts';
import { type Broker, BrokerError } from '../../streams/broker.ts';
import { type Clock, delay } from '../../streams/clock.ts';
import { ParkMarks } from '../../streams/fact/park-marks.ts';
import { type Parking, type ParkReason, park } from '../../streams/fact/parked.ts';
import { Journal } from '../../streams/journal/journal.ts';
import { partitionOf } from '../../streams/subjects.ts';
import { SeenIds } from '../idempotency/fact-ids.ts';
import { horizonText, type Rules } from '../idempotency/rules.ts';
import type { RulesList } from '../idempotency/rules-list.ts';
import { Followers } from '../ingest/followers.ts';
import { Intake, type IntakeEvents } from '../ingest/intake.ts';
import { Progress } from '../ingest/progress.ts';
import type { Writers } from '../log/writers.ts';
import type { Claim, Ownership } from '../ownership/ownership.ts';
import { Quarantine } from '../ownership/quarantine.ts';
import { Expiry } from '../partition/expiry.ts';
import type { PartitionWatch } from '../partition/observer.ts';
import { Partition } from '../partition/partition.ts';
import type { Peers, Readiness } from '../ports/ports.ts';
import { UNDECIDED, undecided } from '../ports/refusal.ts';
import type { Marks } from '../recovery/high-water-marks.ts';
import type { Recovering } from '../recovery/recovery.ts';
import { TakeOver } from '../recovery/take-over.ts';
import { Reservations } from '../reservation/coordinator.ts';
import type { Baselines } from '../snapshot/baseline-format.ts';
import { SnapshotRounds } from '../snapshot/scheduler.ts';
import type { SnapshotStore } from '../snapshot/snapshotter.ts';
import { audit } from '../stock/invariants.ts';

/** Tries to set something aside before readiness says that it does not get there. */
const PARKING_TRIES_BEFORE_STALLED = 4;

/** A watch for a partition that is about to be taken over: empty, as its book is. */
export type MakeWatch = (partition: number) => PartitionWatch;

export interface EngineSettings {
  readonly partitions: number;
  /** null: off; undefined: as it is recorded. It counts where nothing is recorded yet. */
  readonly horizonMs: number | null | undefined;
  readonly leaseTtlMs: number;
  readonly snapshotIntervalMs: number;
  readonly reservationMemoryMs: number;
  /** Milliseconds of page encoding in one turn, and items on a page of a snapshot: a simulation makes them small. */
  readonly snapshotTurnMs?: number;
  readonly itemsPerPage?: number;
}
/** What the engine tells the world: metrics and logs. */
export interface EngineEvents extends Omit<IntakeEvents, 'inDoubt'> {
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
  readonly #marks: Marks;
  readonly writers: Writers;
  readonly #clock: Clock;
  readonly #ownership: Ownership;
  readonly #rules: Rules;
  readonly #rulesList: RulesList;
  readonly #settings: EngineSettings;
  readonly #events: EngineEvents;
  readonly #watch: MakeWatch | undefined;
  readonly #storage: { readonly reasons: readonly string[] };
  readonly #snapshots: SnapshotRounds;
  readonly #takeOver: TakeOver;
  readonly #followers: Followers;
  #tip = { n: 0, hash: '', seq: 0 };
  #stopping = false;
  readonly quarantine: Quarantine;
  readonly progress: Progress;
  #loops: Promise<void>[] = [];
  readonly #stopSignal = new AbortController();
  /** Why what cannot be counted cannot be set aside either; undefined while it can. */
  #parkingStalled: string | undefined;
  /** Called when the set of served partitions changes. */
  onServed: (served: readonly number[]) => void = () => undefined;

  constructor(world: {
    broker: Broker;
    store: SnapshotStore;
    baselines: Baselines;
    marks: Marks;
    writers: Writers;
    clock: Clock;
    ownership: Ownership;
    rules: Rules;
    rulesList: RulesList;
    peers: Peers;
    writer: string;
    created: Readonly<Record<string, string>>;
    settings: EngineSettings;
    events: EngineEvents;
    watch?: MakeWatch | undefined;
    /** Streams that have no room left, in words; none if it is left out. */
    storage?: { readonly reasons: readonly string[] } | undefined;
  }) {
    this.#broker = world.broker;
    this.#marks = world.marks;
    this.writers = world.writers;
    this.#clock = world.clock;
    this.#ownership = world.ownership;
    this.#rules = world.rules;
    this.#rulesList = world.rulesList;
    this.#settings = world.settings;
    this.#events = world.events;
    this.#watch = world.watch;
    this.#storage = world.storage ?? { reasons: [] };
    this.quarantine = new Quarantine(() => world.clock.monoMs());
    this.intake = new Intake(
      world.clock,
      this.partitions,
      this.seen,
      (parking) => this.park(parking),
      { ...world.events, inDoubt: (...doubt) => this.#doubt(...doubt) },
      world.rules,
      { marks: new ParkMarks(), partitions: world.settings.partitions },
    );
    this.#followers = new Followers({
      broker: world.broker,
      clock: world.clock,
      intake: this.intake,
      partitions: this.partitions,
      count: world.settings.partitions,
      restarted: world.events.followerRestarted,
      lost: (stream, seq) => {
        const why = `stream ${stream} does not give message ${seq}, which it must have: it is damaged; restore it`;
        for (const number of [...this.partitions.keys()]) this.#isolate(number, why, `${stream}.${seq}`);
      },
      judgedLost: (stream, from, until) => world.writers.latest.skips.lost(stream, from, until),
    });
    this.journal = new Journal(world, world.writer, {
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
    this.progress = new Progress({
      ...world,
      journal: this.journal,
      followers: this.#followers,
      partitions: this.partitions,
      note: world.events.note,
    });
    this.reservations = new Reservations({
      partitions: this.partitions,
      count: world.settings.partitions,
      clock: world.clock,
      log: this.journal,
      peers: world.peers,
      expired: world.events.expired,
      leased: () => world.ownership.leased,
      inDoubt: (...doubt) => this.#doubt(...doubt),
    });
    this.expiry = new Expiry(world.clock, (due) => this.#expire(due));
    const { seen, partitions } = this;
    const count = world.settings.partitions;
    this.#snapshots = new SnapshotRounds({
      ...world,
      seen,
      partitions,
      count,
      reservationMemoryMs: world.settings.reservationMemoryMs,
      turnMs: world.settings.snapshotTurnMs,
      tip: () => ({ writer: this.journal.writer, ...this.#tip }),
      lag: (stream) => this.lag(stream),
      taken: world.events.snapshot,
      lost: (partition) =>
        world.events.note('warn', 'Redis has lost the snapshot before; it is written again whole', { partition }),
    });
    this.#takeOver = new TakeOver({
      ...world,
      seen,
      partitions,
      count,
      journal: this.journal,
      intake: this.intake,
      followers: this.#followers,
      quarantine: this.quarantine,
      recovered: world.events.recovered,
      note: world.events.note,
      holder: {
        prepare: (claim) => this.#prepare(claim),
        followRules: () => this.#followRules(),
        serve: (partition) => this.#serve(partition),
        served: () => this.#served(),
        drop: (numbers) => this.#drop(numbers),
        isolate: (number, why, place) => this.#isolate(number, why, place),
        stopping: () => this.#stopSignal.signal.aborted,
      },
    });
  }

  /** Begins to renew the lease, to claim, to snapshot and to audit. */
  async start(): Promise<void> {
    this.#rules.adopt(await this.#rulesList.current());
    this.#noteSetting();
    await this.writers.enrol(this.journal.writer, this.#ownership.name);
    await this.#found();
    await this.#renew();
    const { leaseTtlMs, snapshotIntervalMs } = this.#settings;
    this.#loops = [
      this.#every(leaseTtlMs / 3, () => this.#renew()),
      this.#every(Math.min(1_000, leaseTtlMs / 15), () => this.#assign(), true),
      this.#every(snapshotIntervalMs, () => this.#snapshots.round(), false),
      this.#every(60_000, () => this.audit(), false),
      this.#every(LIMITS.progressEveryMs, async () => this.progress.look(), false),
      this.#every(LIMITS.marksEveryMs, () => this.#mark().catch(() => undefined), false),
    ];
  }

  get readiness(): Readiness {
    const reasons: string[] = [];
    const all = [...this.partitions.values()];
    const owns = all
      .filter((partition) => partition.serving)
      .map((partition) => ({ partition: partition.number, epoch: partition.book.epoch }))
      .sort((a, b) => a.partition - b.partition);
    const served = owns.length;
    reasons.push(...this.quarantine.reasons);
    if (this.#takeOver.stalled !== undefined) reasons.push(this.#takeOver.stalled);
    if (!this.#ownership.leased) reasons.push('the lease is not confirmed: NATS does not answer');
    if (all.length === 0 && this.quarantine.size === 0) reasons.push('it owns no partition yet');
    else if (served < all.length)
      reasons.push(`${all.length - served} of its ${all.length} partitions are catching up`);
    if (this.#parkingStalled !== undefined) reasons.push(this.#parkingStalled);
    reasons.push(...this.#storage.reasons);
    reasons.push(...this.progress.reasons);
    if (this.#stopping) reasons.push('it is stopping');
    const quarantined = this.quarantine.list;
    const { partitions } = this.#settings;
    return { ready: reasons.length === 0, reasons, owned: served, partitions, owns, quarantined };
  }

  /** It takes no more: what waits for it is not decided here. */
  get stopping(): boolean {
    return this.#stopping;
  }

  /** Messages that each fact stream still has for this node. */
  lag(stream: FactStream): number {
    return this.#followers.lag(stream);
  }

  /** Age in seconds of the oldest snapshot of a partition that has changed since; without one, since it was taken over. */
  get snapshotAgeSeconds(): number {
    return this.#snapshots.ageSeconds;
  }

  /**
   * Stores what cannot be counted. It is tried again while the server is away or full, since nothing may be lost, and readiness says so.
   * Rejects if the node ends before: then it is not known to be stored.
   */
  async park(parking: Parking): Promise<void> {
    for (let attempt = 0; !this.#stopSignal.signal.aborted; attempt++) {
      try {
        await park(this.#broker, parking);
        this.#parkingStalled = undefined;
        return;
      } catch (error) {
        if (attempt === PARKING_TRIES_BEFORE_STALLED) this.#stallParking(parking, error as Error);
        await delay(this.#clock, Math.min(2_000, 50 * 2 ** Math.min(attempt, 6)));
      }
    }
    throw undecided(UNDECIDED.stopped);
  }

  #stallParking({ source }: Parking, error: Error): void {
    const full = error instanceof BrokerError && error.kind === 'full';
    this.#parkingStalled = full
      ? 'the stream PARKED is full: facts that cannot be counted cannot be set aside; raise HOLDFAST_PARKED_MAX_BYTES'
      : 'facts that cannot be counted cannot be set aside: the stream PARKED does not take them';
    this.#events.note('warn', 'what cannot be counted cannot be set aside; it is tried again', {
      source,
      why: error.message,
    });
  }

  /** Why facts cannot be taken in now; undefined if they can. */
  get factsRefused(): string | undefined {
    return this.#parkingStalled;
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
    await Promise.race([this.#drained(), delay(this.#clock, 3_000)]);
    await Promise.race([this.#mark().catch(() => undefined), delay(this.#clock, 1_000)]);
    this.#followers.close();
    this.intake.giveUp();
    await Promise.race([this.#snapshots.round().catch(() => undefined), delay(this.#clock, 5_000)]);
    this.#stopSignal.abort();
    this.expiry.stop();
    await Promise.race([Promise.all(this.#loops), delay(this.#clock, 2_000)]);
    if (this.journal.inFlight === 0)
      await this.#ownership
        .handBack([...this.partitions.keys(), ...this.quarantine.keys()], true)
        .catch(() => undefined);
    await this.#ownership.leave().catch(() => undefined);
  }

  async #every(ms: number, work: () => Promise<void>, atOnce = true): Promise<void> {
    const { signal } = this.#stopSignal;
    if (!atOnce) await delay(this.#clock, ms, signal);
    while (!signal.aborted) {
      try {
        await work();
      } catch (error) {
        if (!signal.aborted)
          this.#events.note('warn', 'a periodic task failed and is tried again', { why: (error as Error).message });
      }
      await delay(this.#clock, ms, signal);
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
    await this.#followRules();
  }

  /**
   * Rules may have been added: what was judged without them, or has forgotten what they ask for, is built again from the log. Nothing waits
   * between the new list and the drop: a snapshot taken in between would say that it knows what its facts were not judged by.
   */
  async #followRules(): Promise<void> {
    const list = await this.#rulesList.current();
    const change = this.#rules.adopt(list);
    if (change === 'same') return;
    const { version, horizonMs } = this.#rules.newest;
    this.#events.note('info', 'the rules have changed', {
      version,
      horizon: horizonText(horizonMs),
      late: change === 'late',
    });
    const atMs = this.#clock.nowMs();
    const unfit = [...this.partitions.values()].filter(
      ({ positions, remembersMs }) => change === 'late' || remembersMs < this.#rules.widestMs({ positions, atMs }),
    );
    const numbers = unfit.map((partition) => partition.number);
    this.#drop(numbers);
    await this.#ownership.handBack(numbers, false);
  }

  #noteSetting(): void {
    const { horizonMs: set } = this.#settings;
    const { horizonMs } = this.#rules.newest;
    if (set === undefined || set === horizonMs) return;
    this.#events.note(
      'warn',
      'the horizon that is recorded with the streams counts, not HOLDFAST_HORIZON; to change it, end all nodes and run: holdfast horizon DURATION',
      { recorded: horizonText(horizonMs), setting: horizonText(set) },
    );
  }

  /** While a node lives whose program knows of no registry, every writer counts. */
  async #found(): Promise<void> {
    await this.writers.found(async () => (await this.#ownership.live()).map((node) => node.writer));
  }

  async #assign(): Promise<void> {
    if (this.#stopping || !this.#ownership.leased) return;
    await this.#found();
    if (this.quarantine.size > 0 && (await this.writers.judgedSince())) this.quarantine.retry();
    const due = new Set(this.quarantine.due());
    const kept = this.quarantine.keys().filter((number) => !due.has(number));
    const { claims, surplus } = await this.#ownership
      .assign(this.#settings.partitions, new Set([...this.partitions.keys(), ...kept]))
      .catch((error: Error) => {
        if (this.partitions.size === 0) this.#takeOver.stalled = `no partition can be claimed: ${error.message}`;
        throw error;
      });
    for (const { partition } of claims) due.delete(partition);
    // What was due and is not claimed anew is another node's.
    for (const number of due) this.quarantine.release(number);
    if (surplus.length > 0) await this.#giveUp(surplus);
    if (claims.length > 0 && !this.#stopping) await this.#takeOver.perform(claims);
    // Whatever could not be taken over is another node's by now.
    else this.#takeOver.stalled = undefined;
  }

  /** This one is not served until a later try finds it whole; the others go on. */
  #isolate(number: number, why: string, place?: string): void {
    this.#drop([number]);
    this.quarantine.put(number, why, place);
    this.#events.note('error', 'refuses to serve: the log has lost what was acknowledged', { partition: number, why });
  }

  /**
   * Something threw while it was folded: the book may hold half of it, and nothing is served or written of it any more. It is built again
   * from its log, the first time at once; what throws again there stays in quarantine, and is tried again now and then.
   */
  #doubt(number: number, what: string, error: unknown): void {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    this.#drop([number]);
    this.quarantine.suspect(number, `${what} cannot be folded: ${message}`);
    this.#events.note('error', 'a fault of the program while folding; the partition is built again from its log', {
      partition: number,
      what,
      stack,
    });
  }

  /** Nothing that is held can be trusted any more: none of it is served, handed back or written to a snapshot, and the node ends. */
  abandon(why: string): void {
    this.#drop([...this.partitions.keys()]);
    this.#events.failed(why);
  }

  #prepare({ partition: number, epoch }: Claim): Recovering {
    const partition = new Partition(number, this.#clock.nowMs());
    partition.book.epoch = epoch;
    partition.watch = this.#watch?.(number);
    partition.book.itemsPerPage = this.#settings.itemsPerPage ?? partition.book.itemsPerPage;
    return { partition, snapshotter: this.#snapshots.begin(partition) };
  }

  /** From here on it answers, and its holds expire: those whose time ran out while nobody served, at once. */
  #serve(partition: Partition): void {
    if (this.partitions.get(partition.number) !== partition) return;
    const suspect = this.quarantine.suspects.has(partition.number);
    const breach = suspect ? audit(partition.book)[0] : undefined;
    if (breach !== undefined) {
      this.#drop([partition.number]);
      return this.quarantine.suspect(partition.number, `its book does not add up: ${breach.invariant} ${breach.what}`);
    }
    this.quarantine.release(partition.number);
    partition.serving = true;
    for (const part of partition.book.parts.values()) this.expiry.watch(part);
    partition.book.onHold = (part) => this.expiry.watch(part);
  }

  /** Another node should own these: finish what is in flight, snapshot, hand back. */
  async #giveUp(numbers: readonly number[]): Promise<void> {
    for (const number of numbers) {
      const partition = this.partitions.get(number);
      if (partition !== undefined) partition.leaving = true;
    }
    this.#served();
    await this.#drained();
    await this.#snapshots.take(numbers);
    this.#drop(numbers);
    for (const number of numbers) this.quarantine.release(number);
    await this.#ownership.handBack(numbers, true);
    this.#events.note('info', 'partitions handed to another node', { partitions: numbers.length });
  }

  /** Nothing is on its way to the journal, nor in the turn that would put it there. */
  async #drained(): Promise<void> {
    await delay(this.#clock, 1);
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
      this.#snapshots.end(number);
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

  /** Checks the invariants of every book that is served. One that does not add up is thrown away and built again, or quarantined. */
  async audit(): Promise<void> {
    for (const partition of [...this.partitions.values()]) {
      if (!partition.serving) continue;
      const breaches = audit(partition.book);
      await delay(this.#clock, 50);
      if (breaches.length === 0) {
        this.quarantine.suspects.delete(partition.number);
        continue;
      }
      const told = breaches.slice(0, 10).map(({ invariant, what }) => `${invariant} ${what}`);
      for (const each of told) this.#events.breach(each);
      this.#drop([partition.number]);
      this.quarantine.suspect(partition.number, `its book does not add up: ${told[0]}`);
    }
  }

  /** Writes down how far the streams are known to be stored, and the epochs that are in use. */
  async #mark(): Promise<void> {
    const held = [...this.partitions.values()];
    if (held.length === 0) return;
    const ends: Record<string, number> = {
      [JOURNAL_STREAM]: Math.max(this.#tip.seq, ...held.map((partition) => partition.journalSeq)),
    };
    ends[WRITERS_STREAM] = this.writers.revision;
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
