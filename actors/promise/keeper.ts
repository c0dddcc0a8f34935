/**
 * Keeps promises over time. When facts, decisions or time change what a stock key with later promises has or gets, it makes the promises
 * again (repromise.ts), and lets lines take their units when their moment has come. It also decides that supply is overdue.
 *
 * Invariants:
 *  PT1 All new moments of a key are computed in one turn and bind new grants from then on. Journaling them takes as many turns as it
 *     needs, in small decisions one after the other, so that no request waits for them.
 *  PT2 A key is looked at again whenever a fold has changed it, and after a decision could not be stored. What is found depends on the
 *     book and the time alone, so nothing has to be remembered over a restart.
 *  PT3 Supply is found overdue once. The decision names the moment at which it was due, so a new date lifts it.
 */
import FlatQueue from 'flatqueue';
import { LIMITS } from '../../config/limits.ts';
import type { Clock } from '../../streams/clock.ts';
import type { Overdue, OverdueSupply, Repromised } from '../../streams/journal/promise-decisions.ts';
import type { Partition } from '../partition/partition.ts';
import type { PartitionSet } from '../partition/partition-set.ts';
import { END_OF_TIME } from '../stock/dated/atp.ts';
import { moveLine, supplyOf, timelineOf } from '../stock/dated/phased.ts';
import type { StockKey } from '../stock/state.ts';
import type { Supply } from '../stock/supply/open-supply.ts';
import { type Move, remake } from './repromise.ts';

/** Longest delay that a Node.js timer accepts. A longer wait takes several timers. */
const LONGEST_TIMER_MS = 0x7fffffff;
/** Time for further folds of the same burst, before the promises of a key are made again. */
const GATHER_MS = 5;
const RETRY_MS = 1_000;

export interface PromiseKeeperDeps {
  readonly clock: Clock;
  readonly partitions: Pick<PartitionSet, 'observe' | 'get'>;
  /** Appends a decision, and folds it when it is stored. */
  readonly store: (decision: Repromised | Overdue) => Promise<void>;
}

/** A key that has to be looked at. */
interface Place {
  readonly partition: Partition;
  readonly key: StockKey;
}

interface Waiting extends Place {
  readonly cause: string;
  readonly moves: readonly Move[];
  readonly more: boolean;
}

export class PromiseKeeper {
  readonly #deps: PromiseKeeperDeps;
  readonly #changed = new Map<StockKey, { readonly partition: Partition; readonly cause: string }>();
  readonly #timed = new FlatQueue<Place>();
  /** When each key is looked at next. Other entries of the heap are old. */
  readonly #nextAt = new Map<StockKey, number>();
  /** Moves that are bound and not stored yet. */
  readonly #waiting: Waiting[] = [];
  #storing = false;
  #gathering = false;
  #cancel: (() => void) | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(deps: PromiseKeeperDeps) {
    this.#deps = deps;
    deps.partitions.observe({
      serves: (partition) => {
        partition.book.onPromised = (key, cause) => this.#mark({ partition, key }, cause);
        for (const { keys } of partition.book.skus.values())
          for (const key of keys) if (key.rare !== undefined) this.#mark({ partition, key }, 'take-over');
      },
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#changed.clear();
    this.#timed.clear();
    this.#waiting.length = 0;
  }

  #mark({ partition, key }: Place, cause: string): void {
    this.#changed.set(key, { partition, cause });
    if (this.#gathering) return;
    this.#gathering = true;
    this.#deps.clock.after(GATHER_MS, () => this.#lookAtChanged());
  }

  #lookAtChanged(): void {
    this.#gathering = false;
    const { clock } = this.#deps;
    const until = clock.monoMs() + LIMITS.promiseTurnMs;
    for (const [key, { partition, cause }] of this.#changed) {
      this.#changed.delete(key);
      this.#lookAt({ partition, key }, cause);
      if (clock.monoMs() < until) continue;
      const next = this.#changed.entries().next().value;
      if (next !== undefined) this.#mark({ partition: next[1].partition, key: next[0] }, next[1].cause);
      return;
    }
  }

