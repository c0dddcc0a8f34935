/**
 * Decides on reservations for the partitions that this node owns: grants, later steps and expiries. A participant does not know whether
 * its lines are all lines of the reservation. Only the coordinator does (coordinator.ts).
 *
 * Invariants:
 *  GR1 Granted units are held in memory (pending) from the decision to its outcome. The grant is answered only after it is stored.
 *  GR2 A decision names its partitions with their epochs. It is folded into each of them when it is stored, in the journal's order.
 *  GR3 An attempt at a reservation across owners is identified by its expiry. It undoes only what is still its own, and it is granted
 *     nothing after a later attempt.
 *  GR4 A grant is bounded in bytes and in lines, and a larger one is refused before anything is held. Later decisions on it have no more
 *     lines, and a coordinator entry has no more shortages than the request has lines, so these are bounded too.
 */

import { LIMITS } from '../../config/limits.ts';
import { at } from '../../streams/assert.ts';
import type { Clock } from '../../streams/clock.ts';
import type { ReservationRequest } from '../../streams/contract/stock.ts';
import type { Hash64 } from '../../streams/hash.ts';
import type { PartitionEpoch } from '../../streams/journal/decision.ts';
import { encodeDecision } from '../../streams/journal/record.ts';
import type { Granted, GrantedLine, Shortage, Stepped } from '../../streams/journal/stock-decisions.ts';
import { partitionOf } from '../../streams/subjects.ts';
import { foldDecision } from '../partition/fold.ts';
import type { Partition } from '../partition/partition.ts';
import type { Partitions } from '../partition/partition-set.ts';
import type { DecisionLog } from '../ports/ports.ts';
import { Refusal, UNDECIDED, undecided } from '../ports/refusal.ts';
import type { StockBook } from '../stock/book.ts';
import { confirmRefusal, needsStep } from '../stock/decide.ts';
import { hasEnded } from '../stock/reservation.ts';
import { type SourcedLine, sourceLines, type WantedLine } from '../stock/sourcing.ts';
import type { ReservationPart } from '../stock/state.ts';

export interface ParticipantDeps {
  readonly partitions: Partitions;
  /** Total number of partitions (P). */
  readonly count: number;
  readonly clock: Clock;
  readonly log: DecisionLog;
  /** Called when folding a decision threw. The partition's book may hold half of it. */
  readonly inDoubt: (partition: number, what: string, error: unknown) => void;
}

export type Step = 'confirmed' | 'released' | 'expired';

/** Asks one owner to grant lines of a reservation. */
export interface GrantRequest {
  readonly request: ReservationRequest;
  readonly content: Hash64;
  readonly coordinator: number;
  /** All partitions that may hold lines of the whole reservation. */
  readonly participants: readonly number[];
  readonly lines: readonly WantedLine[];
  readonly expiresAtMs: number;
}

export class Participant {
  readonly #deps: ParticipantDeps;

  constructor(deps: ParticipantDeps) {
    this.#deps = deps;
  }

  owns(number: number): boolean {
    return this.#deps.partitions.has(number);
  }

  partition(number: number): Partition {
    const partition = this.#deps.partitions.get(number);
    if (partition?.serving !== true) throw undecided(UNDECIDED.moving, `partition ${number}`);
    return partition;
  }

