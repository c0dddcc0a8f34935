/** Decisions about promises over time. They concern one stock key, and many reservations. */
import { type Decision, type DecisionForm, decisionForm, type PartitionEpoch } from './decision.ts';

/** A line of a reservation that gets another moment. */
export interface MovedLine {
  readonly reservation: string;
  readonly index: number;
  /** The caller's own name for the line. */
  readonly name: string | undefined;
  readonly qty: number;
  readonly wanted: number;
  readonly was: number;
  /** 0 if the line takes its units now. */
  readonly now: number;
}

/** New moments for lines that are promised for later from one stock key. */
export interface Repromised extends Decision {
  readonly kind: 'repromised';
  /** Names the decision in messages. */
  readonly id: string;
  readonly sku: string;
  readonly location: string;
  readonly atMs: number;
  /** What the new moments follow from, such as the fact that changed the supply. */
  readonly cause: string;
  readonly moves: readonly MovedLine[];
  /** Whether all dated lines of the key are made again, and more decisions follow. */
  readonly more: boolean;
}

/** Supply that did not come in time. It has no effect until it gets another date. */
export interface Overdue extends Decision {
  readonly kind: 'overdue';
  /** Names the decision in messages. */
  readonly id: string;
  readonly sku: string;
  readonly location: string;
  readonly atMs: number;
  readonly supplies: readonly OverdueSupply[];
}

export interface OverdueSupply {
  readonly source: 'purchase' | 'transfer';
  /** The purchase order or the transfer. */
  readonly order: string;
  /** The line of a purchase order; '' without one. */
  readonly line: string;
  /** The moment at which it was due, in microseconds since 1970. */
  readonly due: number;
}

export type PromiseDecision = Repromised | Overdue;

type MovedTuple = [
  reservation: string,
  index: number,
  name: string | 0,
  qty: number,
  wanted: number,
  was: number,
  now: number,
];

const REPROMISED = decisionForm<
  Repromised,
  [sku: string, location: string, number, string, readonly MovedTuple[], readonly PartitionEpoch[], boolean]
>(
  11,
  'repromised',
  ({ sku, location, atMs, cause, moves, parts, more }) => [
    sku,
    location,
    atMs,
    cause,
    moves.map(({ reservation, index, name, qty, wanted, was, now }): MovedTuple => {
      return [reservation, index, name ?? 0, qty, wanted, was, now];
    }),
    parts,
    more,
  ],
  ([sku, location, atMs, cause, moves, parts, more]) => ({
    kind: 'repromised',
    id: `${sku} at ${location}`,
    sku,
    location,
    atMs,
    cause,
    moves: moves.map(([reservation, index, name, qty, wanted, was, now]) => {
      return { reservation, index, name: name === 0 ? undefined : name, qty, wanted, was, now };
    }),
    parts,
    more,
  }),
);

type OverdueTuple = [source: OverdueSupply['source'], order: string, line: string, due: number];

const OVERDUE = decisionForm<
  Overdue,
  [sku: string, location: string, number, readonly OverdueTuple[], readonly PartitionEpoch[]]
>(
  12,
  'overdue',
  ({ sku, location, atMs, supplies, parts }) => [
    sku,
    location,
    atMs,
    supplies.map(({ source, order, line, due }): OverdueTuple => [source, order, line, due]),
    parts,
  ],
  ([sku, location, atMs, supplies, parts]) => ({
    kind: 'overdue',
    id: `${sku} at ${location}`,
    sku,
    location,
    atMs,
    supplies: supplies.map(([source, order, line, due]) => ({ source, order, line, due })),
    parts,
  }),
);

export const PROMISE_DECISIONS: readonly DecisionForm[] = [REPROMISED, OVERDUE];
