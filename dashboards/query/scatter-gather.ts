/**
 * Gathering: one question to every partition, wherever it is. Own partitions answer at once; each other node is asked once for all of
 * its partitions.
 *
 * Invariants:
 *  GA1 An answer is of one partition, by a node that served it then: nothing is counted twice, whatever moves meanwhile.
 *  GA2 A partition that nobody serves, or whose owner does not answer in time, is left out, and the caller sees which.
 *  GA3 Where the answers of a node's partitions are too large together, each is asked for by itself; if a single one is, gathering
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

/** Partitions asked one by one at the same time, when it is not known who owns them. */
const ASKED_AT_ONCE = 8;

export interface GatherDeps {
  readonly partitions: number;
  readonly clock: Clock;
  readonly peers: Peers;
  /** Whether this node serves a partition now. */
  readonly serves: (partition: number) => boolean;
  /** Answers for a partition that is served here. */
  readonly handlers: GatherHandlers;
  /** Who owns which, as far as it is known. */
  readonly owners: () => ReadonlyMap<number, { readonly writer: string }>;
  /** An answer of another node was no answer. */
  readonly misfit: (error: Misfit) => void;
}

/** What is asked in one gathering, and what has come of it so far. */
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

  /** Values by partition. @param bodyOf what is asked: the same of all, or by the partitions that a node is asked for */
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
      // One that is late is not asked again for each: it may stand still, and others are waited for by then.
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

  /** What another node asks of partitions that it takes to be ours: those that are (GA1). */
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
    // Moved to this node meanwhile.
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

  /** A Refusal if nobody answers for it, or not this (GA3). */
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

/** Lets others have the event loop: a scan of a partition takes milliseconds. */
function turn(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.turn(resolve));
}
