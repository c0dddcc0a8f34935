/**
 * The seal of a snapshot: an HMAC over the manifest, which holds the SHA-256 of everything that it names.
 *
 * Invariants:
 *  SL1 Whoever lacks the key can write no manifest and no page that a node with the key uses.
 *  SL2 An older manifest that is sealed is used like any snapshot of that moment: what the log holds behind it is replayed.
 */
import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../../config/servers/secret.ts';

export interface SnapshotKey {
  seal(text: string): Buffer;
  /** Whether a seal is this key's (SL1). */
  fits(text: string, seal: Uint8Array): boolean;
}

/** All nodes have the same; another one costs a replay of the log. */
export function snapshotKey(secret: Secret): SnapshotKey {
  // A seal does not say when it was made (SL2).
  const seal = (text: string) => createHmac('sha256', secret.reveal()).update(DOMAIN).update(text).digest();
  return {
    seal,
    fits: (text, given) => {
      const expected = seal(text);
      return given.length === expected.length && timingSafeEqual(given, expected);
    },
  };
}

/** What is sealed with this key elsewhere is no manifest. */
const DOMAIN = 'holdfast manifest 2\n';

export function sha256(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}
