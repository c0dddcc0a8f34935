/** A slice of the simulation: the whole of it is `npm run sim`. */
import { describe, expect, it } from 'vitest';
import { runSeed } from '../../sim/run.ts';

/** Seeds that failed once, with what they found. They hold while nothing before them in a run draws more or less chance. */
const KEPT = [
  [72, 'a node whose lease had run out said of a part that it was not found'],
  [137, 'a message lost while a connection broke was missed until the next one came'],
] as const;

describe('the simulation', () => {
  it.each(KEPT)('seed %i holds: %s', async (seed) => {
    expect((await runSeed(seed)).failure).toBe(undefined);
  });

  it('holds all invariants on a slice of seeds, in which faults strike and decisions are made', async () => {
    const sum = { faults: 0, decisions: 0, facts: 0 };
    for (let seed = 1_000; seed < 1_040; seed++) {
      const result = await runSeed(seed);
      expect({ seed, failure: result.failure }).toEqual({ seed, failure: undefined });
      for (const name of ['faults', 'decisions', 'facts'] as const) sum[name] += result[name];
    }
    expect(sum.faults).toBeGreaterThan(200);
    expect(sum.decisions).toBeGreaterThan(2_000);
    expect(sum.facts).toBeGreaterThan(1_000);
  });

  it('runs a seed the same way again, event by event', async () => {
    for (const seed of [5, 6, 7]) expect((await runSeed(seed)).trace).toBe((await runSeed(seed)).trace);
  });
});
