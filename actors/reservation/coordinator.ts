/**
 * Coordinates reservations. The partition of a reservation's id is its home. It remembers the reservation, decides on every step, and
 * answers for all lines. The partitions of the lines are its participants. They claim the units and fold the facts.
 *
 * If this node owns the home and all participants, a step is one decision `stands`, all or nothing. Otherwise one protocol serves
 * placements, changes and every later step. An attempt is named by epoch and change number of its home.
 *
 *   1. home          `begun`    the attempt and its participants, before any of them is asked (only if units may have to be claimed)
 *   2. participants  `grown`    resulting lines are claimed, beside those that the part had
 *   3. home          `stands`   the outcome. It holds from here on; the lines of all participants that must follow are in it
 *   4. participants  `stands`   the same lines: what moved away or shrank is free, holds are allocated, the end is recorded
 *   5. home          `settled`  every participant has followed
 *
 * If a participant refuses in step 2, those that were asked drop the attempt (`undone`) and the home forgets it (`settled`). Before that,
 * the participants that were not asked yet say what they are short of. They only plan, so they do nothing for the attempt. A home that
 * finds an attempt without outcome does the same (presumed abort), so what a crash leaves depends only on whether step 3 was stored:
 *
 *   crash after 1 or 2   claimed units without outcome. The next owner of the home undoes them. Until then the id answers nothing
 *   crash after 3 or 4   an outcome that some participants do not know. The next owner of the home makes them follow
 *
 * The owner of a home does this as soon as it serves (unfinished.ts), and before any other step of the id. A participant refuses an
 * attempt that is not later than all that it has seen, so a request that was delayed, or sent by a former owner of the home, claims nothing.
 *
 * Invariants:
 *  CO1 Steps of one reservation run one after the other. Each step sees the outcome of the previous one.
 *  CO2 Lines of partitions owned here are granted in one decision, all or none.
 *  CO3 No caller hears of an attempt before its outcome is stored at the home, and no unit is given up before.
 *  CO4 The process may have been suspended while work waited for its turn, so every attempt is made under a lease that is checked after the
 *     wait.
 *  CO5 Only the home ends a reservation. A participant whose hold is over, or which was fulfilled long ago, asks the home.
 */

import type {
  AmendRequest,
  PartialRelease,
  ReservationAnswer,
  ReservationRequest,
} from '../../streams/contract/stock.ts';
import { DEFAULT_TTL_SECONDS } from '../../streams/contract/stock.ts';
import { partitionOf } from '../../streams/subjects.ts';
import type { Partitions } from '../partition/partition-set.ts';
import type { PeerHandlers } from '../ports/peer-operations.ts';
import type { Lease } from '../ports/ports.ts';
import { UNDECIDED, undecided, wrongField } from '../ports/refusal.ts';
import type { WantedLine } from '../stock/sourcing.ts';
import type { CoordinatorEntry, ReservationPart } from '../stock/state.ts';
import { answerOf, cancelledAnswer, etagOf, statusOf, type Whole } from './answer.ts';
import { type Asked, Attempts, type AttemptsDeps, participantsOf, wishFor } from './attempts.ts';
import { contentOf, matches } from './content.ts';
import { KeyedQueue } from './keyed-queue.ts';
import { notEnough, type Participant, type Terms } from './participant.ts';
import {
  type Changes,
  changed,
  confirm,
  conflict,
  ended,
  endInTime,
  hasEnded,
  mustBeChangeable,
  release,
  releaseSome,
  unknown,
} from './steps.ts';
import type { PartView } from './view.ts';

export interface CoordinatorDeps extends AttemptsDeps {
  readonly partitions: Partitions;
  /** Called when a hold has expired. */
  readonly expired: () => void;
  /** How long a fulfilled reservation is remembered. */
  readonly fulfilledMemoryMs: () => number;
  readonly lease: Lease;
}
interface Placed {
  /** False if the id was already granted. */
  readonly fresh: boolean;
  readonly reservation: ReservationAnswer;
}
/** A reservation at its home, with what its participants say. */
interface Known extends Whole {
  readonly home: CoordinatorEntry;
  readonly views: readonly PartView[];
  readonly releases: readonly string[];
  /** When the last unit was sold, in milliseconds since 1970. */
  readonly soldAtMs: number;
}

/** Pause before a due reservation is asked for again, if its end could not be decided. */
const RETRY_MS = 1_000;
/** The same if other lines of the reservation are not due, which may take weeks. */
const NOT_DUE_RETRY_MS = 3_600_000;

