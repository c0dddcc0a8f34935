/** The part of a decision that all domains share. A fence belongs to no domain. */

/** A partition, and the epoch of the owner that decided for it. */
export type PartitionEpoch = readonly [partition: number, epoch: number];

export interface Decision {
  /** Name of its form and its domain. */
  readonly kind: string;
  /** Partitions that the decision is for, with their epochs. */
  readonly parts: readonly PartitionEpoch[];
}

/** The node that takes these partitions over appends it to the former owner's subject. */
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
  /** First element of the tuple. A code is never reused for another kind. */
  readonly code: number;
  readonly kind: string;
  /** The elements after the code. */
  encode(decision: Decision): readonly unknown[];
  decode(fields: readonly unknown[]): Decision;
}

/** A form for one type of decision. Only here is the type derived from the kind, by a cast. */
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
