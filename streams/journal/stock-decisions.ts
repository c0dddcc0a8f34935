/**
 * Decisions about stock. `stands` says how a reservation stands after a step, and the other forms of the protocol serve a step across
 * owners (actors/reservation/coordinator.ts). `granted`, `confirmed`, `released` and `expired` are the forms of version 0.1, which are
 * still read and written no more.
 */
import type { Hash64 } from '../hash.ts';
import { type Decision, type DecisionForm, decisionForm, type PartitionEpoch } from './decision.ts';
import { PROMISE_DECISIONS, type PromiseDecision } from './promise-decisions.ts';

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

/** Names an attempt at changing a reservation: epoch and change number of its home when it began. A later attempt is greater. */
export type Attempt = readonly [epoch: number, seq: number];

/** When a line is wanted and when it is due. Moments are in microseconds since 1970, and END_OF_TIME (actors/stock/atp.ts) is the last one. */
export interface StandingDate {
  /** END_OF_TIME for a backorder. */
  readonly wanted: number;
  /** 0 once the line has taken its units. END_OF_TIME while no moment is known. */
  due: number;
  /** How often the moment has changed. */
  changes: number;
  /** The moment before the last change, and what that followed from. */
  last?: { readonly was: number; readonly cause: string } | undefined;
}

/** A quantity of one line at one location. */
export interface StandingLine {
  /** Number of the request's line × PIECES_PER_LINE, plus the piece's place in it. Answers are in this order. */
  readonly index: number;
  /** The caller's own name for the line. */
  readonly name: string | undefined;
  readonly sku: string;
  readonly location: string;
  /** Units, including those that are fulfilled. */
  readonly qty: number;
  readonly fulfilled: number;
  readonly partition: number;
  /** Version of the partition when it decided on this line. */
  readonly epoch: number;
  readonly seq: number;
  /** Absent for a line that is due now because no date was asked for. */
  readonly date?: StandingDate | undefined;
}

/** A line that is split over locations has less than this many pieces. */
export const PIECES_PER_LINE = 8192;

/** Units sold and opened again of a SKU at a location, according to the facts that `fulfilled` of a decision's lines includes. */
export interface FactUnits {
  readonly sku: string;
  readonly location: string;
  readonly sold: number;
  readonly reopened: number;
}

/**
 * How a reservation stands. As `stands`, it is the outcome of a step: in the home, and in every participant that is named in `parts`. As
 * `grown`, it is the tentative answer of participants to an attempt that the home has begun. Lines are the resulting ones, never
 * differences.
 */
export interface Standing extends Decision {
  readonly kind: 'grown' | 'stands';
  readonly id: string;
  readonly attempt: Attempt;
  /** Hash of the first placement. It distinguishes a retry from a different request with the same id. */
  readonly content: Hash64;
  readonly channel: string;
  readonly purpose: string;
  /** Milliseconds since 1970, by the owner's clock. Moments of steps that were not taken are 0. */
  readonly atMs: number;
  readonly grantedAtMs: number;
  readonly expiresAtMs: number;
  readonly confirmedAtMs: number;
  readonly releasedAtMs: number;
  readonly expiredAtMs: number;
  /** The partition of the id, which remembers the reservation. */
  readonly home: number;
  /** Every partition that has lines. */
  readonly participants: readonly number[];
  /** Participants that are not in `parts` and follow with decisions of their own. */
  readonly following: readonly number[];
  /** Lines of the partitions in `parts` and `following`. */
  readonly lines: readonly StandingLine[];
  /** Facts that are included in the lines' `fulfilled`. Later facts count on top. */
  readonly counted: readonly FactUnits[];
  readonly shortages: readonly Shortage[];
  /** Ids of partial releases. */
  readonly releases: readonly string[];
}

/** `begun`: the home intends a step that participants must decide on. */
export interface Begun extends Decision {
  readonly kind: 'begun';
  readonly id: string;
  readonly attempt: Attempt;
  readonly atMs: number;
  readonly participants: readonly number[];
}

/** `undone`: a participant drops what it did for an attempt. `settled`: the home has nothing left to do for it. */
export interface Closed extends Decision {
  readonly kind: 'undone' | 'settled';
  readonly id: string;
  readonly attempt: Attempt;
  readonly atMs: number;
}

export type ReservationDecision = Standing | Begun | Closed;
export type StockDecision = Granted | Stepped | ReservationDecision | PromiseDecision;

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

