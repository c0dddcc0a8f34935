/** One location's figures within one partition: sums over its stock keys, ages of its units on hand, and windows of its activity. */
import { Ages } from './ages.ts';
import { STANDING_LENGTH } from './totals.ts';
import { Windows } from './windows.ts';

export class LocationKpi {
  readonly location: string;
  readonly standing = new Float64Array(STANDING_LENGTH);
  windows = new Windows();
  /** When the stream took this location's latest fact, in milliseconds since 1970; 0 if there was none. */
  heardAtMs = 0;
  /** The observer's change number at its latest change. */
  changedAt = 0;
  /** Facts of its last minute, as last reported. */
  factsPerMinute = 0;
  readonly ages = new Ages();

  constructor(location: string) {
    this.location = location;
  }
}
