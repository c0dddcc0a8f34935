/**
 * Coordinates reservations. The partition of a reservation's id is its coordinator: it remembers the reservation and answers for all lines.
 *
 * Lines may belong to partitions of several nodes. There is no prepare phase across owners. Each owner grants a hold that expires, and the
 * coordinator entry makes the holds one reservation. So a crashed attempt needs no clean-up: a retry completes it, or its holds expire.
 *
 * Invariants:
 *  CO1 Steps of one reservation run one after the other. Each step sees the outcome of the previous one.
 *  CO2 Lines of partitions owned here are granted in one decision, all or none.
 *  CO3 Across owners, each owner grants its own lines, with the same expiry. If one refuses, the others are released, unless the request
 *     accepts a partial grant. A crash in between leaves holds, which a retry with the same id completes or which expire. The caller never
 *     sees a part as the whole, because the coordinator entry is written last.
 *  CO4 The process may have been suspended while work waited for its turn, so every attempt is made under a lease that is checked after the
 *     wait. Owners order attempts by their expiry. So an attempt by a deposed coordinator is older than its successor's, and takes nothing
 *     over.
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
import { KeyedQueue } from './keyed-queue.ts';
import {
  cannotConfirm,
  conflict,
  type GrantRequest,
  notEnough,
  Participant,
  type ParticipantDeps,
  type Step,
  unknown,
} from './participant.ts';

export interface CoordinatorDeps extends ParticipantDeps {
  readonly peers: Peers;
  /** Called when a hold has expired. */
  readonly expired: () => void;
  readonly lease: Lease;
}
interface Placed {
  /** False if the id was already granted. */
  readonly fresh: boolean;
  readonly reservation: ReservationAnswer;
}

export class Coordinator {
  readonly #deps: CoordinatorDeps;
  readonly #participant: Participant;
  readonly #queue = new KeyedQueue();

  constructor(deps: CoordinatorDeps) {
    this.#deps = deps;
    this.#participant = new Participant(deps);
  }

  place(request: ReservationRequest): Promise<Placed> {
    // Steps of one reservation take turns (CO1).
    return this.#queue.take(request.id, () => this.#place(request));
  }

  step(id: string, step: Step): Promise<ReservationAnswer> {
    return this.#queue.take(id, async () => {
      // The lease may have ended while this step waited for its turn (CO4).
      this.#mustBeLeased();
      const { participants, shortages } = this.#found(id);
      if (!participants.every((number) => this.#participant.owns(number)))
        return this.#stepAcross(id, step, participants, shortages);
      const parts = await this.#participant.step(id, step, participants, [this.#coordinatorOf(id)]);
      return answerOf(id, parts.map(partAnswer), shortages);
    });
  }