type StandingLineTuple = [
  index: number,
  name: string | 0,
  sku: string,
  location: string,
  qty: number,
  fulfilled: number,
  partition: number,
  epoch: number,
  seq: number,
  ...date: DateTuple,
];
/** Nothing for a line without a date. */
type DateTuple = [] | [wanted: number, due: number, changes: number, ...last: [] | [was: number, cause: string]];
type FactUnitsTuple = [sku: string, location: string, sold: number, reopened: number];
type StandingTuple = [
  id: string,
  attempt: Attempt,
  hi: number,
  lo: number,
  channel: string,
  purpose: string,
  atMs: number,
  grantedAtMs: number,
  expiresAtMs: number,
  confirmedAtMs: number,
  releasedAtMs: number,
  expiredAtMs: number,
  home: number,
  participants: readonly number[],
  following: readonly number[],
  parts: readonly PartitionEpoch[],
  lines: readonly StandingLineTuple[],
  counted: readonly FactUnitsTuple[],
  shortages: readonly ShortTuple[],
  releases: readonly string[],
];

/** A standing as decisions and snapshots store it. */
export function standingTuple(standing: Standing): StandingTuple {
  const { content, lines, counted, shortages } = standing;
  return [
    standing.id,
    standing.attempt,
    content.hi,
    content.lo,
    standing.channel,
    standing.purpose,
    standing.atMs,
    standing.grantedAtMs,
    standing.expiresAtMs,
    standing.confirmedAtMs,
    standing.releasedAtMs,
    standing.expiredAtMs,
    standing.home,
    standing.participants,
    standing.following,
    standing.parts,
    lines.map(lineTuple),
    counted.map(factUnitsTuple),
    shortages.map(shortTuple),
    standing.releases,
  ];
}

export function standingOf(kind: Standing['kind'], tuple: StandingTuple): Standing {
  const [id, attempt, hi, lo, channel, purpose, atMs, grantedAtMs, expiresAtMs, confirmedAtMs, ...more] = tuple;
  const [releasedAtMs, expiredAtMs, home, participants, following, parts, lines, counted, shortages, releases] = more;
  return {
    kind,
    id,
    attempt,
    content: { hi, lo },
    channel,
    purpose,
    atMs,
    grantedAtMs,
    expiresAtMs,
    confirmedAtMs,
    releasedAtMs,
    expiredAtMs,
    home,
    participants,
    following,
    parts,
    lines: lines.map(lineOf),
    counted: counted.map(factUnitsOf),
    shortages: shortages.map(shortageOf),
    releases,
  };
}

function lineTuple(line: StandingLine): StandingLineTuple {
  const { index, name, sku, location, qty, fulfilled, partition, epoch, seq, date } = line;
  return [index, name ?? 0, sku, location, qty, fulfilled, partition, epoch, seq, ...dateTuple(date)];
}

function lineOf(tuple: StandingLineTuple): StandingLine {
  const [index, name, sku, location, qty, fulfilled, partition, epoch, seq, ...date] = tuple;
  const line = { index, name: name === 0 ? undefined : name, sku, location, qty, fulfilled, partition, epoch, seq };
  return date.length === 0 ? line : { ...line, date: dateOf(date) };
}

/** A line's date as decisions and snapshots store it, at the end of the line. */
export function dateTuple(date: StandingDate | undefined): DateTuple {
  if (date === undefined) return [];
  const { wanted, due, changes, last } = date;
  return last === undefined ? [wanted, due, changes] : [wanted, due, changes, last.was, last.cause];
}

export function dateOf([wanted, due, changes, ...last]: Exclude<DateTuple, []>): StandingDate {
  const [was, cause] = last;
  return was === undefined || cause === undefined
    ? { wanted, due, changes }
    : { wanted, due, changes, last: { was, cause } };
}

/** Units by facts, as decisions and snapshots store them. */
export function factUnitsTuple({ sku, location, sold, reopened }: FactUnits): FactUnitsTuple {
  return [sku, location, sold, reopened];
}

export function factUnitsOf([sku, location, sold, reopened]: FactUnitsTuple): FactUnits {
  return { sku, location, sold, reopened };
}

const standing = (code: number, kind: Standing['kind']) =>
  decisionForm<Standing, StandingTuple>(code, kind, standingTuple, (tuple) => standingOf(kind, tuple));

const BEGUN = decisionForm<Begun, [string, Attempt, number, readonly number[], readonly PartitionEpoch[]]>(
  6,
  'begun',
  ({ id, attempt, atMs, participants, parts }) => [id, attempt, atMs, participants, parts],
  ([id, attempt, atMs, participants, parts]) => ({ kind: 'begun', id, attempt, atMs, participants, parts }),
);

const closed = (code: number, kind: Closed['kind']) =>
  decisionForm<Closed, [string, Attempt, number, readonly PartitionEpoch[]]>(
    code,
    kind,
    ({ id, attempt, atMs, parts }) => [id, attempt, atMs, parts],
    ([id, attempt, atMs, parts]) => ({ kind, id, attempt, atMs, parts }),
  );

export const STOCK_DECISIONS: readonly DecisionForm[] = [
  GRANTED,
  step(2, 'confirmed'),
  step(3, 'released'),
  step(4, 'expired'),
  BEGUN,
  standing(7, 'grown'),
  standing(8, 'stands'),
  closed(9, 'undone'),
  closed(10, 'settled'),
  ...PROMISE_DECISIONS,
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
