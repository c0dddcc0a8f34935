/**
 * The desk: takes any request, answers for the partitions it owns, and passes the rest to their owners.
 *
 * Invariants:
 *  K1 An answer comes from a partition that is serving, under a lease that is confirmed: else 503, never an old number.
 *  K2 `version` of an answer is the epoch and change number of the partition it was computed from.
 */
import { LIMITS } from '../config/limits.ts';
import type { Clock } from '../streams/clock.ts';
import { formatInstant, parseDateOrInstant } from '../streams/instant.ts';
import type {
  AtpAnswer,
  AtpLine,
  AtpRequest,
  ReservationAnswer,
  ReservationRequest,
  SkuStockAnswer,
  StockAnswer,
} from '../streams/requests.ts';
import { partitionOf } from '../streams/subjects.ts';
import { inHalves } from './halves.ts';
import type { Partition } from './partition.ts';
import type { PeerHandlers } from './peer-operations.ts';
import type { ExplainAnswer, Peers, StockDesk } from './ports.ts';
import { Refusal, UNDECIDED, undecided } from './refusal.ts';
import type { Reservations } from './reservations.ts';
import { type Horizon, skuAtp, stockView } from './stock/availability.ts';

type DeskOperation = 'atp' | 'stock' | 'skuStock' | 'explain' | 'place' | 'confirm' | 'release' | 'reservation';

export interface DeskWorld {
  readonly partitions: ReadonlyMap<number, Partition>;
  /** P: partitions in all. */
  readonly count: number;
  readonly clock: Clock;
  readonly laneTimeMs: number;
  /** Whether this node's lease is confirmed now. */
  readonly leased: () => boolean;
  readonly peers: Peers;
  readonly explain: (partition: Partition, sku: string, location: string) => Promise<ExplainAnswer>;
}

export class Desk implements StockDesk {
  readonly #world: DeskWorld;
  readonly #reservations: Reservations;

  constructor(world: DeskWorld, reservations: Reservations) {
    this.#world = world;
    this.#reservations = reservations;
  }

