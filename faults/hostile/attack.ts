/**
 * What an attack is, and the ground that it stands on. Every attack is an entry of attacks.ts.
 *
 * Invariants:
 *  HA1 An attack uses what a stranger has: addresses of NATS, Redis and the nodes, and what the README says. Nothing of it is larger than
 *      one laptop can send.
 *  HA2 It touches SKUs, ids and locations of its own, so that honest numbers change only if the program is at fault.
 *  HA3 What goes wrong for the attacker itself (refused, cut off, too large) ends nothing: it goes on until its time is over.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';

export interface Target {
  /** Addresses of the nodes' HTTP. */
  readonly http: readonly string[];
  readonly nats: string;
  readonly redis: string;
  readonly partitions: number;
}

export interface Ground {
  readonly target: Target;
  /** Reconnects for ever. */
  readonly nats: NatsConnection;
  readonly maxPayload: number;
  readonly random: () => number;
  /** A name that was not used before. */
  readonly fresh: (what: string) => string;
  readonly isOver: () => boolean;
  /** What the attack was answered, and must never be: a sentence (HA1). */
  readonly wrong: (what: string) => void;
}

export interface Attack {
  readonly name: string;
  /** Number in the list of what was seen: 1 to 14. */
  readonly of: number;
  readonly does: string;
  /** Puts down what the attack needs, once. */
  readonly prepare?: (ground: Ground) => Promise<void>;
  readonly run: (ground: Ground) => Promise<void>;
  /** What must be so after everything, a sentence each for what is not. */
  readonly leaves?: (url: string) => Promise<string[]>;
}

/** So often a second until the time is over, one after the other. */
export async function paced(ground: Ground, perSecond: number, one: () => unknown): Promise<void> {
  for (let next = performance.now(); !ground.isOver(); next = Math.max(next + 1000 / perSecond, performance.now())) {
    await delay(Math.max(0, next - performance.now()));
    try {
      await one();
    } catch {
      // HA3.
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

/** A fact of the attackers' own (HA2). */
export function fact(id: string, sku: string, location: string, more: object = {}): Record<string, unknown> {
  return { id, type: 'receipt', sku, location, qty: 1, occurredAt: new Date().toISOString(), ...more };
}
