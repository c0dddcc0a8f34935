/** A short slice of the fault scenarios of `npm run faults`, as tests. The scenarios themselves are in faults/. */
import { describe, expect, it } from 'vitest';
import { CATALOGUE } from '../../faults/catalogue.ts';
import { perform } from '../../faults/perform.ts';

/** Length of the soak here, enough for one fault. */
const MINUTES = 0.2;
/**
 * Faults of files and servers, and attacks by strangers. All other scenarios concern processes and their links. Each group is a test file,
 * so they run in parallel.
 */
const OF = {
  stores: ['power-cut', 'journal-damage', 'snapshot-damage', 'journal-lost', 'disk-full', 'disk-trouble', 'redis'],
  strangers: ['hostile'],
};
const OTHERS = Object.values(OF).flat();

export function testSlices(of: keyof typeof OF | 'processes'): void {
  const scenarios = CATALOGUE.filter(({ name }) =>
    of === 'processes' ? !OTHERS.includes(name) : OF[of].includes(name),
  );
  describe(`a slice of each fault of ${of}`, () => {
    it.for(scenarios.map((scenario) => [scenario.name, scenario] as const))(
      '%s',
      { timeout: 180_000 },
      async ([, scenario], { skip, onTestFailed }) => {
        const said: string[] = [];
        // A test that takes too long would end without them.
        onTestFailed(() => console.log(said.join('\n')));
        const result = await perform(scenario, {
          trials: scenario.slice,
          minutes: MINUTES,
          say: (line) => said.push(line),
        });
        if (result.verdict === 'skipped') skip(result.reason);
        expect(result.broken).toEqual([]);
        expect(result.trials).toBeGreaterThan(0);
      },
    );
  });
}
