/** A short slice of fault scenarios of `npm run faults` as tests; how often and how long each is injected there: faults/. */
import { describe, expect, it } from 'vitest';
import { CATALOGUE } from '../../faults/catalogue.ts';
import { perform } from '../../faults/perform.ts';

/** Length of the soak here: one fault. */
const MINUTES = 0.2;
/** What is done to files and servers; the rest is done to processes and their links. In two test files, which run side by side. */
const OF_STORES = new Set([
  'power-cut',
  'journal-damage',
  'snapshot-damage',
  'journal-lost',
  'disk-full',
  'disk-trouble',
  'redis',
]);

export function testSlices(of: 'stores' | 'processes'): void {
  const scenarios = CATALOGUE.filter(({ name }) => OF_STORES.has(name) === (of === 'stores'));
  describe(`a slice of each fault of ${of}`, () => {
    it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))(
      '%s',
      async (_, scenario) => {
        const said: string[] = [];
        const result = await perform(scenario, {
          trials: scenario.slice,
          minutes: MINUTES,
          say: (line) => said.push(line),
        });
        if (result.verdict === 'skipped') {
          console.warn(`${scenario.name} is skipped: ${result.reason}`);
          expect(result.reason).not.toBe('');
          return;
        }
        expect(result.broken, said.join('\n')).toEqual([]);
        expect(result.trials).toBeGreaterThan(0);
      },
      180_000,
    );
  });
}
