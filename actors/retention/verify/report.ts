/** What verification finds, and what it needs of the world. */

import type { Floors } from '../../../streams/journal/floors.ts';
import type { ReadingDeps } from '../../../streams/read/follower.ts';
import type { Point } from '../../../streams/read/position.ts';
import type { SnapshotStore } from '../../snapshot/snapshotter.ts';
import type { BaselineStore } from '../baseline-store.ts';
import type { RetentionParts } from '../make-baseline.ts';

/** Where something is wrong. */
export interface FaultPlace {
  readonly stream?: string;
  readonly seq?: number;
  readonly writer?: string;
  readonly n?: number;
  readonly partition?: number;
  readonly page?: number | undefined;
}
export interface Fault extends FaultPlace {
  /** Which of the checks found it. */
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
    facts: number;
    snapshots: number;
    baselines: number;
    keys: number;
    reservations: number;
  };
  readonly notes: readonly string[];
}
/** What one step of the verification found. */
export interface Findings {
  readonly faults: readonly Fault[];
  readonly notes: readonly string[];
}
export interface VerifyDeps extends ReadingDeps {
  readonly snapshots: SnapshotStore;
  readonly baselines: BaselineStore | undefined;
  readonly keeping: RetentionParts;
}
/** What the streams hold while they are verified. */
export interface StreamRanges {
  /** First sequence of JOURNAL. */
  readonly first: number;
  readonly end: Point;
  readonly floors: Floors;
  /** When each stream was created. */
  readonly created: Readonly<Record<string, string>>;
}
