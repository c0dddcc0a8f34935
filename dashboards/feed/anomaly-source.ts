/** Where the feed gets anomalies from: those of the whole system, over whichever node they were found. */
import type { Anomaly } from '../topics.ts';

export interface AnomalySource {
  /** Those that are not resolved. */
  open(): readonly Anomaly[];
  /** Called with each that changes, a resolved one too; returns what ends it. */
  onChange(listener: (anomaly: Anomaly) => void): () => void;
}