  async get(id: string): Promise<ReservationAnswer> {
    const { participants, shortages } = this.#found(id);
    return answerOf(id, await this.#gather(id, participants), shortages);
  }

  /**
   * Ends a hold that has expired.
   * @param failed called if the expiry could not be decided now
   */
  expire(part: ReservationPart, failed: () => void): void {
    const partition = this.#deps.partitions.get(partitionOf(part.lines[0]?.key.sku.name ?? '', this.#deps.count));
    if (partition?.serving !== true) return;
    this.#queue
      .take(part.id, async () => {
        if (await this.#participant.expire(partition, part)) this.#deps.expired();
      })
      .catch(failed);
  }

  /** Serves requests from coordinators to this node as the owner of some of a reservation's lines. */
  readonly handlers: PeerHandlers<'grantPart' | 'stepPart' | 'undoPart' | 'getPart'> = {
    grantPart: async (_, { home, spread, lines, ...rest }) => {
      // A line for any location arrives without the field `locations`.
      const wanted = lines.map((line) => ({ ...line, locations: line.locations }));
      const ask: GrantRequest = { ...rest, coordinator: home, participants: spread, lines: wanted };
      return (await this.#queue.take(ask.request.id, () => this.#participant.grantSome(ask))).map(partAnswer);
    },
    stepPart: async (_, { id, step, spread }) =>
      (await this.#queue.take(id, () => this.#participant.step(id, step, spread, []))).map(partAnswer),
    undoPart: async (_, { id, expiresAtMs, spread }) => {
      await this.#queue.take(id, () => this.#participant.undo(id, expiresAtMs, spread));
      return [];
    },
    getPart: async (_, { id, spread }) => this.#participant.parts(id, spread).map(partAnswer),
  };

  async #place(request: ReservationRequest): Promise<Placed> {
    const { id } = request;
    const content = contentOf(request);
    const expiresAtMs = this.#deps.clock.nowMs() + request.ttlSeconds * 1000;
    this.#mustBeLeased();
    const known = this.#known(id);
    // mutant: id-granted-again
    if (known !== undefined) {
      // mutant: conflicting-request-granted
      if (known.content.hi !== content.hi || known.content.lo !== content.lo) throw conflict(id);
      return { fresh: false, reservation: answerOf(id, await this.#gather(id, known.participants), known.shortages) };
    }
    const lines = request.lines.map(({ sku, qty, locations, split }, index) => ({ index, sku, qty, locations, split }));
    const byPartition = new Map<number, WantedLine[]>();
    for (const line of lines) {
      const number = partitionOf(line.sku, this.#deps.count);
      const others = byPartition.get(number);
      if (others === undefined) byPartition.set(number, [line]);
      else others.push(line);
    }
    const participants = [...byPartition.keys()];
    const ask: GrantRequest = {
      request,
      content,
      coordinator: this.#coordinatorOf(id),
      participants,
      lines,
      expiresAtMs,
    };
    const across =
      !participants.every((number) => this.#participant.owns(number)) ||
      this.#participant.livePart(id, participants) !== undefined;
    if (across) return this.#placeAcross(ask, byPartition);
    // All lines are owned here, so one decision grants them (CO2).
    const parts = await this.#participant.grantWhole(ask);
    return { fresh: true, reservation: answerOf(id, parts.map(partAnswer)) };
  }

  /** Asks each owner for its lines in turn, and writes the coordinator entry last (CO3). */
  async #placeAcross(ask: GrantRequest, byPartition: ReadonlyMap<number, readonly WantedLine[]>): Promise<Placed> {
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
    await this.#participant.remember(ask, holders, shortages);
    return { fresh: true, reservation: answerOf(request.id, granted, shortages) };
  }

  /** Sends each owner its own lines only. If every owner received all lines, the work would grow with the square of their number. */
  async #grantAt(number: number, ask: GrantRequest, lines: readonly WantedLine[]): Promise<PartAnswer[]> {
    const asked = lines.map(({ index }) => at(ask.request.lines, index));
    const own = { ...ask, request: { ...ask.request, lines: asked }, lines };
    if (this.#participant.owns(number)) return (await this.#participant.grantSome(own)).map(partAnswer);
    const { coordinator, participants, ...rest } = own;
    return this.#deps.peers.ask(number, 'grantPart', { ...rest, home: coordinator, spread: participants });
  }

  /** Best effort. Holds that cannot be released now will expire. */
  async #undo({ request: { id }, expiresAtMs }: GrantRequest, holders: readonly number[]): Promise<void> {
    const undone = holders.map((number) =>
      this.#participant.owns(number)
        ? this.#participant.undo(id, expiresAtMs, [number])
        : this.#deps.peers.ask(number, 'undoPart', { id, expiresAtMs, spread: [number] }),
    );
    await Promise.allSettled(undone);
  }

  async #stepAcross(
    id: string,
    step: Step,
    participants: readonly number[],
    shortages: readonly Shortage[],
  ): Promise<ReservationAnswer> {
    const { status } = answerOf(id, await this.#gather(id, participants));
    if (step === 'confirmed' && (status === 'released' || status === 'expired')) throw cannotConfirm(id, status);
    for (const number of participants) {
      try {
        await this.#stepAt(number, id, step);
      } catch (error) {
        // One part expired before it could be confirmed, so the whole reservation has expired. The other parts may not have expired yet
        // by the clocks of their owners, so they are released.
        if (error instanceof Refusal && error.kind === 'already-expired') {
          const end = (each: number) => this.#stepAt(each, id, each === number ? 'expired' : 'released');
          await Promise.allSettled(participants.map(end));
        }
        throw error;
      }
    }
    await this.#participant.rememberStep(id, step, this.#coordinatorOf(id));
    return answerOf(id, await this.#gather(id, participants), shortages);
  }

  async #stepAt(number: number, id: string, step: Step): Promise<void> {
    if (this.#participant.owns(number)) await this.#participant.step(id, step, [number], []);
    else await this.#deps.peers.ask(number, 'stepPart', { id, step, spread: [number] });
  }

  async #gather(id: string, participants: readonly number[]): Promise<PartAnswer[]> {
    const here = participants.filter((number) => this.#participant.owns(number));
    const parts = here.length === 0 ? [] : this.#participant.parts(id, here).map(partAnswer);
    if (here.length === participants.length) return parts;
    const away = participants.filter((number) => !this.#participant.owns(number));
    const asked = away.map((number) => this.#deps.peers.ask(number, 'getPart', { id, spread: [number] }));
    return [...parts, ...(await Promise.all(asked)).flat()];
  }

  #mustBeLeased(): void {
    // mutant: turn-without-lease
    if (!this.#deps.lease.leased) throw undecided(UNDECIDED.lease);
  }

  #coordinatorOf(id: string): number {
    return partitionOf(id, this.#deps.count);
  }

  #known(id: string): { content: Hash64; participants: readonly number[]; shortages: readonly Shortage[] } | undefined {
    const coordinator = this.#coordinatorOf(id);
    const { book } = this.#participant.partition(coordinator);
    const entry = book.coordinatorEntries.get(id);
    if (entry !== undefined) return entry;
    const part = book.parts.get(id);
    return part?.granted === true && isAlone(part.participants, coordinator) ? part : undefined;
  }

  #found(id: string): { participants: readonly number[]; shortages: readonly Shortage[] } {
    const known = this.#known(id);
    if (known === undefined) throw unknown(id);
    return known;
  }
}

/** Hashes everything in a request, with defaults filled in. Two requests with one id are the same only if their hashes are equal. */
function contentOf(request: ReservationRequest): Hash64 {
  const { channel, purpose, ttlSeconds, partial } = request;
  const lines = request.lines.map((line) => [line.sku, line.qty, line.locations ?? null, line.split]);
  return hash64(JSON.stringify([channel, purpose, ttlSeconds, partial, lines]));
}
