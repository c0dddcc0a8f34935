/**
 * Names on the wire: subject tokens, the partition of a SKU, and the subjects of facts, journal and parked facts.
 *
 * Invariants:
 *  SJ1 encodeToken is injective and yields one legal NATS token: no dot, blank, `*` or `>`.
 *  SJ2 partitionOf equals JetStream's `{{partition(P,n)}}` on the encoded token: FNV-1a 32 modulo P
 *     (nats-server, server/subject_transform.go, getHashPartition); a test asks the server.
 */
import type { MessageKind } from './broker.ts';

export const FACT_TYPES = ['sale', 'receipt', 'transfer', 'return', 'count', 'adjustment'] as const;
export type FactType = (typeof FACT_TYPES)[number];

const PLAIN = /^[A-Za-z0-9_-]+$/;

/** Percent-encodes every UTF-8 byte outside A–Z a–z 0–9 _ -. The text must be well-formed and not empty (SJ1). */
export function encodeToken(text: string): string {
  if (PLAIN.test(text)) return text;
  return encodeURIComponent(text).replace(
    /[.!~*'()]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

/** The inverse of encodeToken, or undefined if the token is not one that encodeToken makes. */
export function decodeToken(token: string): string | undefined {
  if (PLAIN.test(token)) return token;
  try {
    const text = decodeURIComponent(token);
    return text !== '' && encodeToken(text) === token ? text : undefined;
  } catch {
    return undefined;
  }
}

/** The partition, 0 to partitions − 1, that holds this token's SKU at all locations (SJ2). */
export function partitionOfToken(token: string, partitions: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < token.length; i++) {
    hash ^= token.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return (hash >>> 0) % partitions;
}

/** The partition of a SKU, or of a reservation id (its home, where the id is remembered). */
export function partitionOf(name: string, partitions: number): number {
  return partitionOfToken(encodeToken(name), partitions);
}

/** Where a device publishes a fact. */
export function factSubject(type: FactType, location: string, sku: string): string {
  return `${type}.${encodeToken(location)}.${encodeToken(sku)}`;
}

/** How a fact's subject is stored, after the stream's transform; `*` for any location or SKU. */
export function storedFactSubject(type: FactType, partition: number, location: string, sku: string): string {
  const token = (text: string) => (text === '*' ? '*' : encodeToken(text));
  return `${type}.${partition}.${token(location)}.${token(sku)}`;
}

/**
 * Where a node publishes a fact that a person submits again. The stream's transform leaves five tokens as they are, so the partition is
 * in it from the start; `*` for any location or SKU.
 */
export function againSubject(type: FactType, partition: number, location: string, sku: string): string {
  return `again.${storedFactSubject(type, partition, location, sku).replace(/^([^.]*)\.([^.]*)/, '$2.$1')}`;
}

/** A message of a fact stream as its subject says: whose it is, and of what. */
export interface StoredFact {
  /** The partition whose owner judges it: 0 for a subject that names none. */
  readonly partition: number;
  /** Encoded tokens; undefined for a subject that is none of a fact. */
  readonly fact: { readonly type: string; readonly location: string; readonly sku: string } | undefined;
  /** On a subject of resubmissions. */
  readonly again: boolean;
}

export function storedFact(subject: string, partitions: number): StoredFact {
  const tokens = subject.split('.');
  if (tokens.length === 4) {
    const [type, partition, location, sku] = tokens as [string, string, string, string];
    return { partition: Number(partition), fact: { type, location, sku }, again: false };
  }
  const [, token, type, location, sku] = tokens as [string, string, string, string, string];
  const partition = Number(token);
  // Published as it is stored, so whatever it names is only a claim.
  if (tokens.length === 5 && partition >= 0 && partition < partitions && String(partition) === token) {
    const fits = partitionOfToken(sku, partitions) === partition;
    return { partition, fact: fits ? { type, location, sku } : undefined, again: true };
  }
  // A literal `*` for a token, which no transform touches, or a partition that does not exist.
  return { partition: 0, fact: undefined, again: false };
}

/** The journal subject of one start of one node. */
export function journalSubject(writer: string): string {
  return `journal.${encodeToken(writer)}`;
}

/** What a message between nodes is about, by its subject. */
export function kindOfSubject(subject: string): MessageKind {
  if (subject.startsWith(OWNERS)) return 'owner';
  if (subject === NODE_REPORTS_SUBJECT) return 'nodes';
  if (subject.startsWith(CHANGES)) return 'changes';
  return subject.startsWith('anomaly.') ? 'anomaly' : 'requests';
}

/**
 * Whether an answer may be sent to where a request wants it: an inbox. A node may publish what a stranger may not, so it lets nobody have its
 * answers sent to subjects of the system itself.
 */
export function mayBeAnswered(reply: string | undefined): reply is string {
  return reply !== undefined && reply !== '' && !OWN_SUBJECTS.test(reply);
}

const OWN_SUBJECTS =
  /^(\$|holdfast\.|journal\.|parked\.|anomaly\.|event\.|order\.|sale\.|receipt\.|purchase\.|transfer\.|return\.|count\.|adjustment\.|item\.|again\.|atp\.|stock\.|reservation\.)/;

const OWNERS = 'holdfast.owner.';
const CHANGES = 'holdfast.live.changes.';

/** Requests passed from the node that got them to the owner of a partition. */
export function ownerSubject(partition: number): string {
  return `${OWNERS}${partition}`;
}

/** Where every node says how it is, once a second. */
export const NODE_REPORTS_SUBJECT = 'holdfast.live.nodes';

/** Where a node that has readers of the live feed gets changes of what they read from the owners. */
export function changesSubject(writer: string): string {
  return `${CHANGES}${encodeToken(writer)}`;
}
