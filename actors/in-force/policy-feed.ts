/**
 * Follows the buckets of policies and locations, and applies every change in the order of its revision. All that this node decides reads
 * the result.
 *
 * Invariants:
 *  PY1 A node reads all that the buckets hold after it has announced that it is alive, and before its lease counts. So a node that a
 *      change did not wait for, because it was not alive yet, has that change before it answers.
 *  PY2 A node that cannot follow the buckets for longer than `staleMs` does not renew its lease, so a change waits for it no longer than
 *      that and the rest of the lease.
 *  PY3 A bucket whose revisions went back was replaced. The node then stops to renew its lease, because others may have read less.
 */
import { LIMITS } from '../../config/limits.ts';
import { LOCATIONS_BUCKET, LOCATIONS_STREAM, POLICIES_BUCKET, POLICIES_STREAM } from '../../config/topology.ts';
import type { Broker, FollowedMessage } from '../../streams/broker.ts';
import { type Clock, delay } from '../../streams/clock.ts';
import { Follower } from '../../streams/read/follower.ts';
import { ANY, PolicyLevels } from '../policy/levels.ts';
import type { LocationTerms, Policies } from '../policy/policy.ts';
import { type LocationFields, type LocationRecord, namesIn, type PolicyRecord } from './records.ts';

/** Latest revisions applied: those of the policies, and those of the locations. */
export type Revisions = readonly [policies: number, locations: number];

export interface PolicyFeedDeps {
  readonly broker: Broker;
  readonly clock: Clock;
  /** How long the buckets may be out of reach while the lease is renewed (PY2). */
  readonly staleMs: number;
  /** Called when a change is in force here. @param sku the SKU that it touches; undefined for all */
  readonly changed: (sku: string | undefined) => void;
  readonly note: (level: 'warn', message: string, detail: Record<string, unknown>) => void;
}

/** How often a wait looks again. */
const LOOK_MS = 5;

export class PolicyFeed {
  readonly #deps: PolicyFeedDeps;
  readonly #levels = new PolicyLevels();
  /** What is known of each location, by its id. */
  readonly locations = new Map<string, LocationFields>();
  readonly #buckets: readonly [Bucket, Bucket];
  /** Since when no attempt to read the buckets to their ends has succeeded, in monotonic milliseconds; undefined if the last one has. */
  #behindSince: number | undefined;
  #trouble = 'their buckets do not answer';
  #syncing = false;

