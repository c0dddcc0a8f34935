/**
 * An attack of a stranger, and what it has to work with. attacks.ts lists every attack.
 *
 * Invariants:
 *  HA1 An attack uses only what a stranger has: the addresses of NATS, Redis and the nodes, and the content of the README. It sends no more
 *      than one laptop can.
 *  HA2 An attack uses SKUs, ids and locations of its own, so honest numbers change only if the program is at fault.
 *  HA3 The attacker's own failures (refused, disconnected, too large) end nothing. It goes on until its time is over.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';

export interface Target {
  /** HTTP addresses of the nodes, which any stranger may know (HA1). */
  readonly http: readonly string[];
  readonly nats: string;
  readonly redis: string;
  readonly partitions: number;
}

export interface Ground {
  readonly target: Target;
  /** Reconnects without limit. */
  readonly nats: NatsConnection;
  readonly maxPayload: number;
  readonly random: () => number;
  /** Returns a name that was not used before. */
  readonly fresh: (what: string) => string;
  readonly isOver: () => boolean;
  /** Reports an answer that the attack must never get, as a sentence. */
  readonly wrong: (what: string) => void;
}

export interface Attack {
  readonly name: string;
  /** Case number of the attack, from 1 to 14. */
  readonly of: number;
  readonly does: string;
  /** Prepares what the attack needs. Runs once. */
  readonly prepare?: (ground: Ground) => Promise<void>;
  readonly run: (ground: Ground) => Promise<void>;
  /** Checks the state after everything. Returns a sentence for each thing that is wrong. */
  readonly leaves?: (url: string) => Promise<string[]>;
}

/** Calls `one` at this rate, one call after the other, until the time is over. */
export async function paced(ground: Ground, perSecond: number, one: () => unknown): Promise<void> {
  for (let next = performance.now(); !ground.isOver(); next = Math.max(next + 1000 / perSecond, performance.now())) {
    await delay(Math.max(0, next - performance.now()));
    try {
      await one();
    } catch {
      // A failure of one call does not end the attack (HA3).
    }
  }
}

export function pickOf<T>(ground: Ground, from: readonly T[]): T {
  return from[Math.floor(ground.random() * from.length)] as T;
}

export function anyNode(ground: Ground): string {
  return pickOf(ground, ground.target.http);
}

export function randomBytes(ground: Ground, most: number): Buffer {
  const bytes = Buffer.alloc(1 + Math.floor(ground.random() * most));
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(ground.random() * 256);
  return bytes;
}

/** A fact with the attackers' own names (HA2). */
export function fact(id: string, sku: string, location: string, more: object = {}): Record<string, unknown> {
  return { id, type: 'receipt', sku, location, qty: 1, occurredAt: new Date().toISOString(), ...more };
}