  async atp(request: AtpRequest): Promise<AtpAnswer> {
    const horizon = this.#horizon(request.by);
    const lines = new Array<AtpLine>(request.lines.length);
    let away: Map<number, number[]> | undefined;
    for (let i = 0; i < request.lines.length; i++) {
      const line = request.lines[i] as AtpRequest['lines'][number];
      const number = partitionOf(line.sku, this.#world.count);
      const partition = this.#served(number);
      if (partition === undefined) {
        away ??= new Map();
        const indexes = away.get(number);
        if (indexes === undefined) away.set(number, [i]);
        else indexes.push(i);
      } else lines[i] = this.#line(partition, line.sku, line.locations, horizon);
    }
    if (away !== undefined) await this.#atpAway(request, away, lines);
    return { asOf: formatInstant(this.#world.clock.nowMs() * 1000), lines };
  }

  async stock(sku: string, location: string): Promise<StockAnswer> {
    const number = partitionOf(sku, this.#world.count);
    const partition = this.#served(number);
    if (partition === undefined) return this.#world.peers.ask(number, 'stock', { sku, location });
    const key = partition.book.findKey(sku, location);
    if (key === undefined) throw new Refusal('not-found', `nothing is known of SKU ${sku} at location ${location}`);
    return stockView(key);
  }

  async skuStock(sku: string): Promise<SkuStockAnswer> {
    const number = partitionOf(sku, this.#world.count);
    const partition = this.#served(number);
    if (partition === undefined) return this.#world.peers.ask(number, 'skuStock', { sku });
    const entry = partition.book.skus.get(sku);
    if (entry === undefined) throw new Refusal('not-found', `nothing is known of SKU ${sku}`);
    return { sku, locations: entry.keys.map(stockView) };
  }

  async explain(sku: string, location: string): Promise<ExplainAnswer> {
    const number = partitionOf(sku, this.#world.count);
    const partition = this.#served(number);
    if (partition === undefined) return this.#world.peers.ask(number, 'explain', { sku, location });
    return this.#world.explain(partition, sku, location);
  }

  place(request: ReservationRequest): Promise<{ fresh: boolean; reservation: ReservationAnswer }> {
    return this.#atHome(
      request.id,
      (home) => this.#world.peers.ask(home, 'place', request),
      () => this.#reservations.place(request),
    );
  }

  confirm(id: string): Promise<ReservationAnswer> {
    return this.#atHome(
      id,
      (home) => this.#world.peers.ask(home, 'confirm', { id }),
      () => this.#reservations.step(id, 'confirmed'),
    );
  }

  release(id: string): Promise<ReservationAnswer> {
    return this.#atHome(
      id,
      (home) => this.#world.peers.ask(home, 'release', { id }),
      () => this.#reservations.step(id, 'released'),
    );
  }

  reservation(id: string): Promise<ReservationAnswer> {
    return this.#atHome(
      id,
      (home) => this.#world.peers.ask(home, 'reservation', { id }),
      () => this.#reservations.get(id),
    );
  }

  /** What other nodes ask of partitions that they take to be ours. */
  readonly handlers: PeerHandlers<DeskOperation> = {
    atp: (_, request) => this.atp(request),
    stock: (_, { sku, location }) => this.stock(sku, location),
    skuStock: (_, { sku }) => this.skuStock(sku),
    explain: (_, { sku, location }) => this.explain(sku, location),
    place: (_, request) => this.place(request),
    confirm: (_, { id }) => this.confirm(id),
    release: (_, { id }) => this.release(id),
    reservation: (_, { id }) => this.reservation(id),
  };

  #served(number: number): Partition | undefined {
    const partition = this.#world.partitions.get(number);
    if (partition === undefined) return undefined;
    if (!partition.serving || partition.leaving) throw undecided(UNDECIDED.moving, `partition ${number}`);
    if (!this.#world.leased()) throw undecided(UNDECIDED.lease);
    return partition;
  }

  #atHome<T>(id: string, away: (home: number) => Promise<T>, here: () => Promise<T>): Promise<T> {
    const home = partitionOf(id, this.#world.count);
    try {
      if (this.#served(home) === undefined) return away(home);
    } catch (refusal) {
      return Promise.reject(refusal as Refusal);
    }
    return withDeadline(this.#world.clock, here());
  }

  #line(partition: Partition, sku: string, only: readonly string[] | undefined, horizon: Horizon | undefined): AtpLine {
    const { book } = partition;
    const { atp, locations } = skuAtp(book.skus.get(sku), only, horizon);
    return { sku, atp, version: `${book.epoch}.${book.seq}`, locations };
  }

  async #atpAway(request: AtpRequest, away: ReadonlyMap<number, number[]>, lines: AtpLine[]): Promise<void> {
    await Promise.all(
      [...away].map(async ([number, indexes]) => {
        const asked = indexes.map((index) => request.lines[index] as AtpRequest['lines'][number]);
        const answers = await inHalves(asked, async (some) => {
          const { lines: found } = await this.#world.peers.ask(number, 'atp', { ...request, lines: some });
          if (found.length !== some.length)
            throw undecided(UNDECIDED.owner, 'it answers other lines than were asked for');
          return found;
        });
        indexes.forEach((index, i) => {
          lines[index] = answers[i] as AtpLine;
        });
      }),
    );
  }

  #horizon(by: string | undefined): Horizon | undefined {
    const until = by === undefined ? undefined : parseDateOrInstant(by);
    if (until === undefined) return undefined;
    return { now: this.#world.clock.nowMs() * 1000, by: until, laneTime: this.#world.laneTimeMs * 1000 };
  }
}

/** A caller waits so long for a decision; the decision itself goes on, and its units stay held until its outcome is known. */
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
