/** One location's figures within one partition: how its stock keys stand, by age of what is on hand, and what happened. */
import { Ages } from './ages.ts';
import { STANDING_LENGTH } from './totals.ts';
import { Windows } from './windows.ts';

export class LocationKpi {
  readonly location: string;
  readonly standing = new Float64Array(STANDING_LENGTH);
  windows = new Windows();
  /** When the stream took this location's latest fact, in milliseconds; 0 if none was heard. */
  heardAtMs = 0;
  /** Number of the partition's fold that changed it last. */
  changedAt = 0;
  /** Facts of its last minute, as they were given out last. */
  factsPerMinute = 0;
  readonly ages = new Ages();

  constructor(location: string) {
    this.location = location;
  }
}
