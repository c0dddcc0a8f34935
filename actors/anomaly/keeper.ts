/**
 * Keeps the anomalies of the partitions that this node owns. Once a second the keeper reconciles the detectors' open alarms with the stored
 * anomalies (lifecycle.ts), stores the differences and notifies its listener.
 *
 * Invariants:
 *  AK1 Only the owner of a partition writes its anomalies, by compare-and-set. A deposed owner that does not know it yet overwrites
 *      nothing.
 *  AK2 The listener is notified after a change is stored. A person's step is forwarded to the owner of the partition named in the id.
 *  AK3 Nothing is stored for a partition that is catching up, because alarms that come and go while old facts are folded are no anomalies.
 *  AK4 At most `LIMITS.anomalyChangesPerRound` changes are stored per round, the rest in the next rounds. The figures of an open anomaly
 *      are stored at most every `LIMITS.anomalyUpdateMs`.
 */

import { ANOMALY_DEFAULTS, type AnomalyParameters } from '../../config/anomalies.ts';
import { LIMITS } from '../../config/limits.ts';
import { present } from '../../streams/assert.ts';
import { BrokerError, type KeyEntry, type Keys } from '../../streams/broker.ts';
import { type Clock, delay, inTime } from '../../streams/clock.ts';
import type { Anomaly } from '../../streams/contract/anomaly.ts';
import type { AnomalyKind, AnomalyState } from '../../streams/contract/anomaly-kinds.ts';
import type { AnomalyChange } from '../../streams/contract/events.ts';
import { partitionOf } from '../../streams/subjects.ts';
import type { Partition } from '../partition/partition.ts';
import type { Partitions } from '../partition/partition-set.ts';
import { inHalves } from '../ports/halves.ts';
import type { ParkedCauses } from '../ports/parked.ts';
import type { PeerHandlers } from '../ports/peer-operations.ts';
import type { Lease, Peers } from '../ports/ports.ts';
import { Refusal, UNDECIDED, undecided } from '../ports/refusal.ts';
import type { Alarm } from './detect/alarms.ts';
import type { Heard } from './detect/sightings.ts';
import { changeOf, type Person, type PersonStep, reconciled, type StoredAnomaly, shown, stepped } from './lifecycle.ts';
import { AnomalyObserver } from './observer.ts';
import { askHomes, knownAt, recallAnswer } from './reservation-homes.ts';
import type { SourceClock } from './sources.ts';

export interface AnomalyQuery {
  /** Without it, every state except resolved. */
  readonly state?: AnomalyState | undefined;
  readonly kind?: AnomalyKind | undefined;
  readonly location?: string | undefined;
  readonly sku?: string | undefined;
  readonly limit: number;
  /** Only anomalies after this place in the list. */
  readonly after?: AnomalyPlace | undefined;
}
type AnomalyPlace = readonly [at: string, id: string];

/** Orders the newest first. */
function comparePlaces([at, id]: AnomalyPlace, [otherAt, otherId]: AnomalyPlace): number {
  if (at !== otherAt) return at < otherAt ? 1 : -1;
  return id < otherId ? -1 : id > otherId ? 1 : 0;
}

/** The anomalies as fronts ask for them. */
export interface AnomalyService {
  list(query: AnomalyQuery): Promise<Anomaly[]>;
  /** Rejects with a Refusal: not-found, already-resolved, undecided. */
  step(id: string, step: PersonStep, person: Person): Promise<Anomaly>;
}

export interface AnomalyKeeperDeps {
  readonly keys: Keys;
  readonly clock: Clock;
  readonly peers: Peers;
  /** Number of all partitions. */
  readonly count: number;
  readonly parameters?: AnomalyParameters;
  readonly laneTimeMs: number;
  /** How long resolved anomalies are kept. */
  readonly memoryMs: number;
  /** Called after a change is stored under a revision of its key. */
  readonly changed: (anomaly: Anomaly, change: AnomalyChange, stored: { partition: number; revision: number }) => void;
  readonly trouble: (why: string) => void;
}
/** The parts that exist only once the core runs. */
export interface OwnedPartitions {
  readonly partitions: Partitions;
  readonly lease: Lease;
  readonly parked: ParkedCauses;
}