  /** Grants all lines of a reservation, together with its coordinator entry, in one decision. */
  async grantWhole(ask: GrantRequest): Promise<ReservationPart[]> {
    const { sourced, shortages, lines } = this.#sourceLines(ask);
    const participants = participantsOf(lines);
    const numbered = lines.map((line, index) => ({ ...line, index }));
    await this.#hold(
      sourced,
      this.#granted(ask, participants, [...new Set([...participants, ask.coordinator])], numbered, shortages),
    );
    return this.parts(ask.request.id, participants);
  }

  /**
   * Grants some lines of a reservation across owners. A live grant with the same content is kept, so a retry completes what a crash left.
   * The later attempt takes the grant over, so an earlier attempt that is still running cannot undo it (GR3).
   */
  async grantSome(ask: GrantRequest): Promise<ReservationPart[]> {
    const { id } = ask.request;
    const here = [...new Set(ask.lines.map((line) => partitionOf(line.sku, this.#deps.count)))];
    // An attempt may arrive after the grant of a later attempt has already ended. It must not hold the units again.
    // mutant: late-attempt-granted
    if (this.#partsOf(id, here).some((part) => part.expiresAtMs > ask.expiresAtMs || isOver(part, ask)))
      throw undecided(UNDECIDED.attempt, id);
    const live = this.livePart(id, here);
    if (live !== undefined) {
      if (live.content.hi !== ask.content.hi || live.content.lo !== ask.content.lo) throw conflict(id);
      if (ask.expiresAtMs > live.expiresAtMs) await this.#adopt(ask, here);
      return this.parts(id, here);
    }
    const { sourced, shortages, lines } = this.#sourceLines(ask);
    // The index follows the order of the request's lines and leaves room for splits.
    const placed = lines.map((line, i) => ({ ...line, index: at(sourced, i).line.index * 1000 + i }));
    await this.#hold(sourced, this.#granted(ask, ask.participants, participantsOf(lines), placed, shortages));
    return this.parts(id, here);
  }

  /** Releases the grants of one attempt, unless a later attempt has taken them over (GR3). */
  async undo(id: string, expiresAtMs: number, numbers: readonly number[]): Promise<void> {
    const mine = numbers.filter((number) => {
      const part = this.livePart(id, [number]);
      // mutant: attempt-undoes-later
      return part !== undefined && part.expiresAtMs === expiresAtMs && part.confirmedAtMs === 0;
    });
    if (mine.length > 0) await this.#store(this.#stepped(id, 'released', mine));
  }

  /** Stores the coordinator entry of a reservation whose lines were granted in separate decisions. */
  async remember(ask: GrantRequest, participants: readonly number[], shortages: readonly Shortage[]): Promise<void> {
    await this.#store(this.#granted(ask, participants, [ask.coordinator], [], shortages));
  }

  /**
   * Confirms, releases or expires the parts in these partitions, which are all owned here.
   * @param also further partitions that remember the step, such as the coordinator
   */
  async step(id: string, step: Step, numbers: readonly number[], also: readonly number[]): Promise<ReservationPart[]> {
    const parts = this.parts(id, numbers);
    // mutant: ended-hold-confirmed
    const refusal = step === 'confirmed' ? confirmRefusal(parts, this.#deps.clock.nowMs()) : undefined;
    if (refusal !== undefined) throw cannotConfirm(id, refusal);
    if (needsStep(parts, step)) await this.#store(this.#stepped(id, step, [...new Set([...numbers, ...also])]));
    return this.parts(id, numbers);
  }

  /** Records in the coordinator entry a step that other partitions have taken. */
  async rememberStep(id: string, step: Step, coordinator: number): Promise<void> {
    await this.#store(this.#stepped(id, step, [coordinator]));
  }

  /** Ends a hold that has expired. Returns false if it is no longer a hold that is due. */
  async expire(partition: Partition, part: ReservationPart): Promise<boolean> {
    if (this.#deps.partitions.get(partition.number) !== partition || partition.book.parts.get(part.id) !== part)
      return false;
    // mutant: confirmed-is-due
    if (part.confirmedAtMs > 0 || !needsStep([part], 'expired')) return false;
    // A later attempt extended the hold while this expiry waited for its turn.
    if (part.expiresAtMs > this.#deps.clock.nowMs()) return false;
    const atMs = this.#deps.clock.nowMs();
    // mutant: expiry-not-journaled
    await this.#store({ kind: 'expired', id: part.id, atMs, parts: [[partition.number, partition.book.epoch]] });
    return true;
  }

  /** Finds a grant of the id in these partitions that has not ended. */
  livePart(id: string, numbers: readonly number[]): ReservationPart | undefined {
    for (const number of numbers) {
      const part = this.owns(number) ? this.partition(number).book.parts.get(id) : undefined;
      if (part?.granted === true && !hasEnded(part)) return part;
    }
    return undefined;
  }

  /** Returns the reservation's parts in these partitions. Throws not-found if there are none. */
  parts(id: string, numbers: readonly number[]): ReservationPart[] {
    const parts = this.#partsOf(id, numbers);
    if (parts.length === 0) throw unknown(id);
    return parts;
  }

  #partsOf(id: string, numbers: readonly number[]): ReservationPart[] {
    const parts: ReservationPart[] = [];
    for (const number of numbers) {
      const part = this.partition(number).book.parts.get(id);
      if (part?.granted === true) parts.push(part);
    }
    return parts;
  }

  #sourceLines({ request, lines }: GrantRequest): {
    sourced: readonly SourcedLine[];
    shortages: readonly Shortage[];
    lines: Omit<GrantedLine, 'index'>[];
  } {
    const bookOf = (sku: string) => this.partition(partitionOf(sku, this.#deps.count)).book;
    const { sourced, shortages } = sourceLines(lines, (sku) => bookOf(sku).skus.get(sku), request.partial);
    if (sourced.length === 0 || (shortages.length > 0 && !request.partial)) throw notEnough(shortages);
    const seqs = new Map<number, number>();
    const granted = sourced.map(({ line: { sku }, key, qty }) => {
      const book = bookOf(sku);
      return { sku, location: key.location, qty, partition: book.partition, seq: nextSeq(seqs, book) };
    });
    return { sourced, shortages, lines: granted };
  }

  #granted(
    ask: GrantRequest,
    participants: readonly number[],
    involved: readonly number[],
    lines: readonly GrantedLine[],
    shortages: readonly Shortage[],
  ): Granted {
    const { content, coordinator, expiresAtMs } = ask;
    const { id, channel, purpose } = ask.request;
    const atMs = this.#deps.clock.nowMs();
    const parts = this.#epochs(involved);
    return {
      kind: 'granted',
      id,
      content,
      channel,
      purpose,
      atMs,
      expiresAtMs,
      coordinator,
      participants,
      parts,
      lines,
      shortages,
    };
  }

  /** Grants the same lines again for a later attempt. */
  async #adopt(ask: GrantRequest, numbers: readonly number[]): Promise<void> {
    const parts = this.parts(ask.request.id, numbers).filter((part) => !hasEnded(part));
    const seqs = new Map<number, number>();
    const lines = parts.flatMap((part) =>
      part.lines.map(({ index, key, qty }) => {
        const partition = partitionOf(key.sku.name, this.#deps.count);
        const seq = nextSeq(seqs, this.partition(partition).book);
        return { index, sku: key.sku.name, location: key.location, qty, partition, seq };
      }),
    );
    const shortages = parts.flatMap((part) => part.shortages);
    await this.#store(this.#granted(ask, ask.participants, participantsOf(lines), lines, shortages));
  }

  #stepped(id: string, kind: Step, numbers: readonly number[]): Stepped {
    return { kind, id, atMs: this.#deps.clock.nowMs(), parts: this.#epochs(numbers) };
  }

  #epochs(numbers: readonly number[]): PartitionEpoch[] {
    return numbers.map((number) => [number, this.partition(number).book.epoch]);
  }

  #hold(sourced: readonly SourcedLine[], decision: Granted): Promise<void> {
    const bytes = encodeDecision(decision);
    // A grant that is too large is refused before anything is held (GR4).
    if (bytes.length > LIMITS.decisionBytes || decision.lines.length > LIMITS.linesPerDecision)
      return Promise.reject(tooLarge(decision.lines.length, bytes.length));
    // The units are pending until the outcome is known (GR1).
    for (const { key, qty } of sourced) key.pending += qty;
    const settle = () => {
      for (const { key, qty } of sourced) key.pending -= qty;
    };
    return this.#store(decision, settle, bytes);
  }

  /**
   * Appends the decision, folds it when it is stored, and only then resolves.
   * @param settle called when the outcome is known
   */
  #store(decision: Granted | Stepped, settle: () => void = () => undefined, bytes?: Uint8Array): Promise<void> {
    const { log, partitions, inDoubt } = this.#deps;
    // A drained hand-back declares that nothing is left to fence, so nothing is appended for a partition once it is leaving.
    // mutant: leaving-takes-decisions
    if (decision.parts.some(([number]) => partitions.get(number)?.state !== 'serving')) {
      settle();
      return Promise.reject(undecided(UNDECIDED.moving));
    }
    if (log.inFlight >= LIMITS.decisionsWaiting) {
      settle();
      return Promise.reject(undecided(UNDECIDED.waiting));
    }
    // mutant: answer-before-append
    return new Promise((resolve, reject) => {
      log.append(
        decision,
        () => {
          settle();
          for (const [number] of decision.parts) {
            const partition = partitions.get(number);
            if (partition === undefined) continue;
            try {
              // Stored decisions are folded in the journal's order (GR2).
              foldDecision(partition, decision);
            } catch (error) {
              inDoubt(number, `decision on ${decision.id}`, error);
            }
          }
          resolve();
        },
        (why, kind) => {
          settle();
          reject(kind === undefined ? undecided(UNDECIDED.dropped, why) : new Refusal(kind, why));
        },
        bytes,
      );
    });
  }
}

/** Whether the grant of this attempt itself has ended, because the attempt was undone. */
function isOver(part: ReservationPart, { expiresAtMs }: GrantRequest): boolean {
  return hasEnded(part) && part.expiresAtMs === expiresAtMs;
}

function tooLarge(lines: number, bytes: number): Refusal {
  const message = `the reservation would take ${lines} lines at their locations and ${bytes} bytes in the journal, but may take ${LIMITS.linesPerDecision} and ${LIMITS.decisionBytes}: ask for fewer lines, or name fewer locations`;
  return new Refusal('too-large', message, { errors: [{ field: 'lines', message }] });
}

export function conflict(id: string): Refusal {
  return new Refusal('id-conflict', `reservation ${id} was asked for before with other content; use another id`);
}

export function unknown(id: string): Refusal {
  return new Refusal('not-found', `nothing is known of reservation ${id}`);
}

export function cannotConfirm(id: string, status: 'released' | 'expired'): Refusal {
  return new Refusal(`already-${status}`, `reservation ${id} is ${status} and cannot be confirmed`);
}

export function notEnough(shortages: readonly Shortage[]): Refusal {
  const skus = [...new Set(shortages.map((each) => each.sku))].join(', ');
  return new Refusal('insufficient-stock', `not enough of ${skus}; nothing is held`, { shortages });
}

/** Returns the change number of a decision in a book. All lines of the decision in that book share it. */
function nextSeq(seqs: Map<number, number>, book: StockBook): number {
  let seq = seqs.get(book.partition);
  if (seq === undefined) {
    book.seq += 1;
    seq = book.seq;
    seqs.set(book.partition, seq);
  }
  return seq;
}

function participantsOf(lines: readonly { readonly partition: number }[]): number[] {
  return [...new Set(lines.map((line) => line.partition))];
}
