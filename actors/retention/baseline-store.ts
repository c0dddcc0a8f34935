/**
 * Stores baselines as objects. One key lists the generations that are in force.
 *
 * Invariants:
 *  BS1 Objects are never overwritten, because each baseline has names of its own. A compare-and-set of the key brings it into force.
 *  BS2 Two generations are kept. A baseline that is behind the newest, in any stream or in any partition's epoch, never comes into force.
 *  BS3 Only one baseline can be made at a time. A later maker takes over, and the earlier one then fails at its compare-and-set.
 *  BS4 Objects that no generation names and that are not being made are removed. They are left over from a maker that was killed.
 */

import { failpoint } from '../../config/failpoints.ts';
import { BASELINES_BUCKET, BASELINES_OBJECTS } from '../../config/topology.ts';
import { at, present } from '../../streams/assert.ts';
import { BrokerError, type Keys } from '../../streams/broker.ts';
import type { NatsBroker } from '../../streams/nats/broker.ts';
import { type Objects, objectStream } from '../../streams/nats/objects.ts';
import { covers } from '../../streams/read/position.ts';
import {
  type Baseline,
  type BaselineSource,
  checkObject,
  decodeIndex,
  encodeIndex,
  type ObjectRef,
  refOf,
} from '../snapshot/baseline-format.ts';

const KEY = 'generations';

interface Listed {
  readonly id: string;
  readonly index: ObjectRef;
}
interface Entry {
  /** Generations, newest first, at most two. */
  readonly generations: readonly Listed[];
  /** Id of the baseline that is being made, '' if none. */
  readonly making: string;
}

/** A listed baseline, or the reason why it cannot be used. */
export type Generation = { readonly id: string } & (
  | { readonly baseline: Baseline; readonly damage?: undefined }
  | { readonly baseline?: undefined; readonly damage: string }
);

/** The baseline is abandoned, because a later one was begun or a newer one is in force. */
export class SupersededError extends Error {
  override readonly name = 'SupersededError';
}

export class BaselineStore {
  readonly #broker: NatsBroker;
  readonly #keys: Keys;
  readonly #objects: Objects;

  private constructor(broker: NatsBroker, keys: Keys, objects: Objects) {
    this.#broker = broker;
    this.#keys = keys;
    this.#objects = objects;
  }

  /** Opens the store and creates it if it is missing. */
  static async open(broker: NatsBroker, replicas: number): Promise<BaselineStore> {
    const keys = await broker.keys(BASELINES_BUCKET, { replicas });
    return new BaselineStore(broker, keys, await broker.objects(BASELINES_OBJECTS, replicas));
  }

  /** Opens the store if it exists, so that reading creates nothing. */
  static async find(broker: NatsBroker): Promise<BaselineStore | undefined> {
    const there = await Promise.all(
      [`KV_${BASELINES_BUCKET}`, objectStream(BASELINES_OBJECTS).stream].map((name) => broker.stream(name)),
    );
    const replicas = there[0]?.config.num_replicas ?? 1;
    return there.includes(undefined) ? undefined : BaselineStore.open(broker, replicas);
  }