export class Coordinator {
  readonly #deps: CoordinatorDeps;
  readonly #participant: Participant;
  readonly #queue = new KeyedQueue();
  readonly #attempts: Attempts;

  constructor(deps: CoordinatorDeps, participant: Participant) {
    this.#deps = deps;
    this.#participant = participant;
    this.#attempts = new Attempts(deps, this.#participant, (id) => this.#turn(id, async () => undefined));
  }

  place(request: ReservationRequest): Promise<Placed> {
    const { id } = request;
    const content = contentOf(request);
    return this.#turn(id, async (home) => {
      // mutant: id-granted-again
      if (home !== undefined) {
        if (!home.known) throw ended(id, 'released');
        // mutant: conflicting-request-granted
        if (home.content.hi !== content.hi || home.content.lo !== content.lo) throw conflict(id);
        const known = await this.#gather(home);
        const status = statusOf(known);
        if (status === 'released' || status === 'expired') throw ended(id, status);
        return { fresh: false, reservation: this.#answer(known) };
      }
      const atMs = this.#nowMs;
      const expiresAtMs = atMs + (request.ttlSeconds ?? DEFAULT_TTL_SECONDS) * 1000;
      const steps = { grantedAtMs: atMs, expiresAtMs, confirmedAtMs: request.confirm === true ? atMs : 0 };
      const whole = await this.#change(
        undefined,
        { ...this.#first(id), ...groupOf(request), content, ...steps },
        request,
      );
      // A sale may have come before the placement that it names, so the books say how it stands. It is durable even if one cannot be asked.
      const placed = this.#attempts.homeOf(id);
      const now = placed === undefined ? whole : await this.#gather(placed).catch(() => whole);
      return { fresh: true, reservation: this.#answer(now) };
    });
  }

  amend(request: AmendRequest): Promise<ReservationAnswer> {
    const { id, ifMatch, ttlSeconds } = request;
    return this.#turn(id, async (home) => {
      if (home === undefined) throw unknown(id);
      if (!home.known) throw ended(id, 'released');
      const known = await this.#gather(home);
      mustBeChangeable(known, this.#nowMs, ttlSeconds !== undefined);
      // mutant: any-version-matches
      if (ifMatch !== undefined && !matches(ifMatch, etagOf(known))) throw changed(id, etagOf(known));
      const allocated = known.confirmedAtMs > 0;
      if (allocated && ttlSeconds !== undefined)
        throw wrongField('ttlSeconds', 'must be left out, because the reservation is allocated');
      if (!allocated && request.confirm === true)
        throw wrongField('confirm', 'must be left out, because a change never confirms');
      const terms = { ...this.#termsOf(known), ...groupOf(request) };
      if (ttlSeconds !== undefined) terms.expiresAtMs = this.#nowMs + ttlSeconds * 1000;
      return this.#answer(await this.#change(known, terms, request));
    });
  }

  confirm(id: string): Promise<ReservationAnswer> {
    return this.#step(id, confirm);
  }