  #lookAt(place: Place, cause: string): void {
    const { partition, key } = place;
    // Another owner looks at it as soon as it serves.
    if (this.#deps.partitions.get(partition.number) !== partition || partition.state !== 'serving') return;
    const now = this.#deps.clock.nowMs() * 1000;
    const overdue = this.#overdueAt(place, now);
    if (overdue !== undefined) this.#deps.store(overdue).catch(() => this.#again(place));
    const { moves, all } = remake(partition.book, key, now);
    // The new moments bind from now on (PT1).
    for (const move of moves) moveLine(key, move.line, move.now);
    const why = overdue === undefined ? cause : `overdue ${overdue.supplies.map(({ order }) => order).join(' ')}`;
    for (let i = 0; i < moves.length; i += LIMITS.movesPerDecision)
      this.#waiting.push({
        ...place,
        cause: why.slice(0, 300),
        moves: moves.slice(i, i + LIMITS.movesPerDecision),
        more: all && i + LIMITS.movesPerDecision < moves.length,
      });
    // A run that was cut off after its last move is over.
    if (moves.length === 0 && key.rare?.remaking === true && !this.#waiting.some((each) => each.key === key))
      this.#waiting.push({ ...place, cause: why.slice(0, 300), moves, more: false });
    this.#store();
    this.#watch(place, now);
  }

  /** Supply that was found overdue is not among what may be promised, so it is found once (PT3). */
  #overdueAt({ partition: { book, number }, key }: Place, now: number): Overdue | undefined {
    const supplies = supplyOf(book, key)
      .filter(({ due }) => due < now)
      .map(overdueOf);
    if (supplies.length === 0) return undefined;
    const { sku, location } = { sku: key.sku.name, location: key.location };
    const about = { id: `${sku} at ${location}`, sku, location, parts: [[number, book.epoch] as const] };
    return { kind: 'overdue', ...about, atMs: this.#deps.clock.nowMs(), supplies };
  }

  #store(): void {
    if (this.#storing) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#storing = true;
    this.#deps
      .store(this.#decisionOf(next))
      .catch(() => {
        for (const { line, now } of next.moves) if (line.date?.moving === now) moveLine(next.key, line, undefined);
        this.#again(next);
      })
      .finally(() => {
        // Requests come first, so a long list is stored bit by bit (PT1).
        this.#deps.clock.after(this.#waiting.length > 0 ? LIMITS.movesPauseMs : 0, () => {
          this.#storing = false;
          this.#store();
        });
      });
  }

  #decisionOf({ partition: { book, number }, key, cause, moves, more }: Waiting): Repromised {
    const { sku, location } = { sku: key.sku.name, location: key.location };
    return {
      kind: 'repromised',
      id: `${sku} at ${location}`,
      sku,
      location,
      atMs: this.#deps.clock.nowMs(),
      cause,
      moves: moves.map(({ part, line, was, now }) => ({
        reservation: part.id,
        index: line.index,
        name: line.name,
        qty: line.claimed,
        wanted: line.date?.wanted ?? 0,
        was,
        now,
      })),
      parts: [[number, book.epoch]],
      more,
    };
  }

  /** Looks at a key again after a decision could not be stored (PT2). */
  #again({ partition, key }: Place): void {
    this.#deps.clock.after(RETRY_MS, () => this.#mark({ partition, key }, 'retry'));
  }

  /** Looks at a key again when its next line or supply is due. */
  #watch(place: Place, now: number): void {
    const { partition, key } = place;
    const timeline = timelineOf(partition.book, key);
    const next = timeline.find((due, i) => i % 2 === 0 && due >= now && due < END_OF_TIME);
    if (next === undefined) {
      this.#nextAt.delete(key);
      return;
    }
    // Supply is overdue only after its moment, so the millisecond after it shows both.
    const atMs = Math.floor(next / 1000) + 1;
    if (this.#nextAt.get(key) === atMs) return;
    this.#nextAt.set(key, atMs);
    this.#timed.push(place, atMs);
    if (atMs < this.#timerAt) this.#arm();
  }

  #arm(): void {
    this.#cancel?.();
    const next = this.#timed.peekValue();
    this.#timerAt = next ?? Number.POSITIVE_INFINITY;
    if (next === undefined) return;
    const wait = Math.min(LONGEST_TIMER_MS, Math.max(0, next - this.#deps.clock.nowMs()));
    this.#cancel = this.#deps.clock.after(wait, () => this.#pop());
  }

  #pop(): void {
    const nowMs = this.#deps.clock.nowMs();
    for (;;) {
      const atMs = this.#timed.peekValue();
      if (atMs === undefined || atMs > nowMs) break;
      const place = this.#timed.pop();
      if (place === undefined || this.#nextAt.get(place.key) !== atMs) continue;
      this.#nextAt.delete(place.key);
      this.#mark(place, 'time');
    }
    this.#arm();
  }
}

function overdueOf(supply: Supply): OverdueSupply {
  const { source, due } = supply;
  if (source === 'transfer') return { source, order: supply.record.id, line: '', due };
  return { source, order: supply.record.order.id, line: supply.record.name ?? '', due };
}
