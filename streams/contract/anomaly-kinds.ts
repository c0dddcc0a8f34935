/**
 * Anomalies: what everyone who speaks of them agrees on: kinds, severities, states.
 * Data only, so that a browser can have it too.
 */
export const ANOMALY_KINDS = [
  'negative_stock',
  'shortfall',
  'count_variance',
  'phantom_stock',
  'sales_spike',
  'return_spike',
  'receipt_overdue',
  'receipt_short',
  'transfer_overdue',
  'transfer_short',
  'price_deviation',
  'late_facts',
  'device_silent',
  'pickup_overdue',
  'task_overdue',
  'reservation_hoarding',
] as const;
export type AnomalyKind = (typeof ANOMALY_KINDS)[number];
export const SEVERITIES = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];
export const ANOMALY_STATES = ['open', 'acknowledged', 'resolved'] as const;
/** open → acknowledged → resolved; by itself too, when its cause is gone. */
export type AnomalyState = (typeof ANOMALY_STATES)[number];

/** Where a change of an anomaly is published: `anomaly.<kind>`; `*` for those of all kinds. */
export function anomalySubject(kind: AnomalyKind | '*'): string {
  return `anomaly.${kind}`;
}
