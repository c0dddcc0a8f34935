import type { Point } from '../../streams/read/position.ts';
/** What the owner of a partition says of itself to commands that look at the streams: how far it is, and how long it remembers. */

export interface OwnerPoint extends Point {
  readonly writer: string;
  readonly epoch: number;
  readonly reservationMemoryMs: number;
}

/** Asks the owner of a partition; rejects if none answers. */
export interface Owners {
  point(partition: number): Promise<OwnerPoint>;
}
