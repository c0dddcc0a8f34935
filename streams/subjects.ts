/**
 * Names on the wire: subject tokens, the partition of a SKU, and the subjects of facts, journal and parked facts.
 *
 * Invariants:
 *  SJ1 encodeToken is injective and returns one legal NATS token, without dot, blank, `*` or `>`.
 *  SJ2 partitionOf equals JetStream's `{{partition(P,n)}}` on the encoded token, which is FNV-1a 32 modulo P
 *     (nats-server, server/subject_transform.go, getHashPartition). A test checks it against the server.
 */
import type { MessageKind } from './broker.ts';

/** Types whose facts move stock at a location, or say what will. */
export const STOCK_FACT_TYPES = ['sale', 'receipt', 'transfer', 'return', 'count', 'adjustment', 'purchase'] as const;
export const FACT_TYPES = [...STOCK_FACT_TYPES, 'item'] as const;
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

/** The inverse of encodeToken. Returns undefined for a token that encodeToken cannot produce. */
export function decodeToken(token: string): string | undefined {
  if (PLAIN.test(token)) return token;
  try {
    const text = decodeURIComponent(token);
    return text !== '' && encodeToken(text) === token ? text : undefined;
  } catch {
    return undefined;
  }
}

/** The hash of a SKU's token, whose remainder by the number of partitions is the SKU's partition (SJ2). */
export function hashOfToken(token: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < token.length; i++) {
    hash ^= token.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
}

/** The partition, 0 to partitions − 1, that holds this token's SKU at all locations (SJ2). */
export function partitionOfToken(token: string, partitions: number): number {
  return hashOfToken(token) % partitions;
}

/** The partition of a SKU, or the home partition of a reservation id, which remembers the id. */
export function partitionOf(name: string, partitions: number): number {
  return partitionOfToken(encodeToken(name), partitions);
}

/** Stands for the location in the stored subject of an item, which has none. So all stored subjects have one shape. */
export const NO_LOCATION = '-';

/** Subject on which a device publishes a fact. Only an item has no location. */
export function factSubject(type: FactType, location: string | undefined, sku: string): string {
  return location === undefined
    ? `${type}.${encodeToken(sku)}`
    : `${type}.${encodeToken(location)}.${encodeToken(sku)}`;
}

/** All subjects on which devices publish facts of a type. A literal `*` among their tokens is stored untransformed. */
export function factSubjects(type: FactType): string {
  return type === 'item' ? `${type}.*` : `${type}.*.*`;
}

/** The transform of a fact stream's subjects, all of which have the shape of this type's. */
export function factTransform(type: FactType, partitions: number): { readonly src: string; readonly dest: string } {
  return type === 'item'
    ? { src: '*.*', dest: `{{wildcard(1)}}.{{partition(${partitions},2)}}.${NO_LOCATION}.{{wildcard(2)}}` }
    : { src: '*.*.*', dest: `{{wildcard(1)}}.{{partition(${partitions},3)}}.{{wildcard(2)}}.{{wildcard(3)}}` };
}

/** A fact's subject as it is stored, after the stream's transform. `*` stands for any location or SKU. */
export function storedFactSubject(
  type: FactType,
  partition: number,
  location: string | undefined,
  sku: string,
): string {
  const token = (text: string) => (text === '*' ? '*' : encodeToken(text));
  return `${type}.${partition}.${token(location ?? NO_LOCATION)}.${token(sku)}`;
}

/**
 * Subject on which a node publishes a fact that a person resubmits. The stream's transform does not apply to five tokens, so the subject
 * has the partition from the start. `*` stands for any location or SKU.
 */
export function againSubject(type: FactType, partition: number, location: string | undefined, sku: string): string {
  return `again.${storedFactSubject(type, partition, location, sku).replace(/^([^.]*)\.([^.]*)/, '$2.$1')}`;
}

const BUNDLE = 'bundle.';

/** Subject on which a node publishes a bundle of facts. The stream's transform adds a token that means nothing, except to one of items. */
export function bundleSubject(type: FactType, lane: number): string {
  return `${BUNDLE}${type}.${lane}`;
}

/** The subject of bundles as it is stored. `*` stands for any lane. */
export function storedBundleSubject(type: FactType, lane: number | '*'): string {
  return type === 'item' ? `${BUNDLE}${type}.${lane}` : `${BUNDLE}*.${type}.${lane}`;
}

