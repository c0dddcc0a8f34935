/** What the owner of a partition reports to commands that read the streams: how far it has folded them, and how long it remembers. */
import type { Point } from '../../streams/read/position.ts';

export interface OwnerPoint extends Point {
  readonly writer: string;
  readonly epoch: number;
  readonly reservationMemoryMs: number;
}

/** Asks the owner of a partition. Rejects if no owner answers. */
export interface Owners {
  point(partition: number): Promise<OwnerPoint>;
}
