/**
 * Gathering: one question to every partition, wherever it is. Own partitions answer at once; each other node is asked once for all of
 * its partitions.
 *
 * Invariants:
 *  GA1 An answer is of one partition, by a node that served it then: nothing is counted twice, whatever moves meanwhile.
 *  GA2 A partition that nobody serves, or whose owner does not answer in time, is left out, and the caller sees which.
 */
import type { Peers } from '../../actors/ports.ts';
import type { Clock } from '../../streams/clock.ts';

/** Partitions asked one by one at the same time, when it is not known who owns them. */
const ASKED_AT_ONCE = 8;
export const GATHER_OPERATION = 'gather';

/** Answers of one node for those of its partitions that were asked for. */
export interface Gathered {
  readonly values: readonly (readonly [partition: number, value: unknown])[];
}
export interface GatherRequest {
  readonly operation: string;
  readonly body: unknown;
  readonly partitions: readonly number[];
}

export interface GatherWorld {
  readonly partitions: number;
  readonly clock: Clock;
  readonly peers: Peers;
  /** Whether this node serves a partition now. */
  readonly serves: (partition: number) => boolean;
  /** Answers for a partition that is served here. */
  readonly answer: (partition: number, operation: string, body: unknown) => unknown;
  /** Who owns which, as far as it is known. */
  readonly owners: () => ReadonlyMap<number, { readonly writer: string }>;
}

export class Gather {
  readonly #world: GatherWorld;

  constructor(world: GatherWorld) {
    this.#world = world;
  }

  /** Values by partition. @param bodyOf what is asked: the same of all, or by the partitions that a node is asked for */
  async ask<T>(
    operation: string,
    bodyOf: (partitions: readonly number[]) => unknown,
    withinMs: number,
  ): Promise<Map<number, T>> {
    const found = new Map<number, T>();
    const { owners, partitions, serves } = this.#world;
    const known = owners();
    const away = new Map<string, number[]>();
    const unknown: number[] = [];
    const own: number[] = [];
    for (let partition = 0; partition < partitions; partition++) {
      const writer = known.get(partition)?.writer;
      if (serves(partition)) own.push(partition);
      else if (writer === undefined) unknown.push(partition);
      else away.set(writer, [...(away.get(writer) ?? []), partition]);
    }
    const asking = [...away.values()].map(async (numbers) => {
      // One that is late is not asked again for each: it may stand still, and others are waited for by then.
      if (await this.#askNode(numbers, operation, bodyOf, withinMs, found))
        unknown.push(...numbers.filter((partition) => !found.has(partition)));
    });
    for (const partition of own) {
      if (!serves(partition)) continue;
      found.set(partition, this.#world.answer(partition, operation, bodyOf([partition])) as T);
      if (own.length > 1) await turn(this.#world.clock);
    }
    await Promise.all(asking);
    const rest = unknown.values();
    const until = this.#world.clock.monoMs() + withinMs;
    await Promise.all(
      Array.from({ length: ASKED_AT_ONCE }, async () => {
        for (const partition of rest) {
          if (this.#world.clock.monoMs() > until) return;
          await this.#askNode([partition], operation, bodyOf, withinMs, found);
        }
      }),
    );
    return found;
  }

  /** What another node asks of partitions that it takes to be ours: those that are. */
  async serve({ operation, body, partitions }: GatherRequest): Promise<Gathered> {
    const values: [number, unknown][] = [];
    for (const partition of partitions) {
      if (!this.#world.serves(partition)) continue;
      values.push([partition, this.#world.answer(partition, operation, body)]);
      if (partitions.length > 1) await turn(this.#world.clock);
    }
    return { values };
  }

  /** False if no answer came in time. */
  async #askNode<T>(
    partitions: readonly number[],
    operation: string,
    bodyOf: (partitions: readonly number[]) => unknown,
    withinMs: number,
    found: Map<number, T>,
  ): Promise<boolean> {
    const [first] = partitions;
    if (first === undefined) return true;
    // Moved to this node meanwhile.
    if (partitions.length === 1 && this.#world.serves(first)) {
      found.set(first, this.#world.answer(first, operation, bodyOf(partitions)) as T);
      return true;
    }
    const request: GatherRequest = { operation, body: bodyOf(partitions), partitions };
    const answer = await this.#inTime(this.#world.peers.ask(first, GATHER_OPERATION, request), withinMs);
    if (answer === 'late') return false;
    for (const [partition, value] of answer?.values ?? []) found.set(partition, value as T);
    return true;
  }

  /** Undefined if nobody answers for it. */
  #inTime(answer: Promise<unknown>, withinMs: number): Promise<Gathered | undefined | 'late'> {
    return new Promise((resolve) => {
      const cancel = this.#world.clock.after(withinMs, () => resolve('late'));
      answer.then(
        (value) => {
          cancel();
          resolve(value as Gathered);
        },
        () => {
          cancel();
          resolve(undefined);
        },
      );
    });
  }
}

/** Lets others have the event loop: a scan of a partition takes milliseconds. */
function turn(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.turn(resolve));
}
