/** Decisions in general: what every one of them says, whichever domain it comes from. A fence belongs to none. */

/** A partition and the epoch of the owner that decided for it. */
export type PartitionEpoch = readonly [partition: number, epoch: number];

export interface Decision {
  /** Names its form and its domain. */
  readonly kind: string;
  /** Partitions that it is for, with their epochs. */
  readonly parts: readonly PartitionEpoch[];
}

/** Appended to a writer's subject by the node that takes these partitions over. */
export interface Fenced extends Decision {
  readonly kind: 'fenced';
  readonly by: string;
}

export function fence(by: string, parts: readonly PartitionEpoch[]): Fenced {
  return { kind: 'fenced', by, parts };
}

export function isFence(decision: Decision): decision is Fenced {
  return decision.kind === 'fenced';
}

/** How decisions of one kind are stored. */
export interface DecisionForm {
  /** The first element of its tuple. It is never used again for something else. */
  readonly code: number;
  readonly kind: string;
  /** What follows the code. */
  encode(decision: Decision): readonly unknown[];
  decode(fields: readonly unknown[]): Decision;
}

/** A form with the decision's own type. It is the one place where a kind stands for a type. */
export function decisionForm<D extends Decision, T extends readonly unknown[]>(
  code: number,
  kind: D['kind'],
  encode: (decision: D) => T,
  decode: (fields: T) => D,
): DecisionForm {
  return {
    code,
    kind,
    encode: (decision) => encode(decision as D),
    decode: (fields) => decode(fields as T),
  };
}

export const FENCED = decisionForm<Fenced, [string, readonly PartitionEpoch[]]>(
  5,
  'fenced',
  ({ by, parts }) => [by, parts],
  ([by, parts]) => fence(by, parts),
);
