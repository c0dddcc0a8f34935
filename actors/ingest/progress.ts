/**
 * Watches whether this node makes progress. The journal must store waiting decisions, each intake must fold the messages of its stream, and
 * facts that cannot be counted must reach PARKED. If one of them stalls for standstillMs with work to do, the node is not ready.
 *
 * Invariant PG1: having nothing to do counts as progress, so an idle node is ready.
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
  /** Message for the operator. */
  readonly says: string;
}

export class Progress {
  readonly #deps: ProgressDeps;
  /** Position of each intake, and the time since which it has not moved. */
  readonly #stands = new Map<FactStream, { readonly position: number; readonly sinceMs: number }>();
  /** When each fact that is being parked was first seen. */
  readonly #parking = new WeakMap<Promise<unknown>, number>();
  #oldestParkingMs = Number.POSITIVE_INFINITY;
  /** What was stalled at the last look, with its duration in milliseconds. */
  #told = new Map<string, number>();

  constructor(deps: ProgressDeps) {
    this.#deps = deps;
  }

  /** Checks progress, and logs when something stalls and when it moves again. */
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

  /** Why the node is not ready; empty if nothing is stalled and the server's max_payload is large enough. */
  get reasons(): string[] {
    const payload = maxPayloadTrouble(this.#deps.broker);
    return [...this.#still.map(({ says }) => says), ...(payload === undefined ? [] : [payload])];
  }

  /** How long JOURNAL has stored nothing while decisions wait, in milliseconds; 0 if it moves or has nothing to do. */
  get journalMs(): number {
    return this.#deps.journal.standstill?.ms ?? 0;
  }

  /** How long a fact stream has been silent, or none of its waiting messages has been folded, in milliseconds. */
  intakeMs(stream: FactStream): number {
    const { clock } = this.#deps;
    const stand = this.#hasWork(stream) ? this.#stands.get(stream) : undefined;
    return Math.max(stand === undefined ? 0 : clock.monoMs() - stand.sinceMs, this.#silentMs(stream));
  }

  /** How long the oldest fact that is being parked has waited, in milliseconds. */
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

  /** An intake without work cannot stall (PG1). */
  #hasWork(stream: FactStream): boolean {
    return this.#deps.followers.lag(stream) > 0 || this.#deps.followers.paused(stream);
  }

  /** 0 below LIMITS.followerSilenceMs, which is a few of the heartbeats that a live server sends every 500 ms. */
  #silentMs(stream: FactStream): number {
    const ms = this.#deps.followers.silentMs(stream);
    return ms > LIMITS.followerSilenceMs ? ms : 0;
  }

  #lookAtParking(now: number): void {
    this.#oldestParkingMs = Number.POSITIVE_INFINITY;
    for (const { parking } of this.#deps.partitions.values()) {
      // A set keeps insertion order, so the first has waited longest.
      const [oldest] = parking;
      if (oldest === undefined) continue;
      const since = this.#parking.get(oldest) ?? now;
      this.#parking.set(oldest, since);
      this.#oldestParkingMs = Math.min(this.#oldestParkingMs, since);
    }
  }
}
