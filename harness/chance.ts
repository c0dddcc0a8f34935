/** Seeded random numbers, so that a failed trial can be repeated. */
import { Random } from '../streams/random.ts';

/** Returns numbers from 0 to below 1, the same ones for the same seed. */
export function chance(seed: number): () => number {
  const random = new Random(seed);
  return () => random.next();
}

export function pick<T>(random: () => number, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)] as T;
}
