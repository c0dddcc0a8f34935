/**
 * Counters since this node started, for metrics. They count a fold only while its partition is served here, so that a take-over, which
 * folds the log again, counts nothing twice.
 */

/** The events in the life of a hold. */
export const HOLD_OUTCOMES = ['granted', 'confirmed', 'released', 'expired'] as const;
export type HoldOutcome = (typeof HOLD_OUTCOMES)[number];

export class KpiCounters {
  /** Units by location. */
  readonly sold = new Map<string, number>();
  readonly returned = new Map<string, number>();
  readonly holds: Record<HoldOutcome, number> = { granted: 0, confirmed: 0, released: 0, expired: 0 };
  readonly counts = { exact: 0, variance: 0 };
  varianceUnits = 0;
  transferDamaged = 0;
  /** Parts of receipts that fill a line of a purchase order. */
  readonly deliveries = { in_time: 0, late: 0 };
  /** Called with the lead time of each transfer that was received, in seconds. */
  onLead: (seconds: number) => void = () => undefined;
  /** Called with the time from the purchase to each delivery, in seconds. */
  onDeliveryLead: (seconds: number) => void = () => undefined;
}
