/** Chance with a seed, so that a trial that went wrong can be injected again. */
import { Random } from '../streams/random.ts';

/** Numbers from 0 to below 1, the same ones for the same seed. */
export function chance(seed: number): () => number {
  const random = new Random(seed);
  return () => random.next();
}

export function pick<T>(random: () => number, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)] as T;
}