  constructor(deps: PolicyFeedDeps) {
    this.#deps = deps;
    this.#buckets = [
      new Bucket(deps, POLICIES_BUCKET, POLICIES_STREAM, (value) => this.#takePolicy(value as PolicyRecord)),
      new Bucket(deps, LOCATIONS_BUCKET, LOCATIONS_STREAM, (value) => this.#takeLocation(value as LocationRecord)),
    ];
  }

  get policies(): Policies & Pick<PolicyLevels, 'effective'> {
    return this.#levels;
  }

  /** The revisions that are in force on this node. */
  get applied(): Revisions {
    const [policies, locations] = this.#buckets;
    return [policies.position, locations.position];
  }

  /** Follows the buckets, and resolves when all that they held is in force here. */
  async start(): Promise<void> {
    for (const bucket of this.#buckets) bucket.start();
    await this.sync(LIMITS.readStallMs);
  }

  stop(): void {
    for (const bucket of this.#buckets) bucket.stop();
  }

  /** Resolves when all that the buckets hold now is in force here. Rejects if nothing comes for `stallMs` before that. */
  async sync(stallMs: number): Promise<void> {
    await Promise.all(this.#buckets.map((bucket) => bucket.sync(stallMs)));
    this.#behindSince = undefined;
  }

  /**
   * To be called before the lease is renewed. Throws if the buckets are out of reach for too long (PY2). It does not wait for them, because a
   * slow bucket must not make a renewal late.
   */
  mustFollow(): void {
    const { clock, staleMs } = this.#deps;
    if (!this.#syncing) {
      this.#syncing = true;
      // It counts from the first attempt that fails, so a process that slept is not refused.
      this.#behindSince ??= clock.monoMs();
      this.sync(staleMs / 2)
        .catch((error: Error) => {
          this.#trouble = error.message;
        })
        .finally(() => {
          this.#syncing = false;
        });
    }
    if (this.#behindSince !== undefined && clock.monoMs() - this.#behindSince > staleMs)
      throw new Error(`the policies cannot be followed, so the lease is not renewed: ${this.#trouble}`);
  }

  #takePolicy({ sku, location, set }: PolicyRecord): undefined {
    this.#levels.set(sku, location, set ?? undefined);
    this.#deps.changed(sku === ANY ? undefined : sku);
  }

  #takeLocation({ id, set }: LocationRecord): undefined {
    const before = this.#levels.location(id);
    if (set === null) this.locations.delete(id);
    else this.locations.set(id, set);
    this.#levels.setLocation(id, set === null ? undefined : termsOf(set));
    if (!areSame(before, this.#levels.location(id))) this.#deps.changed(undefined);
  }
}

function termsOf({ timezone, transitHours = {} }: LocationFields): LocationTerms | undefined {
  const lanes = Object.entries(transitHours);
  return timezone === undefined && lanes.length === 0 ? undefined : { timezone, transitHours: new Map(lanes) };
}

function areSame(a: LocationTerms, b: LocationTerms): boolean {
  if (a.timezone !== b.timezone || a.transitHours.size !== b.transitHours.size) return false;
  for (const [location, hours] of a.transitHours) if (b.transitHours.get(location) !== hours) return false;
  return true;
}

class Bucket {
  readonly #deps: PolicyFeedDeps;
  readonly #name: string;
  readonly #stream: string;
  readonly #follower: Follower;
  #created: string | undefined;

  constructor(deps: PolicyFeedDeps, name: string, stream: string, take: (value: unknown) => undefined) {
    this.#deps = deps;
    this.#name = name;
    this.#stream = stream;
    // With a filter, sequences that the bucket has forgotten are no loss (FO3).
    this.#follower = new Follower(deps, stream, [`$KV.${name}.>`], 0, {
      message: (message) => this.#take(message, take),
      caughtUp: () => undefined,
      restarted: () => undefined,
      lost: () => undefined,
    });
  }

  get position(): number {
    return this.#follower.position;
  }

  start(): void {
    this.#follower.start();
  }

  stop(): void {
    this.#follower.close();
  }

  /** Reads the end of the bucket through its leader, and waits until it is reached. */
  async sync(stallMs: number): Promise<void> {
    const { broker, clock } = this.#deps;
    const end = await broker.stream(this.#stream);
    this.#created ??= end?.created;
    if (end === undefined || end.created !== this.#created || end.lastSeq < this.#follower.position)
      throw new Error(`bucket ${this.#name} was replaced or has lost its last changes; restart the nodes`);
    let [before, movedAt] = [this.#follower.position, clock.monoMs()];
    while (this.#follower.position < end.lastSeq) {
      await delay(clock, LOOK_MS);
      const { position } = this.#follower;
      if (position !== before) [before, movedAt] = [position, clock.monoMs()];
      else if (clock.monoMs() - movedAt > stallMs)
        throw new Error(`bucket ${this.#name} has revision ${end.lastSeq}, but only ${position} came here`);
    }
  }

  #take(message: FollowedMessage, take: (value: unknown) => undefined): undefined {
    try {
      if (message.data.length > 0) return take(JSON.parse(Buffer.from(message.data).toString()));
      // The key was deleted with a tool of NATS, which leaves no record.
      const [first = '', second = ''] = namesIn(message.subject.slice(`$KV.${this.#name}.`.length));
      take({ sku: first, location: second, id: first, set: null });
    } catch (error) {
      const why = (error as Error).message;
      this.#deps.note('warn', 'a policy or location cannot be read and is passed over', {
        bucket: this.#name,
        revision: message.seq,
        why,
      });
    }
  }
}
