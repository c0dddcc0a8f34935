/**
 * Reservations at their home: the partition of the id, which remembers it and answers for all of its lines.
 *
 * Invariants:
 *  CO1 Steps of one reservation are taken one after the other; a step sees the outcome of the one before.
 *  CO2 Lines of partitions owned here are one decision: all or none.
 *  CO3 Lines of other owners are granted by each for itself, with the same expiry; if one refuses, the others are released. A crash
 *     between leaves holds that a retry with the same id completes or time releases. The caller never sees a part as the whole: the
 *     home entry is written last.
 *  CO4 Whoever waited for a turn may have slept: an attempt, and its expiry by which owners of parts tell an earlier from a later one, is
 *     made under a lease that is confirmed. So one by a deposed home is older than its successor's, and takes nothing over.
 */

import { at } from '../../streams/assert.ts';
import type { ReservationAnswer, ReservationRequest } from '../../streams/contract/stock.ts';
import { type Hash64, hash64 } from '../../streams/hash.ts';
import type { Shortage } from '../../streams/journal/stock-decisions.ts';
import { partitionOf } from '../../streams/subjects.ts';
import type { PeerHandlers } from '../ports/peer-operations.ts';
import type { Lease, Peers } from '../ports/ports.ts';
import { Refusal, UNDECIDED, undecided } from '../ports/refusal.ts';
import { isAlone } from '../stock/evolve.ts';
import type { WantedLine } from '../stock/sourcing.ts';
import type { ReservationPart } from '../stock/state.ts';
import { answerOf, type PartAnswer, partAnswer } from './answer.ts';
import { Turns } from './keyed-queue.ts';
import {
  type Ask,
  cannotConfirm,
  conflict,
  Grants,
  type GrantsWorld,
  notEnough,
  type Step,
  unknown,
} from './participant.ts';

export interface ReservationWorld extends GrantsWorld {
  readonly peers: Peers;
  /** A hold expired. */
  readonly expired: () => void;
  readonly lease: Lease;
}
interface Placed {
  /** False if the id was granted before. */
  readonly fresh: boolean;
  readonly reservation: ReservationAnswer;
}

export class Reservations {
  readonly #world: ReservationWorld;
  readonly #grants: Grants;
  readonly #turns = new Turns();

  constructor(world: ReservationWorld) {
    this.#world = world;
    this.#grants = new Grants(world);
  }

  place(request: ReservationRequest): Promise<Placed> {
    // CO1.
    return this.#turns.take(request.id, () => this.#place(request));
  }

  step(id: string, step: Step): Promise<ReservationAnswer> {
    return this.#turns.take(id, async () => {
      // CO4.
      this.#mustBeLeased();
      const { spread, shortages } = this.#found(id);
      if (!spread.every((number) => this.#grants.owns(number))) return this.#stepAcross(id, step, spread, shortages);
      const parts = await this.#grants.step(id, step, spread, [this.#homeOf(id)]);
      return answerOf(id, parts.map(partAnswer), shortages);
    });
  }

