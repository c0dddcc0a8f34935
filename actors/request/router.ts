/**
 * Routes requests. Any node accepts any request, answers it for the partitions that it owns, and forwards the rest to their owners.
 *
 * Invariants:
 *  RR1 An answer comes from a partition that is serving under a confirmed lease. Otherwise the answer is 503, never a stale number.
 *  RR2 The `version` of an answer is the epoch and change number of the partition from which it was computed. In an answer of many lines,
 *      each line is computed within one turn of the event loop.
 *  RR3 An answer is bounded, and work on it yields every LIMITS.answerTurnMs. Equal lines are computed once.
 */

import { LIMITS } from '../../config/limits.ts';
import { at } from '../../streams/assert.ts';
import { type Clock, Turns } from '../../streams/clock.ts';
import type { SupplyPage, SupplyQuery } from '../../streams/contract/promise/supply.ts';
import type {
  AmendRequest,
  AtpAnswer,
  AtpLine,
  AtpRequest,
  PartialRelease,
  ReservationAnswer,
  ReservationRequest,
  ReservationsQuery,
  SkuStockAnswer,
  StockAnswer,
  StocksAnswer,
  StocksRequest,
} from '../../streams/contract/stock.ts';
import { formatInstant } from '../../streams/instant.ts';
import { partitionOf } from '../../streams/subjects.ts';
import type { Partition } from '../partition/partition.ts';
import type { Partitions } from '../partition/partition-set.ts';
import { laneTimeOf } from '../policy/terms.ts';
import type { ExplainedKey, ExplainPage } from '../ports/explain-page.ts';
import { inHalves } from '../ports/halves.ts';
import type { ExplainAnswer, PeerHandlers, PeerRequest } from '../ports/peer-operations.ts';
import type { Lease, Peers, StockService } from '../ports/ports.ts';
import { Refusal, UNDECIDED, undecided } from '../ports/refusal.ts';
import type { Coordinator } from '../reservation/coordinator.ts';
import { skuAtp, stockView } from '../stock/availability.ts';
import type { StockBook } from '../stock/book.ts';
import { type Wanted, wantedBy } from '../stock/dated/moments.ts';
import type { Ask } from '../stock/dated/phased.ts';
import type { PartLine } from '../stock/state.ts';
import { type AskedLine, type SameLines, sameLines } from './same-lines.ts';
import { stocksOf } from './stock-list.ts';
import { withSubstitutes } from './substitutes.ts';
import { supplyPage } from './supply-list.ts';
import { Turnstile } from './turnstile.ts';

type DeskOperation =
  | 'atp'
  | 'stock'
  | 'skuStock'
  | 'stocks'
  | 'supply'
  | 'explain'
  | 'place'
  | 'confirm'
  | 'release'
  | 'amend'
  | 'releaseSome'
  | 'reservationIds'
  | 'reservation';

export interface RequestRouterDeps {
  readonly partitions: Partitions;
  /** Total number of partitions (P). */
  readonly count: number;
  readonly clock: Clock;
  readonly lease: Lease;
  readonly peers: Peers;
  readonly explain: (partition: Partition, key: ExplainedKey, page: ExplainPage) => Promise<ExplainAnswer>;
}

export class RequestRouter implements StockService {
  readonly #deps: RequestRouterDeps;
  readonly #coordinator: Coordinator;
  /** Limits wide reservations. A decision has many steps, and each step of a small one would wait for a step of every wide one. */
  readonly #wide: Turnstile;

