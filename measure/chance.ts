/** Seeded random numbers. The same seed gives the same world and the same injections. */
import { Random } from '../streams/random.ts';

export class Chance extends Random {
  /** A normally distributed number with mean 0 and standard deviation 1 (Box and Muller). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }
}