  /** Releases a reservation. An unknown id is remembered as released, so that a placement that arrives later is refused. */
  release(id: string): Promise<ReservationAnswer> {
    return this.#turn(id, async (home) => {
      if (home?.known === true) return this.#take(home, release);
      if (home !== undefined) return cancelledAnswer(id, home.attempt);
      const terms = { ...this.#first(id), releasedAtMs: this.#nowMs };
      const nothing = { lines: [], counted: [], shortages: [] };
      await this.#store(
        this.#participant.standing('stands', terms, nothing, { participants: [], parts: [terms.home] }),
      );
      return cancelledAnswer(id, terms.attempt);
    });
  }

  releaseSome(id: string, { id: by, lines }: PartialRelease): Promise<ReservationAnswer> {
    return this.#step(id, (known, nowMs) => releaseSome(known, { release: by, lines }, nowMs));
  }

  async get(id: string): Promise<ReservationAnswer> {
    const home = this.#attempts.homeOf(id);
    // An attempt that is under way, or was left behind, comes to its end first.
    if (home?.open !== undefined) return this.#turn(id, async (settled) => this.#read(id, settled));
    return this.#read(id, home);
  }

  /**
   * Ends a reservation whose part here is due. The home decides, so a participant asks it (CO5).
   * @param again called with the time after which a part that is still open has to be looked at again, in milliseconds
   */
  expire(part: ReservationPart, again: (afterMs: number) => void): void {
    const { id, coordinator } = part;
    const number = partitionOf(part.lines[0]?.key.sku.name ?? '', this.#deps.count);
    if (this.#deps.partitions.get(number)?.serving !== true) return;
    const asked = this.#participant.owns(coordinator)
      ? this.#expire(id)
      : this.#deps.peers.ask(coordinator, 'expireHold', { id });
    asked
      .then(async ({ state }) => {
        if (state !== 'gone') again(state === 'early' ? RETRY_MS : NOT_DUE_RETRY_MS);
        // The home does not know this part, so it is left from a crash.
        if (state === 'gone') await this.#queue.take(id, () => this.#participant.expireAlone(number, id));
      })
      .catch(() => again(RETRY_MS));
  }

  /** Serves requests from homes to this node as the owner of some of a reservation's lines, and from participants to homes. */
  readonly handlers: PeerHandlers<'growPart' | 'planPart' | 'followPart' | 'undoPart' | 'viewPart' | 'expireHold'> = {
    growPart: (partition, { terms, wish }) => {
      return this.#queue.take(terms.id, async () => {
        const { growth: _own, ...planned } = await this.#participant.grow({ terms, wish }, partition);
        return planned;
      });
    },
    planPart: async (partition, { id, wish }) => ({ shortages: this.#participant.shortages(id, partition, wish) }),
    followPart: async (partition, { outcome }) => {
      await this.#queue.take(outcome.id, () => this.#participant.follow({ ...outcome, kind: 'stands' }, partition));
      return {};
    },
    undoPart: async (partition, { id, attempt }) => {
      await this.#queue.take(id, () => this.#participant.undo(id, attempt, partition));
      return {};
    },
    viewPart: async (partition, { id }) => ({ views: this.#participant.views(id, [partition]) }),
    expireHold: (_, { id }) => this.#expire(id),
  };

  async #expire(id: string): Promise<{ state: 'gone' | 'early' | 'settled' }> {
    return this.#turn(id, async (home) => {
      if (home?.known !== true) return { state: 'gone' };
      const known = await this.#gather(home);
      if (hasEnded(known)) return { state: 'gone' };
      if (statusOf(known) === 'held' && known.expiresAtMs > this.#nowMs) return { state: 'early' };
      const changes = endInTime(known, { nowMs: this.#nowMs, fulfilledMemoryMs: this.#deps.fulfilledMemoryMs() });
      if (changes === undefined) return { state: 'settled' };
      // mutant: expiry-not-journaled
      await this.#outcome(known, changes);
      if (changes.expiredAtMs !== undefined) this.#deps.expired();
      return { state: 'settled' };
    });
  }

  #step(id: string, decide: (known: Known, nowMs: number) => Changes | undefined): Promise<ReservationAnswer> {
    return this.#turn(id, async (home) => {
      if (home === undefined) throw unknown(id);
      return this.#take(home, decide);
    });
  }

  async #take(
    home: CoordinatorEntry,
    decide: (known: Known, nowMs: number) => Changes | undefined,
  ): Promise<ReservationAnswer> {
    if (!home.known) throw ended(home.id, 'released');
    const known = await this.#gather(home);
    const changes = decide(known, this.#nowMs);
    return this.#answer(changes === undefined ? known : await this.#outcome(known, changes));
  }

  /** Stores the outcome of a step that claims no units, and makes the participants follow. */
  async #outcome(known: Known, { lines = known.lines, ...steps }: Changes): Promise<Whole> {
    const terms = { ...this.#termsOf(known), ...steps };
    const planned = { lines, counted: known.views.flatMap((view) => view.counted), shortages: known.shortages };
    const { participants } = known.home;
    const outcome = this.#attempts.standing(terms, planned, participants, participants);
    await this.#store(outcome);
    await this.#attempts.makeFollow(outcome);
    return { ...terms, ...planned, moved: known.moved };
  }

  /** Places or changes a reservation: claims what its participants need, and stores the outcome. */
  async #change(known: Known | undefined, terms: Terms, request: Asked): Promise<Whole> {
    const byPartition = this.#byPartition(request);
    const before = known?.home.participants ?? [];
    const concerned = [...new Set([...before, ...byPartition.keys()])];
    const moved = known?.moved ?? 0;
    if (concerned.every((number) => this.#participant.owns(number))) {
      // All lines are owned here, so one decision grants them (CO2).
      const wish = wishFor(terms, request, [...byPartition.values()].flat());
      const planned = this.#participant.plan(terms.id, concerned, wish);
      if (planned.lines.length === 0) throw notEnough(planned.shortages, known !== undefined);
      const participants = participantsOf(planned);
      const standing = this.#attempts.standing(terms, planned, participants, [
        ...new Set([...before, ...participants]),
      ]);
      await this.#participant.hold(standing, planned.growth);
      return { ...terms, ...planned, moved };
    }
    return { ...(await this.#attempts.change(terms, request, byPartition, { before, concerned })), moved };
  }

  /** Runs work on an id in turn (CO1), after what earlier attempts have left. */
  #turn<T>(id: string, work: (home: CoordinatorEntry | undefined) => Promise<T>): Promise<T> {
    return this.#queue.take(id, async () => {
      // The lease may have ended while this step waited for its turn (CO4).
      // mutant: turn-without-lease
      if (!this.#deps.lease.leased) throw undecided(UNDECIDED.lease);
      return work(await this.#attempts.settle(id));
    });
  }

  async #read(id: string, home: CoordinatorEntry | undefined): Promise<ReservationAnswer> {
    if (home?.placed !== true) throw unknown(id);
    return home.known ? this.#answer(await this.#gather(home)) : cancelledAnswer(id, home.attempt);
  }

  async #gather(home: CoordinatorEntry): Promise<Known> {
    const { id, participants, attempt, shortages, expiresAtMs, confirmedAtMs, releases } = home;
    const here = participants.filter((number) => this.#participant.owns(number));
    const views = this.#participant.views(id, here);
    if (here.length < participants.length) {
      const away = participants.filter((number) => !here.includes(number));
      const asked = away.map((number) => this.#deps.peers.ask(number, 'viewPart', { id }));
      for (const answer of await Promise.all(asked)) views.push(...answer.views);
    }
    if (views.length === 0) throw unknown(id);
    // In version 0.1 participants ended on their own.
    const releasedAtMs = Math.max(home.releasedAtMs, ...views.map((view) => view.releasedAtMs));
    const expiredAtMs = Math.max(home.expiredAtMs, ...views.map((view) => view.expiredAtMs));
    const lines = views.flatMap((view) => view.lines).sort((a, b) => a.index - b.index);
    const moved = views.reduce((sum, view) => sum + view.moved, 0);
    const soldAtMs = Math.max(...views.map((view) => view.soldAtMs));
    const steps = { expiresAtMs, confirmedAtMs, releasedAtMs, expiredAtMs };
    return { id, attempt, shortages, lines, moved, soldAtMs, ...steps, home, views, releases };
  }

  /** Terms of the next attempt at a known reservation, which change nothing yet. */
  #termsOf(known: Known): Terms & { expiresAtMs: number } {
    const { home, views, expiresAtMs, confirmedAtMs, releasedAtMs, expiredAtMs, releases } = known;
    const { channel = '', purpose = '', grantedAtMs = 0 } = views[0] ?? {};
    const steps = { grantedAtMs, expiresAtMs, confirmedAtMs, releasedAtMs, expiredAtMs, releases };
    return { ...this.#first(home.id), content: home.content, channel, purpose, ...steps };
  }

  /** Terms of the first attempt at an id. */
  #first(id: string): Terms {
    const home = this.#attempts.homeNumber(id);
    const { book } = this.#participant.partition(home);
    book.seq += 1;
    const none = { grantedAtMs: 0, expiresAtMs: 0, confirmedAtMs: 0, releasedAtMs: 0, expiredAtMs: 0, releases: [] };
    return { id, attempt: [book.epoch, book.seq], home, content: { hi: 0, lo: 0 }, channel: '', purpose: '', ...none };
  }

  #byPartition({ lines }: Asked): Map<number, WantedLine[]> {
    const byPartition = new Map<number, WantedLine[]>();
    for (const [index, { sku, qty, locations, split, line: name, by, backorder }] of lines.entries()) {
      const number = partitionOf(sku, this.#deps.count);
      const line: WantedLine = { index, sku, qty, locations, split, name, by, backorder };
      const others = byPartition.get(number);
      if (others === undefined) byPartition.set(number, [line]);
      else others.push(line);
    }
    return byPartition;
  }

  #answer(whole: Whole): ReservationAnswer {
    return answerOf(whole, this.#nowMs);
  }

  #store(decision: Parameters<Participant['store']>[0]): Promise<void> {
    return this.#participant.store(decision);
  }

  get #nowMs(): number {
    return this.#deps.clock.nowMs();
  }
}

function groupOf({ channel, purpose }: Pick<ReservationRequest, 'channel' | 'purpose'>) {
  return { channel, purpose };
}
