/** Repeatable chance: the same words give the same numbers, in every run and on every machine. */
import { hash64 } from '../../streams/hash.ts';

/** A number from 0 up to, not including, `below`, drawn from the words. */
export function draw(words: string, below: number): number {
  return hash64(words).lo % below;
}

/** True for about `perThousand` of a thousand texts, and always the same for the same words. */
export function drawn(words: string, perThousand: number): boolean {
  return draw(words, 1000) < perThousand;
}

/** Mulberry32: numbers from 0 up to, not including, 1, from a seed. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
