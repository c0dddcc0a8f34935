/**
 * The followers of a node: one per fact stream, filtered to the partitions that the node holds. They restart when these change.
 *
 * A follower starts at the lowest position of its partitions. A partition that is ahead skips the messages it has already folded.
 */
import { LIMITS } from '../../config/limits.ts';
import { BUNDLE_LANES, FACT_STREAM_NAMES, FACT_STREAMS, type FactStream } from '../../config/topology.ts';
import { backOffMs, delay } from '../../streams/clock.ts';
import { Follower, type ReadingDeps } from '../../streams/read/follower.ts';
import { type FactType, factSubjects, storedBundleSubject } from '../../streams/subjects.ts';
import type { PartitionSet, Partitions } from '../partition/partition-set.ts';
import type { Intake } from './intake.ts';

export interface FollowersDeps extends ReadingDeps {
  readonly intake: Intake;
  /** Partitions that this node holds, serving or catching up. */
  readonly partitions: PartitionSet;
  /** Total number of partitions (P). */
  readonly count: number;
  readonly restarted: (stream: FactStream, why: string) => void;
  /** Whether a person has declared these sequences lost. `until` is exclusive. */
  readonly judgedLost: (stream: FactStream, from: number, until: number) => boolean;
}

export class Followers {
  readonly #deps: FollowersDeps;
  readonly #followers = new Map<FactStream, Follower>();

  constructor(deps: FollowersDeps) {
    this.#deps = deps;
    deps.partitions.observe({ heldChanged: () => this.#restartAll() });
  }

  /** Follows the partitions that are held now. */
  #restartAll(): void {
    for (const stream of FACT_STREAM_NAMES) this.#restart(stream);
  }

  /** Resolves when every stream is followed up to its target, or when `pointless` returns true. Rejects if the streams stall. */
  async reach(targets: Readonly<Record<string, number>>, pointless: () => boolean): Promise<void> {
    const behind = () =>
      FACT_STREAM_NAMES.some((stream) => (this.#followers.get(stream)?.position ?? 0) < (targets[stream] ?? 0));
    const { clock } = this.#deps;
    let [at, since] = [-1, clock.monoMs()];
    while (behind() && !pointless()) {
      await delay(clock, 2);
      const now = FACT_STREAM_NAMES.reduce((sum, stream) => sum + this.position(stream), 0);
      if (now !== at) [at, since] = [now, clock.monoMs()];
      else if (clock.monoMs() - since > LIMITS.readStallMs) throw new Error(this.#stuck(targets));
    }
  }

  /** Known number of messages that the stream still has for this node. */
  lag(stream: FactStream): number {
    const pending = this.#followers.get(stream)?.pending ?? 0;
    return Number.isFinite(pending) ? pending : 0;
  }

  /** Sequence up to which a fact stream is followed. */
  position(stream: FactStream): number {
    return this.#followers.get(stream)?.position ?? 0;
  }

  /** Whether a stream is paused until facts are parked or new marks are read. */
  paused(stream: FactStream): boolean {
    return this.#followers.get(stream)?.paused === true;
  }

  /** How long nothing has been heard from the server of a fact stream, in milliseconds; 0 if it is not followed. */
  silentMs(stream: FactStream): number {
    return this.#followers.get(stream)?.silentMs ?? 0;
  }

  close(): void {
    for (const follower of this.#followers.values()) follower.close();
  }

  #stuck(targets: Readonly<Record<string, number>>): string {
    const behind = FACT_STREAM_NAMES.filter((stream) => this.position(stream) < (targets[stream] ?? 0));
    return behind
      .map((name) => `stream ${name} gives nothing behind ${this.position(name)} of ${targets[name]}`)
      .join('; ');
  }

  #restart(stream: FactStream): void {
    const { intake, partitions, count, restarted, judgedLost } = this.#deps;
    this.#followers.get(stream)?.close();
    this.#followers.delete(stream);
    const held = [...partitions.values()];
    if (held.length === 0) return;
    const position = Math.min(...held.map((partition) => partition.positions[stream]));
    const filters = held.length === count ? [] : filtersOf(stream, partitions);
    const follower = new Follower(this.#deps, stream, filters, position, {
      message: (message) => {
        // mutant: mark-not-read
        if (!intake.marks.covers(stream, message)) {
          follower.pause();
          // Retries until the marks are read or the follower is replaced.
          this.#readMarks(stream, follower).catch(() => undefined);
          return 'later';
        }
        intake.take(stream, message);
        if (intake.parkingInFlight > LIMITS.parkingInFlight) this.#pauseForParking(follower);
        return undefined;
      },
      caughtUp: (seq) => {
        for (const partition of held) partition.positions[stream] = Math.max(partition.positions[stream], seq);
      },
      restarted: (why) => restarted(stream, why),
      judgedLost: (from, until) => judgedLost(stream, from, until),
      lost: (seq) => {
        const why = `stream ${stream} does not give message ${seq}, which it must have: it is damaged; restore it`;
        partitions.isolate([...partitions.keys()], why, `${stream}.${seq}`);
      },
    });
    this.#followers.set(stream, follower);
    follower.start();
  }

  /** Reads marks because a message quotes one that is not read yet. One read covers everything that the stream holds by then. */
  async #readMarks(stream: FactStream, follower: Follower): Promise<void> {
    const { broker, clock, intake, restarted } = this.#deps;
    for (let attempt = 0; this.#followers.get(stream) === follower; attempt++) {
      try {
        const end = (await broker.stream(stream))?.lastSeq ?? 0;
        await intake.marks.read(this.#deps, { [stream]: end });
        break;
      } catch (error) {
        restarted(stream, `marks of parked facts cannot be read: ${(error as Error).message}`);
        await delay(clock, backOffMs(attempt, 50, 2_000));
      }
    }
    follower.resume();
  }

  #pauseForParking(follower: Follower): void {
    follower.pause();
    const waitFor = [...this.#deps.partitions.values()].flatMap((partition) => [...partition.parking]);
    Promise.all(waitFor).then(
      () => follower.resume(),
      () => undefined,
    );
  }
}

function filtersOf(stream: FactStream, partitions: Partitions): string[] {
  const types = FACT_STREAMS[stream] as readonly FactType[];
  const numbers = [...partitions.keys()];
  const filters = types.flatMap((type) => numbers.map((number) => `${type}.${number}.*.*`));
  // The owner of partition 0 also judges messages that claim to be bundles and are none.
  const lanes = partitions.has(0) ? (['*'] as const) : new Set(numbers.map((number) => number % BUNDLE_LANES));
  // mutant: lanes-not-followed
  for (const lane of lanes) filters.push(...types.map((type) => storedBundleSubject(type, lane)));
  // The owner of partition 0 also judges subjects that name no existing partition. A subject with a literal `*` as a token is stored
  // untransformed. Subjects of resubmissions are stored as published, so they may claim any partition.
  if (partitions.has(0)) filters.push(...types.map(factSubjects), ...types.map((type) => `again.*.${type}.*.*`));
  else filters.push(...types.flatMap((type) => numbers.map((number) => `again.${number}.${type}.*.*`)));
  return filters;
}
