/** Decisions about stock: the grant of a reservation, and every later step. */
import type { Hash64 } from '../hash.ts';
import { type Decision, type DecisionForm, decisionForm, type PartitionEpoch } from './decision.ts';

export interface GrantedLine {
  /** Index in the answer's list of lines, from 0. */
  readonly index: number;
  readonly sku: string;
  readonly location: string;
  readonly qty: number;
  readonly partition: number;
  /** Change number of the partition when it decided. With the epoch it is the line's version. */
  readonly seq: number;
}

export interface Shortage {
  readonly sku: string;
  readonly requested: number;
  readonly available: number;
}

/** A granted reservation. `parts` holds the partitions of its lines, and the home partition if that decided. */
export interface Granted extends Decision {
  readonly kind: 'granted';
  readonly id: string;
  /** Hash of the request. It distinguishes a retry from a different request with the same id. */
  readonly content: Hash64;
  readonly channel: string;
  readonly purpose: string;
  /** Milliseconds since 1970, by the owner's clock. */
  readonly atMs: number;
  readonly expiresAtMs: number;
  /** The home partition, which remembers the id. */
  readonly coordinator: number;
  /** Every partition of the whole reservation, including those of other nodes. */
  readonly participants: readonly number[];
  readonly lines: readonly GrantedLine[];
  readonly shortages: readonly Shortage[];
}

export interface Stepped extends Decision {
  readonly kind: 'confirmed' | 'released' | 'expired';
  readonly id: string;
  readonly atMs: number;
}

export type StockDecision = Granted | Stepped;

type LineTuple = [number, string, string, number, number, number];
type ShortTuple = [string, number, number];
type GrantedTuple = [
  id: string,
  hi: number,
  lo: number,
  channel: string,
  purpose: string,
  atMs: number,
  expiresAtMs: number,
  coordinator: number,
  participants: readonly number[],
  parts: readonly PartitionEpoch[],
  lines: readonly LineTuple[],
  shortages: readonly ShortTuple[],
];

const GRANTED = decisionForm<Granted, GrantedTuple>(
  1,
  'granted',
  ({ id, content, channel, purpose, atMs, expiresAtMs, coordinator, participants, parts, lines, shortages }) => [
    id,
    content.hi,
    content.lo,
    channel,
    purpose,
    atMs,
    expiresAtMs,
    coordinator,
    participants,
    parts,
    lines.map((line): LineTuple => [line.index, line.sku, line.location, line.qty, line.partition, line.seq]),
    shortages.map(shortTuple),
  ],
  ([id, hi, lo, channel, purpose, atMs, expiresAtMs, coordinator, participants, parts, lines, shortages]) => ({
    kind: 'granted',
    id,
    content: { hi, lo },
    channel,
    purpose,
    atMs,
    expiresAtMs,
    coordinator,
    participants,
    parts,
    lines: lines.map(([index, sku, location, qty, partition, seq]) => ({ index, sku, location, qty, partition, seq })),
    shortages: shortages.map(shortageOf),
  }),
);

const step = (code: number, kind: Stepped['kind']) =>
  decisionForm<Stepped, [string, number, readonly PartitionEpoch[]]>(
    code,
    kind,
    ({ id, atMs, parts }) => [id, atMs, parts],
    ([id, atMs, parts]) => ({ kind, id, atMs, parts }),
  );

export const STOCK_DECISIONS: readonly DecisionForm[] = [
  GRANTED,
  step(2, 'confirmed'),
  step(3, 'released'),
  step(4, 'expired'),
];

const KINDS: ReadonlySet<string> = new Set(STOCK_DECISIONS.map(({ kind }) => kind));

export function isAboutStock(decision: Decision): decision is StockDecision {
  return KINDS.has(decision.kind);
}

/** A shortage as decisions and snapshots store it. */
export function shortTuple({ sku, requested, available }: Shortage): ShortTuple {
  return [sku, requested, available];
}

export function shortageOf([sku, requested, available]: ShortTuple): Shortage {
  return { sku, requested, available };
}