interface Entry {
  readonly stored: StoredAnomaly;
  readonly revision: number;
  readonly writtenMs: number;
}
/** The anomalies of one partition since this node serves it. */
interface Kept {
  readonly observer: AnomalyObserver;
  readonly entries: Map<string, Entry>;
  /** The detectors' present alarms, by id, that are not known to be stored yet; undefined if cleared. */
  readonly due: Map<string, Alarm | undefined>;
}

export class AnomalyKeeper implements AnomalyService {
  readonly #deps: AnomalyKeeperDeps;
  readonly #observers = new Map<number, AnomalyObserver>();
  readonly #kept = new Map<number, Kept>();
  readonly #stop = new AbortController();
  #owned: OwnedPartitions | undefined;
  #loop: Promise<void> = Promise.resolve();
  #listed: { atMs: number; entries: Promise<KeyEntry[]> } | undefined;
  #sweptMs = 0;

  constructor(deps: AnomalyKeeperDeps) {
    this.#deps = deps;
  }

  /** Makes the observer of a partition that is about to be taken over. */
  observer(partition: number): AnomalyObserver {
    const { parameters = ANOMALY_DEFAULTS, laneTimeMs } = this.#deps;
    const observer = new AnomalyObserver(partition, { parameters, laneTimeMs });
    this.#observers.set(partition, observer);
    return observer;
  }

  /** The clocks of the devices at the locations whose home is a partition held here. */
  clocks(partition: number): SourceClock[] {
    return this.#observers.get(partition)?.clocks() ?? [];
  }

