/**
 * Whether this node moves: the journal stores what waits for it, each intake folds what its stream holds, and facts that cannot be counted
 * get into PARKED. Whatever stands still for standstillMs with work to do makes the node not ready.
 *
 * Invariant PG1: nothing to do counts as moving, so an idle node is ready.
 */
import { LIMITS } from '../../config/limits.ts';
import { FACT_STREAM_NAMES, type FactStream } from '../../config/topology.ts';
import type { Broker } from '../../streams/broker.ts';
import type { Clock } from '../../streams/clock.ts';
import type { Standstill } from '../../streams/journal/journal.ts';
import { maxPayloadTrouble } from '../../streams/nats/max-payload.ts';
import type { Partitions } from '../partition/partition-set.ts';
import type { Followers } from './followers.ts';

export interface ProgressDeps {
  readonly broker: Pick<Broker, 'server'>;
  readonly clock: Clock;
  readonly journal: { readonly standstill: Standstill | undefined };
  readonly followers: Pick<Followers, 'lag' | 'paused' | 'position' | 'silentMs'>;
  readonly partitions: Partitions;
  readonly note: (level: 'warn', message: string, detail: Record<string, unknown>) => void;
}

interface Still {
  readonly what: string;
  readonly ms: number;
  /** For people. */
  readonly says: string;
}

export class Progress {
  readonly #deps: ProgressDeps;
  /** Where each intake stood, and since when. */
  readonly #stands = new Map<FactStream, { readonly position: number; readonly sinceMs: number }>();
  /** When each fact on its way to PARKED was seen first. */
  readonly #parking = new WeakMap<Promise<unknown>, number>();
  #oldestParkingMs = Number.POSITIVE_INFINITY;
  /** What stood still at the last look. */
  #told = new Map<string, number>();

  constructor(deps: ProgressDeps) {
    this.#deps = deps;
  }

  /** Looks whether all moves, and says when something begins to stand still and when it moves again. */
  look(): void {
    const now = this.#deps.clock.monoMs();
    for (const stream of FACT_STREAM_NAMES) {
      const position = this.#deps.followers.position(stream);
      const stand = this.#stands.get(stream);
      if (stand === undefined || stand.position !== position || !this.#hasWork(stream))
        this.#stands.set(stream, { position, sinceMs: now });
    }
    this.#lookAtParking(now);
    const still = this.#still;
    for (const { what, ms, says } of still)
      if (!this.#told.has(what)) this.#deps.note('warn', 'this node does not move', { what, says, ms: Math.round(ms) });
    for (const [what, ms] of this.#told)
      if (!still.some((each) => each.what === what))
        this.#deps.note('warn', 'this node moves again', { what, ms: Math.round(ms) });
    this.#told = new Map(still.map(({ what, ms }) => [what, ms]));
  }

  /** Why the node is not ready; none if all moves. */
  get reasons(): string[] {
    const payload = maxPayloadTrouble(this.#deps.broker);
    return [...this.#still.map(({ says }) => says), ...(payload === undefined ? [] : [payload])];
  }

  /** How long nothing has been stored in JOURNAL while decisions wait; 0 if it moves or has nothing to do. */
  get journalMs(): number {
    return this.#deps.journal.standstill?.ms ?? 0;
  }

  /** How long no message of a fact stream has been folded while it has some for this node, or nothing has been heard of it. */
  intakeMs(stream: FactStream): number {
    const { clock } = this.#deps;
    const stand = this.#hasWork(stream) ? this.#stands.get(stream) : undefined;
    return Math.max(stand === undefined ? 0 : clock.monoMs() - stand.sinceMs, this.#silentMs(stream));
  }

  /** How long the oldest fact on its way to PARKED has waited. */
  get parkingMs(): number {
    return Math.max(0, this.#deps.clock.monoMs() - this.#oldestParkingMs);
  }

  get #still(): Still[] {
    const still: Still[] = [];
    const { journal, followers } = this.#deps;
    const add = (what: string, ms: number, says: (seconds: number) => string) => {
      if (ms > LIMITS.standstillMs) still.push({ what, ms, says: says(Math.floor(ms / 1000)) });
    };
    add('journal', this.journalMs, (s) => `the journal has taken nothing for ${s} s: ${journal.standstill?.why}`);
    for (const stream of FACT_STREAM_NAMES) {
      const silent = this.#silentMs(stream) > LIMITS.standstillMs;
      const paused = followers.paused(stream);
      add(`intake ${stream}`, this.intakeMs(stream), (s) => {
        if (silent) return `nothing has been heard of stream ${stream} for ${s} s: NATS does not answer`;
        if (paused)
          return `stream ${stream} has not been read for ${s} s, until facts that cannot be counted are parked`;
        return `none of the ${followers.lag(stream)} messages that stream ${stream} has for this node has been folded for ${s} s`;
      });
    }
    add('parking', this.parkingMs, (s) => `facts that cannot be counted have waited ${s} s to be stored in PARKED`);
    return still;
  }

  // PG1.
  #hasWork(stream: FactStream): boolean {
    return this.#deps.followers.lag(stream) > 0 || this.#deps.followers.paused(stream);
  }

  /** A server tells that it lives twice a second. */
  #silentMs(stream: FactStream): number {
    const ms = this.#deps.followers.silentMs(stream);
    return ms > LIMITS.followerSilenceMs ? ms : 0;
  }

  #lookAtParking(now: number): void {
    this.#oldestParkingMs = Number.POSITIVE_INFINITY;
    for (const { parking } of this.#deps.partitions.values()) {
      // A set keeps its order: the first has waited longest.
      const [oldest] = parking;
      if (oldest === undefined) continue;
      const since = this.#parking.get(oldest) ?? now;
      this.#parking.set(oldest, since);
      this.#oldestParkingMs = Math.min(this.#oldestParkingMs, since);
    }
  }
}
