/** Ports of the parked facts: what the fronts ask, and what the anomalies read. actors/parked implements both. */
import type { ParkedAnswer, ParkedFact, ParkedGroups, ParkedState, ParkedWork } from '../../streams/contract/parked.ts';
import type { Decider, Undecided } from '../../streams/fact/parked/park-decisions.ts';
import type { SentBody } from '../../streams/fact/sent-body.ts';

/** A text of '' selects facts that name none. */
export interface ParkedFilter {
  readonly reason?: string | undefined;
  readonly device?: string | undefined;
  readonly sku?: string | undefined;
  readonly location?: string | undefined;
  readonly state?: ParkedState | undefined;
}

/** Facts to decide about. */
export interface ParkedSelection extends ParkedFilter {
  readonly seqs?: readonly number[] | undefined;
  /** `next` of the answer before. */
  readonly after?: number | undefined;
  readonly state?: Undecided | undefined;
}

export interface ParkedFacts {
  /** Parked facts after a sequence, oldest first. A page may end early; `next` then continues it, and is null at the end. */
  list(filter: ParkedFilter, after: number, limit: number): Promise<ParkedAnswer>;
  /** Facts by reason and device, the largest group first. */
  groups(filter: ParkedFilter, limit: number): Promise<ParkedGroups>;
  /** One parked fact, with all its bytes. */
  get(seq: number): Promise<ParkedFact>;
  /** Publishes the selected facts again, each once. The horizon does not apply, because a person asks for it. */
  resubmit(selection: ParkedSelection, decider: Decider): Promise<ParkedWork>;
  dismiss(selection: ParkedSelection, decider: Decider): Promise<ParkedWork>;
  /** Publishes one fact again, or a corrected one in its place. To repeat it is harmless. */
  resubmitOne(seq: number, corrected: SentBody | undefined, was: Undecided, decider: Decider): Promise<void>;
}

/** Why an anomaly `parked_facts` is open: facts of one location, or of one device if they name no location, or of neither. */
export interface ParkedCause {
  readonly location: string | undefined;
  readonly device: string | undefined;
  /** Facts that wait, and how many for each reason. */
  readonly facts: number;
  readonly reasons: ReadonlyMap<string, number>;
  /** When the first of an unbroken sequence of waiting facts was parked, in microseconds since 1970. */
  readonly since: number;
  /** The version of the causes at which this one changed. */
  readonly changed: number;
}
export interface ParkedCauses {
  /** Grows with every change of a cause; undefined until all parked facts are read. */
  readonly version: number | undefined;
  /** Causes whose home is this partition, by a name that never changes. */
  of(partition: number): ReadonlyMap<string, ParkedCause>;
}