  start(owned: OwnedPartitions): void {
    this.#owned = owned;
    this.#loop = this.#rounds();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    // A store that does not answer must not delay the stop of the node.
    await inTime(this.#deps.clock, LIMITS.anomalyStopMs, this.#loop);
  }

  /** Unresolved anomalies of the partitions owned here. */
  *open(): Iterable<Anomaly> {
    for (const { entries } of this.#kept.values())
      for (const { stored } of entries.values()) if (stored.state !== 'resolved') yield shown(stored);
  }

  async list({ state, kind, location, sku, limit, after }: AnomalyQuery): Promise<Anomaly[]> {
    const found = (await this.#all())
      .map(storedIn)
      .filter(
        (each) =>
          each !== undefined &&
          (state === undefined ? each.state !== 'resolved' : each.state === state) &&
          (kind === undefined || each.kind === kind) &&
          (location === undefined || each.location === location) &&
          (sku === undefined || each.sku === sku) &&
          (after === undefined || comparePlaces([each.at, each.id], after) > 0),
      ) as StoredAnomaly[];
    found.sort((a, b) => comparePlaces([a.at, a.id], [b.at, b.id]));
    return found.slice(0, limit).map(shown);
  }

  async step(id: string, step: PersonStep, person: Person): Promise<Anomaly> {
    const number = this.#partitionOfId(id);
    const partition = this.#owned?.partitions.get(number);
    if (partition === undefined) return this.#deps.peers.ask(number, 'anomaly.step', { id, step, person });
    const kept = this.#kept.get(number);
    if (!this.#serves(partition) || kept === undefined || kept.observer !== this.#observers.get(number))
      throw undecided(UNDECIDED.moving, `partition ${number}`);
    const stored = await this.#write(kept, id, (entry) => {
      if (entry === undefined) throw unknown(id);
      return stepped(entry, step, person, this.#deps.clock.nowMs());
    });
    return shown(present(stored));
  }

  /** Handlers for other nodes that take this node for the owner of a partition. */
  readonly handlers: PeerHandlers<'anomaly.heard' | 'anomaly.step' | 'anomaly.known'> = {
    'anomaly.step': async (number, { id, step, person }) => {
      // Never forwarded, because two nodes that each take the other for the owner would forward it endlessly.
      if (this.#owned?.partitions.has(this.#partitionOfId(id)) !== true)
        throw undecided(UNDECIDED.moving, `partition ${number}`);
      return this.step(id, step, person);
    },
    'anomaly.heard': async (number, heard) => {
      this.#observers.get(number)?.hear(heard.map((each) => ({ ...each, device: each.device, clock: each.clock })));
      return {};
    },
    'anomaly.known': async (number, ids) => knownAt(this.#owned?.partitions, number, ids),
  };

  async #rounds(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.round();
      } catch (error) {
        if (!signal.aborted) this.#deps.trouble((error as Error).message);
      }
      await delay(this.#deps.clock, LIMITS.anomalyRoundMs, signal);
    }
  }

  /** Looks once at every partition served here. */
  async round(): Promise<void> {
    const { partitions, parked } = present(this.#owned);
    const served = [...partitions.values()].filter((partition) => this.#serves(partition));
    for (const number of this.#kept.keys()) {
      if (!served.some((each) => each.number === number)) this.#kept.delete(number);
    }
    await this.#load(served.map((partition) => partition.number));
    const nowMs = this.#deps.clock.nowMs();
    const heard: Heard[] = [];
    for (const { observer } of this.#kept.values()) {
      observer.tick(nowMs);
      observer.judgeParked(parked);
      heard.push(...observer.takeHeard());
    }
    await this.#tell(heard);
    const { peers, count } = this.#deps;
    const asked = { partitions, peers, count, nowMs };
    await Promise.all([...this.#kept.values()].map(({ observer }) => askHomes(observer, asked)));
    const sweep = nowMs - this.#sweptMs > LIMITS.anomalySweepMs;
    if (sweep) this.#sweptMs = nowMs;
    let left: number = LIMITS.anomalyChangesPerRound;
    for (const kept of this.#kept.values()) {
      for (const [id, alarm] of kept.observer.takeChanged()) kept.due.set(id, alarm);
      left -= await this.#settle(kept, left);
      if (sweep) await this.#forgetOld(kept, nowMs);
    }
  }

  #serves(partition: Partition): boolean {
    // A partition that is catching up stores nothing (AK3).
    return partition.state === 'serving' && this.#owned?.lease.leased === true;
  }

  /** Reads the stored anomalies of partitions that are new here. One read covers all of these partitions. */
  async #load(served: readonly number[]): Promise<void> {
    const fresh = served.filter((number) => this.#kept.get(number)?.observer !== this.#observers.get(number));
    if (fresh.length === 0) return;
    const all = await this.#deps.keys.all();
    for (const number of fresh) {
      const observer = present(this.#observers.get(number));
      const kept: Kept = { observer, entries: new Map(), due: new Map() };
      for (const entry of all) {
        const stored = storedIn(entry);
        if (stored === undefined || this.#partitionOfId(entry.key) !== number) continue;
        kept.entries.set(entry.key, { stored, revision: entry.revision, writtenMs: 0 });
        if (stored.state === 'resolved') continue;
        kept.due.set(entry.key, undefined);
        recallAnswer(observer, stored, this.#deps.clock.nowMs());
      }
      observer.takeChanged();
      for (const [id, alarm] of observer.open()) kept.due.set(id, alarm);
      this.#kept.set(number, kept);
    }
  }

  /** Sends sightings to the home partition of their location. Those that cannot be sent are dropped, because more will follow. */
  async #tell(heard: readonly Heard[]): Promise<void> {
    const byHome = new Map<number, Heard[]>();
    for (const each of heard) {
      const home = partitionOf(each.location, this.#deps.count);
      const some = byHome.get(home);
      if (some === undefined) byHome.set(home, [each]);
      else some.push(each);
    }
    await Promise.all(
      [...byHome].map(async ([home, some]) => {
        const kept = this.#kept.get(home);
        if (kept !== undefined) kept.observer.hear(some);
        else await this.#tellHome(home, some).catch(() => undefined);
      }),
    );
  }

  async #tellHome(home: number, heard: readonly Heard[]): Promise<void> {
    await inHalves(heard, async (some) => {
      await this.#deps.peers.ask(home, 'anomaly.heard', some);
      return [];
    });
  }

  /** Stores at most `most` of the changes that are due, and returns their number (AK4). */
  async #settle(kept: Kept, most: number): Promise<number> {
    const nowMs = this.#deps.clock.nowMs();
    const writes: Promise<unknown>[] = [];
    for (const [id, alarm] of kept.due) {
      if (writes.length >= most) break;
      const entry = kept.entries.get(id);
      const next = reconciled(id, entry?.stored, alarm, nowMs);
      if (next === entry?.stored || next === undefined) {
        kept.due.delete(id);
        continue;
      }
      // New figures of an anomaly whose state stays the same can wait.
      const goesOn = entry !== undefined && entry.stored.state === next.state;
      if (goesOn && nowMs - entry.writtenMs < LIMITS.anomalyUpdateMs) continue;
      kept.due.delete(id);
      writes.push(
        this.#write(kept, id, (stored) => reconciled(id, stored, alarm, nowMs)).catch((error) => {
          if (!kept.due.has(id)) kept.due.set(id, alarm);
          throw error;
        }),
      );
    }
    const failed = (await Promise.allSettled(writes)).find((each) => each.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return writes.length;
  }

  async #forgetOld(kept: Kept, nowMs: number): Promise<void> {
    const open = new Set([...kept.observer.open()].map(([id]) => id));
    for (const [id, { stored }] of [...kept.entries]) {
      // An anomaly that a person resolved while its cause continues must be kept, otherwise it would open again.
      if (stored.state !== 'resolved' || open.has(id)) continue;
      if (nowMs - Date.parse(stored.updatedAt) < this.#deps.memoryMs) continue;
      await this.#deps.keys.delete(id);
      kept.entries.delete(id);
    }
  }

  /** Writes one anomaly by compare-and-set. After a conflict it reads the stored anomaly and decides again (AK1). */
  async #write(
    kept: Kept,
    id: string,
    decide: (stored: StoredAnomaly | undefined) => StoredAnomaly | undefined,
  ): Promise<StoredAnomaly | undefined> {
    for (let attempt = 0; ; attempt++) {
      const entry = kept.entries.get(id);
      const next = decide(entry?.stored);
      if (next === undefined || next === entry?.stored) return next;
      try {
        const change = changeOf(entry?.stored, next);
        const revision = await this.#deps.keys.put(id, JSON.stringify({ ...next, change }), entry?.revision ?? 0);
        kept.entries.set(id, { stored: next, revision, writtenMs: this.#deps.clock.nowMs() });
        this.#listed = undefined;
        // The listener hears of the change only after the store has it (AK2).
        this.#deps.changed(shown(next), change, { partition: this.#partitionOfId(id), revision });
        return next;
      } catch (error) {
        if (!(error instanceof BrokerError) || attempt === LIMITS.anomalyAttempts)
          throw undecided(UNDECIDED.anomalies, error);
        await this.#refresh(kept, id);
      }
    }
  }

  async #refresh(kept: Kept, id: string): Promise<void> {
    const found = await this.#deps.keys.get(id);
    const stored = found === undefined ? undefined : storedIn(found);
    if (found === undefined || stored === undefined) kept.entries.delete(id);
    else kept.entries.set(id, { stored, revision: found.revision, writtenMs: 0 });
  }

  /** All stored anomalies. One read serves every caller within LIMITS.anomalyListMs. */
  #all(): Promise<KeyEntry[]> {
    const nowMs = this.#deps.clock.monoMs();
    if (this.#listed === undefined || nowMs - this.#listed.atMs > LIMITS.anomalyListMs) {
      const entries = this.#deps.keys.all().catch((error: Error) => {
        this.#listed = undefined;
        throw undecided(UNDECIDED.anomalies, error);
      });
      this.#listed = { atMs: nowMs, entries };
    }
    return this.#listed.entries;
  }

  #partitionOfId(id: string): number {
    const number = /^\d{1,4}(?=\.[a-z_]+\.[0-9a-f]{16}$)/.exec(id)?.[0];
    if (number === undefined || Number(number) >= this.#deps.count) throw unknown(id);
    return Number(number);
  }
}

function unknown(id: string): Refusal {
  return new Refusal('not-found', `there is no anomaly ${id.slice(0, 100)}`);
}

/** The anomaly in a key. Undefined if this program did not write it. */
function storedIn({ value }: KeyEntry): StoredAnomaly | undefined {
  try {
    const stored = JSON.parse(value) as StoredAnomaly;
    return typeof stored.id === 'string' && typeof stored.episode === 'number' ? stored : undefined;
  } catch {
    return undefined;
  }
}
