/** Source of the feed's anomalies, which are those of the whole system, whichever node found them. */
import type { Anomaly } from '../topics.ts';

export interface AnomalySource {
  /** All unresolved anomalies. */
  open(): readonly Anomaly[];
  /** Calls the listener with each changed anomaly, resolved ones included. Returns a function that ends this. */
  onChange(listener: (anomaly: Anomaly) => void): () => void;
}
