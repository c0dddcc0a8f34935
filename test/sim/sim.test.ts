/** A slice of the simulation. `npm run sim` runs all of it. */
import { describe, expect, it } from 'vitest';
import { runSeed } from '../../sim/run.ts';

/** Seeds that once failed, with what they found. They reproduce it only while a run draws the same random numbers before that point. */
const KEPT = [
  [4, 'a stopping node took its unfinished parkings for done, and its snapshot was past them'],
  [2007, 'an attempt that came late was granted behind a later one'],
  [3005, 'what a dead process said late stood in place of what its successor said'],
  [3275, 'a reservation that was told as expired was shown as released'],
  [20228, 'a claim whose answer was lost blocked its partition'],
  [20386, 'a confirmation too late for one part released what had expired'],
  [20699, 'pages of a snapshot that a newer epoch refused counted as written'],
  [30817, 'a deposed coordinator that woke up took over what the new one had granted'],
  [37312, 'who lived was read before who owned, and an owner that had claimed between was taken for dead'],
  [200230, 'a partition that was dropped was copied without its ids, and facts counted twice after a start from it'],
  [200047, 'a fact that was submitted to a node that had not read the rules yet was a bug, not undecided'],
] as const;

describe('the simulation', () => {
  it.each(KEPT)('seed %i holds: %s', async (seed) => {
    expect((await runSeed(seed)).failure).toBe(undefined);
  });

  it('holds all invariants on a slice of seeds, in which faults strike and decisions are made', async () => {
    const sum = { faults: 0, decisions: 0, facts: 0 };
    for (let seed = 1_000; seed < 1_006; seed++) {
      const result = await runSeed(seed);
      expect({ seed, failure: result.failure }).toEqual({ seed, failure: undefined });
      for (const name of ['faults', 'decisions', 'facts'] as const) sum[name] += result[name];
    }
    expect(sum.faults).toBeGreaterThan(50);
    expect(sum.decisions).toBeGreaterThan(500);
    expect(sum.facts).toBeGreaterThan(250);
  });

  it('runs a seed the same way again, event by event', async () => {
    for (const seed of [5, 6]) expect((await runSeed(seed)).trace).toBe((await runSeed(seed)).trace);
  });
});
