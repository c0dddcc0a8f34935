/**
 * Attempts at a reservation across owners: the steps of the protocol that coordinator.ts describes, as the home takes them. It does not
 * decide what a reservation should be.
 *
 * Invariant AT1: an attempt that has begun ends. Either its outcome is stored and every participant follows, or every participant that may
 * have acted for it has dropped it.
 */
import type { Clock } from '../../streams/clock.ts';
import type { ReservationRequest } from '../../streams/contract/stock.ts';
import type { Standing } from '../../streams/journal/stock-decisions.ts';
import { partitionOf } from '../../streams/subjects.ts';
import type { PartitionSet } from '../partition/partition-set.ts';
import type { Peers } from '../ports/ports.ts';
import { Refusal } from '../ports/refusal.ts';
import type { RefusedShortage, WantedLine } from '../stock/sourcing.ts';
import type { CoordinatorEntry } from '../stock/state.ts';
import type { Whole } from './answer.ts';
import { notEnough, type Participant, type Planned, type Terms } from './participant.ts';
import type { Wish } from './plan.ts';
import { Unfinished } from './unfinished.ts';

/** The part of a request that says what is wanted. */
export type Asked = Pick<ReservationRequest, 'lines' | 'partial'>;

export interface AttemptsDeps {
  /** Total number of partitions (P). */
  readonly count: number;
  readonly clock: Clock;
  readonly peers: Peers;
  readonly observed: Pick<PartitionSet, 'observe'>;
}

export class Attempts {
  readonly #deps: AttemptsDeps;
  readonly #participant: Participant;
  readonly #unfinished: Unfinished;

