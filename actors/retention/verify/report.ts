/** The findings of verification and its dependencies. */

import type { Floors } from '../../../streams/journal/floors.ts';
import type { ReadingDeps } from '../../../streams/read/follower.ts';
import type { Point } from '../../../streams/read/position.ts';
import type { SnapshotStore } from '../../snapshot/snapshotter.ts';
import type { BaselineStore } from '../baseline-store.ts';
import type { RetentionParts } from '../make-baseline.ts';

/** Where a fault is. */
export interface FaultPlace {
  readonly stream?: string;
  readonly seq?: number;
  readonly writer?: string;
  readonly n?: number;
  readonly partition?: number;
  readonly page?: number | undefined;
}
export interface Fault extends FaultPlace {
  /** The check that found it. */
  readonly check: 'streams' | 'journal' | 'facts' | 'snapshot' | 'baseline' | 'replay';
  readonly what: string;
}
export interface VerificationReport {
  readonly good: boolean;
  readonly faults: readonly Fault[];
  /** How much was checked. */
  readonly checked: {
    records: number;
    writers: number;
    messages: number;
    snapshots: number;
    baselines: number;
    keys: number;
    reservations: number;
  };
  readonly notes: readonly string[];
}
/** Results of one step of the verification. */
export interface Findings {
  readonly faults: readonly Fault[];
  readonly notes: readonly string[];
}
export interface VerifyDeps extends ReadingDeps {
  readonly snapshots: SnapshotStore;
  readonly baselines: BaselineStore | undefined;
  readonly keeping: RetentionParts;
}
/** Ranges of the streams that are verified. */
export interface StreamRanges {
  /** First sequence of JOURNAL. */
  readonly first: number;
  readonly end: Point;
  readonly floors: Floors;
  /** When each stream was created. */
  readonly created: Readonly<Record<string, string>>;
}
