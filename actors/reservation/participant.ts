/**
 * Decides on reservations for the partitions that this node owns, and stores decisions. A participant does not know whether its lines are
 * all lines of the reservation, or how the whole stands. Only the home does (coordinator.ts).
 *
 * Invariants:
 *  GR1 Units by which a key grows are held in memory (pending) from the decision to its outcome. The growth is answered only after it is
 *     stored.
 *  GR2 A decision names its partitions with their epochs. It is folded into each of them when it is stored, in the journal's order.
 *  GR3 An attempt is named by epoch and change number of its home. A participant grows for no attempt that it knows to be undone, nor
 *     after a later one.
 *  GR4 A grant is bounded in bytes and in lines, and a larger one is refused before anything is held. Later decisions on it have no more
 *     lines, and a coordinator entry has no more shortages than the request has lines, so these are bounded too.
 */

import { LIMITS } from '../../config/limits.ts';
import { at } from '../../streams/assert.ts';
import type { Clock } from '../../streams/clock.ts';
import type { PartitionEpoch } from '../../streams/journal/decision.ts';
import { encodeDecision } from '../../streams/journal/record.ts';
import type {
  Attempt,
  FactUnits,
  Standing,
  StandingLine,
  StockDecision,
} from '../../streams/journal/stock-decisions.ts';
import { partitionOf } from '../../streams/subjects.ts';
import { foldDecision } from '../partition/fold.ts';
import type { Partition } from '../partition/partition.ts';
import type { Partitions } from '../partition/partition-set.ts';
import type { DecisionLog } from '../ports/ports.ts';
import { Refusal, UNDECIDED, undecided } from '../ports/refusal.ts';
import type { StockBook } from '../stock/book.ts';
import { countPending } from '../stock/dated/phased.ts';
import { compareAttempts, factUnits, hasEnded } from '../stock/reservation.ts';
import { mayGrow } from '../stock/reserve.ts';
import type { RefusedShortage } from '../stock/sourcing.ts';
import type { PendingUnits, ReservationPart } from '../stock/state.ts';
import { growthOf, indexesOf, isSame, type Plan, planLines, type Wish } from './plan.ts';
import { type PartView, viewOf } from './view.ts';

export interface ParticipantDeps {
  readonly partitions: Partitions;
  /** Total number of partitions (P). */
  readonly count: number;
  readonly clock: Clock;
  readonly log: DecisionLog;
  /** Called when folding a decision threw. The partition's book may hold half of it. */
  readonly inDoubt: (partition: number, what: string, error: unknown) => void;
}

/** What a standing says beside its lines and partitions. */
export type Terms = Omit<
  Standing,
  'kind' | 'lines' | 'counted' | 'shortages' | 'parts' | 'participants' | 'following' | 'atMs'
>;

/** A reservation's lines as planned, with the facts that they include. */
export interface Planned {
  readonly lines: readonly StandingLine[];
  readonly counted: readonly FactUnits[];
  readonly shortages: readonly RefusedShortage[];
  /** Whether the reservation has lines there already. */
  readonly had: boolean;
  /** Units by which keys grow. */
  readonly growth: readonly PendingUnits[];
}

/** Asks one owner to grow its part of a reservation. */
export interface GrowRequest {
  readonly terms: Terms;
  readonly wish: Wish;
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