  constructor(deps: RequestRouterDeps, coordinator: Coordinator) {
    this.#wide = new Turnstile(
      deps.clock,
      { atOnce: LIMITS.wideAtOnce, waiting: LIMITS.wideWaiting, restMs: LIMITS.wideRestMs },
      'reservations of many lines',
    );
    this.#deps = deps;
    this.#coordinator = coordinator;
  }

  async atp(request: AtpRequest): Promise<AtpAnswer> {
    const asked = this.#asked(request);
    const [only] = request.lines;
    // Most requests ask for one SKU, so they take a shorter path.
    const lines =
      request.lines.length === 1 && only !== undefined
        ? (this.#ownLine(only, asked) ?? (await this.#atpLines(request, asked)))
        : await this.#atpLines(request, asked);
    return { asOf: formatInstant(this.#deps.clock.nowMs() * 1000), lines };
  }

  #ownLine({ sku, locations }: AskedLine, asked: Asked): AtpLine[] | undefined {
    const partition = this.served(partitionOf(sku, this.#deps.count));
    if (partition === undefined) return undefined;
    const line = this.#line(partition, sku, locations, asked);
    if (line.locations.length > LIMITS.atpLocations) throw tooManyLocations();
    return [line];
  }

  async #atpLines(request: AtpRequest, asked: Asked): Promise<AtpLine[]> {
    const answer = new Array<AtpLine>(request.lines.length);
    // A long answer yields to other requests (RR3).
    const turns = new Turns(this.#deps.clock, LIMITS.answerTurnMs);
    let away: Map<number, SameLines[]> | undefined;
    let locations = 0;
    const put = ({ indexes }: SameLines, line: AtpLine) => {
      locations += line.locations.length * indexes.length;
      if (locations > LIMITS.atpLocations) throw tooManyLocations();
      for (const index of indexes) answer[index] = line;
    };
    for (const same of sameLines(request.lines)) {
      const { line } = same;
      const turn = turns.next();
      if (turn !== undefined) await turn;
      const number = partitionOf(line.sku, this.#deps.count);
      const partition = this.served(number);
      if (partition !== undefined) put(same, this.#line(partition, line.sku, line.locations, asked));
      else {
        away ??= new Map();
        const others = away.get(number);
        if (others === undefined) away.set(number, [same]);
        else others.push(same);
      }
    }
    if (away !== undefined) await this.#atpAway(request, away, put);
    return answer;
  }

  async stock(sku: string, location: string): Promise<StockAnswer> {
    const number = partitionOf(sku, this.#deps.count);
    const partition = this.served(number);
    if (partition === undefined) return this.#deps.peers.ask(number, 'stock', { sku, location });
    const key = partition.book.findKey(sku, location);
    if (key === undefined) throw new Refusal('not-found', `nothing is known of SKU ${sku} at location ${location}`);
    return stockView(partition.book, key, this.#now);
  }

  async skuStock(sku: string): Promise<SkuStockAnswer> {
    const number = partitionOf(sku, this.#deps.count);
    const partition = this.served(number);
    if (partition === undefined) return this.#deps.peers.ask(number, 'skuStock', { sku });
    const entry = partition.book.skus.get(sku);
    if (entry === undefined) throw new Refusal('not-found', `nothing is known of SKU ${sku}`);
    if (entry.keys.length > LIMITS.stockRows)
      throw new Refusal(
        'too-large',
        `SKU ${sku} is known at ${entry.keys.length} locations; at most ${LIMITS.stockRows} are answered at once: ask for one location, /v1/stock/{sku}/{location}`,
      );
    return { sku, locations: entry.keys.map((key) => stockView(partition.book, key, this.#now)) };
  }

  stocks(request: StocksRequest): Promise<StocksAnswer> {
    return stocksOf(request, {
      ...this.#deps,
      served: (number) => this.served(number),
      ask: (number, asked) => this.#deps.peers.ask(number, 'stocks', asked),
    });
  }

  async supply(query: SupplyQuery): Promise<SupplyPage> {
    const { sku } = query;
    const number = partitionOf(sku, this.#deps.count);
    const partition = this.served(number);
    if (partition === undefined) return this.#deps.peers.ask(number, 'supply', query);
    const entry = partition.book.skus.get(sku);
    if (entry === undefined) throw new Refusal('not-found', `nothing is known of SKU ${sku}`);
    const { terms } = partition.book;
    return supplyPage(entry, query, (from, to) => laneTimeOf(terms, from, to), this.#now);
  }

  async explain(key: ExplainedKey, page: ExplainPage): Promise<ExplainAnswer> {
    const number = partitionOf(key.sku, this.#deps.count);
    const partition = this.served(number);
    if (partition === undefined) return this.#deps.peers.ask(number, 'explain', { ...key, ...page });
    return this.#deps.explain(partition, key, page);
  }

  place(request: ReservationRequest): Promise<{ fresh: boolean; reservation: ReservationAnswer }> {
    return this.#atCoordinator(
      request.id,
      (coordinator) => this.#deps.peers.ask(coordinator, 'place', request),
      () => this.#passed(request, () => this.#coordinator.place(request)),
    ).catch((error) => withSubstitutes(error, request, (asked) => this.atp(asked)));
  }

  confirm(id: string): Promise<ReservationAnswer> {
    return this.#atCoordinator(
      id,
      (coordinator) => this.#deps.peers.ask(coordinator, 'confirm', { id }),
      () => this.#coordinator.confirm(id),
    );
  }

  release(id: string): Promise<ReservationAnswer> {
    return this.#atCoordinator(
      id,
      (coordinator) => this.#deps.peers.ask(coordinator, 'release', { id }),
      () => this.#coordinator.release(id),
    );
  }

  amend(request: AmendRequest): Promise<ReservationAnswer> {
    return this.#atCoordinator(
      request.id,
      (coordinator) => this.#deps.peers.ask(coordinator, 'amend', request),
      () => this.#passed(request, () => this.#coordinator.amend(request)),
    ).catch((error) => withSubstitutes(error, request, (asked) => this.atp(asked)));
  }

  releaseSome(id: string, part: PartialRelease): Promise<ReservationAnswer> {
    return this.#atCoordinator(
      id,
      (coordinator) => this.#deps.peers.ask(coordinator, 'releaseSome', { id, part }),
      () => this.#coordinator.releaseSome(id, part),
    );
  }

  reservation(id: string): Promise<ReservationAnswer> {
    return this.#atCoordinator(
      id,
      (coordinator) => this.#deps.peers.ask(coordinator, 'reservation', { id }),
      () => this.#coordinator.get(id),
    );
  }

  async reservations(query: ReservationsQuery): Promise<{ reservations: ReservationAnswer[]; next: string | null }> {
    const { sku, location, status, limit } = query;
    const reservations: ReservationAnswer[] = [];
    let { after } = query;
    // Only the home of each knows how the whole stands, so a filter by status searches page by page.
    for (let searched = 0; searched < LIMITS.reservationsSearched; searched += limit) {
      const ids = await this.#reservationIds({ sku, location, after, limit });
      const found = await Promise.all(ids.map((id) => this.reservation(id).catch(undefinedIfGone)));
      for (const [index, reservation] of found.entries()) {
        after = ids[index];
        if (reservation === undefined || (status !== undefined && reservation.status !== status)) continue;
        reservations.push(reservation);
        if (reservations.length === limit) return { reservations, next: after ?? null };
      }
      if (ids.length < limit) return { reservations, next: null };
    }
    return { reservations, next: after ?? null };
  }

  async #reservationIds(asked: PeerRequest<'reservationIds'>): Promise<readonly string[]> {
    const number = partitionOf(asked.sku, this.#deps.count);
    const partition = this.served(number);
    if (partition === undefined) return (await this.#deps.peers.ask(number, 'reservationIds', asked)).ids;
    return reservationIds(partition.book, asked);
  }

  /** Serves requests of other nodes for partitions that they believe this node owns. */
  readonly handlers: PeerHandlers<DeskOperation> = {
    atp: (_, request) => this.atp(request),
    stock: (_, { sku, location }) => this.stock(sku, location),
    skuStock: (_, { sku }) => this.skuStock(sku),
    stocks: (_, request) => this.stocks(request),
    supply: (_, query) => this.supply(query),
    explain: (_, { sku, location, limit, before }) => this.explain({ sku, location }, { limit, before }),
    place: (_, request) => this.place(request),
    confirm: (_, { id }) => this.confirm(id),
    release: (_, { id }) => this.release(id),
    amend: (_, request) => this.amend(request),
    releaseSome: (_, { id, part }) => this.releaseSome(id, part),
    reservationIds: async (_, asked) => ({ ids: await this.#reservationIds(asked) }),
    reservation: (_, { id }) => this.reservation(id),
  };

  /** Returns the partition if it is held here. Throws undecided unless it is serving under a lease (RR1). */
  served(number: number): Partition | undefined {
    const partition = this.#deps.partitions.get(number);
    if (partition === undefined) return undefined;
    if (partition.state !== 'serving') throw undecided(UNDECIDED.moving, `partition ${number}`);
    if (!this.#deps.lease.leased) throw undecided(UNDECIDED.lease);
    return partition;
  }

  #passed<T>({ lines }: Pick<ReservationRequest, 'lines'>, decide: () => Promise<T>): Promise<T> {
    return lines.length > LIMITS.wideLines ? this.#wide.pass(decide) : decide();
  }

  #atCoordinator<T>(id: string, away: (coordinator: number) => Promise<T>, here: () => Promise<T>): Promise<T> {
    const coordinator = partitionOf(id, this.#deps.count);
    try {
      if (this.served(coordinator) === undefined) return away(coordinator);
    } catch (refusal) {
      return Promise.reject(refusal as Refusal);
    }
    return withDeadline(this.#deps.clock, here());
  }

  #line({ book }: Partition, sku: string, only: readonly string[] | undefined, { ask, by }: Asked): AtpLine {
    // Computed and stamped in the same turn, so the version belongs to these numbers (RR2).
    const { atp, backorderable, locations } = skuAtp(book, book.skus.get(sku), only, ask, by);
    const line = { sku, atp, version: book.version, locations };
    return backorderable === undefined ? line : { ...line, backorderable };
  }

  async #atpAway(
    request: AtpRequest,
    away: ReadonlyMap<number, readonly SameLines[]>,
    put: (same: SameLines, line: AtpLine) => void,
  ): Promise<void> {
    await Promise.all(
      [...away].map(async ([number, asked]) => {
        const answers = await inHalves(asked, async (some) => {
          const part = { ...request, lines: some.map(({ line }) => line) };
          const { lines } = await this.#deps.peers.ask(number, 'atp', part);
          if (lines.length !== some.length)
            throw undecided(UNDECIDED.owner, 'it answers other lines than were asked for');
          return lines;
        });
        asked.forEach((same, i) => {
          put(same, at(answers, i));
        });
      }),
    );
  }

  #asked({ channel, purpose, by }: Pick<AtpRequest, 'channel' | 'purpose' | 'by'>): Asked {
    return { ask: { channel, purpose, now: this.#now }, by: by === undefined ? undefined : wantedBy(by) };
  }

  /** Microseconds since 1970. */
  get #now(): number {
    return this.#deps.clock.nowMs() * 1000;
  }
}

/** For whom and by when units are asked. */
interface Asked {
  readonly ask: Ask;
  readonly by: Wanted | undefined;
}

/** Ids of the reservations that have lines of a SKU, in order. */
function reservationIds(
  { parts }: StockBook,
  { sku, location, after, limit }: PeerRequest<'reservationIds'>,
): readonly string[] {
  const ids: string[] = [];
  for (const part of parts.values()) {
    if (!part.granted || (after !== undefined && part.id <= after)) continue;
    const fits = ({ key }: PartLine) => key.sku.name === sku && (location === undefined || key.location === location);
    if (part.lines.some(fits)) ids.push(part.id);
  }
  return ids.sort().slice(0, limit);
}

/** For a reservation that was forgotten while a list was made. */
function undefinedIfGone(error: unknown): undefined {
  if (!(error instanceof Refusal) || error.kind !== 'not-found') throw error;
}

function tooManyLocations(): Refusal {
  return new Refusal(
    'too-large',
    `the answer would hold more than ${LIMITS.atpLocations} locations: name the locations that are wanted, or ask for fewer SKUs at once`,
  );
}

/** Rejects as undecided after LIMITS.requestMs. The decision itself goes on, and its units stay held until its outcome is known. */
function withDeadline<T>(clock: Clock, decision: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(LIMITS.requestMs, () => reject(undecided(UNDECIDED.journal)));
    decision.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error) => {
        cancel();
        reject(error as Error);
      },
    );
  });
}
