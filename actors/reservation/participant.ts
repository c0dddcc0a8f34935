/**
 * Grants: what this node decides for reservations in the partitions that it owns. Whether these are all of a reservation's lines is the
 * business of its home, see reservations.ts.
 *
 * Invariants:
 *  GR1 What is granted is held in memory (pending) from the decision to its outcome, and answered only when it is stored.
 *  GR2 A decision names its partitions with their epochs, and is folded into each when it is stored, in the journal's order.
 *  GR3 An attempt at a reservation across owners is named by its expiry: it undoes only what is still its own, and is granted nothing
 *     behind a later one.
 *  GR4 A grant has a bound in bytes and in lines, and is refused before anything is held. Whatever is decided of it later has no more lines,
 *     and a home entry no more shortages than a request has lines, so these are bounded too.
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
  /** P: partitions in all. */
  readonly count: number;
  readonly clock: Clock;
  readonly log: DecisionLog;
  /** Something threw while it was folded into a partition's book, which may hold half of it now. */
  readonly inDoubt: (partition: number, what: string, error: unknown) => void;
}

export type Step = 'confirmed' | 'released' | 'expired';

/** Lines of a reservation that one owner is asked for. */
export interface GrantRequest {
  readonly request: ReservationRequest;
  readonly content: Hash64;
  readonly coordinator: number;
  /** Every partition that the whole reservation may stand in. */
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

  /** Decides all of a reservation's lines, with its home entry, in one decision. */
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
   * Decides some lines of a reservation across owners. A live grant of the same content stands: a retry completes what a crash left. It
   * stands as the later attempt's, so that the earlier one, if it still runs somewhere, cannot undo it (GR3).
   */
  async grantSome(ask: GrantRequest): Promise<ReservationPart[]> {
    const { id } = ask.request;
    const here = [...new Set(ask.lines.map((line) => partitionOf(line.sku, this.#deps.count)))];
    // An attempt may come late, when what a later one was granted has ended already: it must not hold it again.
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
    // They keep the place of the request's line, with room for its splits.
    const placed = lines.map((line, i) => ({ ...line, index: at(sourced, i).line.index * 1000 + i }));
    await this.#hold(sourced, this.#granted(ask, ask.participants, participantsOf(lines), placed, shortages));
    return this.parts(id, here);
  }

  /** Releases what one attempt was granted, unless a later attempt has taken it over (GR3). */
  async undo(id: string, expiresAtMs: number, numbers: readonly number[]): Promise<void> {
    const mine = numbers.filter((number) => {
      const part = this.livePart(id, [number]);
      // mutant: attempt-undoes-later
      return part !== undefined && part.expiresAtMs === expiresAtMs && part.confirmedAtMs === 0;
    });
    if (mine.length > 0) await this.#store(this.#stepped(id, 'released', mine));
  }

  /** The home entry of a reservation whose lines are granted by decisions of their own. */
  async remember(ask: GrantRequest, participants: readonly number[], shortages: readonly Shortage[]): Promise<void> {
    await this.#store(this.#granted(ask, participants, [ask.coordinator], [], shortages));
  }

  /** Confirms or releases the parts that stand in these partitions, all owned here. `also`: partitions that remember the step. */
  async step(id: string, step: Step, numbers: readonly number[], also: readonly number[]): Promise<ReservationPart[]> {
    const parts = this.parts(id, numbers);
    // mutant: ended-hold-confirmed
    const refusal = step === 'confirmed' ? confirmRefusal(parts, this.#deps.clock.nowMs()) : undefined;
    if (refusal !== undefined) throw cannotConfirm(id, refusal);
    if (needsStep(parts, step)) await this.#store(this.#stepped(id, step, [...new Set([...numbers, ...also])]));
    return this.parts(id, numbers);
  }

  /** The home of an id remembers a step that was taken elsewhere. */
  async rememberStep(id: string, step: Step, coordinator: number): Promise<void> {
    await this.#store(this.#stepped(id, step, [coordinator]));
  }

  /** Ends a hold whose time is over; false if it is none any more. */
  async expire(partition: Partition, part: ReservationPart): Promise<boolean> {
    if (this.#deps.partitions.get(partition.number) !== partition || partition.book.parts.get(part.id) !== part)
      return false;
    // mutant: confirmed-is-due
    if (part.confirmedAtMs > 0 || !needsStep([part], 'expired')) return false;
    // It was granted anew, with a later end, while this waited.
    if (part.expiresAtMs > this.#deps.clock.nowMs()) return false;
    const atMs = this.#deps.clock.nowMs();
    // mutant: expiry-not-journaled
    await this.#store({ kind: 'expired', id: part.id, atMs, parts: [[partition.number, partition.book.epoch]] });
    return true;
  }

  /** A grant of the id that has not ended, in these partitions. */
  livePart(id: string, numbers: readonly number[]): ReservationPart | undefined {
    for (const number of numbers) {
      const part = this.owns(number) ? this.partition(number).book.parts.get(id) : undefined;
      if (part?.granted === true && !hasEnded(part)) return part;
    }
    return undefined;
  }

  /** The reservation's parts in these partitions; refuses if there are none. */
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

  /** The same lines, granted anew for a later attempt. */
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
    // GR4.
    if (bytes.length > LIMITS.decisionBytes || decision.lines.length > LIMITS.linesPerDecision)
      return Promise.reject(tooLarge(decision.lines.length, bytes.length));
    // GR1.
    for (const { key, qty } of sourced) key.pending += qty;
    const settle = () => {
      for (const { key, qty } of sourced) key.pending -= qty;
    };
    return this.#store(decision, settle, bytes);
  }

  /** Appends, folds when stored, and only then resolves. `settle` runs when the outcome is known. */
  #store(decision: Granted | Stepped, settle: () => void = () => undefined, bytes?: Uint8Array): Promise<void> {
    const { log, partitions, inDoubt } = this.#deps;
    // Handing back says that nothing is left to fence: once a partition leaves, nothing more is appended for it.
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
              // GR2.
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

/** What this very attempt was granted has ended: it was undone. */
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

/** The change number of a decision in a book: the next one, once for all of its lines there. */
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
