/** What promises depend on beside the books of stock: policies, locations and lanes. */
import { NO_POLICIES, type Policies } from './policy.ts';

export interface PromiseTerms {
  readonly policies: Policies;
  /** Assumed duration of a transfer on a lane without transit hours, in microseconds. */
  readonly laneTime: number;
  /** Raised when a policy or a location changes, because what was derived from them must be made again. */
  readonly generation: number;
}

export const NO_TERMS: PromiseTerms = { policies: NO_POLICIES, laneTime: 0, generation: 0 };

const MICROS_PER_HOUR = 3_600_000_000;

/** How long a transfer takes if its shipment names no eta, in microseconds. @param from undefined if it is not known */
export function laneTimeOf({ policies, laneTime }: PromiseTerms, from: string | undefined, to: string): number {
  const hours = from === undefined ? undefined : policies.location(to).transitHours.get(from);
  return hours === undefined ? laneTime : Math.round(hours * MICROS_PER_HOUR);
}