  /** Plans the lines in these partitions, which are all owned here. Throws a refusal if they cannot be had. */
  plan(id: string, numbers: readonly number[], wish: Wish): Planned {
    const parts = this.#liveParts(id, numbers);
    const { pieces, shortages } = this.#lines(parts, wish);
    if (shortages.length > 0 && !wish.partial) throw notEnough(shortages, parts.length > 0);
    const standing = parts.flatMap(({ lines, epoch, seq }) => lines.map((line) => ({ line, epoch, seq })));
    // Lines that stay as they are keep their version.
    const same = isSame(
      standing.map(({ line }) => line),
      pieces,
    );
    const seqs = new Map<number, number>();
    const indexes = indexesOf(pieces);
    const lines = pieces.map(({ name, key, qty, fulfilled, date }, i): StandingLine => {
      const sku = key.sku.name;
      const book = this.#bookOf(sku);
      const { epoch, seq } = same ? at(standing, i) : { epoch: book.epoch, seq: nextSeq(seqs, book) };
      const { partition } = book;
      const { location } = key;
      const line = { index: at(indexes, i), name, sku, location, qty, fulfilled, partition, epoch, seq };
      return date === undefined ? line : { ...line, date };
    });
    return {
      lines,
      shortages,
      counted: parts.flatMap(factUnits),
      had: parts.length > 0,
      growth: growthOf(parts, pieces, wish),
    };
  }

  /** Says what one partition is short of, and does nothing for any attempt. Throws any other refusal. */
  shortages(id: string, number: number, wish: Wish): readonly RefusedShortage[] {
    return this.#lines(this.#liveParts(id, [number]), wish).shortages;
  }