  /** Baselines in force, newest first. */
  async generations(): Promise<Generation[]> {
    const { entry } = await this.#entry();
    return Promise.all(entry.generations.map((listed) => this.#generation(listed)));
  }

  /** Reads the object of one partition. Throws a SnapshotError if it is missing or damaged. */
  async part(baseline: Baseline, partition: number): Promise<Uint8Array> {
    const ref = baseline.parts.find((each) => each.partition === partition);
    if (ref === undefined) throw new Error(`baseline ${baseline.id} has no partition ${partition}`);
    return this.#read(ref);
  }

  /** Begins a baseline, which takes over from any other maker, and removes leftovers. */
  async begin(id: string): Promise<BaselineMaker> {
    for (;;) {
      const { entry, revision } = await this.#entry();
      const next = await this.#put({ ...entry, making: id }, revision);
      if (next === undefined) continue;
      await this.#sweep(id);
      return new BaselineMaker(id, this.#objects, async (baseline, index) => {
        const whole = (await this.generations()).filter((each) => each.baseline !== undefined);
        const newest = whole[0]?.baseline;
        if (newest !== undefined && !isNewer(baseline, newest))
          throw new SupersededError(`baseline ${newest.id} is ahead of this one`);
        const kept = entry.generations.filter((each) => whole.some(({ id: found }) => found === each.id));
        const generations = [{ id, index }, ...kept].slice(0, 2);
        if ((await this.#put({ generations, making: '' }, next)) === undefined)
          // The key has changed since this maker began (BS3).
          throw new SupersededError('another baseline was begun meanwhile');
        await this.#sweep('');
      });
    }
  }

  async #generation({ id, index }: Listed): Promise<Generation> {
    try {
      return { id, baseline: decodeIndex(await this.#read(index)) };
    } catch (error) {
      return { id, damage: `baseline ${id}: ${(error as Error).message}` };
    }
  }

  async #read(ref: ObjectRef): Promise<Uint8Array> {
    return checkObject(ref, await this.#objects.get(ref.object));
  }

  async #entry(): Promise<{ entry: Entry; revision: number }> {
    const found = await this.#keys.get(KEY);
    if (found === undefined) return { entry: { generations: [], making: '' }, revision: 0 };
    return { entry: JSON.parse(found.value) as Entry, revision: found.revision };
  }

  async #put(entry: Entry, expected: number): Promise<number | undefined> {
    try {
      return await this.#keys.put(KEY, JSON.stringify(entry), expected);
    } catch (error) {
      if (error instanceof BrokerError && error.kind === 'conflict') return undefined;
      throw error;
    }
  }

  /**
   * Removes leftovers (BS4), unless the key names another maker, whose objects must stay.
   * @param maker id of the baseline that is being made and has no objects yet, '' if none should be
   */
  async #sweep(maker: string): Promise<void> {
    const { entry } = await this.#entry();
    if (entry.making !== maker) return;
    const kept = new Set(entry.generations.map(({ id }) => id));
    for (const name of await this.#objects.names())
      if (!kept.has(at(name.split('/'), 0))) await this.#objects.delete(name);
    // A writer that was killed within an object leaves chunks that no object names.
    const { stream, chunks } = objectStream(BASELINES_OBJECTS);
    const named = await this.#objects.chunkIds();
    const last = (await this.#broker.stream(stream))?.lastSeq ?? 0;
    for (const subject of await this.#broker.subjects(stream, chunks))
      if (!named.has(subject.slice(chunks.length))) await this.#broker.purgeBelow(stream, last + 1, subject);
  }
}

/** Writes the objects of one baseline and brings it into force. */
export class BaselineMaker {
  readonly id: string;
  readonly #objects: Objects;
  readonly #commit: (baseline: Baseline, index: ObjectRef) => Promise<void>;

  constructor(id: string, objects: Objects, commit: (baseline: Baseline, index: ObjectRef) => Promise<void>) {
    this.id = id;
    this.#objects = objects;
    this.#commit = commit;
  }

  /** Stores an object. The caller must read it back before it calls `finish`. */
  async write(name: string, bytes: Uint8Array): Promise<ObjectRef> {
    // The id makes the name unique, so nothing is overwritten (BS1).
    const ref = refOf(`${this.id}/${name}`, bytes);
    await this.#objects.put(ref.object, bytes);
    return ref;
  }

  /** Makes it the newest generation and drops all but one of the earlier ones. Rejects with a SupersededError if it is not allowed to. */
  async finish(baseline: Baseline): Promise<void> {
    const index = await this.write('index', encodeIndex(baseline));
    checkObject(index, await this.#objects.get(index.object));
    failpoint('baseline-before-swap');
    await this.#commit(baseline, index);
  }
}

/** Whether a baseline is ahead of or equal to another, in every stream and in every epoch (BS2). */
function isNewer(baseline: Baseline, than: Baseline): boolean {
  if (!covers(baseline, than)) return false;
  const epochs = new Map(baseline.epochs);
  return than.epochs.every(([partition, epoch]) => (epochs.get(partition) ?? 0) >= epoch);
}

/** Reads the usable baselines, newest first. Reports damage of the others through `note`. */
export async function baselineSources(
  broker: NatsBroker,
  note: (message: string, detail: Record<string, unknown>) => void,
): Promise<BaselineSource[]> {
  const store = await BaselineStore.find(broker);
  const sources: BaselineSource[] = [];
  for (const { baseline, damage } of (await store?.generations()) ?? []) {
    if (baseline === undefined) note('a baseline is not used', { why: damage });
    else sources.push({ baseline, part: (number) => present(store).part(baseline, number) });
  }
  return sources;
}