  /** @param finish finishes the last attempt at an id in its turn */
  constructor(deps: AttemptsDeps, participant: Participant, finish: (id: string) => Promise<void>) {
    this.#deps = deps;
    this.#participant = participant;
    this.#unfinished = new Unfinished(deps.clock, deps.observed, async (id) => {
      if (participant.owns(this.homeNumber(id))) await finish(id);
    });
  }

  homeNumber(id: string): number {
    return partitionOf(id, this.#deps.count);
  }

  homeOf(id: string): CoordinatorEntry | undefined {
    return this.#participant.partition(this.homeNumber(id)).book.coordinatorEntries.get(id);
  }

  /** Asks each owner in turn (CO3). */
  async change(
    terms: Terms,
    request: Asked,
    byPartition: ReadonlyMap<number, readonly WantedLine[]>,
    { before, concerned }: { readonly before: readonly number[]; readonly concerned: readonly number[] },
  ): Promise<Omit<Whole, 'moved'>> {
    const { id, attempt } = terms;
    const parts = this.#participant.epochs([terms.home]);
    // mutant: attempt-not-begun
    await this.#participant.store({
      kind: 'begun',
      id,
      attempt,
      atMs: this.#deps.clock.nowMs(),
      participants: concerned,
      parts,
    });
    const wishOf = (number: number) => wishFor(terms, request, byPartition.get(number) ?? []);
    const all: Omit<Planned, 'growth'>[] = [];
    /** Participants that certainly did nothing for the attempt. */
    const idle = new Set(concerned);
    try {
      for (const [asked, number] of concerned.entries()) {
        idle.delete(number);
        const planned = await this.#growAt(number, terms, wishOf(number)).catch(async (error) => {
          if (!(error instanceof Refusal) || error.kind === 'undecided') throw error;
          idle.add(number);
          if (error.shortages === undefined) throw error;
          // The participants that were not asked yet plan only, so that the refusal names the shortages of all lines.
          const rest = concerned.slice(asked + 1).map((other) => this.#shortagesAt(other, id, wishOf(other)));
          throw notEnough([...error.shortages, ...(await Promise.all(rest)).flat()], before.length > 0);
        });
        all.push(planned);
      }
      const shortages = all.flatMap((each) => each.shortages);
      const lines = all.flatMap((each) => each.lines);
      if (lines.length === 0) throw notEnough(shortages, before.length > 0);
      const planned = { lines, shortages, counted: all.flatMap((each) => each.counted) };
      // Participants of a placement have their lines already, unless version 0.1 has left lines of the id there.
      const outcome = this.standing(
        terms,
        planned,
        participantsOf(planned),
        before.length > 0 || all.some(({ had }) => had) ? concerned : [],
      );
      await this.#participant.hold(outcome, []);
      await this.makeFollow(outcome);
      return { ...terms, ...planned };
    } catch (error) {
      await this.settle(id, idle).catch(() => this.#unfinished.add(id));
      throw error;
    }
  }

  /** Sends each owner its own lines only. If every owner received all lines, the work would grow with the square of their number. */
  #growAt(number: number, terms: Terms, wish: Wish): Promise<Omit<Planned, 'growth'>> {
    if (this.#participant.owns(number)) return this.#participant.grow({ terms, wish }, number);
    return this.#deps.peers.ask(number, 'growPart', { terms, wish });
  }

  async #shortagesAt(number: number, id: string, wish: Wish): Promise<readonly RefusedShortage[]> {
    if (this.#participant.owns(number)) return this.#participant.shortages(id, number, wish);
    return (await this.#deps.peers.ask(number, 'planPart', { id, wish })).shortages;
  }

  /** A stored outcome holds even if some participants cannot follow now. */
  async makeFollow({ id, following }: Standing): Promise<void> {
    if (following.length > 0) await this.settle(id).catch(() => this.#unfinished.add(id));
  }

  /** An outcome for the home and those participants that are owned here. The others follow. */
  standing(
    terms: Terms,
    planned: Omit<Planned, 'growth' | 'had'>,
    participants: readonly number[],
    concerned: readonly number[],
  ): Standing {
    const here = concerned.filter((number) => this.#participant.owns(number));
    const following = concerned.filter((number) => !here.includes(number));
    const parts = [...new Set([...here, terms.home])];
    return this.#participant.standing('stands', terms, planned, { participants, parts, following });
  }

  /**
   * Does what an attempt has left to do: makes participants follow its outcome, or drop it. Returns the home as it is then.
   * @param idle participants that certainly did nothing for an attempt without outcome
   */
  async settle(id: string, idle: ReadonlySet<number> = new Set()): Promise<CoordinatorEntry | undefined> {
    const home = this.homeOf(id);
    // What an earlier step has begun comes to its end before the next one (AT1).
    // mutant: left-behind-forgotten
    if (home?.open !== undefined) {
      const { attempt, participants, outcome } = home.open;
      for (const number of participants) {
        if (outcome !== undefined) await this.#followAt(number, outcome);
        else if (!idle.has(number)) await this.#undoAt(number, id, attempt);
      }
      const parts = this.#participant.epochs([this.homeNumber(id)]);
      await this.#participant.store({ kind: 'settled', id, attempt, atMs: this.#deps.clock.nowMs(), parts });
    }
    const settled = this.homeOf(id);
    return settled?.placed === true ? settled : undefined;
  }

  async #undoAt(number: number, id: string, attempt: Standing['attempt']): Promise<void> {
    if (this.#participant.owns(number)) await this.#participant.undo(id, attempt, number);
    else await this.#deps.peers.ask(number, 'undoPart', { id, attempt });
  }

  async #followAt(number: number, outcome: Standing): Promise<void> {
    if (this.#participant.owns(number)) return this.#participant.follow(outcome, number);
    const lines = outcome.lines.filter(({ partition }) => partition === number);
    const { parts: _parts, kind: _kind, ...rest } = outcome;
    await this.#deps.peers.ask(number, 'followPart', { outcome: { ...rest, lines, shortages: [], parts: [] } });
  }
}

/** What is wanted of the owners of some lines. */
export function wishFor({ channel, purpose }: Terms, request: Asked, lines: readonly WantedLine[]): Wish {
  return { lines, size: request.lines.length, partial: request.partial, channel, purpose };
}

export function participantsOf({ lines }: Pick<Planned, 'lines'>): number[] {
  return [...new Set(lines.map((line) => line.partition))];
}