/** The type and lane of a stored bundle; undefined if the subject is not one of bundles. */
export function storedBundle(subject: string): { readonly type: string; readonly lane: number } | undefined {
  if (!subject.startsWith(BUNDLE)) return undefined;
  const [type = '', lane = ''] = subject.split('.').slice(-2);
  // NaN is no lane, so no bundle opens.
  return { type, lane: /^\d$/.test(lane) ? Number(lane) : Number.NaN };
}

/** What the subject of a message in a fact stream says: its partition and its fact. */
export interface StoredFact {
  /** Partition whose owner judges the message; 0 if the subject names none. */
  readonly partition: number;
  /** Encoded tokens, or the hash of the SKU's token for a fact in a bundle; undefined if the subject is not one of a fact. */
  readonly fact: NamedFact | undefined;
  /** True if the subject is one of resubmissions. */
  readonly again: boolean;
  /** Its index in the bundle; undefined for a message of its own. */
  readonly place: number | undefined;
}
type NamedFact =
  | { readonly type: string; readonly location: string; readonly sku: string }
  | { readonly type: string; readonly hash: number };

export function storedFact(subject: string, partitions: number): StoredFact {
  const tokens = subject.split('.');
  if (tokens.length === 4 && tokens[0] !== 'bundle') {
    const [type, partition, location, sku] = tokens as [string, string, string, string];
    return { partition: Number(partition), fact: { type, location, sku }, again: false, place: undefined };
  }
  const [, token, type, location, sku] = tokens as [string, string, string, string, string];
  const partition = Number(token);
  // The stream did not compute this partition, so it is only a claim and must fit the SKU.
  if (tokens.length === 5 && partition >= 0 && partition < partitions && String(partition) === token) {
    const fits = partitionOfToken(sku, partitions) === partition;
    return { partition, fact: fits ? { type, location, sku } : undefined, again: true, place: undefined };
  }
  // A token is a literal `*`, which no transform touches, or the partition does not exist.
  return { partition: 0, fact: undefined, again: false, place: undefined };
}

/** The journal subject of one start of one node. */
export function journalSubject(writer: string): string {
  return `journal.${encodeToken(writer)}`;
}

/** The topic of a message between nodes, by its subject. */
export function kindOfSubject(subject: string): MessageKind {
  if (subject.startsWith(OWNERS)) return 'owner';
  if (subject === NODE_REPORTS_SUBJECT || subject.startsWith(POLICIES)) return 'nodes';
  if (subject.startsWith(CHANGES)) return 'changes';
  return subject.startsWith('anomaly.') ? 'anomaly' : 'requests';
}

/**
 * True if an answer may be sent to the reply subject of a request. A node may publish where a stranger may not, so a stranger must not be
 * able to direct answers to the subjects of the system itself.
 */
export function mayBeAnswered(reply: string | undefined): reply is string {
  return reply !== undefined && reply !== '' && !OWN_SUBJECTS.test(reply);
}

const OWN_SUBJECTS =
  /^(\$|holdfast\.|journal\.|parked\.|anomaly\.|event\.|order\.|sale\.|receipt\.|purchase\.|transfer\.|return\.|count\.|adjustment\.|item\.|again\.|bundle\.|mark\.|fact\.|atp\.|stock\.|reservation\.)/;

const OWNERS = 'holdfast.owner.';
const CHANGES = 'holdfast.live.changes.';
const POLICIES = 'holdfast.policies.';

/** Subject on which a node passes requests on to the owner of a partition. */
export function ownerSubject(partition: number): string {
  return `${OWNERS}${partition}`;
}

/** Subject on which every node reports its state once a second. */
export const NODE_REPORTS_SUBJECT = 'holdfast.live.nodes';

/** Subject on which owners send changes to a node with readers of the live feed. */
export function changesSubject(writer: string): string {
  return `${CHANGES}${encodeToken(writer)}`;
}

/** Subject on which a node asks every node how far it has applied the policies. */
export const POLICIES_ASKED_SUBJECT = `${POLICIES}asked`;

/** Subject on which nodes tell a node how far they have applied the policies. */
export function policiesToldSubject(writer: string): string {
  return `${POLICIES}told.${encodeToken(writer)}`;
}