  async get(id: string): Promise<ReservationAnswer> {
    const { spread, shortages } = this.#found(id);
    return answerOf(id, await this.#gather(id, spread), shortages);
  }

  /** Ends a hold whose time is over. `failed` if that could not be decided now. */
  expire(part: ReservationPart, failed: () => void): void {
    const partition = this.#world.partitions.get(partitionOf(part.lines[0]?.key.sku.name ?? '', this.#world.count));
    if (partition?.serving !== true) return;
    this.#turns
      .take(part.id, async () => {
        if (await this.#grants.expire(partition, part)) this.#world.expired();
      })
      .catch(failed);
  }

  /** What the home of an id asks of the owner of some of its lines. */
  readonly handlers: PeerHandlers<'grantPart' | 'stepPart' | 'undoPart' | 'getPart'> = {
    grantPart: async (_, { lines, ...rest }) => {
      // A line of any location has no list at all.
      const ask: Ask = { ...rest, lines: lines.map((line) => ({ ...line, locations: line.locations })) };
      return (await this.#turns.take(ask.request.id, () => this.#grants.grantSome(ask))).map(partAnswer);
    },
    stepPart: async (_, { id, step, spread }) =>
      (await this.#turns.take(id, () => this.#grants.step(id, step, spread, []))).map(partAnswer),
    undoPart: async (_, { id, expiresAtMs, spread }) => {
      await this.#turns.take(id, () => this.#grants.undo(id, expiresAtMs, spread));
      return [];
    },
    getPart: async (_, { id, spread }) => this.#grants.parts(id, spread).map(partAnswer),
  };

  async #place(request: ReservationRequest): Promise<Placed> {
    const { id } = request;
    const content = contentOf(request);
    const expiresAtMs = this.#world.clock.nowMs() + request.ttlSeconds * 1000;
    this.#mustBeLeased();
    const known = this.#known(id);
    // mutant: id-granted-again
    if (known !== undefined) {
      // mutant: conflicting-request-granted
      if (known.content.hi !== content.hi || known.content.lo !== content.lo) throw conflict(id);
      return { fresh: false, reservation: answerOf(id, await this.#gather(id, known.spread), known.shortages) };
    }
    const lines = request.lines.map(({ sku, qty, locations, split }, index) => ({ index, sku, qty, locations, split }));
    const byPartition = new Map<number, WantedLine[]>();
    for (const line of lines) {
      const number = partitionOf(line.sku, this.#world.count);
      const others = byPartition.get(number);
      if (others === undefined) byPartition.set(number, [line]);
      else others.push(line);
    }
    const spread = [...byPartition.keys()];
    const ask: Ask = { request, content, home: this.#homeOf(id), spread, lines, expiresAtMs };
    const across =
      !spread.every((number) => this.#grants.owns(number)) || this.#grants.livePart(id, spread) !== undefined;
    if (across) return this.#placeAcross(ask, byPartition);
    // CO2.
    const parts = await this.#grants.grantWhole(ask);
    return { fresh: true, reservation: answerOf(id, parts.map(partAnswer)) };
  }

  /** CO3. */
  async #placeAcross(ask: Ask, byPartition: ReadonlyMap<number, readonly WantedLine[]>): Promise<Placed> {
    const { request } = ask;
    const granted: PartAnswer[] = [];
    const holders: number[] = [];
    const refused: Shortage[] = [];
    try {
      for (const [number, lines] of byPartition) {
        try {
          granted.push(...(await this.#grantAt(number, ask, lines)));
          holders.push(number);
        } catch (error) {
          if (!(error instanceof Refusal) || error.kind !== 'insufficient-stock') throw error;
          refused.push(...(error.shortages ?? []));
          if (!request.partial) break;
        }
      }
      if (granted.length === 0 || (refused.length > 0 && !request.partial)) throw notEnough(refused);
    } catch (error) {
      await this.#undo(ask, holders);
      throw error;
    }
    const shortages = [...granted.flatMap((part) => part.shortages), ...refused];
    await this.#grants.remember(ask, holders, shortages);
    return { fresh: true, reservation: answerOf(request.id, granted, shortages) };
  }

  /** Each owner is told of its own lines only: all of them to each would be work with the square of their number. */
  async #grantAt(number: number, ask: Ask, lines: readonly WantedLine[]): Promise<PartAnswer[]> {
    const asked = lines.map(({ index }) => at(ask.request.lines, index));
    const own = { ...ask, request: { ...ask.request, lines: asked }, lines };
    if (this.#grants.owns(number)) return (await this.#grants.grantSome(own)).map(partAnswer);
    return this.#world.peers.ask(number, 'grantPart', own);
  }

  /** Best effort: what cannot be released now, time releases. */
  async #undo({ request: { id }, expiresAtMs }: Ask, holders: readonly number[]): Promise<void> {
    const undone = holders.map((number) =>
      this.#grants.owns(number)
        ? this.#grants.undo(id, expiresAtMs, [number])
        : this.#world.peers.ask(number, 'undoPart', { id, expiresAtMs, spread: [number] }),
    );
    await Promise.allSettled(undone);
  }

  async #stepAcross(
    id: string,
    step: Step,
    spread: readonly number[],
    shortages: readonly Shortage[],
  ): Promise<ReservationAnswer> {
    const { status } = answerOf(id, await this.#gather(id, spread));
    if (step === 'confirmed' && (status === 'released' || status === 'expired')) throw cannotConfirm(id, status);
    for (const number of spread) {
      try {
        await this.#stepAt(number, id, step);
      } catch (error) {
        // One part's time was over before it could be confirmed: the reservation has expired as a whole. By the clocks of the others'
        // owners it may not be over yet, so these are released.
        if (error instanceof Refusal && error.kind === 'already-expired') {
          const end = (each: number) => this.#stepAt(each, id, each === number ? 'expired' : 'released');
          await Promise.allSettled(spread.map(end));
        }
        throw error;
      }
    }
    await this.#grants.rememberStep(id, step, this.#homeOf(id));
    return answerOf(id, await this.#gather(id, spread), shortages);
  }

  async #stepAt(number: number, id: string, step: Step): Promise<void> {
    if (this.#grants.owns(number)) await this.#grants.step(id, step, [number], []);
    else await this.#world.peers.ask(number, 'stepPart', { id, step, spread: [number] });
  }

  async #gather(id: string, spread: readonly number[]): Promise<PartAnswer[]> {
    const here = spread.filter((number) => this.#grants.owns(number));
    const parts = here.length === 0 ? [] : this.#grants.parts(id, here).map(partAnswer);
    if (here.length === spread.length) return parts;
    const away = spread.filter((number) => !this.#grants.owns(number));
    const asked = away.map((number) => this.#world.peers.ask(number, 'getPart', { id, spread: [number] }));
    return [...parts, ...(await Promise.all(asked)).flat()];
  }

  #mustBeLeased(): void {
    // mutant: turn-without-lease
    if (!this.#world.lease.leased) throw undecided(UNDECIDED.lease);
  }

  #homeOf(id: string): number {
    return partitionOf(id, this.#world.count);
  }

  #known(id: string): { content: Hash64; spread: readonly number[]; shortages: readonly Shortage[] } | undefined {
    const home = this.#homeOf(id);
    const { book } = this.#grants.partition(home);
    const entry = book.homes.get(id);
    if (entry !== undefined) return entry;
    const part = book.parts.get(id);
    return part?.granted === true && isAlone(part.spread, home) ? part : undefined;
  }

  #found(id: string): { spread: readonly number[]; shortages: readonly Shortage[] } {
    const known = this.#known(id);
    if (known === undefined) throw unknown(id);
    return known;
  }
}

/** What makes a request the same request: everything in it, defaults filled in. */
function contentOf(request: ReservationRequest): Hash64 {
  const { channel, purpose, ttlSeconds, partial } = request;
  const lines = request.lines.map((line) => [line.sku, line.qty, line.locations ?? null, line.split]);
  return hash64(JSON.stringify([channel, purpose, ttlSeconds, partial, lines]));
}