  #lines(parts: readonly ReservationPart[], wish: Wish): Plan {
    return planLines(parts, wish, { bookOf: (sku) => this.#bookOf(sku), now: this.#deps.clock.nowMs() * 1000 });
  }

  #bookOf(sku: string): StockBook {
    return this.partition(partitionOf(sku, this.#deps.count)).book;
  }

  /** Decides on an attempt for one partition. Units by which it grows are claimed from now on, beside those that it had. */
  async grow({ terms, wish }: GrowRequest, number: number): Promise<Planned> {
    const { id, attempt } = terms;
    const { book } = this.partition(number);
    const part = book.parts.get(id);
    // mutant: late-attempt-granted
    if (!mayGrow(part, attempt)) throw undecided(UNDECIDED.attempt, id);
    const planned = this.plan(id, [number], wish);
    // A part that does not grow waits for the outcome as it is.
    if (planned.growth.length === 0) return planned;
    await this.hold(
      this.standing('grown', terms, planned, { participants: [number], parts: [number] }),
      planned.growth,
    );
    return planned;
  }

  /** Drops what a part did for an attempt, and remembers that the attempt is over (GR3). */
  async undo(id: string, attempt: Attempt, number: number): Promise<void> {
    const part = this.partition(number).book.parts.get(id);
    const done = part !== undefined && compareAttempts(part.latest, attempt) >= 0;
    const holds = [part?.granted === true ? part.attempt : undefined, part?.next?.attempt];
    if (done && !holds.some((held) => held !== undefined && compareAttempts(held, attempt) === 0)) return;
    const parts = this.epochs([number]);
    await this.store({ kind: 'undone', id, attempt, atMs: this.#deps.clock.nowMs(), parts });
  }

  /** Makes one partition follow the outcome that the home has stored. */
  async follow(outcome: Standing, number: number): Promise<void> {
    const part = this.partition(number).book.parts.get(outcome.id);
    const followed = part !== undefined && compareAttempts(part.latest, outcome.attempt) >= 0;
    if (followed && part.next === undefined && compareAttempts(part.attempt, outcome.attempt) === 0) return;
    // mutant: late-outcome-followed
    if (followed && compareAttempts(part.latest, outcome.attempt) > 0) return;
    const lines = outcome.lines.filter((line) => line.partition === number);
    if (part === undefined && lines.length === 0) return;
    const skus = new Set(lines.map(({ sku }) => sku));
    const counted = outcome.counted.filter(({ sku }) => skus.has(sku));
    await this.store({ ...outcome, lines, counted, following: [], shortages: [], parts: this.epochs([number]) });
  }

  /** The parts in these partitions, as other nodes see them. */
  views(id: string, numbers: readonly number[]): PartView[] {
    return numbers.flatMap((number) => this.#partsOf(id, [number]).map((part) => viewOf(part, number)));
  }

  /** Ends a part that no home knows, or whose home has ended. Version 0.1 left such parts behind after a crash. */
  async expireAlone(number: number, id: string): Promise<void> {
    const part = this.partition(number).book.parts.get(id);
    if (part?.granted !== true || hasEnded(part) || part.confirmedAtMs > 0) return;
    if (part.expiresAtMs > this.#deps.clock.nowMs()) return;
    await this.store({ kind: 'expired', id, atMs: this.#deps.clock.nowMs(), parts: this.epochs([number]) });
  }

  standing(
    kind: Standing['kind'],
    terms: Terms,
    { lines, counted, shortages }: Omit<Planned, 'growth' | 'had'>,
    where: { participants: readonly number[]; parts: readonly number[]; following?: readonly number[] },
  ): Standing {
    const { participants, parts, following = [] } = where;
    const atMs = this.#deps.clock.nowMs();
    const about = { participants, following, parts: this.epochs(parts) };
    return { kind, ...terms, atMs, ...about, lines, counted, shortages };
  }

  epochs(numbers: readonly number[]): PartitionEpoch[] {
    return numbers.map((number) => [number, this.partition(number).book.epoch]);
  }

  #liveParts(id: string, numbers: readonly number[]): ReservationPart[] {
    return this.#partsOf(id, numbers).filter((part) => !hasEnded(part));
  }

  #partsOf(id: string, numbers: readonly number[]): ReservationPart[] {
    const parts: ReservationPart[] = [];
    for (const number of numbers) {
      const part = this.partition(number).book.parts.get(id);
      if (part?.granted === true) parts.push(part);
    }
    return parts;
  }

  /** Stores a decision by which keys grow. */
  hold(decision: Standing, growth: readonly PendingUnits[]): Promise<void> {
    const bytes = encodeDecision(decision);
    // A grant that is too large is refused before anything is held (GR4).
    if (bytes.length > LIMITS.decisionBytes || decision.lines.length > LIMITS.linesPerDecision)
      return Promise.reject(tooLarge(decision.lines.length, bytes.length));
    // The units are pending until the outcome is known (GR1).
    const books = growth.map(({ key }) => this.#bookOf(key.sku.name));
    const count = (sign: 1 | -1) => {
      for (const [i, each] of growth.entries()) countPending(at(books, i), each, sign);
    };
    count(1);
    const settle = () => count(-1);
    return this.store(decision, settle, bytes);
  }

  /**
   * Appends the decision, folds it when it is stored, and only then resolves.
   * @param settle called when the outcome is known
   */
  store(decision: StockDecision, settle: () => void = () => undefined, bytes?: Uint8Array): Promise<void> {
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
          let doubtful: unknown;
          for (const [number] of decision.parts) {
            const partition = partitions.get(number);
            if (partition === undefined) continue;
            try {
              // Stored decisions are folded in the journal's order (GR2).
              foldDecision(partition, decision);
            } catch (error) {
              doubtful = error;
              inDoubt(number, `decision on ${decision.id}`, error);
            }
          }
          // It is durable, but the book that would answer may hold half of it.
          if (doubtful === undefined) resolve();
          else reject(undecided(UNDECIDED.moving, doubtful));
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

function tooLarge(lines: number, bytes: number): Refusal {
  const message = `the reservation would take ${lines} lines at their locations and ${bytes} bytes in the journal, but may take ${LIMITS.linesPerDecision} and ${LIMITS.decisionBytes}: ask for fewer lines, or name fewer locations`;
  return new Refusal('too-large', message, { errors: [{ field: 'lines', message }] });
}

/** @param known whether the reservation has lines already */
export function notEnough(shortages: readonly RefusedShortage[], known = false): Refusal {
  const skus = [...new Set(shortages.map((each) => each.sku))].join(', ');
  const message = `not enough of ${skus}; nothing ${known ? 'has changed' : 'is held'}`;
  return new Refusal('insufficient-stock', message, { shortages });
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
