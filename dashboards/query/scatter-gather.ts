/**
 * Gathering puts one question to every partition, wherever it is served. Own partitions answer directly, and each other node is asked
 * once for all of its partitions. Partitions that remain are then asked one by one.
 *
 * Invariants:
 *  GA1 An answer covers one partition and comes from a node that served it at that time. Nothing is counted twice, even if a partition
 *      moves.
 *  GA2 A partition is left out if no node serves it or its owner does not answer in time, and the caller sees which.
 *  GA3 If the answers of a node's partitions are too large together, each is asked for by itself. If a single one is too large, gathering
 *      rejects with that refusal.
 */
import type { PeerAnswer, PeerRequest } from '../../actors/ports/peer-operations.ts';
import type { Peers } from '../../actors/ports/ports.ts';
import { Refusal } from '../../actors/ports/refusal.ts';
import type { Clock } from '../../streams/clock.ts';
import { fitted, Misfit } from '../../streams/messages.ts';
import {
  type Answered,
  GATHER_OPERATIONS,
  type GatherHandlers,
  type Gathering,
  type GatherOperation,
} from './gather-operations.ts';

/** Partitions asked in parallel, each by itself, when their owner is not known or gave no answer for them. */
const ASKED_AT_ONCE = 8;

export interface GatherDeps {
  readonly partitions: number;
  readonly clock: Clock;
  readonly peers: Peers;
  /** True if this node serves the partition now. */
  readonly serves: (partition: number) => boolean;
  /** Answers for a partition that is served here. */
  readonly handlers: GatherHandlers;
  /** Owners by partition, as far as they are known. */
  readonly owners: () => ReadonlyMap<number, { readonly writer: string }>;
  /** Reports a malformed answer of another node. */
  readonly misfit: (error: Misfit) => void;
}

/** The question of one gathering, and its answers so far. */
interface Asking<O extends GatherOperation> {
  readonly operation: O;
  readonly bodyOf: (partitions: readonly number[]) => Gathering<O>;
  readonly withinMs: number;
  readonly found: Map<number, Answered<O>>;
  tooLarge: Refusal | undefined;
}

export class Gather {
  readonly #deps: GatherDeps;

  constructor(deps: GatherDeps) {
    this.#deps = deps;
  }

  /** Values by partition. @param bodyOf body of the question for the partitions that a node is asked for */
  async ask<O extends GatherOperation>(
    operation: O,
    bodyOf: (partitions: readonly number[]) => Gathering<O>,
    withinMs: number,
  ): Promise<Map<number, Answered<O>>> {
    const found = new Map<number, Answered<O>>();
    const asking: Asking<O> = { operation, bodyOf, withinMs, found, tooLarge: undefined };
    const { owners, partitions, serves } = this.#deps;
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
    const others = [...away.values()].map(async (numbers) => {
      // A late node is not asked again per partition, because it may be stalled and its time is over.
      if (await this.#askNode(numbers, asking)) unknown.push(...numbers.filter((partition) => !found.has(partition)));
    });
    for (const partition of own) {
      if (!serves(partition)) continue;
      this.#askHere(partition, asking);
      if (own.length > 1) await turn(this.#deps.clock);
    }
    await Promise.all(others);
    const rest = unknown.values();
    const until = this.#deps.clock.monoMs() + withinMs;
    await Promise.all(
      Array.from({ length: ASKED_AT_ONCE }, async () => {
        for (const partition of rest) {
          if (this.#deps.clock.monoMs() > until) return;
          await this.#askNode([partition], asking);
        }
      }),
    );
    if (asking.tooLarge !== undefined) throw asking.tooLarge;
    return found;
  }

  /** Answers another node for those of the partitions that are served here (GA1). */
  async serve({ operation, body, partitions }: PeerRequest<'gather'>): Promise<PeerAnswer<'gather'>> {
    if (!Object.hasOwn(GATHER_OPERATIONS, operation))
      throw new Misfit(`nothing is gathered under the name ${operation}`);
    const known = operation as GatherOperation;
    const handler = this.#deps.handlers[known] as (partition: number, body: unknown) => unknown;
    const asked = fitted(GATHER_OPERATIONS[known].body, body);
    const values: [number, unknown][] = [];
    for (const partition of new Set(partitions)) {
      if (!this.#deps.serves(partition)) continue;
      const value = handler(partition, asked);
      if (value !== undefined) values.push([partition, value]);
      if (partitions.length > 1) await turn(this.#deps.clock);
    }
    return { values };
  }

  #askHere<O extends GatherOperation>(partition: number, { operation, bodyOf, found }: Asking<O>): void {
    const value = this.#deps.handlers[operation](partition, bodyOf([partition]));
    if (value !== undefined) found.set(partition, value);
  }

  /** False if no answer came in time (GA2). */
  async #askNode<O extends GatherOperation>(partitions: readonly number[], asking: Asking<O>): Promise<boolean> {
    const { operation, bodyOf, withinMs, found } = asking;
    const [first] = partitions;
    if (first === undefined) return true;
    // The partition has moved to this node.
    if (partitions.length === 1 && this.#deps.serves(first)) {
      this.#askHere(first, asking);
      return true;
    }
    const request = { operation, body: bodyOf(partitions), partitions };
    const answer = await this.#inTime(this.#deps.peers.ask(first, 'gather', request), withinMs);
    if (answer === 'late') return false;
    if (answer instanceof Refusal) {
      if (answer.kind === 'too-large' && partitions.length === 1) asking.tooLarge = answer;
      return true;
    }
    for (const [partition, value] of answer.values) {
      if (!partitions.includes(partition)) continue;
      try {
        found.set(partition, fitted(GATHER_OPERATIONS[operation].answer, value) as Answered<O>);
      } catch (error) {
        this.#deps.misfit(error as Misfit);
      }
    }
    return true;
  }

  /** The answer, `late`, or the Refusal of the peer that was asked (GA3). */
  #inTime(answer: Promise<PeerAnswer<'gather'>>, withinMs: number): Promise<PeerAnswer<'gather'> | Refusal | 'late'> {
    return new Promise((resolve, reject) => {
      const cancel = this.#deps.clock.after(withinMs, () => resolve('late'));
      answer.then(
        (value) => {
          cancel();
          resolve(value);
        },
        (error: unknown) => {
          cancel();
          if (error instanceof Refusal) resolve(error);
          else reject(error as Error);
        },
      );
    });
  }
}

/** Yields the event loop, because a scan of a partition takes milliseconds. */
function turn(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.turn(resolve));
}
