/**
 * Seals a snapshot with an HMAC over its manifest. The manifest holds the SHA-256 of every blob it names, so the seal covers those too.
 *
 * Invariants:
 *  SL1 Without the key nobody can write a manifest or a page that a node with the key uses.
 *  SL2 An old sealed manifest is used like any snapshot of its moment, and the log after it is replayed.
 */
import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../../config/servers/secret.ts';

export interface SnapshotKey {
  seal(text: string): Buffer;
  /** Whether a seal was made with this key (SL1). */
  fits(text: string, seal: Uint8Array): boolean;
}

/** All nodes must share one key. A node with another key rejects their snapshots and replays the log. */
export function snapshotKey(secret: Secret): SnapshotKey {
  // The seal carries no time, so an old manifest stays valid (SL2).
  const seal = (text: string) => createHmac('sha256', secret.reveal()).update(DOMAIN).update(text).digest();
  return {
    seal,
    fits: (text, given) => {
      const expected = seal(text);
      return given.length === expected.length && timingSafeEqual(given, expected);
    },
  };
}

/** Separates manifests from anything else that is sealed with the same key. */
const DOMAIN = 'holdfast manifest 2\n';

export function sha256(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}
