/** A short slice of fault scenarios of `npm run faults` as tests; how often and how long each is injected there: faults/. */
import { describe, expect, it } from 'vitest';
import { CATALOGUE } from '../../faults/catalogue.ts';
import { perform } from '../../faults/perform.ts';

/** Length of the soak here: one fault. */
const MINUTES = 0.2;
/** What is done to files and servers, and by strangers; the rest is done to processes and their links. A test file each, side by side. */
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
      async ([, scenario], { skip }) => {
        const said: string[] = [];
        const result = await perform(scenario, {
          trials: scenario.slice,
          minutes: MINUTES,
          say: (line) => said.push(line),
        });
        if (result.verdict === 'skipped') skip(result.reason);
        expect(result.broken, said.join('\n')).toEqual([]);
        expect(result.trials).toBeGreaterThan(0);
      },
    );
  });
}
