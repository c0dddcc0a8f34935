/**
 * The kinds, severities and states of anomalies. This file is data only, so that a browser can import it too.
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
  'receipt_unmatched',
  'transfer_overdue',
  'transfer_short',
  'transfer_over',
  'price_deviation',
  'late_facts',
  'clock_ahead',
  'device_silent',
  'parked_facts',
  'reservation_unknown',
  'over_fulfilled',
  'promise_late',
  'pickup_overdue',
  'task_overdue',
  'reservation_hoarding',
] as const;
export type AnomalyKind = (typeof ANOMALY_KINDS)[number];
export const SEVERITIES = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];
export const ANOMALY_STATES = ['open', 'acknowledged', 'resolved'] as const;
/** open → acknowledged → resolved. An anomaly also resolves by itself when its cause is gone. */
export type AnomalyState = (typeof ANOMALY_STATES)[number];

/** The subject on which changes of anomalies are published, `anomaly.<kind>`; `*` for all kinds. */
export function anomalySubject(kind: AnomalyKind | '*'): string {
  return `anomaly.${kind}`;
}
